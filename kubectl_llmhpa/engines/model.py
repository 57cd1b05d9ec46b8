"""The words of this folder: what a signal is, what an engine said, and how an engine is described as data.

An engine is one `Engine` row in a file of its own (`vllm.py`): how its command line and image look, one `Form` for
each shape of its body with the names of its metrics, newest first, and small functions for what no table can hold
(role, seats, defects). `docs/adding-an-engine.md` walks through one.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from kubectl_llmhpa.engines.exposition import Exposition
from kubectl_llmhpa.errors import LlmHpaError
from kubectl_llmhpa.findings import Finding


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

#: The sound forms of an HPA metric by kind. A ratio as External is the sum of the pods' ratios, a latency only a guard.
HPA_FORMS: Mapping[Kind, tuple[str, ...]] = {
    Kind.COUNT: ("Pods AverageValue", "External AverageValue"),
    Kind.RATIO: ("Pods AverageValue", "External AverageValue"),
    Kind.LATENCY: ("External Value",),
    Kind.RATE: ("Pods AverageValue", "External AverageValue"),
}


@dataclass(frozen=True)
class Signal:
    """One signal of one form of an engine.

    `metrics` are all the names that one quantity has had, newest first: series of an older name count only where a
    newer one has none. `ranks` are the labels that tell the parts of one pod apart that add up (data-parallel ranks).
    `where` keeps only series with these labels: (label, anchored regular expression), an absent label being "".
    `plus` are other counts that are added, each under every name it has had (no two of which live side by side); one
    that is not there counts as nothing. `minus` is one count, under its names, that is taken off. `over` makes a
    ratio of a count. `served_as` is the name in the metrics API, the newest of `metrics` unless given: it must be
    given where the number is not that of the metric alone.
    """

    name: str
    metrics: tuple[str, ...]
    ranks: tuple[str, ...] = ()
    where: tuple[tuple[str, str], ...] = ()
    plus: tuple[str, ...] = ()
    minus: tuple[str, ...] = ()
    over: tuple[str, ...] = ()
    served_as: str = ""

    @property
    def kind(self) -> Kind:
        return SIGNALS[self.name]

    @property
    def api_name(self) -> str:
        """What an HPA calls it."""
        return self.served_as or self.metrics[0]

    @property
    def names(self) -> tuple[str, ...]:
        """Every metric that it is made from."""
        return (*self.metrics, *self.plus, *self.minus, *self.over)


@dataclass(frozen=True)
class SignalSource:
    """Where a pod's signal comes from, and its value in the body that was read.

    `metric` is the name that is live in this body, `series` how many series of it there are. `value` is in the unit
    of the kind: requests for counts (sum of the ranks), 0..1 for ratios (the fullest rank). It is None for latencies
    and rates, which one body cannot tell, and wherever a series is NaN or infinite: never 0. `spec` is the row that
    this came from; `query` the PromQL for all pods, by namespace and pod, which accepts every name of the row.
    `forms` are the sound forms of an HPA metric.
    """

    signal: str
    kind: Kind
    metric: str
    value: float | None
    series: int
    spec: Signal
    query: str
    forms: tuple[str, ...]

    @property
    def api_name(self) -> str:
        """What an HPA calls it."""
        return self.spec.api_name


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


class Source(enum.Enum):
    """What made us believe that a pod runs an engine, strongest first."""

    BODY = "metrics body"
    SERIES = "series in Prometheus"
    METRICS_API = "metrics API"
    COMMAND = "command line"
    LABEL = "label"
    IMAGE = "image"
    USER = "--engine"


@dataclass(frozen=True)
class EngineFacts:
    """What one pod's engine is and says.

    `engine` is the name of the row (`vllm`), `form` and `role` which of its shapes (`frontend`, `prefill`, ... or
    empty), `dialect` the versions that share its names, `version` what `version_source` says (a hint, never a
    decision), `source` and `evidence` what made us believe it, `models` the served names, `signals` only those with
    live series. `armed`: the right engine by other evidence, and it answered, but without series yet; its signals are
    those of the TYPE lines or of the newest version, without series and value. `findings`: defects that a number
    read here suffers from, without their object.
    """

    engine: str
    version: str | None
    dialect: str
    source: Source
    evidence: str
    models: tuple[str, ...]
    signals: Mapping[str, SignalSource]
    seats: Seats | None
    armed: bool
    findings: tuple[Finding, ...] = ()
    form: str = ""
    role: str = ""
    version_source: str = ""

    @property
    def live(self) -> bool:
        """Whether series were seen, so that names are known and not assumed."""
        return not self.armed and self.source in (Source.BODY, Source.SERIES, Source.METRICS_API)


class NotAnEngine(LlmHpaError):
    """The body is of no engine that this version can scale.

    `seen` is the name of what it is instead (`the SGLang router`), empty when that is not known; `reason` and `remedy`
    are sentences without a full stop. `upstream` are signals of a router that External metrics can use.
    """

    def __init__(
        self,
        reason: str,
        remedy: str = "",
        *,
        seen: str = "",
        upstream: Mapping[str, SignalSource] | None = None,
    ) -> None:
        self.reason = reason
        self.seen = seen
        self.upstream = upstream or {}
        super().__init__("", reason, remedy)


@dataclass(frozen=True)
class Clues:
    """What is known of a pod besides its body: words of its command line, environment, image and labels.

    `role` is what engine and labels together say, once that is settled (`evidence.settled`).
    """

    words: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    image: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    role: str = ""


@dataclass(frozen=True)
class Dialect:
    """A range of versions, told by families that are in the body and families that are not.

    `since` is the first version of the range (`0.9.2`), for pods whose body cannot be read.
    """

    name: str
    present: tuple[str, ...] = ()
    absent: tuple[str, ...] = ()
    since: str = ""

    def fits(self, body: Exposition) -> bool:
        return all(body.live(name) for name in self.present) and not any(
            body.live(name) for name in self.absent
        )


@dataclass(frozen=True)
class Listens:
    """Where one form has its metrics, when that is not where the rest of its engine has them; fields as in `Engine`."""

    default_port: int
    port_flags: tuple[str, ...] = ()
    port_env: tuple[str, ...] = ()
    switch_on: tuple[str, ...] = ()


@dataclass(frozen=True)
class Form:
    """One shape of an engine's body, with its signals.

    It fits a body when some family begins with `prefix`, for each entry of `live` one of its names has series, none
    of `absent` is a family, and the pod's role is one of `roles` (empty: any). The series of a form without a prefix
    tell nothing by their names alone: they must have the labels `labelled`. `external_only`: its numbers are not
    those of one pod, so no Pods metric is sound. `role` is the role of a pod with this form when nothing else says.
    `signs` are families that tell it before its first series, besides those of the signals.
    `named_by` are metrics whose model label says the served names, where the signals spell them otherwise.
    """

    name: str
    prefix: str
    live: tuple[tuple[str, ...], ...]
    signals: tuple[Signal, ...]
    roles: tuple[str, ...] = ()
    role: str = ""
    absent: tuple[str, ...] = ()
    labelled: tuple[str, ...] = ()
    external_only: bool = False
    model_label: str = "model_name"
    named_by: tuple[str, ...] = ()
    signs: tuple[str, ...] = ()
    listens: Listens | None = None


@dataclass(frozen=True)
class Info:
    """What an engine's information endpoint says: version, model names, seats (each empty when it does not)."""

    version: str | None = None
    models: tuple[str, ...] = ()
    seats: Seats | None = None


def _no_role(_body: Exposition, _clues: Clues) -> str:
    return ""


def _no_seats(_body: Exposition, _clues: Clues) -> Seats | None:
    return None


def _no_findings(_body: Exposition, _clues: Clues, _dialect: str) -> tuple[Finding, ...]:
    return ()


def _no_port(_clues: Clues) -> int | None:
    return None


def _no_info(_answer: Any) -> Info:
    return Info()


@dataclass(frozen=True)
class Engine:
    """One engine as data.

    `commands` and `images` are regular expressions searched in the joined command line and in the image, `versioned`
    those of images whose tag is the engine's own version; `labels` the values of engine labels
    (`llm-d.ai/engine-type`) that mean it, `marks` labels that only its own operator sets, with the values (a regular
    expression) that mean it. `forms` are tried in order, most telling first; `forms_of` makes them from the body where
    names can be configured or other engines' series are passed through. `dialects` are newest first. `switch_on`: flags
    (or environment variables) without which there are no metrics, only before the version `switch_until` where that is
    given; `switch_off`: flags that hide them (`--metrics=false` for a flag that takes a word); `no_http`: flags that
    rule a metrics endpoint out. `lazy`: series appear with the first request, so families alone tell the engine and an
    empty answer is no fault. `port_flags`, `port_env`, `default_port`, `path` and `tls_flags` say where the metrics
    are, `port_of` what no flag says as it is; `model_flags`, `model_env` and the word after the programs of
    `model_after` what the model is called. `info_path` is a JSON page on the same port that `info_of` reads;
    `never_ask` are paths that must not be read. `counts_while_generating` are counters that move while a request
    generates, not only when it ends; `finished` count requests that ended, `preempted` those that lost their place.
    """

    name: str
    title: str
    forms: tuple[Form, ...]
    dialects: tuple[Dialect, ...]
    commands: tuple[str, ...]
    images: tuple[str, ...]
    default_port: int
    versioned: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    marks: tuple[tuple[str, str], ...] = ()
    path: str = "/metrics"
    port_flags: tuple[str, ...] = ("--port",)
    port_env: tuple[str, ...] = ()
    tls_flags: tuple[str, ...] = ("--ssl-certfile", "--ssl-keyfile")
    model_flags: tuple[str, ...] = (
        "--served-model-name", "--model-name", "--model", "--model-path", "--model-id",
    )  # fmt: skip
    model_env: tuple[str, ...] = ()
    model_after: tuple[tuple[str, ...], ...] = ()
    switch_on: tuple[str, ...] = ()
    switch_until: str = ""
    switch_off: tuple[str, ...] = ()
    no_http: tuple[str, ...] = ()
    lazy: bool = False
    forms_of: Callable[[Exposition, Clues], tuple[Form, ...]] | None = None
    port_of: Callable[[Clues], int | None] = _no_port
    dialect_of: Callable[[Exposition, Form], str] | None = None
    role_of: Callable[[Exposition, Clues], str] = _no_role
    seats_of: Callable[[Exposition, Clues], Seats | None] = _no_seats
    findings_of: Callable[[Exposition, Clues, str], tuple[Finding, ...]] = _no_findings
    finished: tuple[str, ...] = ()
    preempted: tuple[str, ...] = ()
    counts_while_generating: tuple[str, ...] = ()
    never_ask: tuple[str, ...] = ()
    info_path: str = ""
    info_of: Callable[[Any], Info] = _no_info

    @property
    def signals(self) -> tuple[Signal, ...]:
        """The signals of all forms."""
        return tuple(signal for form in self.forms for signal in form.signals)

    @property
    def prefixes(self) -> tuple[str, ...]:
        """How family names of its forms begin, where they have a prefix."""
        return tuple(dict.fromkeys(form.prefix for form in self.forms if form.prefix))
