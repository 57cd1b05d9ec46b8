"""One sync of the HPA controller: from the readings to the number of replicas, with what every rule made of it.

Source: reconcileAutoscaler of Kubernetes 1.34 to 1.37, horizontal.go. The same inputs give the same outcome: what the
controller keeps in its memory comes in and goes out as data.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from kubectl_llmhpa.hpa.arithmetic import limits, stabilization, votes
from kubectl_llmhpa.hpa.arithmetic.limits import Change, Limited
from kubectl_llmhpa.hpa.arithmetic.model import REMEMBERED_ZERO, Pod, Reading, ScalingRules, Spec, Time
from kubectl_llmhpa.hpa.arithmetic.stabilization import Recommendation, Stabilized
from kubectl_llmhpa.hpa.arithmetic.votes import Ballot

ABOVE_MAX = "Current number of replicas above Spec.MaxReplicas"
BELOW_MIN = "Current number of replicas below Spec.MinReplicas"
ALL_BELOW = "All metrics below target"

#: Which way the sync went: by the metrics; straight to the maximum or minimum, without a look at them; not at all,
#: since the workload has no replicas.
Path: TypeAlias = Literal["metrics", "above-max", "below-min", "disabled"]


@dataclass(frozen=True, slots=True)
class Memory:
    """What the controller remembers of an HPA between syncs.

    All of it is lost when the controller starts anew, but for `scaled_to_zero`, a condition in the HPA's status.
    """

    recommendations: tuple[Recommendation, ...] = ()
    ups: tuple[Change, ...] = ()
    downs: tuple[Change, ...] = ()
    scaled_to_zero: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a sync came to.

    `before` and `replicas` are the scale's number before and after, `reason` that of the rescale event. `ballot`,
    `stabilized` and `limited` are what each step made of it, None where the sync did not come so far.
    """

    path: Path
    before: int
    replicas: int
    reason: str
    memory: Memory
    ballot: Ballot | None = None
    asked: int = 0
    stabilized: Stabilized | None = None
    limited: Limited | None = None

    @property
    def rescaled(self) -> bool:
        return self.replicas != self.before


def sync(
    spec: Spec,
    memory: Memory,
    readings: Sequence[Reading],
    pods: Sequence[Pod],
    *,
    replicas: int,
    status_replicas: int | None = None,
    now: Time,
) -> Outcome:
    """One sync at a time.

    `readings` has one entry for each metric of the spec. `replicas` is the scale's `spec.replicas`, `status_replicas`
    its `status.replicas` (None: the same), by which an AverageValue of a total is divided.
    """
    if not memory.recommendations:
        first = (Recommendation(replicas, now),)
        memory = Memory(first, memory.ups, memory.downs, memory.scaled_to_zero)
    if replicas == 0:
        if not _leaves_zero(spec, memory):
            return Outcome("disabled", 0, 0, "", memory)
    elif replicas > spec.max_replicas:
        return _rescaled(spec, Outcome("above-max", replicas, spec.max_replicas, ABOVE_MAX, memory), now)
    elif replicas < spec.min_replicas:
        return _rescaled(spec, Outcome("below-min", replicas, spec.min_replicas, BELOW_MIN, memory), now)
    ballot = votes.ballot(
        spec,
        readings,
        pods,
        current=replicas,
        status_replicas=replicas if status_replicas is None else status_replicas,
    )
    if ballot.replicas is None:
        return Outcome("metrics", replicas, replicas, "", memory, ballot)
    return _by_metrics(spec, memory, ballot, replicas, now)


def _by_metrics(spec: Spec, memory: Memory, ballot: Ballot, before: int, now: Time) -> Outcome:
    asked = max(ballot.replicas or 0, 0)
    reason = ""
    if asked > before:
        reason = f"{votes.title(spec.metrics[ballot.winner or 0])} above target"
    elif asked < before:
        reason = ALL_BELOW
    if spec.up is None or spec.down is None:
        stabilized = stabilization.without_behavior(
            memory.recommendations, asked, window=spec.controller.downscale_window, now=now
        )
        limited = limits.without_behavior(
            before, stabilized.replicas, lowest=spec.min_replicas, highest=spec.max_replicas
        )
    else:
        stabilized = stabilization.with_behavior(
            memory.recommendations,
            before,
            asked,
            up_window=spec.up.window,
            down_window=spec.down.window,
            now=now,
        )
        limited = limits.with_behavior(
            before,
            stabilized.replicas,
            lowest=spec.min_replicas,
            highest=spec.max_replicas,
            up=spec.up,
            down=spec.down,
            ups=memory.ups,
            downs=memory.downs,
            now=now,
        )
    memory = Memory(stabilized.recommendations, memory.ups, memory.downs, memory.scaled_to_zero)
    after = limited.replicas
    if before == 0 and after < spec.min_replicas and spec.controller.minor >= REMEMBERED_ZERO:
        after, reason = spec.min_replicas, reason or BELOW_MIN
    outcome = Outcome("metrics", before, after, reason, memory, ballot, asked, stabilized, limited)
    return _rescaled(spec, outcome, now) if outcome.rescaled else outcome


def _leaves_zero(spec: Spec, memory: Memory) -> bool:
    """Whether the metrics are looked at though there are no replicas.

    From 1.36 on only where the controller itself took the workload to zero (ScaledToZero); before, where the minimum
    is 0, which the API server refuses without a feature gate.
    """
    if spec.controller.minor < REMEMBERED_ZERO:
        return spec.min_replicas == 0
    by_us = memory.scaled_to_zero and spec.controller.marks_zero
    return by_us and (spec.min_replicas != 0 or spec.may_be_zero)


def _rescaled(spec: Spec, outcome: Outcome, now: Time) -> Outcome:
    """The outcome of a rescale, with what the controller remembers of it."""
    memory, before, after = outcome.memory, outcome.before, outcome.replicas
    ups, downs = memory.ups, memory.downs
    if after > before:
        ups = _remembered(ups, spec.up, after - before, now)
    else:
        downs = _remembered(downs, spec.down, before - after, now)
    to_zero = (
        spec.controller.marks_zero and after == 0 < before and spec.min_replicas == 0 and spec.may_be_zero
    )
    return Outcome(
        outcome.path,
        before,
        after,
        outcome.reason,
        Memory(memory.recommendations, ups, downs, to_zero),
        outcome.ballot,
        outcome.asked,
        outcome.stabilized,
        outcome.limited,
    )


def _remembered(
    changes: tuple[Change, ...], rules: ScalingRules | None, replicas: int, now: Time
) -> tuple[Change, ...]:
    """Without `behavior` nothing is remembered, since no rule would ask."""
    return changes if rules is None else limits.remembered(changes, Change(replicas, now), rules)
