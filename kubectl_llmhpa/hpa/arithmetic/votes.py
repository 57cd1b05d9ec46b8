"""What each metric of an HPA asks for, which of them wins, and what the controller says where one cannot be computed.

Source: computeReplicasForMetrics and below, pkg/controller/podautoscaler/horizontal.go.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from kubectl_llmhpa.hpa.arithmetic import replicas
from kubectl_llmhpa.hpa.arithmetic.model import OBJECT_MESSAGE, SATURATION, Failed, Metric, Pod, Reading, Spec
from kubectl_llmhpa.hpa.arithmetic.replicas import Proposal

NO_TARGET = "invalid {} metric source: neither a value target nor an average value target was set"


@dataclass(frozen=True, slots=True)
class Invalid:
    """A metric without a vote: the reason and the text of its event, and the text with the callers' words before it."""

    reason: str
    message: str
    outer: str


Vote: TypeAlias = Proposal | Invalid


@dataclass(frozen=True, slots=True)
class Ballot:
    """All votes in the order of the spec, the index of the one that wins, and its number of replicas.

    The largest wins, the first of equals. `replicas` is None where the HPA may not act: every metric is invalid, or one
    is and the others ask for fewer replicas than there are.
    """

    votes: tuple[Vote, ...]
    winner: int | None
    replicas: int | None

    @property
    def invalid(self) -> tuple[Invalid, ...]:
        return tuple(vote for vote in self.votes if isinstance(vote, Invalid))


def ballot(
    spec: Spec, readings: Sequence[Reading], pods: Sequence[Pod], *, current: int, status_replicas: int
) -> Ballot:
    """Every metric's vote. `current` is the scale's `spec.replicas`, `status_replicas` its `status.replicas`."""
    votes = tuple(
        vote(spec, metric, reading, pods, current=current, status_replicas=status_replicas)
        for metric, reading in zip(spec.metrics, readings, strict=True)
    )
    most, winner, invalid = 0, None, 0
    for index, one in enumerate(votes):
        if isinstance(one, Invalid):
            invalid += 1
        elif (
            most == 0 or one.replicas > most
        ):  # so a number below 0 can replace a 0: the controller's own slip
            most, winner = one.replicas, index
    if invalid and (invalid == len(votes) or most < current):
        return Ballot(votes, None, None)
    return Ballot(votes, winner, most)


def vote(
    spec: Spec,
    metric: Metric,
    reading: Reading,
    pods: Sequence[Pod],
    *,
    current: int,
    status_replicas: int,
) -> Vote:
    """What one metric asks for."""
    if not metric.form:
        return _invalid(spec, metric, NO_TARGET.format(metric.source.lower()), refused=True)
    if isinstance(reading, Failed):
        return _invalid(spec, metric, reading.message, read=False)
    if not reading:
        api = "external" if metric.source == "External" else "custom"
        return _invalid(spec, metric, f"no metrics returned from {api} metrics API", read=False)
    saturating = spec.controller.minor >= SATURATION
    tolerances, target = spec.tolerances, metric.target
    found: Proposal | str
    if isinstance(reading, Mapping):
        found = replicas.of_pods(reading, pods, current, target, tolerances)
    elif metric.form == "Value":
        total = (
            replicas.sum_for_value(reading, saturating=saturating)
            if metric.source == "External"
            else reading[0]
        )
        found = replicas.of_value(total, pods, current, target, tolerances, saturating=saturating)
    elif metric.source == "External":
        total = replicas.sum_for_average(reading)
        found = replicas.of_external_average(total, status_replicas, target, tolerances)
    else:
        found = replicas.of_object_average(reading[0], status_replicas, target, tolerances)
    return _invalid(spec, metric, found) if isinstance(found, str) else found


def title(metric: Metric) -> str:
    """A metric as conditions and events name it: an Object's AverageValue goes by the name of an external metric."""
    if metric.source == "Pods":
        return f"pods metric {metric.name}"
    if metric.source == "Object" and metric.form == "Value":
        return f"{metric.described[0]} metric {metric.name}"
    return f"external metric {metric.name}({metric.selector})"


def _invalid(spec: Spec, metric: Metric, why: str, *, read: bool = True, refused: bool = False) -> Invalid:
    """`read`: the metrics API gave numbers; `refused`: it was not even asked."""
    name, reason = metric.name, f"FailedGet{metric.source}Metric"
    if metric.source == "External":
        if not read:
            why = f"unable to get external metric {spec.namespace}/{name}/{metric.selector}: {why}"
        wrong = {
            "AverageValue": f"failed to get {name} external metric: ",
            "Value": f"failed to get external metric {name}: ",
        }
        return Invalid(
            reason, why, f"failed to get {name} external metric value: {wrong.get(metric.form, '')}{why}"
        )
    if metric.source == "Object":
        if not read:
            kind, described = metric.described
            mixed_up = spec.controller.minor < OBJECT_MESSAGE
            where = (
                f": {kind} on {spec.namespace} {described}/"
                if mixed_up
                else f" on {kind} {spec.namespace}/{described}: "
            )
            why = f"unable to get metric {name}{where}{why}"
        wrong_object = (
            f"failed to get {name} object metric: " if metric.form == "AverageValue" and not refused else ""
        )
        return Invalid(reason, why, f"failed to get object metric value: {wrong_object}{why}")
    if not read:
        why = f"unable to get metric {name}: {why}"
    return Invalid(reason, why, f"failed to get pods metric value: {why}")
