"""Who scrapes the workload: nobody yet, so a PodMonitor of ours, or somebody already, so none."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from kubectl_llmhpa import __version__, hpa, monitoring
from kubectl_llmhpa.api import POD_MONITORS, VERSION_ANNOTATION, Json, Resource
from kubectl_llmhpa.findings import Finding
from kubectl_llmhpa.monitoring import prometheus_operator
from kubectl_llmhpa.monitoring.prometheus_operator import ENDPOINT_KEYS, MetricsPort, Selection
from kubectl_llmhpa.plan import journal
from kubectl_llmhpa.plan.look import Surroundings
from kubectl_llmhpa.plan.sight import EngineSight
from kubectl_llmhpa.workloads import Workload

DEFAULT_INTERVAL = "5s"
_TIMING = ("interval", "scrapeTimeout")


@dataclass(frozen=True)
class Scrape:
    """Who scrapes the workload's pods.

    `object` is what `enable` writes of the kind `resource`; None where others scrape them already, and then `by`
    names those. Else `by` is who selects it, `job` the value of the label `job` on its series.
    """

    resource: Resource
    object: Json | None
    by: str
    job: str
    pod_label: str = "pod"
    """The label of its series that names the pod."""
    namespace_label: str = "namespace"
    selection: Selection | None = None
    """The Prometheus object that selects it, where there is one and it can be queried."""
    findings: tuple[Finding, ...] = ()
    notes: tuple[str, ...] = ()


def monitor_name(workload: Workload) -> str:
    """The name of a workload's PodMonitor (its scrape job is `namespace/name`)."""
    return f"llm-hpa-{workload.resource.kind.lower()}-{workload.name}"


def monitor(
    workload: Workload,
    sight: EngineSight,
    around: Surroundings,
    scraped: Mapping[str, float] | None,
    *,
    interval: str | None = None,
    wanted: str = "",
    reset: bool = False,
    scrape: str = "auto",
) -> Scrape:
    """Our PodMonitor and the Prometheus that will select it; no PodMonitor where others scrape already.

    `scraped` are the samples that others' scrape jobs have of these pods (None: not known), `interval` and `wanted`
    the user's scrape interval and Prometheus, `reset` drops what others added to ours. Raises LlmHpaError when no
    Prometheus will select it.
    """
    name = monitor_name(workload)
    ours = next(
        (one for one in around.pod_monitors if one["metadata"]["name"] == name and hpa.is_ours(one)), None
    )
    if ours is None and scraped:
        others = [
            one["metadata"]["name"]
            for one in around.pod_monitors
            if monitoring.selects(one, sight.pod["metadata"].get("labels") or {})
        ]
        by = f"podmonitor {', '.join(others)}" if others else "an object outside this namespace"
        return Scrape(POD_MONITORS, None, by, "")
    selection = prometheus_operator.choose(
        around.prometheuses, workload.namespace, around.namespace_labels, wanted=wanted,
        serving=around.server_pods, serving_namespace=around.server.namespace if around.server else "",
    )  # fmt: skip
    made = prometheus_operator.pod_monitor(
        name=name, namespace=workload.namespace, selector=workload.pod_selector,
        endpoint=prometheus_operator.endpoint(_port(sight), interval or DEFAULT_INTERVAL),
        labels={**selection.labels, **journal.labels_for(workload)}, annotations={VERSION_ANNOTATION: __version__},
    )  # fmt: skip
    if ours and not reset:
        _keep_endpoints(made, ours, keep_timing=interval is None)
    job = f"{workload.namespace}/{name}"
    return Scrape(POD_MONITORS, made, f"prometheus {selection.reference}", job, selection=selection)


def _port(sight: EngineSight) -> MetricsPort:
    declared = sight.container.get("ports") or []
    first = int(declared[0]["containerPort"]) if declared else None
    name = str(sight.container["name"])
    return MetricsPort(sight.port, sight.path, sight.scheme, sight.port_name, name, first)


def _keep_endpoints(made: Json, live: Json, *, keep_timing: bool) -> None:
    """Day 2: what somebody added to our PodMonitor stays; where the engine answers follows the engine."""
    first, *others = live["spec"]["podMetricsEndpoints"] or [{}]
    fresh = made["spec"]["podMetricsEndpoints"][0]
    if keep_timing:
        for key in _TIMING:
            fresh.pop(key, None)
        fresh |= {key: first[key] for key in _TIMING if key in first}
    ours = {*_TIMING, *ENDPOINT_KEYS} - ({"relabelings"} if not _sends_elsewhere(first) else set())
    kept = {key: value for key, value in first.items() if key not in ours}
    made["spec"]["podMetricsEndpoints"] = [{**kept, **fresh}, *others]


def _sends_elsewhere(endpoint: Json) -> bool:
    """Whether its relabelings are ours, for a port that is not declared."""
    return any(one.get("targetLabel") == "__address__" for one in endpoint.get("relabelings") or [])
