"""Scrape objects of a run as other rules need them: how often a workload is scraped, which labels a scrape adds."""

from __future__ import annotations

from kubectl_llmhpa.api import Json
from kubectl_llmhpa.lint.documents import Document
from kubectl_llmhpa.lint.model import Bundle
from kubectl_llmhpa.monitoring import durations, selectors

MONITORS = ("PodMonitor", "ServiceMonitor")
WORKLOADS = ("Deployment", "StatefulSet", "LeaderWorkerSet", "ReplicaSet")
#: Of a Prometheus of the operator it is 30 s, of most published scrape objects for engines 15 s or less.
DEFAULT_SECONDS = 15.0
_ENDPOINTS = {"PodMonitor": ("spec", "podMetricsEndpoints"), "ServiceMonitor": ("spec", "endpoints")}


def endpoints(monitor: Document) -> list[tuple[tuple[str | int, ...], Json]]:
    """The endpoints of a PodMonitor or ServiceMonitor with their paths."""
    return list(monitor.items(*_ENDPOINTS[monitor.kind]))


def seconds(text: object) -> float:
    """The seconds of a duration, 0 for none."""
    return durations.seconds(text) if isinstance(text, str) else 0.0


def scrape(bundle: Bundle, workload: Document | None) -> float:
    """Seconds between two scrapes of a workload, or (None) the longest of the run; 15 where the run does not say."""
    return bundle.keep(("scrape", id(workload)), lambda: _scrape(bundle, workload))


def _scrape(bundle: Bundle, workload: Document | None) -> float:
    monitors = bundle.of_kind(*MONITORS) if workload is None else monitors_of(bundle, workload)
    found = [
        seconds(endpoint.get("interval"))
        for one in monitors
        for _, endpoint in endpoints(one)
        if seconds(endpoint.get("interval"))
    ]
    if not found:
        found = [
            seconds(one.at("spec", "scrapeInterval"))
            for one in bundle.of_kind("Prometheus", "PrometheusAgent")
            if seconds(one.at("spec", "scrapeInterval"))
        ]
    return max(found, default=DEFAULT_SECONDS)


def monitors_of(bundle: Bundle, workload: Document) -> list[Document]:
    """The scrape objects whose selector matches pods of a workload."""
    index = bundle.keep("monitors by label", lambda: _by_label(bundle))
    every = pod_labels(bundle, workload)
    pairs = [f"{key}={value}" for labels in every for key, value in labels.items()]
    near = {id(one): one for pair in ("", *pairs) for one in index.get(pair, ())}
    return [one for one in near.values() if any(pods_match(bundle, one, labels) for labels in every)]


def workloads_of(bundle: Bundle, monitor: Document) -> list[Document]:
    """The workloads whose pods a scrape object's selector matches, wherever they are."""
    matches = bundle.keep("workloads by monitor", lambda: _by_monitor(bundle))
    return matches.get(id(monitor), [])


def _by_monitor(bundle: Bundle) -> dict[int, list[Document]]:
    found: dict[int, list[Document]] = {}
    for workload in bundle.of_kind(*WORKLOADS):
        for monitor in monitors_of(bundle, workload):
            found.setdefault(id(monitor), []).append(workload)
    return found


def _by_label(bundle: Bundle) -> dict[str, list[Document]]:
    """Scrape objects by one label that their selector asks of pods; under "" those that ask in another way."""
    index: dict[str, list[Document]] = {}
    for one in bundle.of_kind(*MONITORS):
        labels = one.mapping("spec", "selector", "matchLabels") if one.kind == "PodMonitor" else {}
        index.setdefault(next((f"{key}={value}" for key, value in labels.items()), ""), []).append(one)
    return index


def pod_labels(bundle: Bundle, workload: Document) -> list[Json]:
    """The labels of the pods of a workload, for each of its templates."""
    found = []
    for _, template in bundle.templates(workload):
        metadata = template.get("metadata")
        labels = metadata.get("labels") if isinstance(metadata, dict) else None
        found.append(labels if isinstance(labels, dict) else {})
    return found


def pods_match(bundle: Bundle, monitor: Document, labels: Json) -> bool:
    """Whether a scrape object's selector matches pods with these labels, through a Service of the run if need be."""
    selector = monitor.mapping("spec", "selector")
    if monitor.kind == "PodMonitor":
        return selectors.matches(selector, labels)
    return any(
        selectors.matches(selector, one.mapping("metadata", "labels")) and serves(one, labels)
        for one in bundle.of_kind("Service")
    )


def serves(service: Document, labels: Json) -> bool:
    """Whether a Service selects pods with these labels; one without a selector selects none."""
    selector = service.mapping("spec", "selector")
    return bool(selector) and selector.items() <= labels.items()


def added_labels(monitor: Document) -> set[str]:
    """The labels that a scrape object gives to its series."""
    found = {str(one) for key in ("podTargetLabels", "targetLabels") for one in monitor.at("spec", key) or []}
    for _, endpoint in endpoints(monitor):
        for key in ("relabelings", "metricRelabelings"):
            found |= {str(one.get("targetLabel")) for one in endpoint.get(key) or [] if isinstance(one, dict)}
            if any(one.get("action") == "labelmap" for one in endpoint.get(key) or []):
                found |= {"model", "model_name", "model_id", "served_model_name"}
    return found
