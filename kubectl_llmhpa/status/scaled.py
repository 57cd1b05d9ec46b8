"""What is scaled, as a list of its kind shows it: ready replicas, the engine in its template, a rollout half way.

Lists only, one for each kind: pods are never read, so that a cluster with thousands of them costs nothing more.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kubectl_llmhpa.api import Json

#: (namespace, kind, name) of a workload -> its object.
Workloads = Mapping[tuple[str, str, str], Json]

#: Kinds whose API leaves a zero out, so that no number is 0; elsewhere no number is not known.
ZEROS_LEFT_OUT = ("Deployment", "StatefulSet", "ReplicaSet", "ReplicationController", "LeaderWorkerSet")
#: Kinds that count the pods of their newest template as `updatedReplicas`.
_ROLLING = ("Deployment", "StatefulSet", "LeaderWorkerSet")
#: Where pod templates are: all of Kubernetes' own, then LeaderWorkerSets.
_TEMPLATES = (
    ("template",),
    ("leaderWorkerTemplate", "leaderTemplate"),
    ("leaderWorkerTemplate", "workerTemplate"),
)


def ready(workload: Json | None, kind: str) -> int | None:
    """`status.readyReplicas`, None where it is not known."""
    count = _at(workload, "status", "readyReplicas")
    if workload is None or (count is None and kind not in ZEROS_LEFT_OUT):
        return None
    return _whole(count)


def old_pods(workload: Json | None, kind: str) -> tuple[int, int]:
    """(pods of an older template, all pods) while a rollout is not through, else (0, 0)."""
    status = _at(workload, "status")
    if kind not in _ROLLING or not isinstance(status, Mapping):
        return 0, 0
    if status.get("updateRevision") is not None and status["updateRevision"] == status.get("currentRevision"):
        return 0, 0
    size, new = _whole(status.get("replicas")), _whole(status.get("updatedReplicas"))
    return (size - new, size) if new < size else (0, 0)


def engine(workload: Json | None) -> str | None:
    """The engine that a pod template starts, by command line, labels or image; None when none of them names one."""
    from kubectl_llmhpa import engines

    for path in _TEMPLATES:
        template = _at(workload, "spec", *path)
        labels = _at(template, "metadata", "labels") or {}
        for container in _at(template, "spec", "containers") or ():
            words = [*(container.get("command") or ()), *(container.get("args") or ())]
            env = {one["name"]: str(one["value"]) for one in container.get("env") or () if "value" in one}
            clues = engines.clues(words, image=str(container.get("image") or ""), labels=labels, env=env)
            if (expected := engines.expect(clues)) is not None:
                return expected.engine.name
    return None


def _whole(value: object) -> int:
    return value if isinstance(value, int) else 0


def _at(value: Any, *path: str) -> Any:
    for step in path:
        value = value.get(step) if isinstance(value, Mapping) else None
    return value
