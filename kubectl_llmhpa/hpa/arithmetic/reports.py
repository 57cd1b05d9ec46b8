"""What the controller writes down of a sync: conditions of the HPA's status, and events, word for word."""

from __future__ import annotations

from dataclasses import dataclass

from kubectl_llmhpa.hpa.arithmetic import limits, votes
from kubectl_llmhpa.hpa.arithmetic.model import Spec
from kubectl_llmhpa.hpa.arithmetic.sync import Outcome
from kubectl_llmhpa.hpa.model import Condition

_HIGHER = "recent recommendations were higher than current one, applying the highest recent recommendation"
_LOWER = "recent recommendations were lower than current one, applying the lowest recent recommendation"


@dataclass(frozen=True, slots=True)
class Event:
    """`type` is Normal or Warning."""

    type: str
    reason: str
    message: str


def conditions(spec: Spec, outcome: Outcome) -> tuple[Condition, ...]:
    """The conditions that the sync sets; others keep what an earlier one said."""
    found = [_able(spec, outcome)]
    if outcome.path == "disabled":
        message = "scaling is disabled since the replica count of the target is zero"
        found.append(Condition("ScalingActive", "False", "ScalingDisabled", message))
    elif outcome.ballot is not None and outcome.ballot.replicas is None:
        first = outcome.ballot.invalid[0]
        message = f"the HPA was unable to compute the replica count: {first.message}"
        found.append(Condition("ScalingActive", "False", first.reason, message))
    elif outcome.ballot is not None:
        name = votes.title(spec.metrics[outcome.ballot.winner or 0])
        message = f"the HPA was able to successfully calculate a replica count from {name}"
        found.append(Condition("ScalingActive", "True", "ValidMetricFound", message))
    if outcome.limited is not None and outcome.stabilized is not None:
        held = outcome.limited.replicas != outcome.stabilized.replicas
        reason = outcome.limited.reason
        found.append(Condition("ScalingLimited", str(held), reason, limits.MESSAGES[reason]))
    if outcome.rescaled and spec.controller.marks_zero:
        found.append(
            Condition(
                "ScaledToZero", "True", "ScaledToZero", "the HPA controller scaled the workload to zero"
            )
            if outcome.memory.scaled_to_zero
            else Condition(
                "ScaledToZero",
                "False",
                "NotScaledToZero",
                "the HPA controller did not scale the workload to zero",
            )
        )
    return tuple(found)


def events(outcome: Outcome) -> tuple[Event, ...]:
    """The events in the order in which the controller makes them; client-go drops and merges some of many."""
    found = []
    if outcome.ballot is not None:
        invalid = outcome.ballot.invalid
        found = [Event("Warning", one.reason, one.message) for one in invalid]
        if outcome.ballot.replicas is None:
            count = f"{len(invalid)} invalid out of {len(outcome.ballot.votes)}"
            message = f"invalid metrics ({count}), first error is: {invalid[0].outer}"
            found.append(Event("Warning", "FailedComputeMetricsReplicas", message))
    if outcome.rescaled:
        message = f"New size: {outcome.replicas}; reason: {outcome.reason}"
        found.append(Event("Normal", "SuccessfulRescale", message))
    return tuple(found)


def _able(spec: Spec, outcome: Outcome) -> Condition:
    if outcome.rescaled:
        message = f"the HPA controller was able to update the target scale to {outcome.replicas}"
        return Condition("AbleToScale", "True", "SucceededRescale", message)
    if outcome.stabilized is None:
        message = "the HPA controller was able to get the target's current scale"
        return Condition("AbleToScale", "True", "SucceededGetScale", message)
    if outcome.stabilized.replicas == outcome.asked:
        return Condition("AbleToScale", "True", "ReadyForNewScale", "recommended size matches current size")
    up = spec.up is not None and outcome.asked >= outcome.before
    reason, message = ("ScaleUpStabilized", _LOWER) if up else ("ScaleDownStabilized", _HIGHER)
    return Condition("AbleToScale", "True", reason, message)
