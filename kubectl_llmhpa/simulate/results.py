"""How good was it? From the times of every request to the figures that are compared."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

from kubectl_llmhpa.errors import LlmHpaError
from kubectl_llmhpa.simulate.fleet import Run
from kubectl_llmhpa.simulate.requests import Requests
from kubectl_llmhpa.simulate.service import Service
from kubectl_llmhpa.simulate.words import pairs, seconds

#: "Above SLO" is told of so many seconds at a time, of whose requests fewer than this share met it.
BIN_S = 10.0
BIN_SHARE = 0.95


@dataclass(frozen=True)
class Slo:
    """What one request must keep, in seconds; None: no limit. `tpot` is the mean time of a token after the first."""

    ttft: float | None = None
    tpot: float | None = None
    e2e: float | None = None

    @classmethod
    def parse(cls, text: str) -> Slo:
        """`ttft=2s,tpot=80ms`. Raises LlmHpaError for anything else."""
        attempted = f"--slo {text}"
        found = {}
        for key, value in pairs(attempted, text).items():
            if key not in ("ttft", "tpot", "e2e"):
                raise LlmHpaError(attempted, f"there is no {key!r}", "choose from ttft, tpot, e2e")
            found[key] = seconds(attempted, value)
            if not found[key]:
                raise LlmHpaError(attempted, f"no request takes no time at all, as {key}={value} asks")
        if not found:
            raise LlmHpaError(attempted, "it has no limit", "for example ttft=2s,tpot=80ms")
        return cls(**found)

    def __str__(self) -> str:
        named = (("TTFT", self.ttft), ("TPOT", self.tpot), ("E2E", self.e2e))
        return ", ".join(f"{name} <= {duration(value)}" for name, value in named if value is not None)

    def kept(self, ttft: float, tpot: float, e2e: float) -> bool:
        """Whether a request met it; NaN, a request without an answer, did not."""
        return (
            ttft <= (math.inf if self.ttft is None else self.ttft)
            and tpot <= (math.inf if self.tpot is None else self.tpot)
            and e2e <= (math.inf if self.e2e is None else self.e2e)
        )


@dataclass(frozen=True)
class Figures:
    """One simulated run. Times in seconds, shares 0..1; None is what it cannot tell.

    `overshoot` is the peak of replicas over the fewest fixed ones that meet the SLO; `slow_seconds` the time in which
    fewer than 95 % of the requests met it; `first_extra` from the step of the load to the first ready pod more.
    `gpu_hours` counts pods from being asked for until they are gone.
    """

    attainment: float
    mean_replicas: float
    peak_replicas: int
    gpu_hours: float
    rescales: int
    slow_seconds: float
    ttft_p50: float
    ttft_p95: float
    ttft_p99: float
    tpot_p95: float | None
    first_extra: float | None
    overshoot: float | None = None
    cut: int = 0
    refused: int = 0
    preempted: int = 0


def figures(requests: Requests, run: Run, slo: Slo, service: Service, *, gpus: int = 1) -> Figures:
    """What a run came to for the requests it was given."""
    ttfts, tpots = [], []
    kept = 0
    bins: dict[int, list[int]] = {}
    spent = service.overhead
    for at, output, first, last in zip(
        requests.at, requests.output, run.served.first, run.served.last, strict=True
    ):
        ttft = first - at + spent
        tpot = (last - first) / (output - 1) if output > 1 else 0.0
        met = slo.kept(ttft, tpot, last - at + spent)
        counted = bins.setdefault(int(at / BIN_S), [0, 0])
        counted[0] += 1
        if met:
            kept += 1
            counted[1] += 1
        if first == first:
            ttfts.append(ttft)
        if output > 1 and last == last:
            tpots.append(tpot)
    ttfts.sort()
    tpots.sort()
    slow = sum(1 for came, met in bins.values() if met < BIN_SHARE * came)
    return Figures(
        attainment=kept / len(requests),
        mean_replicas=run.pod_seconds / requests.length,
        peak_replicas=max(asked for at, asked, _ in run.ready if at <= requests.length),
        gpu_hours=run.pod_seconds * gpus / 3600,
        rescales=sum(1 for one in run.rescales if one.at <= requests.length),
        slow_seconds=slow * BIN_S,
        ttft_p50=quantile(ttfts, 0.5),
        ttft_p95=quantile(ttfts, 0.95),
        ttft_p99=quantile(ttfts, 0.99),
        tpot_p95=quantile(tpots, 0.95) if tpots else None,
        first_extra=first_extra(run, requests.change),
        cut=run.cut,
        refused=run.refused,
        preempted=run.preempted,
    )


def first_extra(run: Run, change: float | None) -> float | None:
    """Seconds from the step of the load to the first ready pod more than then; None where there is no such."""
    if change is None:
        return None
    place = bisect_left(run.ready, change, key=lambda one: one[0])
    before = run.ready[place - 1][2] if place else 0
    return next((at - change for at, _, ready in run.ready[place:] if ready > before), None)


def misses_alone(requests: Requests, slo: Slo, service: Service) -> float:
    """The share of requests that miss the SLO even with an idle pod for each, or that its KV cache cannot hold."""
    missed = 0
    for prompt, output in zip(requests.prompt, requests.output, strict=True):
        ttft, tpot = service.alone(prompt, output)
        met = slo.kept(ttft, tpot if output > 1 else 0.0, ttft + tpot * (output - 1))
        if not met or not service.holds(prompt, output):
            missed += 1
    return missed / len(requests)


def quantile(ordered: Sequence[float], share: float) -> float:
    """The smallest of ordered numbers that so large a share does not exceed; of none, NaN."""
    if not ordered:
        return math.nan
    return ordered[min(len(ordered) - 1, max(0, math.ceil(round(share * len(ordered), 6)) - 1))]


def duration(value: float) -> str:
    """`80ms`, `1.5s`, `2m30s`."""
    if value < 1e-6:
        return "0ms"
    if value < 1:
        return f"{value * 1000:.3g}ms"
    if value < 100:
        return f"{value:.3g}s"
    minutes, rest = divmod(round(value), 60)
    return f"{minutes}m{rest}s" if rest else f"{minutes}m"
