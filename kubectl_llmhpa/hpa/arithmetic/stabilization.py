"""Stabilization windows: what recent recommendations allow.

Source: stabilizeRecommendation (no `behavior`) and stabilizeRecommendationWithBehaviors, horizontal.go. The controller
keeps the recommendations in memory and loses them when it starts anew; then the first one is the number of replicas.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from kubectl_llmhpa.hpa.arithmetic.model import Time


@dataclass(frozen=True, slots=True)
class Recommendation:
    """What the metrics asked for at a time, before any rule."""

    replicas: int
    at: Time


@dataclass(frozen=True, slots=True)
class Stabilized:
    """The number after the windows; the lowest recommendation of the window for scaling up and the highest of that for
    scaling down, between which the current number is held; and the recommendations to remember."""

    replicas: int
    lowest: int
    highest: int
    recommendations: tuple[Recommendation, ...]


def without_behavior(
    recommendations: Sequence[Recommendation], desired: int, *, window: float, now: Time
) -> Stabilized:
    """The highest recommendation of the window (seconds), which here includes its first instant."""
    cutoff, highest, old = now - window, desired, None
    for index, one in enumerate(recommendations):
        if one.at < cutoff:
            old = index
        elif one.replicas > highest:
            highest = one.replicas
    return Stabilized(
        highest, desired, highest, _remembered(recommendations, Recommendation(desired, now), old)
    )


def with_behavior(
    recommendations: Sequence[Recommendation],
    current: int,
    desired: int,
    *,
    up_window: float,
    down_window: float,
    now: Time,
) -> Stabilized:
    """The current number, moved only as far as every recommendation of the windows (seconds) agrees."""
    up_cutoff, down_cutoff = now - up_window, now - down_window
    lowest = highest = desired
    old = None
    for index, one in enumerate(recommendations):
        if one.at > up_cutoff and one.replicas < lowest:
            lowest = one.replicas
        if one.at > down_cutoff and one.replicas > highest:
            highest = one.replicas
        if one.at < up_cutoff and one.at < down_cutoff:
            old = index
    replicas = min(max(current, lowest), highest)
    return Stabilized(
        replicas, lowest, highest, _remembered(recommendations, Recommendation(desired, now), old)
    )


def _remembered(
    recommendations: Sequence[Recommendation], new: Recommendation, old: int | None
) -> tuple[Recommendation, ...]:
    """The new one takes the place of one that no window reaches any more, if there is one."""
    if old is None:
        return (*recommendations, new)
    return (*recommendations[:old], new, *recommendations[old + 1 :])
