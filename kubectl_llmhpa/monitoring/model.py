"""What a scraper is to the rest: how it is recognised, what is written for it, what its series look like."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from kubectl_llmhpa.api import Json, Resource
from kubectl_llmhpa.monitoring.scene import Scene

#: The label of a series that names the workload, as the vendor's document on LLM autoscaling calls it.
WORKLOAD = "workload_name"


@dataclass(frozen=True)
class MetricsPort:
    """Where an engine container answers.

    `declared` is how a PodMonitor names its port: the name, the number where it has none, or None for a port that
    the pod does not declare. `first` is the first port that the container does declare, if any.
    """

    number: int
    path: str
    scheme: str
    declared: str | int | None
    container: str
    first: int | None


@dataclass(frozen=True)
class Wanted:
    """What a scrape object is to say; `selector` is a LabelSelector of pods, `interval` a duration such as `5s`."""

    name: str
    namespace: str
    selector: Json
    port: MetricsPort
    interval: str
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    workload: str = ""
    """The value of the label WORKLOAD on its series, empty: they have none."""

    @property
    def metadata(self) -> Json:
        """The object's metadata."""
        return {
            "name": self.name, "namespace": self.namespace,
            "labels": dict(self.labels), "annotations": dict(self.annotations),
        }  # fmt: skip

    @property
    def timeout(self) -> str:
        """One second less than an interval below 10 s, which is the usual default; else "": the default."""
        seconds = self.interval[:-1]
        short = self.interval.endswith("s") and seconds.isdigit() and 1 < int(seconds) < 10
        return f"{int(seconds) - 1}s" if short else ""


@dataclass(frozen=True)
class Scraper:
    """One way of having pods scraped.

    `name` is the word of `--scrape`, `title` the product; `seen` says in one clause why it is thought to be here, ""
    when it is not. `host` is a regular expression of the hosts under which its Prometheus API is asked, "" when they
    tell nothing. `render` makes the object, `job` the value of the label `job` from its namespace and name.
    `endpoints` is the key of the list of endpoints in the object's spec, `relabelings` that of the relabelings in an
    endpoint, `timing` those of interval and time limit.
    """

    name: str
    title: str
    resource: Resource
    seen: Callable[[Scene], str]
    render: Callable[[Wanted], Json]
    job: Callable[[str, str], str]
    host: str = ""
    pod_label: str = "pod"
    namespace_label: str = "namespace"
    endpoints: str = "podMetricsEndpoints"
    relabelings: str = "relabelings"
    timing: tuple[str, str] = ("interval", "scrapeTimeout")
    notes: tuple[str, ...] = ()
    """What a user has to know of it."""


def job_of_monitor(namespace: str, name: str) -> str:
    """The job of a PodMonitor without jobLabel: prometheus-operator pkg/prometheus/promcfg.go, and its imitators."""
    return f"{namespace}/{name}"


def referred(objects: Sequence[Json]) -> str:
    """`monitoring/k8s, monitoring/other` for a few objects."""
    names = [f"{one['metadata']['namespace']}/{one['metadata']['name']}" for one in objects]
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
