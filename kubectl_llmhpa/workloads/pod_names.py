"""Names of pods as a regular expression: which series are a workload's, where no label says so.

StatefulSets number their pods. ReplicaSets add five characters of Kubernetes' own alphabet to their own name, which is
the Deployment's and the hash of its template in the same alphabet; a base that would make a name of more than 63
characters is cut off (k8s.io/apiserver pkg/storage/names, apimachinery pkg/util/rand). The leaders of a LeaderWorkerSet
are the pods of a StatefulSet of its name.
"""

from __future__ import annotations

from collections.abc import Sequence

from kubectl_llmhpa.api import Json
from kubectl_llmhpa.workloads.model import Workload

#: No vowels, and none of 0, 1, 3.
_LETTERS = "[bcdfghjklmnpqrstvwxz2456789]"
_RANDOM = f"{_LETTERS}{{5}}"
#: Longest name of a Deployment that is never cut off: 63 less five characters, the hash of at most ten and two dashes.
_LONGEST = 46
_LWS_NAME = "leaderworkerset.sigs.k8s.io/name"
_HASHES = ("pod-template-hash", "rollouts-pod-template-hash")
#: Kinds that scale a LeaderWorkerSet of another name, whose leaders are numbered under that.
_GROUPS = ("RoleBasedGroupScalingAdapter", "DisaggregatedSetRoleScaler")


def pattern(workload: Workload, pods: Sequence[Json]) -> str | None:
    """An expression that the names of the workload's pods match in full, those of other workloads not.

    It serves for pods that come later, too. `pods` are those there are now. None where names do not tell: pods that
    their controller names as it likes, or those of other owners one by one.
    """
    kind = workload.resource.kind
    if kind in ("StatefulSet", "LeaderWorkerSet"):
        return _numbered(workload.name)
    if kind == "Deployment":
        return _random(workload.name)
    groups = kind in _GROUPS
    if not pods or (workload.pods_per_replica > 1 and not groups):
        return None
    found = {_of_one(pod, groups) for pod in pods}
    return found.pop() if len(found) == 1 else None


def _of_one(pod: Json, group: bool) -> str | None:
    """The expression for the pods of the same controller, told by one of them."""
    metadata = pod["metadata"]
    labels = metadata.get("labels") or {}
    owner: Json = next((one for one in metadata.get("ownerReferences") or () if one.get("controller")), {})
    name = str(owner.get("name", ""))
    if owner.get("kind") == "StatefulSet" and (not group or labels.get(_LWS_NAME) == name):
        return _numbered(name)
    if owner.get("kind") == "ReplicaSet":
        for label in _HASHES:
            base = name.removesuffix(f"-{labels.get(label)}")
            if base != name:
                return _random(base)
    return None


def _numbered(name: str) -> str:
    return f"{_literal(name)}-[0-9]+"


def _random(name: str) -> str | None:
    return f"{_literal(name)}-{_LETTERS}{{1,10}}-{_RANDOM}" if len(name) <= _LONGEST else None


def _literal(name: str) -> str:
    """A name in an expression. Dots as classes: a backslash would have to be doubled in a PromQL string."""
    return name.replace(".", "[.]")
