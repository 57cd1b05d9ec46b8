"""Which GPUs pods run on, by the labels of their nodes."""

from __future__ import annotations

from collections.abc import Sequence

from kubectl_llmhpa.api import NODES, Json, Reader
from kubectl_llmhpa.errors import ApiError
from kubectl_llmhpa.plan.permitted import Permitted
from kubectl_llmhpa.workloads import gpu_requests

#: Of NVIDIA's GPU feature discovery, AMD's node labeller, GKE, Karpenter, EKS Auto Mode and Alibaba's ACK.
_LABELS = (
    "nvidia.com/gpu.product", "amd.com/gpu.product-name", "cloud.google.com/gke-accelerator",
    "karpenter.k8s.aws/instance-gpu-name", "eks.amazonaws.com/instance-gpu-name", "aliyun.accelerator/nvidia_name",
)  # fmt: skip


def products(reader: Reader, container: Json, pods: Sequence[Json]) -> tuple[str, ...]:
    """Of the nodes of pods with an engine like `container`; none where it asks for no accelerator, nodes have no such
    label, or may not be read."""
    names = {pod["spec"].get("nodeName") for pod in pods} - {None, ""}
    if not gpu_requests(container) or not names:
        return ()
    answers = Permitted(reader).get_many([NODES.path("", name) for name in sorted(names)])
    found = (_product(one) for one in answers if not isinstance(one, ApiError))
    return tuple(sorted({*found} - {""}))


def _product(node: Json) -> str:
    labels = node["metadata"].get("labels") or {}
    return next((labels[label] for label in _LABELS if labels.get(label)), "")
