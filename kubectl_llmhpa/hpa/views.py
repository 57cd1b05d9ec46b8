"""From an autoscaling/v2 object to an `HpaView`."""

from __future__ import annotations

from datetime import datetime

from kubectl_llmhpa.api import Json
from kubectl_llmhpa.hpa.metrics import metric_views, unmatched
from kubectl_llmhpa.hpa.model import Condition, HpaView, ScaleTarget
from kubectl_llmhpa.hpa.verdict import judge


def view(hpa: Json, *, ready: int | None = None, now: datetime | None = None) -> HpaView:
    """Read and judge one HPA.

    `ready` is the workload's `status.readyReplicas` (None: not known), `now` the time of the look, both needed to
    tell pods that start from pods that never will.
    """
    metadata, spec, status = hpa.get("metadata") or {}, hpa.get("spec") or {}, hpa.get("status") or {}
    conditions = tuple(
        Condition(
            str(found.get("type") or ""),
            str(found.get("status") or ""),
            str(found.get("reason") or ""),
            str(found.get("message") or ""),
        )
        for found in status.get("conditions") or ()
    )
    # Without the target's scale the controller leaves the old numbers in the status.
    stale = any(
        c.type == "AbleToScale" and c.status == "False" and c.reason == "FailedGetScale" for c in conditions
    )
    metrics = metric_views(hpa, stale=stale)
    state, why = judge(hpa, conditions, metrics, invalid=unmatched(hpa), ready=ready, now=now)
    reference = spec.get("scaleTargetRef") or {}
    return HpaView(
        name=str(metadata.get("name") or ""),
        namespace=str(metadata.get("namespace") or ""),
        target=ScaleTarget(
            str(reference.get("apiVersion") or ""),
            str(reference.get("kind") or ""),
            str(reference.get("name") or ""),
        ),
        metrics=metrics,
        min=int(spec.get("minReplicas", 1)),
        max=int(spec.get("maxReplicas") or 0),
        current=int(status.get("currentReplicas") or 0),
        desired=int(status.get("desiredReplicas") or 0),
        ready=ready,
        conditions=conditions,
        state=state,
        why=why,
        created=str(metadata.get("creationTimestamp") or ""),
        last_scale=status.get("lastScaleTime"),
    )
