"""What can be scaled: the /scale subresource, its pods and their containers."""

from kubectl_llmhpa.workloads.model import Rival, Workload
from kubectl_llmhpa.workloads.pods import (
    engine_container,
    gpu_requests,
    is_ready,
    pods,
    ready_pods,
    template_hash,
)
from kubectl_llmhpa.workloads.resolve import identify, owners_of, resolve, unscaled, words_of

__all__ = [
    "Rival",
    "Workload",
    "engine_container",
    "gpu_requests",
    "identify",
    "is_ready",
    "owners_of",
    "pods",
    "ready_pods",
    "resolve",
    "template_hash",
    "unscaled",
    "words_of",
]
