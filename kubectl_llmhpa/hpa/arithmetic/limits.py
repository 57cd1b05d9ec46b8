"""Limits of one step: policies of `behavior`, or the fixed rule where there is none, and minimum and maximum.

Source: convertDesiredReplicasWithRules (no `behavior`) and convertDesiredReplicasWithBehaviorRate, horizontal.go.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from kubectl_llmhpa.hpa.arithmetic.model import ScalingPolicy, ScalingRules, Time
from kubectl_llmhpa.hpa.go import (
    MAX_INT32,
    MIN_INT32,
    ceil32,
    floor32,
    wrap32,
)

WITHIN_RANGE = "DesiredWithinRange"
MESSAGES = {
    "DesiredWithinRange": "the desired count is within the acceptable range",
    "TooManyReplicas": "the desired replica count is more than the maximum replica count",
    "TooFewReplicas": "the desired replica count is less than the minimum replica count",
    "ScaleUpLimit": "the desired replica count is increasing faster than the maximum scale rate",
    "ScaleDownLimit": "the desired replica count is decreasing faster than the maximum scale rate",
}


@dataclass(frozen=True, slots=True)
class Change:
    """A rescale by so many replicas (never negative) at a time; `outdated`: no policy reached it any more when the next
    one was remembered, so its place is free."""

    replicas: int
    at: Time
    outdated: bool = False


@dataclass(frozen=True, slots=True)
class Allowance:
    """How far one policy lets the replicas go: from `start`, the replicas at the start of its period."""

    policy: ScalingPolicy
    start: int
    replicas: int


@dataclass(frozen=True, slots=True)
class Limited:
    """The number after the limits, the reason of the ScalingLimited condition, and what every policy allowed.

    `allowances` is empty where no policy was asked: no `behavior`, scaling disabled, or no change wanted.
    """

    replicas: int
    reason: str
    allowances: tuple[Allowance, ...] = ()


def without_behavior(current: int, desired: int, *, lowest: int, highest: int) -> Limited:
    """At most twice the replicas or 4, whichever is more, within minimum and maximum."""
    rate = max(2 * current, 4)
    if desired < lowest:
        return Limited(lowest, "TooFewReplicas")
    most, reason = (rate, "ScaleUpLimit") if highest > rate else (highest, "TooManyReplicas")
    return Limited(most, reason) if desired > most else Limited(desired, WITHIN_RANGE)


def with_behavior(
    current: int,
    desired: int,
    *,
    lowest: int,
    highest: int,
    up: ScalingRules,
    down: ScalingRules,
    ups: Sequence[Change],
    downs: Sequence[Change],
    now: Time,
) -> Limited:
    """As far as the policies of the direction allow, within minimum and maximum."""
    if desired > current:
        allowances = _allowances(up, current, ups, downs, now, sign=1)
        rate = max(current, _selected(up, current, allowances, sign=1))
        most, reason = (rate, "ScaleUpLimit") if highest > rate else (highest, "TooManyReplicas")
        if desired > most:
            return Limited(most, reason, allowances)
        return Limited(desired, WITHIN_RANGE, allowances)
    if desired < current:
        allowances = _allowances(down, current, ups, downs, now, sign=-1)
        rate = min(current, _selected(down, current, allowances, sign=-1))
        least, reason = (rate, "ScaleDownLimit") if lowest < rate else (lowest, "TooFewReplicas")
        if desired < least:
            return Limited(least, reason, allowances)
        return Limited(desired, WITHIN_RANGE, allowances)
    return Limited(desired, WITHIN_RANGE)


def remembered(changes: Sequence[Change], new: Change, rules: ScalingRules) -> tuple[Change, ...]:
    """The changes with a new one, which takes the place of one that no policy of the rules reaches any more."""
    cutoff = new.at - rules.longest_period
    marked = [Change(one.replicas, one.at, one.outdated or one.at < cutoff) for one in changes]
    free = [index for index, one in enumerate(marked) if one.outdated]
    if free:
        marked[free[-1]] = new
    else:
        marked.append(new)
    return tuple(marked)


def _allowances(
    rules: ScalingRules, current: int, ups: Sequence[Change], downs: Sequence[Change], now: Time, *, sign: int
) -> tuple[Allowance, ...]:
    if rules.select == "Disabled":
        return ()
    found = []
    for policy in rules.policies:
        cutoff = now - policy.period
        added = sum(one.replicas for one in ups if one.at > cutoff)
        removed = sum(one.replicas for one in downs if one.at > cutoff)
        start = current - added + removed
        if policy.type == "Pods":
            replicas = wrap32(start + sign * policy.value)
        elif sign > 0:
            replicas = ceil32(float(start) * (1 + policy.value / 100))
        else:
            replicas = floor32(float(start) * (1 - policy.value / 100))
        found.append(Allowance(policy, start, replicas))
    return tuple(found)


def _selected(rules: ScalingRules, current: int, allowances: Sequence[Allowance], *, sign: int) -> int:
    """The policy that changes most, or least (`select` Min); none at all leaves what Go's loop starts with."""
    if rules.select == "Disabled":
        return current
    widest = (rules.select == "Max") == (sign > 0)
    if not allowances:
        return MIN_INT32 if widest else MAX_INT32
    numbers = [one.replicas for one in allowances]
    return max(numbers) if widest else min(numbers)
