"""A workload: one object with a scale subresource, and what its kind says about the pods behind it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Final

from kubectl_llmhpa.api import Json, Resource
from kubectl_llmhpa.workloads import selectors

#: Topologies. One pod a replica, made from one template:
REPLICAS: Final = "replicas"
#: one leader and its workers a replica, on several nodes:
LEADER_WORKER: Final = "leader-worker"
#: one role of a group whose roles scale apart (prefill and decode):
ROLE: Final = "role"
#: several pods of several roles a replica, which scale together:
GROUP: Final = "group"

PREFILL: Final = "prefill"
DECODE: Final = "decode"
WORKER: Final = "worker"
FRONTEND: Final = "frontend"
_ROLE_WORDS = {
    PREFILL: ("prefill",),
    DECODE: ("decode",),
    FRONTEND: ("frontend", "router", "gateway", "proxy", "planner", "epp", "scheduler"),
    WORKER: ("worker", "backend", "engine"),
}
_LABEL_LIMIT = 63


@dataclass(frozen=True)
class Rival:
    """Who sets the replicas already, so that an HPA would fight it; what to do; lines to copy."""

    problem: str
    remedy: str = ""
    detail: str = ""


@dataclass(frozen=True)
class Workload:
    """One scalable object.

    `selector` is the label selector of its scale subresource, the one that the HPA controller uses. `asked` is the
    reference of what the user pointed at when this is scaled in its stead. `role` is prefill, decode, worker,
    frontend, or empty when nothing tells. `pods_per_replica` is how many pods one replica consists of,
    `counted_per_replica` how many of those the selector matches: the HPA controller averages a Pods metric over the
    pods that it counts and asks for as many replicas (podautoscaler/replica_calculator.go,
    calcPlainMetricReplicas), so anything but 1 multiplies what it asks for. `rival` is who sets its replicas already.
    `notes` are sentences for the user.
    """

    resource: Resource
    namespace: str
    name: str
    object: Json
    replicas: int
    selector: str
    asked: str = ""
    topology: str = REPLICAS
    role: str = ""
    pods_per_replica: int = 1
    counted_per_replica: int = 1
    rival: Rival | None = None
    notes: tuple[str, ...] = ()

    @property
    def reference(self) -> str:
        """`StatefulSet/vllm`."""
        return f"{self.resource.kind}/{self.name}"

    @property
    def label(self) -> str:
        """`StatefulSet.vllm`: the reference as a label value; what is too long for one ends in a hash."""
        text = f"{self.resource.kind}.{self.name}"
        if len(text) <= _LABEL_LIMIT:
            return text.rstrip(".-")
        mark = hashlib.sha256(text.encode()).hexdigest()[:8]
        return f"{text[: _LABEL_LIMIT - len(mark) - 1].rstrip('.-')}-{mark}"

    @property
    def scale_target(self) -> Json:
        """The `scaleTargetRef` of an HPA."""
        return {"apiVersion": self.resource.api_version, "kind": self.resource.kind, "name": self.name}

    @property
    def pod_selector(self) -> Json:
        """The selector as a LabelSelector, for a PodMonitor. Raises LlmHpaError where it cannot be one."""
        return selectors.label_selector(self.selector)

    def is_target_of(self, reference: Json) -> bool:
        """Whether a `scaleTargetRef` points here (API versions of one group are the same object)."""
        group = str(reference.get("apiVersion", "")).rpartition("/")[0]
        return (
            reference.get("kind") == self.resource.kind
            and reference.get("name") == self.name
            and group in ("", self.resource.group)
        )


def role_word(name: str) -> str:
    """The role that a role's or component's name stands for: `VllmPrefillWorker` is prefill."""
    lower = name.lower()
    return next((role for role, words in _ROLE_WORDS.items() if any(word in lower for word in words)), "")
