"""What scales a workload already: ours, one to take over, or a reason to refuse."""

from __future__ import annotations

from dataclasses import dataclass

from kubectl_llmhpa import hpa
from kubectl_llmhpa.api import HPAS, MANAGER, SCALED_OBJECTS, Json, Resource
from kubectl_llmhpa.errors import LlmHpaError
from kubectl_llmhpa.plan import handover
from kubectl_llmhpa.plan.looking.look import Surroundings
from kubectl_llmhpa.plan.wishes import Wishes
from kubectl_llmhpa.workloads import Workload


@dataclass(frozen=True)
class Live:
    """The HPA or ScaledObject that scales the workload now."""

    resource: Resource
    object: Json
    ours: bool
    """False: made by somebody else, and taken over because that was asked for."""

    @property
    def name(self) -> str:
        return str(self.object["metadata"]["name"])

    @property
    def keda(self) -> bool:
        """Whether KEDA serves it."""
        return self.resource is SCALED_OBJECTS


def scaled_objects_of(workload: Workload, around: Surroundings) -> list[Json]:
    """KEDA's ScaledObjects that target the workload; a reference without a kind means a Deployment."""
    found = []
    for one in around.scaled_objects:
        given = one["spec"]["scaleTargetRef"]
        reference = {"apiVersion": "apps/v1", "kind": "Deployment", **given}
        if workload.is_target_of(reference):
            found.append(one)
    return found


def check(workload: Workload, around: Surroundings, wishes: Wishes) -> Live | None:
    """The autoscaler that scales the workload (ours, or one to adopt), None when there is none.

    Raises LlmHpaError when a second autoscaler would come about: both would stop (AmbiguousSelector).
    """
    does = "move" if wishes.moving else "enable"
    attempted = f"{does} autoscaling of {workload.reference} in namespace {workload.namespace!r}"
    if workload.rival is not None:
        rival = workload.rival
        raise LlmHpaError(attempted, rival.problem, rival.remedy, detail=rival.detail)
    move = around.journal.move if around.journal is not None else None
    if move is not None:
        if not wishes.moving:
            raise LlmHpaError(
                attempted, "a move to another backend has begun and not ended",
                "run the same kubectl llm-hpa migrate again, or disable",
            )  # fmt: skip
        return Live(_resource(move.scaler), move.scaler, ours=True)
    found = _one(workload, around, attempted)
    if found is None:
        if wishes.moving:
            raise LlmHpaError(attempted, "nothing scales it", "enable it first")
        return None
    resource = _resource(found)
    scaled = resource == SCALED_OBJECTS
    owner = next(
        (one for one in found["metadata"].get("ownerReferences") or () if one.get("controller")), None
    )
    if scaled and owner is not None:
        raise LlmHpaError(
            attempted, f"KEDA's ScaledObject {_names([found])} already scales it and belongs to {owner['kind']} "
            f"{owner['name']}, whose controller writes it anew",
            f"set its limits in the {owner['kind']}, or delete that",
        )  # fmt: skip
    known = around.journal is not None and around.journal.adopts(found)
    ours = hpa.is_ours(found)
    if not ours and (wishes.moving or not (wishes.adopt or known)):
        kind = "KEDA's ScaledObject" if scaled else "HorizontalPodAutoscaler"
        raise LlmHpaError(
            attempted, f"{kind} {_names([found])} already scales it and was not made by {MANAGER}",
            f"take it over with {'enable ' * wishes.moving}--adopt (disable gives it back as it was), or delete it",
        )  # fmt: skip
    if wishes.name and wishes.name != found["metadata"]["name"]:
        raise LlmHpaError(
            attempted,
            f"{resource.kind} {_names([found])} already scales it",
            f"leave out --name {wishes.name}",
        )
    return Live(resource, found, ours)


def _one(workload: Workload, around: Surroundings, attempted: str) -> Json | None:
    """The one HPA or ScaledObject that targets it. Raises LlmHpaError where there are several."""
    scaled = scaled_objects_of(workload, around)
    scalers = [
        one
        for one in around.hpas
        if workload.is_target_of(one["spec"]["scaleTargetRef"])
        and not any(handover.holds(each, one) for each in scaled)
    ]
    if scaled and scalers:
        raise LlmHpaError(
            attempted,
            f"HorizontalPodAutoscaler {_names(scalers)} and KEDA's ScaledObject {_names(scaled)} both target it, so "
            "neither works",
            "delete one of them",
        )
    if len(scaled) > 1 or len(scalers) > 1:
        kind = "ScaledObjects" if scaled else "HPAs"
        raise LlmHpaError(
            attempted, f"several {kind} already target it ({_names(scaled or scalers)}), so none of them works",
            "keep one",
        )  # fmt: skip
    return next(iter((*scaled, *scalers)), None)


def check_name(workload: Workload, around: Surroundings, name: str) -> None:
    """Refuse a name under which another workload's autoscaler lives already."""
    for other in (*around.hpas, *around.scaled_objects):
        target = {"kind": "Deployment", **other["spec"]["scaleTargetRef"]}
        if other["metadata"]["name"] == name and not workload.is_target_of(target):
            raise LlmHpaError(
                f"create {other['kind']} {workload.namespace}/{name}",
                f"one of that name scales {target['kind']}/{target['name']}",
                "choose another name with --name",
            )


def _resource(scaler: Json) -> Resource:
    return SCALED_OBJECTS if scaler["kind"] == SCALED_OBJECTS.kind else HPAS


def _names(found: list[Json]) -> str:
    return ", ".join(one["metadata"]["name"] for one in found)
