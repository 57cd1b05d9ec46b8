"""NVIDIA NIM Operator: NIMService sets the replicas of its Deployment, and makes an HPA of its own when asked.

Facts: NVIDIA/k8s-nim-operator api/apps/v1alpha1/common_types.go (spec.scale), nimservice_types.go (no scale
subresource; replicas are written back unless spec.scale is on).
"""

from __future__ import annotations

from kubectl_llmhpa.workloads.kinds import Kind, Lookup, Target, Trail, owned_by, patch
from kubectl_llmhpa.workloads.model import Rival

#: NIM's own names have no prefix; its gauge of cache use is a ratio.
_SCALE = (
    '{"spec":{"scale":{"enabled":true,"hpa":{"minReplicas":1,"maxReplicas":N,"metrics":[{"type":"Pods","pods":'
    '{"metric":{"name":"gpu_cache_usage_perc"},"target":{"type":"AverageValue","averageValue":"800m"}}}]}}}}'
)


def _service(_: Lookup, trail: Trail) -> Target:
    found = trail[-1]
    return owned_by(trail, Rival(
        f"{found.reference} sets its replicas and takes every change back, and has no scale subresource",
        "let the NIM operator make the HPA: spec.scale.hpa", patch(found, _SCALE),
    ))  # fmt: skip


KINDS = (Kind("apps.nvidia.com", "NIMService", _service, climbs=False),)
