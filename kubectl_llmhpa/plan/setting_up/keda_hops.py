"""The links that KEDA adds: its ScaledObject, and the HPA that it makes of it.

`Ready` is True as soon as the ScaledObject is well-formed, and turns False when all its queries fail (Unknown: some of
them), ten seconds or so later; the cause is in the events only. While a fallback is active everything looks well, with
a number that nobody measured (KEDA 2.21, pkg/scaling/executor/scale_scaledobjects.go, pkg/fallback).
"""

from __future__ import annotations

from decimal import Decimal

from kubectl_llmhpa import hpa, quantities
from kubectl_llmhpa.api import HPAS, SCALED_OBJECTS, Json, Reader, events_path
from kubectl_llmhpa.errors import ApiError
from kubectl_llmhpa.hpa import scaled_objects
from kubectl_llmhpa.plan.setting_up.hops import Hop, HopState, written
from kubectl_llmhpa.workloads import Workload

#: Of an HPA's targets, and KEDA cuts off or rounds what is below.
_RESOLUTION = Decimal("0.001")


def ready(reader: Reader, workload: Workload, name: str) -> Hop:
    """KEDA took the ScaledObject, works by it, and by its queries."""
    namespace = workload.namespace

    def look() -> HopState:
        found = written(reader, SCALED_OBJECTS, namespace, name)
        state = scaled_objects.state(found)
        if state.fault:
            return HopState(False, _with_cause(reader, found, state.fault))
        if not state.hpa:
            return HopState(False, "KEDA has not looked at it yet")
        return HopState(True, f"{name} is ready, HPA {state.hpa}")

    return Hop("ScaledObject", look, f"see: kubectl -n {namespace} describe scaledobject {name}")


def scaling_active(reader: Reader, workload: Workload, name: str) -> Hop:
    """The HPA that KEDA made of the ScaledObject computes replicas from every query."""
    namespace = workload.namespace

    def look() -> HopState:
        found = written(reader, SCALED_OBJECTS, namespace, name)
        scaler = scaled_objects.hpa_name(found)
        view = hpa.view(reader.get(HPAS.path(namespace, scaler)))
        active = next((one for one in view.conditions if one.type == "ScalingActive"), None)
        if active is None:
            return HopState(False, "the controller has not looked at it yet")
        if not made_of(view, found):
            return HopState(False, f"KEDA has not changed hpa/{scaler} yet")
        signals = scaled_objects.signals(found)
        missing = [signals.get(one.name, one.name) for one in view.metrics if one.now is None]
        if active.status != "True" or missing:
            return HopState(
                False, _with_cause(reader, found, f"no value for {', '.join(missing) or scaler} yet")
            )
        shown = ", ".join(
            f"{signals.get(one.name, one.name)} {quantities.human(one.now)}/{quantities.human(one.target)}"
            for one in view.metrics
        )
        return HopState(True, f"ScalingActive: {shown}")

    return Hop("HPA", look, f"see: kubectl -n {namespace} describe scaledobject {name}")


def made_of(view: hpa.HpaView, found: Json) -> bool:
    """Whether an HPA has the targets of its ScaledObject's queries: KEDA brings a change there seconds later.

    A formula of KEDA's is one metric of another name, so nothing can be said of that.
    """
    if (found["spec"].get("advanced") or {}).get("scalingModifiers"):
        return True
    wanted = hpa.view(scaled_objects.as_hpa(found, None)).metrics
    has = {one.name: one.target for one in view.metrics if one.name.endswith("-prometheus")}
    return has.keys() == {one.name for one in wanted} and all(
        abs(quantities.parse(has[one.name]) - quantities.parse(one.target)) <= _RESOLUTION for one in wanted
    )


def _with_cause(reader: Reader, found: Json, text: str) -> str:
    """The text with what KEDA's last event says of a query that failed, where events may be read."""
    metadata = found["metadata"]
    path = events_path(metadata["namespace"], SCALED_OBJECTS.kind, name=metadata["name"])
    try:
        events = reader.get(path).get("items") or []
    except ApiError:
        return text
    cause = scaled_objects.cause(found, events)
    return f"{text}: {cause}" if cause else text
