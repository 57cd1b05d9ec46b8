"""What came into the cluster from an earlier export: ours by its labels, though another field manager applied it."""

from __future__ import annotations

from dataclasses import replace

from kubectl_llmhpa.api import MANAGED_BY, MANAGER, Json
from kubectl_llmhpa.plan.looking.look import Surroundings


def as_ours(around: Surroundings) -> Surroundings:
    """The surroundings with such objects taken for ours, so that a second export gives the same files."""
    return replace(
        around,
        hpas=[_taken(one) for one in around.hpas],
        scaled_objects=[_taken(one) for one in around.scaled_objects],
        pod_monitors=[_taken(one) for one in around.pod_monitors],
    )


def _taken(obj: Json) -> Json:
    metadata: Json = obj["metadata"]
    if (metadata.get("labels") or {}).get(MANAGED_BY) != MANAGER:
        return obj
    entries = [*(metadata.get("managedFields") or []), {"manager": MANAGER}]
    return {**obj, "metadata": {**metadata, "managedFields": entries}}
