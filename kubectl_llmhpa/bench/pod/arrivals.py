"""When the requests of an open loop come, and which part of a load is one client's. Pure."""

from __future__ import annotations

import math
import random
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

#: Of one client of several from the next one: large, so that their random numbers differ from the first on.
SEED_STRIDE = 1_000_003


def arrivals(rates: list[list[float]], seed: int, burstiness: float = 1.0) -> Iterator[float]:
    """Seconds from the start at which requests come, in order, until the stages are over.

    `rates` are stages `[seconds, first, last]` in requests a second; between first and last the rate changes evenly.
    Gaps are gamma distributed with shape `burstiness`: 1 is a Poisson process, less is burstier, more is more regular.
    They are drawn in expected arrivals and mapped to time through the integral of the rate, so a ramp is exact.
    """
    dice = random.Random(seed)
    due = dice.gammavariate(burstiness, 1 / burstiness)
    began = passed = 0.0  # seconds and expected arrivals of the stages before
    for seconds, first, last in rates:
        slope = (last - first) / seconds
        expected = seconds * (first + last) / 2
        while due < passed + expected:
            yield began + _when(due - passed, first, slope)
            due += dice.gammavariate(burstiness, 1 / burstiness)
        began += seconds
        passed += expected


def _when(expected: float, first: float, slope: float) -> float:
    """Seconds after which first*t + slope*t^2/2 is `expected`; in the form that is exact for a slope near 0."""
    root = math.sqrt(max(0.0, first * first + 2 * slope * expected))
    return 2 * expected / (first + root) if first + root else 0.0


def rate_at(rates: list[list[float]], at: float) -> float:
    """The rate that is asked for `at` seconds after the start; 0 after the end."""
    for seconds, first, last in rates:
        if at < seconds:
            return first + (last - first) * max(0.0, at) / seconds
        at -= seconds
    return 0.0


def part(settings: dict[str, Any], index: int, of: int) -> dict[str, Any]:
    """The settings of client `index` of `of`: its part of every number of requests, and a seed of its own."""

    def share(number: int) -> int:
        return number // of + (index < number % of)

    mine = dict(settings, seed=settings.get("seed", 0) + index * SEED_STRIDE)
    if settings.get("stages"):
        mine["stages"] = [[seconds, share(number)] for seconds, number in settings["stages"]]
    if settings.get("rates"):
        mine["rates"] = [[seconds, first / of, last / of] for seconds, first, last in settings["rates"]]
    for name in ("num_prompts", "in_flight_limit"):
        if settings.get(name):
            mine[name] = share(settings[name])
    return mine
