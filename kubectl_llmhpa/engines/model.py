"""The words of this folder: what a signal is, what an engine said, and how an engine is described as data.

An engine is one `Engine` row in a file of its own (`vllm.py`): names of its metrics, newest first, how its command
line and image look, and three small functions for what no table can hold (dialect, seats, defects).
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from kubectl_llmhpa.engines.exposition import Exposition
from kubectl_llmhpa.errors import LlmHpaError


class Kind(enum.Enum):
    """How series combine into one number of a pod, and which HPA forms are sound.

    COUNT (requests): ranks add up. RATIO (0..1): the fullest rank counts. LATENCY (seconds, a quantile): no number of
    one pod, never a Pods metric. RATE (tokens per second): needs two looks at a counter.
    """

    COUNT = "count"
    RATIO = "ratio"
    LATENCY = "latency"
    RATE = "rate"


#: Every signal name and its kind; an engine has some of them.
SIGNALS: Mapping[str, Kind] = {
    "waiting": Kind.COUNT,
    "running": Kind.COUNT,
    "in-flight": Kind.COUNT,
    "kv-cache": Kind.RATIO,
    "ttft": Kind.LATENCY,
    "itl": Kind.LATENCY,
    "e2e": Kind.LATENCY,
    "prompt-tokens": Kind.RATE,
    "generation-tokens": Kind.RATE,
}


@dataclass(frozen=True)
class SignalSource:
    """Where a pod's signal comes from, and its value in the body that was read.

    `metric` is the name that is live in this body, `aliases` every name the signal has had (newest first, `metric`
    among them), `rank_labels` the labels that tell one pod's series apart, `series` how many there are. `value` is in
    the unit of the kind: requests for counts (sum of the ranks), 0..1 for ratios (the fullest rank). It is None for
    latencies and rates, which one body cannot tell, and wherever a series is NaN or infinite: never 0.
    """

    signal: str
    kind: Kind
    metric: str
    aliases: tuple[str, ...]
    rank_labels: tuple[str, ...]
    value: float | None
    series: int


@dataclass(frozen=True)
class Seats:
    """How many requests one pod can run at once before they queue.

    `evidence` is a sentence with the inputs. `proved` is False while only a flag, or its default, speaks for the
    number. `ceiling` is the most that an explicit flag admits, whatever the load looks like (None: no such flag).
    """

    value: int
    evidence: str
    proved: bool
    ceiling: int | None = None


@dataclass(frozen=True)
class EngineFacts:
    """What one pod's engine is and says.

    `engine` is the name of the row (`vllm`), `dialect` the versions that share its names, `version` what the image
    tag says (a hint, never a decision), `evidence` what made us believe it, `models` the served names, `signals` only
    those with live series. `armed`: the right engine by its command line, but no series yet; its signals are those of
    the TYPE lines or of the newest version, without series and value. `notes`: defects of the dialect that a number
    read here suffers from.
    """

    engine: str
    version: str | None
    dialect: str
    evidence: str
    models: tuple[str, ...]
    signals: Mapping[str, SignalSource]
    seats: Seats | None
    armed: bool
    notes: tuple[str, ...] = ()


class NotAnEngine(LlmHpaError):
    """The body is of no engine that this version can scale.

    `seen` is the name of what it is instead (`SGLang`), empty when that is not known; `reason` and `remedy` are
    sentences without a full stop.
    """

    def __init__(self, reason: str, remedy: str = "", *, seen: str = "") -> None:
        self.reason = reason
        self.seen = seen
        super().__init__("", reason, remedy)


@dataclass(frozen=True)
class Signal:
    """One signal of an engine: its names newest first, and the labels that tell one pod's series apart."""

    name: str
    metrics: tuple[str, ...]
    rank_labels: tuple[str, ...]

    @property
    def kind(self) -> Kind:
        return SIGNALS[self.name]


@dataclass(frozen=True)
class Dialect:
    """A range of versions, told by families that are in the body and families that are not."""

    name: str
    present: tuple[str, ...] = ()
    absent: tuple[str, ...] = ()


@dataclass(frozen=True)
class Engine:
    """One engine as data.

    `prefix` begins all its family names. `commands` and `images` are regular expressions searched in the joined
    command line and in the image. `live` are the metrics without which no body is taken for this engine.
    `hides_metrics` are flags that switch its metrics off. `dialect_of`, `seats_of` and `notes_of` get the body, the
    words of the command line and (notes) the dialect's name.
    """

    name: str
    title: str
    prefix: str
    commands: tuple[str, ...]
    images: tuple[str, ...]
    live: tuple[str, ...]
    signals: tuple[Signal, ...]
    hides_metrics: tuple[str, ...]
    default_port: int
    path: str
    dialect_of: Callable[[Exposition], str]
    seats_of: Callable[[Exposition, Sequence[str]], Seats | None]
    notes_of: Callable[[Exposition, Sequence[str], str], tuple[str, ...]]
