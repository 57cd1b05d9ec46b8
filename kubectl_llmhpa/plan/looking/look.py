"""What is around a workload before anything is planned: who scrapes, who serves numbers, who scales."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from kubectl_llmhpa.api import (
    API_SERVICES,
    HPAS,
    NAMESPACE_NAME,
    NAMESPACES,
    NETWORK_POLICIES,
    POD_MONITORS,
    PROMETHEUSES,
    SCALED_OBJECTS,
    SERVICES,
    Json,
    Reader,
    Resource,
)
from kubectl_llmhpa.backends import adapter_rules, choosing, ownership, prometheus_adapter
from kubectl_llmhpa.backends import keda as keda_backend
from kubectl_llmhpa.backends.keda import Keda
from kubectl_llmhpa.backends.model import KEDA
from kubectl_llmhpa.backends.prometheus_adapter import Adapter
from kubectl_llmhpa.errors import ApiError, LlmHpaError
from kubectl_llmhpa.monitoring import address, prometheus, prometheus_operator, scene
from kubectl_llmhpa.monitoring.scene import Scene
from kubectl_llmhpa.plan import journal
from kubectl_llmhpa.plan.adapter import rule_record
from kubectl_llmhpa.plan.journal import Journal
from kubectl_llmhpa.workloads import Workload

#: Fields of a Prometheus or VMAgent by which it selects the namespaces of scrape objects.
_NAMESPACE_SELECTORS = ("podMonitorNamespaceSelector", "podScrapeNamespaceSelector")


@dataclass(frozen=True)
class Surroundings:
    """Everything around the workload that a plan depends on."""

    namespace_labels: Mapping[str, str]
    """Those that a scraper may ask for."""
    hpas: list[Json]
    scaled_objects: list[Json]
    pod_monitors: list[Json]
    prometheuses: list[Json]
    journal: Journal | None
    adapter: Adapter | None
    served: frozenset[str]
    rules: tuple[Json, ...]
    """The rules for custom metrics in the adapter's file (served or not); none when it may not be read."""
    recorded: Mapping[str, Json]
    """Those that we put there, by the name they serve."""
    server: prometheus.Server | None
    """The Prometheus that the backend asks."""
    server_pods: Mapping[str, str]
    external_rules: tuple[Json, ...] = ()
    """Those for External metrics."""
    blind: ApiError | None = None
    """Why Prometheus cannot be asked, None as long as it can."""
    adapter_problem: LlmHpaError | None = None
    """Why there is no adapter that can be used."""
    keda: Keda | None = None
    services: Sequence[Json] = field(default=())
    """The Services of the namespaces in which a Prometheus is."""
    network_policies: Sequence[Json] = field(default=())
    """Those of the same namespaces."""
    file_owner: tuple[str, str] | None = None
    """Who writes the adapter's file anew, as `ownership.file_owner` says it."""
    scene: Scene = field(default_factory=Scene)
    """What else could scrape."""


def around(
    reader: Reader, workload: Workload, wanted: str = "", scrape: str = "auto", backend: str = choosing.AUTO
) -> Surroundings:
    """Everything else, in a few rounds of parallel reads.

    `wanted` is the user's Prometheus (`namespace/name`), `scrape` who is to scrape, `backend` who is to serve: of the
    others no more is looked at than what they know of Prometheus. Raises ApiError when the HPAs or the journal cannot
    be read; a missing CRD is an empty list.
    """
    namespace = workload.namespace
    answers = reader.get_many(
        [
            HPAS.path(namespace),
            SCALED_OBJECTS.path(namespace),
            POD_MONITORS.path(namespace),
            PROMETHEUSES.path(),
            journal.path_for(workload),
            API_SERVICES.path(),
        ]
    )
    hpas, scaled, monitors, operated, book, registered = answers
    if isinstance(hpas, ApiError):
        raise hpas
    if isinstance(book, ApiError) and not book.not_found:
        raise book
    api_services = None if isinstance(registered, ApiError) else registered.get("items") or []
    adapter, problem = _adapter(reader, api_services)
    keda = keda_backend.find(reader, api_services or []) if backend in (choosing.AUTO, KEDA) else None
    prometheuses = [] if scrape == "none" and _forbidden(operated) else _items(operated, PROMETHEUSES)
    scrapers = scene.look(
        reader, namespace, prometheuses, {one["spec"].get("group", "") for one in api_services or []}
    )
    selecting = [*prometheuses, *scrapers.agents, *scrapers.vm_agents]
    namespace_labels = _labels(reader, namespace, selecting)
    services, policies = _beside(reader, prometheuses) if keda else ([], [])
    server = prometheus.server_of(adapter.prometheus_url, adapter.namespace) if adapter else None
    if server is None and keda:
        server = _operators(prometheuses, services, namespace, namespace_labels, wanted)
    editable = adapter if backend != KEDA else None
    config_map = _file(reader, editable) if editable else None
    rules = _rules_in_file(editable, config_map) if editable else adapter_rules.lists({})
    return Surroundings(
        namespace_labels=namespace_labels,
        hpas=_items(hpas, HPAS),
        scaled_objects=[] if keda is None and _forbidden(scaled) else _items(scaled, SCALED_OBJECTS),
        pod_monitors=_items(monitors, POD_MONITORS),
        prometheuses=prometheuses,
        journal=None if isinstance(book, ApiError) else journal.read(book),
        adapter=adapter,
        served=_served(reader, adapter) if backend != KEDA else frozenset(),
        rules=tuple(rules[adapter_rules.CUSTOM]),
        external_rules=tuple(rules[adapter_rules.EXTERNAL]),
        recorded=_recorded(reader, editable) if editable else {},
        server=server,
        server_pods=_service_selector(reader, server, services),
        adapter_problem=problem,
        keda=keda,
        services=services,
        network_policies=policies,
        file_owner=ownership.file_owner(config_map, editable.deployment) if editable else None,
        scene=scrapers,
    )


def _labels(reader: Reader, namespace: str, selecting: Iterable[Json]) -> dict[str, str]:
    """The labels of a namespace, which are read only where one of the scrapers selects namespaces by any."""
    # the server sets this one on every namespace: it is known without the right to read namespaces
    known = {NAMESPACE_NAME: namespace}
    if not any((one.get("spec") or {}).get(field) for one in selecting for field in _NAMESPACE_SELECTORS):
        return known
    try:
        return {**known, **(reader.get(NAMESPACES.path(name=namespace))["metadata"].get("labels") or {})}
    except ApiError:
        return known


def _adapter(
    reader: Reader, api_services: Sequence[Json] | None
) -> tuple[Adapter | None, LlmHpaError | None]:
    """The adapter, or why there is none to be used."""
    try:
        return prometheus_adapter.find(reader, api_services=api_services), None
    except LlmHpaError as error:
        if isinstance(error, ApiError) and error.unavailable:
            raise
        return None, error


def _served(reader: Reader, adapter: Adapter | None) -> frozenset[str]:
    """What the custom metrics API lists, whoever serves it; nothing where it lists nothing."""
    try:
        if adapter is not None:
            listed = prometheus_adapter.listed if adapter.custom else prometheus_adapter.listed_external
            return frozenset(listed(reader, adapter))
        answer = reader.get(f"/apis/{prometheus_adapter.GROUP}/v1beta1")
        return frozenset(str(one["name"]) for one in answer.get("resources") or [])
    except ApiError as error:
        if error.unavailable or error.not_found or error.forbidden:
            return frozenset()
        raise


def _beside(reader: Reader, prometheuses: Sequence[Json]) -> tuple[list[Json], list[Json]]:
    """Services and NetworkPolicies of the namespaces in which a Prometheus is, as far as they may be read."""
    namespaces = sorted({one["metadata"]["namespace"] for one in prometheuses})
    answers = reader.get_many(
        [resource.path(one) for resource in (SERVICES, NETWORK_POLICIES) for one in namespaces]
    )
    lists = [[] if isinstance(one, ApiError) else list(one.get("items") or []) for one in answers]
    services, policies = lists[: len(namespaces)], lists[len(namespaces) :]
    return [one for each in services for one in each], [one for each in policies for one in each]


def _operators(
    prometheuses: Sequence[Json],
    services: Sequence[Json],
    namespace: str,
    labels: Mapping[str, str],
    wanted: str,
) -> prometheus.Server | None:
    """The one Prometheus that would scrape the namespace, None where that is not clear."""
    try:
        chosen = prometheus_operator.choose(prometheuses, namespace, labels, wanted=wanted)
        return address.of(chosen, services, prometheuses)
    except LlmHpaError:
        return None


def _file(reader: Reader, adapter: Adapter) -> Json | None:
    """The adapter's ConfigMap; without the right to read it nothing is known, which matters only for an edit."""
    try:
        return reader.get(adapter.config_path)
    except ApiError:
        return None


def _rules_in_file(adapter: Adapter, config_map: Json | None) -> dict[str, list[Json]]:
    data: Json = (config_map or {}).get("data") or {}
    try:
        return adapter_rules.lists(adapter_rules.parse(str(data.get(adapter.key, ""))))
    except LlmHpaError:
        return adapter_rules.lists({})


def _recorded(reader: Reader, adapter: Adapter) -> Mapping[str, Json]:
    try:
        record = rule_record.read_record(reader, adapter.namespace)
    except ApiError:
        return {}
    return record.rules if record else {}


def _forbidden(answer: Json | ApiError) -> bool:
    """Whether a list may not be read; RBAC refuses before the server says that there is no such kind."""
    return isinstance(answer, ApiError) and answer.forbidden


def _items(answer: Json | ApiError, resource: Resource) -> list[Json]:
    """The items of a list as whole objects (a list leaves out their kind); none where the kind does not exist."""
    if isinstance(answer, ApiError):
        if answer.not_found:
            return []
        raise answer
    named = {"apiVersion": resource.api_version, "kind": resource.kind}
    return [{**named, **item} for item in answer.get("items") or []]


def _service_selector(
    reader: Reader, server: prometheus.Server | None, services: Sequence[Json]
) -> Mapping[str, str]:
    """The selector of a server's Service, which may be among those that were read."""
    if server is None:
        return {}
    for one in services:
        if (one["metadata"]["namespace"], one["metadata"]["name"]) == (server.namespace, server.service):
            return one["spec"].get("selector") or {}
    try:
        selector: Mapping[str, str] = (
            reader.get(SERVICES.path(server.namespace, server.service))["spec"].get("selector") or {}
        )
    except ApiError:
        return {}
    return selector
