"""What `doctor` saw: plain data, one part for each hop, that can be written to a file and read again.

None stands for what could not be seen; `Problem` says why. Values of metrics are text (`5`, `NaN`, `4800m`), so that
nothing is lost on the way to JSON. Objects of the API server are cut down to what is judged (`trimmed.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from kubectl_llmhpa.api import Json
from kubectl_llmhpa.findings import Finding


@dataclass(frozen=True)
class Problem:
    """Why something is not there or was not answered. `code` is an HTTP status, 0 where there was none."""

    text: str
    remedy: str = ""
    code: int = 0
    forbidden: bool = False
    backend: bool = False
    """Whether a program behind the API server's proxy answered so, and not the API server."""


@dataclass(frozen=True)
class Writer:
    """Who wrote `spec.replicas`: field manager, operation, subresource (empty: the object itself), time (RFC 3339)."""

    manager: str
    operation: str
    subresource: str
    time: str


@dataclass(frozen=True)
class TargetFacts:
    """The scaled object.

    `reference` is `Deployment/vllm`; `fault` one of absent, no-scale, no-selector, refused where `problem` says why
    it cannot be scaled. `rival` is who sets its replicas besides, with `detail` to copy. `asked` is what the
    autoscaler points at where that is another object.
    """

    reference: str
    namespace: str
    replicas: int | None = None
    selector: str = ""
    fault: str = ""
    problem: Problem | None = None
    rival: Problem | None = None
    asked: str = ""
    topology: str = ""
    counted_per_replica: int = 1
    notes: tuple[str, ...] = ()
    writers: tuple[Writer, ...] = ()


@dataclass(frozen=True)
class PodFacts:
    """One pod that the scale selector matches.

    `controller` is `ReplicaSet/vllm-5b`, `waiting` why a container does not start, `unschedulable` the scheduler's
    message, `ports` the declared ones (name, number).
    """

    name: str
    phase: str
    ready: bool
    created: str
    controller: str = ""
    ip: str = ""
    template: str = ""
    waiting: str = ""
    unschedulable: str = ""
    ports: tuple[tuple[str, int], ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class ScalerFacts:
    """The autoscaler. `hpa` and `scaled_object` are cut down, None where there is none.

    `rivals` are other autoscalers of the same object (`hpa/x`). `seen` is False where HPAs may not be listed.
    `events` are those of the HPA, of the ScaledObject and of pods that could not be made; `findings` what is wrong with
    its metrics and targets, given the engine. `ours`: `enable` made it.
    """

    seen: bool
    hpa: Json | None = None
    scaled_object: Json | None = None
    rivals: tuple[str, ...] = ()
    events: tuple[Json, ...] = ()
    findings: tuple[Finding, ...] = ()
    ours: bool = False


@dataclass(frozen=True)
class SignalFacts:
    """One signal of the engine: the live metric, what an HPA calls it, every name it has had, its value now."""

    signal: str
    kind: str
    metric: str
    api_name: str
    names: tuple[str, ...]
    value: str | None
    series: int


@dataclass(frozen=True)
class EngineSeen:
    """What one pod's metrics page, or weaker evidence, says. `engine` is empty where nothing speaks for one.

    `source` is where it comes from (`body` where the page was read), `asked` the answers that were no metrics,
    `unread` why the page could not be read. `port_name` is how the pod declares the port (None: it does not).
    `families` are the names on the page.
    """

    pod: str
    engine: str
    version: str = ""
    source: str = ""
    evidence: str = ""
    live: bool = False
    armed: bool = False
    port: int = 0
    path: str = ""
    scheme: str = ""
    port_name: str | int | None = None
    signals: tuple[SignalFacts, ...] = ()
    findings: tuple[Finding, ...] = ()
    asked: tuple[str, ...] = ()
    unread: Problem | None = None
    refusal: str = ""
    remedy: str = ""
    instead: str = ""
    families: tuple[str, ...] = ()


@dataclass(frozen=True)
class ScrapingFacts:
    """Scrape objects of the namespace, and who could select them. None: may not be listed.

    `may_list`: for each ServiceAccount of a Prometheus whether it may list the pods (None: cannot be told).
    `operators` are what the Prometheus operators look after, none where that cannot be told. `busy` are the monitors
    that select pods, whosever those are, or may do so. All but the first two are looked at only where Prometheus has no
    target of the pods.
    """

    monitors: tuple[Json, ...] | None = ()
    prometheuses: tuple[Json, ...] | None = ()
    namespace_labels: Mapping[str, str] = field(default_factory=dict)
    may_list: Mapping[str, bool | None] = field(default_factory=dict)
    operators: tuple[Json, ...] = ()
    busy: tuple[str, ...] = ()


@dataclass(frozen=True)
class Series:
    """One element of an instant vector."""

    labels: Mapping[str, str]
    value: str


@dataclass(frozen=True)
class ScrapeTarget:
    """One target as Prometheus' targets API has it."""

    pod: str
    job: str
    url: str
    health: str
    error: str
    interval: str = ""


@dataclass(frozen=True)
class SampleFacts:
    """What Prometheus has of the workload's pods.

    `server` is `namespace/service:port`, empty where none is known; `blind` why it cannot be asked. `metrics` are the
    names that were asked for. `series` are `up` and those metrics by the labels `namespace` and `pod`; `strays` are
    series that name the pods by other labels. `ages` are seconds since the newest sample by pod. `targets` are looked
    at only where a pod is not up.
    """

    server: str = ""
    blind: Problem | None = None
    metrics: tuple[str, ...] = ()
    series: tuple[Series, ...] = ()
    strays: tuple[Series, ...] = ()
    ages: Mapping[str, float] = field(default_factory=dict)
    targets: tuple[ScrapeTarget, ...] = ()


@dataclass(frozen=True)
class ProviderFacts:
    """One APIService of a metrics API; `program` is empty where it is not known."""

    name: str
    version: str
    place: str
    available: bool
    message: str
    program: str = ""


@dataclass(frozen=True)
class AdapterFacts:
    """The adapter behind the custom metrics API: its settings, and its rules for the metrics that are asked for.

    `rules` has the last rule of the file for each metric (None: there is none); None as a whole: the file could not
    be read. `started` is when its newest pod started, `changed` when the file was last written (RFC 3339, empty: not
    known). `answer` is why its Prometheus does not answer at the address that it has (None: it does, or was not
    asked). `refused` are the queries of rules that Prometheus refuses, with its words.
    """

    namespace: str
    name: str
    kind: str
    url: str
    relist: float
    max_age: float
    config_map: str
    rules: Mapping[str, Json | None] | None = None
    external_rules: tuple[str, ...] = ()
    started: str = ""
    changed: str = ""
    answer: Problem | None = None
    refused: tuple[tuple[str, str], ...] = ()
    others: tuple[str, ...] = ()
    lost: tuple[Finding, ...] = ()


@dataclass(frozen=True)
class ServingFacts:
    """Who serves the metrics APIs, and what they list.

    `custom` and `external` are the providers, the one that is asked first (None: APIServices may not be listed).
    `listed` is how many names the custom metrics API lists (None: it gave no list, `list_problem` says why), `served`
    those of the asked ones that are among them, `near` similar names by the asked one.
    """

    custom: tuple[ProviderFacts, ...] | None = ()
    external: tuple[ProviderFacts, ...] | None = ()
    adapter: AdapterFacts | None = None
    adapter_problem: Problem | None = None
    listed: int | None = None
    list_problem: Problem | None = None
    served: tuple[str, ...] = ()
    near: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class TriggerFacts:
    """One Prometheus trigger of a ScaledObject, and what its query gives when Prometheus is asked now.

    `elements` is the length of the answer (None: it was not asked, or `problem` says why there was none), `values` its
    first numbers. `bare` is the length of the answer without `or vector(0)`, where the query has that.
    `foreign` are other namespaces with series of the same metric, where the query names no namespace.
    """

    metric: str
    query: str
    address: str
    ignore_null: bool
    metric_type: str
    threshold: str = ""
    elements: int | None = None
    values: tuple[str, ...] = ()
    problem: Problem | None = None
    bare: int | None = None
    foreign: tuple[str, ...] = ()


@dataclass(frozen=True)
class KedaFacts:
    """KEDA: why its metrics do not reach the HPA (empty: they do), its triggers, policies in its way."""

    namespace: str
    version: str
    problem: str
    triggers: tuple[TriggerFacts, ...] = ()
    policies: tuple[Finding, ...] = ()


@dataclass(frozen=True)
class ValueFacts:
    """The controller's own request for one metric: `items` are (object, quantity), `problem` why it failed."""

    metric: str
    type: str
    path: str
    items: tuple[tuple[str, str], ...] = ()
    problem: Problem | None = None


@dataclass(frozen=True)
class Facts:
    """Everything, in the order of the hops. `at` is when (RFC 3339), `plugin` who looked."""

    asked: str
    namespace: str
    at: str
    plugin: str
    target: TargetFacts
    scaler: ScalerFacts
    pods: tuple[PodFacts, ...] | None = ()
    engine: EngineSeen | None = None
    scraping: ScrapingFacts = field(default_factory=ScrapingFacts)
    samples: SampleFacts = field(default_factory=SampleFacts)
    serving: ServingFacts = field(default_factory=ServingFacts)
    keda: KedaFacts | None = None
    values: tuple[ValueFacts, ...] = ()
    arithmetic: Json | None = None
    unseen: tuple[str, ...] = ()
