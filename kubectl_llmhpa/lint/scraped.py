"""Who scrapes whom in a run: scrape objects, Services and the pods of workloads, matched once for all rules."""

from __future__ import annotations

import functools
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from kubectl_llmhpa import engines
from kubectl_llmhpa.api import Json
from kubectl_llmhpa.engines import lookalikes
from kubectl_llmhpa.lint.documents import Document, FieldPath
from kubectl_llmhpa.lint.model import Bundle
from kubectl_llmhpa.monitoring import durations, selectors

MONITORS = ("PodMonitor", "ServiceMonitor")
WORKLOADS = ("Deployment", "StatefulSet", "LeaderWorkerSet", "ReplicaSet")
#: What most published scrape objects for engines have, or less; the operator's own default is 30 s.
DEFAULT_SECONDS = 15.0
_ENDPOINTS = {"PodMonitor": ("spec", "podMetricsEndpoints"), "ServiceMonitor": ("spec", "endpoints")}
#: What a labelmap may make of labels of pods.
_MODEL_LABELS = {"model", "model_name", "model_id", "served_model_name"}


class Scene:
    """The scrape objects of a run and what they select, whatever the namespaces."""

    def __init__(self, bundle: Bundle) -> None:
        self.bundle = bundle
        self.monitors = bundle.of_kind(*MONITORS)
        self.workloads = bundle.of_kind(*WORKLOADS)
        self._pods = _Index((one, labels) for one in self.workloads for labels in pod_labels(bundle, one))
        self._fronts = _Index((one, one.mapping("metadata", "labels")) for one in bundle.of_kind("Service"))
        self._services = {
            id(one): self._fronts.matching(one.mapping("spec", "selector"))
            for one in self.monitors
            if one.kind == "ServiceMonitor"
        }
        self._scraped = {id(one): self._selected(one) for one in self.monitors}
        self._scrapers: dict[int, list[Document]] = defaultdict(list)
        for monitor in self.monitors:
            for workload in self._scraped[id(monitor)]:
                self._scrapers[id(workload)].append(monitor)

    def _selected(self, monitor: Document) -> list[Document]:
        if monitor.kind == "PodMonitor":
            return self._pods.matching(monitor.mapping("spec", "selector"))
        found = {id(one): one for service in self.services(monitor) for one in self.behind(service)}
        return list(found.values())

    def scraped(self, monitor: Document) -> list[Document]:
        """The workloads whose pods a scrape object selects."""
        return self._scraped[id(monitor)]

    def scrapers(self, workload: Document) -> list[Document]:
        """The scrape objects that select the pods of a workload, in the order of the run."""
        return self._scrapers.get(id(workload), [])

    def services(self, monitor: Document) -> list[Document]:
        """The Services that a ServiceMonitor selects."""
        return self._services.get(id(monitor), [])

    def behind(self, service: Document) -> list[Document]:
        """The workloads of a Service; one without a selector has none."""
        selector = service.mapping("spec", "selector")
        return self._pods.matching({"matchLabels": selector}) if selector else []

    def in_front(self, workload: Document) -> list[Document]:
        """The Services of a workload."""
        return [
            one
            for one in self.bundle.of_kind("Service")
            if any(_serves(one, labels) for labels in pod_labels(self.bundle, workload))
        ]

    def interval(self, workload: Document | None) -> float:
        """Seconds between two scrapes of a workload, or (None) the longest of the run; 15 where it does not say."""
        found = self._intervals(self.scrapers(workload)) if workload is not None else self._longest
        return max(found or self._of_prometheuses, default=DEFAULT_SECONDS)

    @functools.cached_property
    def _longest(self) -> list[float]:
        return self._intervals(self.monitors)

    @functools.cached_property
    def _of_prometheuses(self) -> list[float]:
        every = self.bundle.of_kind("Prometheus", "PrometheusAgent")
        return [found for one in every if (found := seconds(one.at("spec", "scrapeInterval")))]

    @staticmethod
    def _intervals(monitors: Iterable[Document]) -> list[float]:
        every = (endpoint for one in monitors for _, endpoint in endpoints(one))
        return [found for one in every if (found := seconds(one.get("interval")))]

    @functools.cached_property
    def added_labels(self) -> set[str]:
        """The labels that scrape objects give to series."""
        return {label for one in self.monitors for label in _added(one)}

    @functools.cached_property
    def with_dynamo(self) -> bool:
        """Whether some workload is Dynamo's, which passes engines' series through with labels of its own."""
        found = map(self.bundle.engine, self.workloads)
        return any(one is not None and one.facts.engine == "dynamo" for one in found)

    @functools.cached_property
    def router(self) -> Document | None:
        """A workload that exposes series under vLLM's names for requests of other pods."""
        return next((one for one in self.workloads if self._is_router(one)), None)

    def _is_router(self, workload: Document) -> bool:
        for _, template in self.bundle.templates(workload):
            for container in template["spec"].get("containers") or []:
                words = [*(container.get("command") or []), *(container.get("args") or [])]
                clues = engines.clues(list(map(str, words)), image=str(container.get("image") or ""))
                row = lookalikes.by_clues(clues)
                if row is not None and row.label is not None and row.label[0] == "vllm:":
                    return True
        return False


def scene(bundle: Bundle) -> Scene:
    """The scene of a run, made once."""
    return bundle.keep("scene", lambda: Scene(bundle))


class _Index:
    """Documents by their labels: a selector is held against those only that have one of its labels."""

    def __init__(self, labelled: Iterable[tuple[Document, Json]]) -> None:
        self._every = list(labelled)
        self._by_pair: dict[tuple[str, str], list[tuple[Document, Json]]] = defaultdict(list)
        for document, labels in self._every:
            for key, value in labels.items():
                self._by_pair[str(key), str(value)].append((document, labels))

    def matching(self, selector: Json) -> list[Document]:
        """The documents with labels that a selector matches, each once."""
        exact = selector.get("matchLabels") or {}
        pair = next(iter(exact.items()), None)
        tried: Sequence[tuple[Document, Json]] = (
            self._every if pair is None else self._by_pair.get((str(pair[0]), str(pair[1])), ())
        )
        found = {id(one): one for one, labels in tried if selectors.matches(selector, labels)}
        return list(found.values())


def endpoints(monitor: Document) -> list[tuple[FieldPath, Json]]:
    """The endpoints of a PodMonitor or ServiceMonitor with their paths."""
    return list(monitor.items(*_ENDPOINTS[monitor.kind]))


def seconds(text: object) -> float:
    """The seconds of a duration, 0 for none."""
    return durations.seconds(text) if isinstance(text, str) else 0.0


def pod_labels(bundle: Bundle, workload: Document) -> list[Json]:
    """The labels of the pods of a workload, for each of its templates."""
    found = []
    for _, template in bundle.templates(workload):
        metadata = template.get("metadata")
        labels = metadata.get("labels") if isinstance(metadata, dict) else None
        found.append(labels if isinstance(labels, dict) else {})
    return found


def _serves(service: Document, labels: Mapping[str, object]) -> bool:
    selector = service.mapping("spec", "selector")
    return bool(selector) and selector.items() <= labels.items()


def _added(monitor: Document) -> set[str]:
    found = {str(one) for key in ("podTargetLabels", "targetLabels") for one in monitor.at("spec", key) or []}
    for _, endpoint in endpoints(monitor):
        for key in ("relabelings", "metricRelabelings"):
            rules = [one for one in endpoint.get(key) or [] if isinstance(one, dict)]
            found |= {str(one["targetLabel"]) for one in rules if one.get("targetLabel")}
            if any(one.get("action") == "labelmap" for one in rules):
                found |= _MODEL_LABELS
    return found
