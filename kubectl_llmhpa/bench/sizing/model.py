"""A sweep as plain data: points of a closed loop on a fixed number of pods, and the SLO they are judged by.

Seconds everywhere, requests in flight and rates per ready pod unless a name says otherwise. This is what the modes
measure, what the judgement reads, what the report shows and what `bench.json` keeps.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Slo:
    """Limits in seconds (None: not asked for) and the share of requests that must keep all of them."""

    ttft: float | None = None
    tpot: float | None = None
    e2e: float | None = None
    share: float = 0.95


@dataclass(frozen=True)
class Latency:
    """Seconds; None where nothing was measured."""

    mean: float | None = None
    p50: float | None = None
    p90: float | None = None
    p95: float | None = None
    p99: float | None = None


@dataclass(frozen=True)
class Gauge:
    """What the engine said while the load lasted: mean and largest over the samples, summed over its pods."""

    mean: float
    max: float
    samples: int


@dataclass(frozen=True)
class Point:
    """One concurrency, measured on `pods` ready pods.

    `concurrency` is what was asked for and `in_flight` what was held on average, both of all pods together. `good`
    of `done` requests kept the whole SLO. `throughput` and `goodput` are requests per second of all pods. `invalid`
    says why the point must not be used; empty when it may be.
    """

    concurrency: int
    pods: int
    seed: int
    seconds: float
    sent: int
    done: int
    good: int
    cut: int
    failed: Mapping[str, int]
    in_flight: float
    throughput: float
    goodput: float
    input_tokens: int
    output_tokens: int
    output_token_rate: float
    ttft: Latency
    tpot: Latency
    itl: Latency
    e2e: Latency
    running: Gauge | None = None
    waiting: Gauge | None = None
    kv_cache: Gauge | None = None
    server_output_tokens: int | None = None
    preemptions: int | None = None
    client_cpu: float | None = None
    invalid: str = ""

    @property
    def failures(self) -> int:
        return sum(self.failed.values())

    @property
    def per_pod(self) -> float:
        """Requests in flight for each pod, as asked."""
        return self.concurrency / self.pods


@dataclass(frozen=True)
class ColdStart:
    """Seconds that a new pod took, each from the one before (None: not seen); from the pod's own conditions and events.

    `total` is from its creation to its first token; the tool takes the worst pod that it saw, and says how many.
    """

    scheduled: float | None = None
    pulled: float | None = None
    started: float | None = None
    ready: float | None = None
    first_sample: float | None = None
    first_token: float | None = None
    total: float | None = None
    pods: int = 0


@dataclass(frozen=True)
class Sweep:
    """All points, fewest requests in flight first, and what they were measured on.

    `seats` is what one pod can run at once by what the engine says, `block` and `blocks` its KV cache (tokens of a
    block, blocks of a pod) where it tells. `stopped` says why no more points were tried.
    """

    points: tuple[Point, ...]
    slo: Slo
    input_tokens: int
    output_tokens: int
    seats: int | None = None
    block: int | None = None
    blocks: int | None = None
    cold_start: ColdStart | None = None
    stopped: str = ""
    notes: tuple[str, ...] = field(default_factory=tuple)
