"""Sweeps as plain data: one of a real engine, and made-up ones."""

from __future__ import annotations

from collections.abc import Sequence

from kubectl_llmhpa.bench.sizing.model import ColdStart, Gauge, Latency, Point, Slo, Sweep

#: vLLM 0.32 on CPU, 8 seats, 96 tokens in and 48 out, closed loop: requests in flight, requests per second, goodput
#: (TTFT <= 600 ms, TPOT <= 40 ms), TTFT p50 and p95 in ms, TPOT p95 and mean latency in ms, waiting.
MEASURED = (
    (1, 2.30, 2.30, 48, 52, 9.3, 435, 0),
    (2, 4.17, 4.17, 69, 91, 9.5, 479, 0),
    (4, 6.71, 6.71, 152, 171, 11.8, 595, 0),
    (6, 8.40, 8.40, 225, 244, 14.1, 713, 0),
    (8, 9.52, 9.52, 292, 319, 16.5, 840, 0),
    (10, 9.33, 7.23, 169, 823, 17.4, 1054, 2),
    (12, 9.90, 5.36, 322, 941, 16.2, 1183, 4),
    (16, 10.16, 0.63, 1020, 1103, 15.6, 1528, 8),
    (24, 10.11, 0.42, 1817, 1866, 15.9, 2277, 16),
)
SLO = Slo(ttft=0.6, tpot=0.04)
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
        for n, rate, good, p50, p95, _, e2e, waiting in MEASURED
        if n <= highest
    ]
    return sweep(points, seats=8)


def sweep(
    points: Sequence[Point], *, slo: Slo = SLO, seats: int | None = None, cold: ColdStart | None = COLD
) -> Sweep:
    """A sweep of 96 tokens in and 48 out, with 64 blocks of 128 tokens."""
    return Sweep(tuple(points), slo, 96, 48, seats=seats, block=128, blocks=64, cold_start=cold)
