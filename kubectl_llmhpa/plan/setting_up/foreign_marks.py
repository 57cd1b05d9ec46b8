"""Labels and annotations that others put on what scales a workload, which come along into another backend's object.

KEDA writes labels and annotations of its HPA anew from the ScaledObject (KEDA 2.21, controllers/keda/hpa.go,
updateHPAIfNeeded), so what is on the HPA alone is lost when KEDA takes that over, and what is on the ScaledObject is on
the HPA too. Not carried is what says who owns an object: Argo CD and Helm would take the new one for theirs, and remove
it because it is not in their source.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from kubectl_llmhpa.api import LAST_APPLIED, MANAGER, PLAN_HASH_ANNOTATION, VERSION_ANNOTATION, Json
from kubectl_llmhpa.backends.scaled_object import EXCLUDED_LABELS, TRANSFER
from kubectl_llmhpa.hpa import scaled_objects
from kubectl_llmhpa.plan import journal
from kubectl_llmhpa.plan.setting_up.rivals import Live
from kubectl_llmhpa.workloads import Workload

#: Ends of the domains under which tools say what is theirs, and under which KEDA is told what to do with an object.
_OWNERS = ("argoproj.io", "fluxcd.io", "helm.sh", "keda.sh")
#: Argo CD's default tracking label, which Helm charts set too.
_INSTANCE = "app.kubernetes.io/instance"
#: What KEDA and we write ourselves, and the body, of an object of another kind, that `kubectl apply` compares with.
_OWN = (VERSION_ANNOTATION, PLAN_HASH_ANNOTATION, EXCLUDED_LABELS, TRANSFER, LAST_APPLIED)


@dataclass(frozen=True)
class Marks:
    """What comes along, and the keys of what stays behind."""

    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    left: tuple[str, ...] = ()

    def on(self, made: Json) -> None:
        """Put them on an object that is to be written; what it has already stays."""
        metadata = made["metadata"]
        metadata["labels"] = {**self.labels, **metadata["labels"]}
        metadata["annotations"] = {**self.annotations, **metadata["annotations"]}

    @property
    def notes(self) -> list[str]:
        """What is lost, in words for the user."""
        if not self.left:
            return []
        return [
            f"what says who owns the old object does not come along: {', '.join(self.left)} (its owner would take the "
            "new one for a leftover)"
        ]


def of(live: Live | None, workload: Workload, *, keda: bool) -> Marks:
    """The marks on what scales the workload now, for a ScaledObject (`keda`) or an HPA.

    An object of the same kind keeps what others put on it by itself; only what an earlier move carried has to be said
    again.
    """
    if live is None:
        return Marks()
    metadata = live.object["metadata"]
    known = {*journal.labels_for(workload), *_OWN, scaled_objects.LABEL}
    found = {
        kind: {key: value for key, value in (metadata.get(kind) or {}).items() if key not in known}
        for kind in ("labels", "annotations")
    }
    if live.keda == keda:
        said = {kind: _said(metadata, kind) for kind in found}
        kept = {kind: {key: one[key] for key in one if key in said[kind]} for kind, one in found.items()}
        return Marks(kept["labels"], kept["annotations"])
    left = sorted(key for one in found.values() for key in one if _owns(key))
    carried = {kind: {key: one[key] for key in one if not _owns(key)} for kind, one in found.items()}
    return Marks(carried["labels"], carried["annotations"], tuple(left))


def _owns(key: str) -> bool:
    domain = key.partition("/")[0] if "/" in key else ""
    return key == _INSTANCE or any(domain == end or domain.endswith(f".{end}") for end in _OWNERS)


def _said(metadata: Json, kind: str) -> set[str]:
    """The keys that we apply."""
    fields = [
        ((entry.get("fieldsV1") or {}).get("f:metadata") or {}).get(f"f:{kind}") or {}
        for entry in metadata.get("managedFields") or ()
        if entry.get("manager") == MANAGER and entry.get("operation") == "Apply"
    ]
    return {key.removeprefix("f:") for one in fields for key in one}
