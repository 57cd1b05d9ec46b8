"""Autoscalers out of files."""

from __future__ import annotations

from kubectl_llmhpa.api import HPAS, SCALED_OBJECTS, STATEFUL_SETS, Json
from kubectl_llmhpa.errors import LlmHpaError
from kubectl_llmhpa.lint import documents
from kubectl_llmhpa.simulate.scalers import Candidate, of_object


def read(path: str) -> tuple[list[Candidate], bool]:
    """Every HPA and ScaledObject of a file, a folder or stdin (`-`), and whether pods of the first start in order.

    Raises LlmHpaError with the line of what cannot be read, and where there is no autoscaler.
    """
    found = documents.read([path])
    for bad in found.unreadable:
        raise LlmHpaError(f"read {path}", str(bad))
    kinds = {HPAS.kind: "hpa", SCALED_OBJECTS.kind: "scaledobject"}
    scalers = [one for one in found.documents if one.kind in kinds]
    candidates = [of_object(one.object, f"{kinds[one.kind]}/{one.name}") for one in scalers]
    if not candidates:
        why = found.notes[0] if found.notes else "there is no HorizontalPodAutoscaler or ScaledObject in it"
        raise LlmHpaError(f"read {path}", why)
    reference = (scalers[0].object.get("spec") or {}).get("scaleTargetRef") or {}
    sets = (
        one.object
        for one in found.documents
        if one.kind == STATEFUL_SETS.kind and one.name == reference.get("name")
    )
    return candidates, reference.get("kind") == STATEFUL_SETS.kind and in_order(next(sets, {}))


def in_order(stateful_set: Json) -> bool:
    """Whether a StatefulSet starts its pods one after the other (`podManagementPolicy`, OrderedReady by default)."""
    return (stateful_set.get("spec") or {}).get("podManagementPolicy") != "Parallel"
