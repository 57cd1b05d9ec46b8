"""The points of a sweep that may be used, as one curve over the requests in flight per pod."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise

from kubectl_llmhpa.bench.sizing.model import Gauge, Latency, Point, Sweep


@dataclass(frozen=True)
class Level:
    """All valid points with `n` requests in flight per pod, as one: the mean over their requests, per pod.

    `rate` and `output_rate` are requests and tokens per second of a pod, `latency` the mean seconds of a request. The
    gauges are means of one pod. `asked` counts requests that ended, failed ones too.
    """

    n: float
    rate: float
    latency: float | None
    ttft: Latency
    running: float | None
    waiting: float | None
    kv_cache: float | None
    output_rate: float
    input_rate: float
    asked: int
    good: int

    @property
    def kept(self) -> float:
        """The share of requests that kept the SLO."""
        return self.good / self.asked if self.asked else 0.0


@dataclass(frozen=True)
class Curve:
    """Levels, fewest requests in flight first, each once; may be empty."""

    levels: tuple[Level, ...]

    @property
    def saturation(self) -> float:
        """The most requests per second that a pod served."""
        return max((one.rate for one in self.levels), default=0.0)

    def at(self, n: float) -> Level | None:
        """The level of exactly so many."""
        return next((one for one in self.levels if one.n == n), None)

    def rate_at(self, n: float) -> float:
        """Requests per second of a pod: between the levels (and 0) on a straight line, beyond the last as there."""
        known = [(0.0, 0.0), *((one.n, one.rate) for one in self.levels)]
        for (below, low), (above, high) in pairwise(known):
            if n <= above:
                return low + (high - low) * (n - below) / (above - below)
        return known[-1][1]


def curve(sweep: Sweep) -> Curve:
    """The curve of a sweep's valid points."""
    valid = sorted((one for one in sweep.points if not one.invalid and one.done), key=lambda one: one.per_pod)
    return Curve(tuple(_level(n, tuple(points)) for n, points in groupby(valid, key=lambda one: one.per_pod)))


def _level(n: float, points: Sequence[Point]) -> Level:
    asked = sum(one.done + one.failures for one in points)
    return Level(
        n=n,
        rate=_mean(points, lambda one: one.throughput / one.pods) or 0.0,
        latency=_mean(points, lambda one: one.e2e.mean),
        ttft=Latency(
            mean=_mean(points, lambda one: one.ttft.mean),
            p50=_mean(points, lambda one: one.ttft.p50),
            p90=_mean(points, lambda one: one.ttft.p90),
            p95=_mean(points, lambda one: one.ttft.p95),
            p99=_mean(points, lambda one: one.ttft.p99),
        ),
        running=_mean(points, lambda one: _per_pod(one.running, one)),
        waiting=_mean(points, lambda one: _per_pod(one.waiting, one)),
        kv_cache=_mean(points, lambda one: _per_pod(one.kv_cache, one)),
        output_rate=_mean(points, lambda one: one.output_token_rate / one.pods) or 0.0,
        input_rate=_mean(points, lambda one: one.throughput * one.input_tokens / one.done / one.pods) or 0.0,
        asked=asked,
        good=sum(one.good for one in points),
    )


def _mean(points: Sequence[Point], value: Callable[[Point], float | None]) -> float | None:
    """The mean of several points of one level, by the requests of each; None where one has no value."""
    found = [(value(one), one.done) for one in points]
    if any(each is None for each, _ in found):
        return None
    return sum((each or 0.0) * done for each, done in found) / sum(done for _, done in found)


def _per_pod(gauge: Gauge | None, point: Point) -> float | None:
    return None if gauge is None else gauge.mean / point.pods
