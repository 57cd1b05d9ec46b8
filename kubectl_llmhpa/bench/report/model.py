"""A report as plain data: what `bench.json` keeps, and what the text, the Markdown and the page are made from.

Seconds count from the start of the load unless a name says otherwise. What a run did not measure is None or empty: a
plain run has no sweep, a workload without an HPA no `hpa`. A field that is added after a release has a default, so that
documents of before can be read.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from kubectl_llmhpa.bench.observed import Lag, Moment, PodStart, Proof, Sample
from kubectl_llmhpa.bench.results import Result
from kubectl_llmhpa.bench.share import PodShare
from kubectl_llmhpa.bench.sizing.model import ColdStart, Sizing, Slo, Sweep
from kubectl_llmhpa.engines import Seats
from kubectl_llmhpa.hpa import MetricView


@dataclass(frozen=True)
class Engine:
    """What was measured: one pod's engine.

    `image_id` is the digest that the node runs, `accelerators` what one pod asks for by resource name, `flags` those of
    its command line that decide what it can take (`--max-num-seqs 8`). `models` are the names that its metrics have: of
    a LoRA adapter that requests ask for it is the base model. `nodes` are those of the pods that were loaded, `gpus`
    the products on them by their labels, empty where no accelerator is asked for or the nodes cannot be read.
    """

    name: str
    version: str | None
    image: str | None
    image_id: str | None
    seats: Seats | None
    accelerators: Mapping[str, int]
    flags: tuple[str, ...]
    models: tuple[str, ...] = ()
    nodes: tuple[str, ...] = ()
    gpus: tuple[str, ...] = ()


@dataclass(frozen=True)
class Method:
    """How it was measured.

    `loop` is closed (so many requests in flight) or open (so many a second). `replicas` says what was done about the
    replicas, `ready` how many pods were ready at the start. `how` is what the generator did in detail, in its words,
    `settings` what it was given, as JSON: with the same the run can be made again. `client_nodes` are where
    its pods ran.
    """

    tool: str
    clients: int
    loop: str
    input_tokens: int
    output_tokens: int
    seeds: tuple[int, ...]
    slo: Slo | None
    replicas: str
    ready: int
    how: str
    settings: str
    client_nodes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Asked:
    """The load that was asked for; `must_rescale` when the HPA had to move under it.

    A closed loop holds `concurrency` requests in flight. An open one has at most `rate` requests a second, by stages of
    so many seconds from one rate to another.
    """

    concurrency: int | None
    rate: float | None
    stages: tuple[tuple[float, float, float], ...]
    reason: str
    must_rescale: bool
    duration_seconds: float | None
    num_prompts: int | None


@dataclass(frozen=True)
class Scaler:
    """The HPA at the end, with the signals of its metrics by name, and the workload's replicas at the start."""

    name: str
    min: int
    max: int
    replicas_before: int
    replicas: int
    desired: int
    ready: int | None
    state: str
    why: str
    metrics: tuple[MetricView, ...]
    signals: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Event:
    """One thing that happened; `kind` is one of load, rescale, desired, ready, metric, warning, note."""

    seconds: float | None
    kind: str
    text: str


@dataclass(frozen=True)
class Scaling:
    """Replicas from one moment on, and the metrics by name as the HPA saw them then; None: not known."""

    seconds: float
    current: int | None
    desired: int | None
    ready: int | None
    values: Mapping[str, float | None]


@dataclass(frozen=True)
class Usage:
    """What the replicas cost and how calmly they moved, from the start of the load to the last thing seen.

    `accelerator_hours` is None where a pod asks for none. `turns` counts how often the desired replicas changed their
    direction.
    """

    seconds: float
    replica_hours: float
    accelerator_hours: float | None
    most_ready: int
    turns: int


@dataclass(frozen=True)
class Verdict:
    """One sentence and the exit code that goes with it."""

    exit_code: int
    text: str


@dataclass(frozen=True)
class Report:
    """Everything about one run. Seconds count from the start of the load, latencies are seconds but those of `result`.

    `context` is the kubeconfig's that was used. `mode` is plain, sweep, profile or prove; `started_at` is null where
    the load never started. `through` names what `url` leads to. `result` has the figures of the whole run, `attainment`
    the share (0..1) of its requests that kept the SLO. `sweep` are the points of a sweep and `sizing` what they say.
    `hpa` is the autoscaler at the end, `first_rescale_seconds` when more replicas were first wanted, `lag` the way from
    there to relief, `proof` what was predicted and what came, `usage` the cost. `timeline` has every event, `scaling`
    the replicas and the metrics as the HPA saw them, `moments` the client second by second, `samples` the engines,
    `starts` the pods that came.
    """

    run: str
    mode: str
    started_at: str | None
    plugin_version: str
    namespace: str
    workload: str
    url: str
    through: str
    model: str
    engine: Engine
    method: Method
    load: Asked
    result: Result
    attainment: float | None
    sweep: Sweep | None
    sizing: Sizing | None
    hpa: Scaler | None
    first_rescale_seconds: float | None
    lag: Lag
    proof: Proof | None
    usage: Usage | None
    cold_start: ColdStart | None
    timeline: tuple[Event, ...]
    scaling: tuple[Scaling, ...]
    moments: tuple[Moment, ...]
    samples: tuple[Sample, ...]
    starts: tuple[PodStart, ...]
    requests_per_pod: tuple[PodShare, ...]
    notes: tuple[str, ...]
    verdict: Verdict = field(default_factory=lambda: Verdict(0, ""))
    context: str = ""
