"""A sweep and what it says, as plain data: points of a closed loop on a fixed number of pods, judged by an SLO.

Seconds everywhere, requests in flight and rates per ready pod unless a name says otherwise. This is what the modes
measure, what the judgement reads, what the report shows and what `bench.json` keeps.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace


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


#: How far a number may be trusted, weakest last.
PROVED, ESTIMATED, SWEEP_FURTHER = "proved", "estimated", "sweep further"


@dataclass(frozen=True)
class Arrivals:
    """What is to come, None where it was not said: requests per second of the whole workload that are there always and
    at most, and by which share the load may grow in a second."""

    rate: float | None = None
    peak: float | None = None
    growth: float | None = None


@dataclass(frozen=True)
class Conditions:
    """What a sweep cannot know, with where each number comes from.

    `signals` are those of the policy, most important first. `growth` is how much the requests in flight may grow, as a
    share per second; `lag` seconds from a load that grows to a new pod that takes some of it (None: the sum of
    `scrape`, `backend`, `sync` and the cold start). `rate` and `peak` are requests per second of
    the whole workload that are there always and at most; `headroom` is the share of a pod's throughput that is planned
    with.
    """

    signals: tuple[str, ...] = ("running", "waiting", "kv-cache")
    tolerance: float = 0.1
    growth: float = 0.25 / 60
    growth_origin: str = "assumed: 25 % a minute"
    scrape: float = 5.0
    backend: float = 0.0
    sync: float = 15.0
    lag: float | None = None
    lag_origin: str = ""
    rate: float | None = None
    peak: float | None = None
    headroom: float = 0.9

    def expecting(self, arrivals: Arrivals) -> Conditions:
        """The same with what the user expects."""
        found = replace(self, rate=arrivals.rate, peak=arrivals.peak)
        if arrivals.growth is None:
            return found
        return replace(
            found, growth=arrivals.growth, growth_origin=f"given: {6000 * arrivals.growth:.3g} % a minute"
        )


@dataclass(frozen=True)
class Knee:
    """Requests in flight per pod from which more bring no more throughput, by each method (None: it finds none).

    `chord` is the point farthest above the line from the first to the last, `near_peak` the first with 90 % of the
    largest throughput, `power` the one with the largest throughput by latency; `two_lines` where two fitted lines meet
    and `asymptote` the largest throughput times the latency alone, a lower bound. `value` is what is taken; None while
    the last point still gains: `why` says so.
    """

    chord: float | None
    near_peak: float | None
    power: float | None
    two_lines: float | None
    asymptote: float | None
    value: float | None
    why: str


@dataclass(frozen=True)
class Kept:
    """The most requests in flight per pod with which the SLO was kept, going up without a gap.

    `value` None: not even the fewest tested kept it. `attained` is the share of requests that did there, `lower` what
    it is at least (one-sided 95 %); `first_miss` the first that missed it, None where none did.
    """

    value: float | None
    attained: float | None
    lower: float | None
    proved: bool
    first_miss: float | None
    why: str


@dataclass(frozen=True)
class Input:
    """A number of a formula and where it comes from."""

    name: str
    value: float
    origin: str


@dataclass(frozen=True)
class SignalTarget:
    """What an HPA should compare one signal with; `value` None: there is none, `note` says why.

    `role` is `main` (enough alone), `second` (beside a main one) or `guard` (no number of pods follows from it).
    """

    signal: str
    value: float | None
    role: str
    confidence: str
    formula: str
    inputs: tuple[Input, ...] = ()
    note: str = ""


@dataclass(frozen=True)
class Replicas:
    """minReplicas and maxReplicas for the rates that were given (None: not given), and the replicas that must be
    ready beside those that `rate` needs, for what may come while a new pod starts."""

    least: int | None
    most: int | None
    warm: int | None
    formula: str
    inputs: tuple[Input, ...] = ()


@dataclass(frozen=True)
class Start:
    """What follows from how long a pod takes: seconds of lag, the window of scale-in, and whether scaling can work.

    `impossible` is the inequality by which no reactive scaler can meet the SLO; empty where one may.
    """

    lag: Input
    scale_down_window: int
    window_why: str
    impossible: str


@dataclass(frozen=True)
class Sizing:
    """What a sweep says. Requests in flight per pod unless a name says otherwise.

    `n_max` is the least of knee and SLO (None: sweep further), `rate_max` a pod's requests per second there.
    """

    knee: Knee
    slo: Kept
    n_max: float | None
    rate_max: float | None
    saturation: float | None
    confidence: str
    targets: tuple[SignalTarget, ...]
    replicas: Replicas
    start: Start
    verdict: str
    notes: tuple[str, ...] = ()
