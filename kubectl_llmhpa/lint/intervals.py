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
    monitors = bundle.of_kind(*MONITORS)
    if workload is not None:
        monitors = [
            one
            for one in monitors
            if any(pods_match(bundle, one, labels) for labels in pod_labels(bundle, workload))
        ]
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
