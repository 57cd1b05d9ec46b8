"""What was seen during a run, as plain data: by the client, at the engines, of new pods and of the HPA.

All times that are called seconds count from the start of the load, by this tool's own clock: what the cluster did is
dated by when its watch told it here, so clocks of two machines are never compared.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Moment:
    """About one second of load, as the client saw it.

    `want` is what was asked for (requests in flight, or requests per second where `rate` is the load's unit),
    `arrivals` and `finished` are requests per second since the moment before, `failed` and `shed` counts since then.
    `ttft` is the median of the last ten seconds. `attainment` is the share of the requests finished since the moment
    before that kept the SLO (None: no SLO, or none finished).
    """

    seconds: float
    want: float
    in_flight: int
    arrivals: float
    finished: float
    failed: int
    shed: int = 0
    ttft: float | None = None
    attainment: float | None = None


@dataclass(frozen=True)
class Sample:
    """What the engines of all ready pods said at one moment, added up (`kv_cache`: the mean, 0..1). None: not told."""

    seconds: float
    pods: int
    running: float | None
    waiting: float | None
    kv_cache: float | None


@dataclass(frozen=True)
class PodStart:
    """One pod that came up during the run: seconds of each moment of its start; None where it was not seen."""

    pod: str
    created: float
    scheduled: float | None = None
    pulled: float | None = None
    started: float | None = None
    ready: float | None = None
    first_sample: float | None = None
    first_token: float | None = None


@dataclass(frozen=True)
class Lag:
    """The way from load to relief, in seconds from the start of the load; None for what did not come.

    `metric`: the HPA first saw a metric above its target; `decision`: it wanted more replicas; `created`, `ready` and
    `serving`: the first new pod was there, was ready, and had made its first token.
    """

    metric: float | None = None
    decision: float | None = None
    created: float | None = None
    ready: float | None = None
    serving: float | None = None


@dataclass(frozen=True)
class Rung:
    """From `seconds` on, so many replicas."""

    seconds: float
    replicas: int


@dataclass(frozen=True)
class Proof:
    """What was predicted of the live HPA and what it did.

    `predicted` and `observed` are the desired replicas over time, the first rung being those at the start; each
    predicted rung has the deadline as its `seconds`. `scale_in_*` are seconds from the end of the load (None: not
    awaited, or it did not come). `cut` and `failed` are requests lost while pods were removed. `problems` say what did
    not hold, none when all did.
    """

    load: str
    predicted: tuple[Rung, ...]
    observed: tuple[Rung, ...]
    deadline: float
    rescaled: float | None
    scale_in_deadline: float | None = None
    scaled_in: float | None = None
    cut: int = 0
    failed: int = 0
    inputs: Mapping[str, str] = field(default_factory=dict)
    problems: tuple[str, ...] = ()
