"""Sweeps as plain data: one of a real engine, and made-up ones."""

from __future__ import annotations

from collections.abc import Sequence

from kubectl_llmhpa.bench.sizing.model import ColdStart, Gauge, Latency, Point, Slo, Sweep
from tests.unit.bench_outcomes import MEASURED, SLO

COLD = ColdStart(scheduled=1, pulled=0, started=1, ready=66, first_sample=2, first_token=0, total=70, pods=1)


def point(
    n: int,
    rate: float,
    *,
    kept: float = 1.0,
    ttft: tuple[float, float] = (0.05, 0.06),
    latency: float | None = None,
    waiting: float = 0.0,
    pods: int = 1,
    seconds: float = 60.0,
) -> Point:
    """A point of so many in flight and requests per second of all pods; by Little's law where no latency is given."""
    done = round(rate * seconds)
    mean = n / rate if latency is None else latency
    return Point(
        concurrency=n, pods=pods, seed=n, seconds=seconds, sent=done + n, done=done, good=round(kept * done),
        cut=n, failed={}, in_flight=float(n), throughput=rate, goodput=rate * kept, input_tokens=96 * done,
        output_tokens=48 * done, output_token_rate=48 * rate,
        ttft=Latency(ttft[0], ttft[0], ttft[1], ttft[1], ttft[1]), tpot=Latency(), itl=Latency(),
        e2e=Latency(mean, mean, mean, mean, mean),
        running=Gauge(n - waiting, n - waiting, 30), waiting=Gauge(waiting, waiting, 30),
    )  # fmt: skip


def measured(highest: int = 24) -> Sweep:
    """The real sweep up to a concurrency, as if every point had taken a minute."""
    points = [
        point(n, rate, kept=good / rate, ttft=(p50 / 1000, p95 / 1000), latency=e2e / 1000, waiting=waiting)
        for n, rate, good, _, p50, p95, _, e2e, waiting in MEASURED
        if n <= highest
    ]
    return sweep(points, seats=8)


def sweep(
    points: Sequence[Point], *, slo: Slo = SLO, seats: int | None = None, cold: ColdStart | None = COLD
) -> Sweep:
    """A sweep of 96 tokens in and 48 out, with 64 blocks of 128 tokens."""
    return Sweep(tuple(points), slo, 96, 48, seats=seats, block=128, blocks=64, cold_start=cold)
