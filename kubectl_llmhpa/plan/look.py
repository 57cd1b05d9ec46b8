"""What is around a workload before anything is planned: who scrapes, who serves numbers, who scales."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from kubectl_llmhpa.api import (
    HPAS,
    NAMESPACES,
    POD_MONITORS,
    PROMETHEUSES,
    SCALED_OBJECTS,
    SERVICES,
    Json,
    Reader,
    Resource,
)
from kubectl_llmhpa.backends import adapter_rules, prometheus_adapter
from kubectl_llmhpa.backends.prometheus_adapter import Adapter
from kubectl_llmhpa.errors import ApiError, LlmHpaError
from kubectl_llmhpa.monitoring import prometheus
from kubectl_llmhpa.plan import journal, rules
from kubectl_llmhpa.plan.journal import Journal
from kubectl_llmhpa.workloads import Workload


@dataclass(frozen=True)
class Surroundings:
    """Everything around the workload that a plan depends on."""

    namespace_labels: Mapping[str, str]
    hpas: list[Json]
    scaled_objects: list[Json]
    pod_monitors: list[Json]
    prometheuses: list[Json]
    journal: Journal | None
    adapter: Adapter
    served: frozenset[str]
    rules: tuple[Json, ...]
    """The rules in the adapter's file (served or not); none when it may not be read."""
    recorded: Mapping[str, Json]
    """Those that we put there, by the name they serve."""
    server: prometheus.Server | None
    server_pods: Mapping[str, str]
    blind: ApiError | None
    """Why Prometheus cannot be asked, None when it can."""


def around(reader: Reader, workload: Workload) -> Surroundings:
    """Everything else, in two rounds of parallel reads.

    Raises LlmHpaError when there is no adapter or it is down; a missing CRD is an empty list.
    """
    namespace = workload.namespace
    answers = reader.get_many(
        [
            NAMESPACES.path(name=namespace),
            HPAS.path(namespace),
            SCALED_OBJECTS.path(namespace),
            POD_MONITORS.path(namespace),
            PROMETHEUSES.path(),
            journal.path_for(workload),
        ]
    )
    labels = answers[0] if not isinstance(answers[0], ApiError) else {"metadata": {}}
    if isinstance(answers[1], ApiError):
        raise answers[1]
    adapter = prometheus_adapter.find(reader)
    server = prometheus.server_of(adapter.prometheus_url, adapter.namespace)
    blind = prometheus.reachable(reader, server) if server else None
    book = answers[5]
    if isinstance(book, ApiError) and not book.not_found:
        raise book
    return Surroundings(
        # the server sets this one on every namespace: it is known without the right to read namespaces
        namespace_labels={
            "kubernetes.io/metadata.name": namespace,
            **(labels["metadata"].get("labels") or {}),
        },
        hpas=_items(answers[1], HPAS),
        scaled_objects=_items(answers[2], SCALED_OBJECTS),
        pod_monitors=_items(answers[3], POD_MONITORS),
        prometheuses=_items(answers[4], PROMETHEUSES),
        journal=None if isinstance(book, ApiError) else journal.read(book),
        adapter=adapter,
        served=frozenset(prometheus_adapter.listed(reader, adapter)),
        rules=_rules_in_file(reader, adapter),
        recorded=_recorded(reader, adapter),
        server=server,
        server_pods=_service_selector(reader, server),
        blind=blind,
    )


def scraped(
    reader: Reader, server: prometheus.Server, workload: Workload, metric: str, *, besides: str = ""
) -> dict[str, float]:
    """Pod name to sample, for the workload's namespace; `besides` leaves out what one scrape job brings.

    Raises ApiError or LlmHpaError.
    """
    others = f',job!="{besides}"' if besides else ""
    expression = f'max by (pod) ({{__name__="{metric}",namespace="{workload.namespace}"{others}}})'
    return prometheus.per_pod(prometheus.query(reader, server, expression))


def _rules_in_file(reader: Reader, adapter: Adapter) -> tuple[Json, ...]:
    """Without the right to read the file nothing is known of it, which matters only if it has to be edited."""
    try:
        data: Json = reader.get(adapter.config_path).get("data") or {}
        return tuple(adapter_rules.parse(str(data.get(adapter.key, ""))).get("rules") or ())
    except LlmHpaError:
        return ()


def _recorded(reader: Reader, adapter: Adapter) -> Mapping[str, Json]:
    try:
        record = rules.read_record(reader, adapter.namespace)
    except ApiError:
        return {}
    return record.rules if record else {}


def _items(answer: Json | ApiError, resource: Resource) -> list[Json]:
    """The items of a list as whole objects (a list leaves out their kind); none where the kind does not exist."""
    if isinstance(answer, ApiError):
        if answer.not_found:
            return []
        raise answer
    named = {"apiVersion": resource.api_version, "kind": resource.kind}
    return [{**named, **item} for item in answer.get("items") or []]


def _service_selector(reader: Reader, server: prometheus.Server | None) -> Mapping[str, str]:
    if server is None:
        return {}
    try:
        selector: Mapping[str, str] = (
            reader.get(SERVICES.path(server.namespace, server.service))["spec"].get("selector") or {}
        )
    except ApiError:
        return {}
    return selector
