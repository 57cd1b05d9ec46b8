"""What a metric of an HPA measures, in the model's words, and its number out of the samples of the pods."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from kubectl_llmhpa.engines.promql import LEAST_SEEN
from kubectl_llmhpa.hpa.arithmetic import Failed, Reading

#: One scrape of a pod: running and waiting requests, and the used part of the KV cache (0..1).
Sample: TypeAlias = tuple[int, int, float]
#: `pods`: each pod its own number (a Pods metric); else one number of all pods (`quantile`: a latency's, of requests).
Combine: TypeAlias = Literal["pods", "sum", "mean", "max", "quantile"]
#: `last`: as it is; over a window: its mean, its maximum, its `share` quantile, or the line through it drawn on to
#: `ahead` seconds from now; the last two are never below the present number.
Over: TypeAlias = Literal["last", "mean", "max", "peak", "forecast"]

SIGNALS = ("running", "waiting", "in-flight", "kv-cache")
LATENCIES = ("ttft", "e2e")


@dataclass(frozen=True)
class Measure:
    """One metric: the signal, how pods combine, what is done over time (`window` and `ahead` in seconds, by the
    numbers at the controller's syncs).

    A latency is the `share` quantile of the requests that the window saw, exactly: Prometheus would interpolate between
    the bounds of buckets. `when_empty` is what no answer counts as (KEDA's `ignoreNullValues`), None: the metric cannot
    be read. `memory`: the number is multiplied by one plus the share of so many seconds in which requests waited.
    `told`: it is divided by the share of so many seats that a pod has been seen to have. 0 of either: it is not.
    """

    signal: str
    combine: Combine = "pods"
    over: Over = "last"
    window: float = 0.0
    ahead: float = 0.0
    share: float = 0.0
    when_empty: int | None = None
    told: int = 0
    memory: int = 0


def value(signal: str, sample: Sample) -> float:
    """A signal of one scrape."""
    running, waiting, cache = sample
    if signal == "running":
        return running
    if signal == "waiting":
        return waiting
    return running + waiting if signal == "in-flight" else cache


def reading(
    measure: Measure,
    samples: Mapping[str, Sample],
    past: Sequence[tuple[float, float]],
    seen: float | None = None,
    queued: float = 0.0,
) -> Reading:
    """What the metrics API answers, in milli-units.

    `past` are (time, number) of this metric, the present one last; `seen` is the most that a full pod ran of late, and
    `queued` for how many seconds requests waited in the measure's memory.
    """
    if measure.combine == "pods":
        return {name: _milli(value(measure.signal, sample)) for name, sample in samples.items()}
    if not samples:
        return Failed("no samples") if measure.when_empty is None else (measure.when_empty,)
    number = combined(measure, samples)
    if measure.over != "last" and past:
        number = over_time(measure, past)
    if measure.memory:
        number *= 1 + queued / measure.memory
    if measure.told and seen:
        number /= min(1.0, max(LEAST_SEEN, seen / measure.told))
    return (_milli(number),)


def latency(measure: Measure, seen: Sequence[float]) -> Reading:
    """The quantile of the latencies of a window, in milli-seconds (the milli-units of a second)."""
    if not seen:
        return Failed("no requests") if measure.when_empty is None else (measure.when_empty,)
    ordered = sorted(seen)
    return (_milli(ordered[min(len(ordered) - 1, int(measure.share * len(ordered)))]),)


def combined(measure: Measure, samples: Mapping[str, Sample]) -> float:
    """One number of all pods; there must be a sample."""
    numbers = [value(measure.signal, sample) for sample in samples.values()]
    if measure.combine == "max":
        return max(numbers)
    total = float(sum(numbers))
    return total / len(numbers) if measure.combine == "mean" else total


def over_time(measure: Measure, past: Sequence[tuple[float, float]]) -> float:
    """The number over the window that ends with the last of `past`."""
    now = past[-1][0]
    inside = [one for one in past if one[0] > now - measure.window] or [past[-1]]
    numbers = [number for _, number in inside]
    if measure.over == "mean":
        return sum(numbers) / len(numbers)
    if measure.over == "max":
        return max(numbers)
    if measure.over == "peak":
        return max(numbers[-1], _quantile(numbers, measure.share))
    return max(numbers[-1], _line(inside, now + measure.ahead))


def _quantile(numbers: Sequence[float], share: float) -> float:
    """As `quantile_over_time` has it: between the two numbers that stand beside it in order."""
    ordered, place = sorted(numbers), share * (len(numbers) - 1)
    low = ordered[int(place)]
    return low + (ordered[math.ceil(place)] - low) * (place % 1)


def _line(points: Sequence[tuple[float, float]], at: float) -> float:
    """The least-squares line at a time, as `predict_linear` draws it."""
    count = len(points)
    mean_t = sum(time for time, _ in points) / count
    mean_y = sum(number for _, number in points) / count
    spread = sum((time - mean_t) ** 2 for time, _ in points)
    if not spread:
        return mean_y
    slope = sum((time - mean_t) * (number - mean_y) for time, number in points) / spread
    return mean_y + slope * (at - mean_t)


def _milli(number: float) -> int:
    return round(number * 1000)
