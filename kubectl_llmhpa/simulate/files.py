"""Autoscalers out of files."""

from __future__ import annotations

from kubectl_llmhpa.api import HPAS, SCALED_OBJECTS
from kubectl_llmhpa.errors import LlmHpaError
from kubectl_llmhpa.lint import documents
from kubectl_llmhpa.simulate.scalers import Candidate, of_object


def read(path: str) -> list[Candidate]:
    """Every HPA and ScaledObject of a file, a folder or stdin (`-`).

    Raises LlmHpaError with the line of what cannot be read, and where there is no autoscaler.
    """
    found = documents.read([path])
    for bad in found.unreadable:
        raise LlmHpaError(f"read {path}", str(bad))
    kinds = {HPAS.kind: "hpa", SCALED_OBJECTS.kind: "scaledobject"}
    candidates = [
        of_object(one.object, f"{kinds[one.kind]}/{one.name}") for one in found.documents if one.kind in kinds
    ]
    if not candidates:
        why = found.notes[0] if found.notes else "there is no HorizontalPodAutoscaler or ScaledObject in it"
        raise LlmHpaError(f"read {path}", why)
    return candidates
