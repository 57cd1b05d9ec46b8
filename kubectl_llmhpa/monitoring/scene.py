"""What there is in a cluster that could scrape, as far as the caller may see it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from kubectl_llmhpa.api import (
    AZURE_POD_MONITORS,
    GOOGLE_POD_MONITORINGS,
    NAMESPACES,
    PROMETHEUS_AGENTS,
    VM_AGENTS,
    VM_POD_SCRAPES,
    VM_SINGLES,
    Json,
    Reader,
    Resource,
)
from kubectl_llmhpa.errors import ApiError
from kubectl_llmhpa.monitoring import operator_scope, scrape_rights
from kubectl_llmhpa.monitoring.operator_scope import OperatorScope

ARMS_NAMESPACE = "arms-prom"
#: Scrape objects of others than the Prometheus operator.
_SCRAPE_OBJECTS = (GOOGLE_POD_MONITORINGS, VM_POD_SCRAPES, AZURE_POD_MONITORS)


@dataclass(frozen=True)
class Scene:
    """The API groups and objects by which scrapers are recognised."""

    groups: frozenset[str] = frozenset()
    namespaces: frozenset[str] = frozenset()
    """Those that are there of the ones that scrapers run in."""
    prometheuses: Sequence[Json] = ()
    agents: Sequence[Json] = ()
    """PrometheusAgent objects."""
    operators: Sequence[OperatorScope] = ()
    """The Prometheus operators; none where they could not be read."""
    vm_agents: Sequence[Json] = ()
    """VMAgent objects, and VMSingle objects, which can scrape too."""
    scrape_objects: Sequence[Json] = ()
    """PodMonitoring, VMPodScrape and Azure PodMonitor objects in the workload's namespace."""
    may_list: Mapping[str, bool | None] = field(default_factory=dict)
    """For each ServiceAccount of a Prometheus (`namespace/name`) whether it may list the pods; None: cannot be told."""


def look(reader: Reader, namespace: str, prometheuses: Sequence[Json], groups: Collection[str] = ()) -> Scene:
    """Look for scrapers of a namespace; `groups` are the API groups, where they are known already.

    What may not be read counts as absent.
    """
    groups = groups or _groups(reader)
    wanted = [one for one in (PROMETHEUS_AGENTS, VM_AGENTS, VM_SINGLES) if one.group in groups]
    local = [one for one in _SCRAPE_OBJECTS if one.group in groups]
    # one with Prometheus objects is taken before ARMS
    managed = [] if prometheuses else [NAMESPACES.path(name=ARMS_NAMESPACE)]
    paths = [*operator_scope.PATHS, *managed]
    paths += [one.path() for one in wanted] + [one.path(namespace) for one in local]
    bundled, charted, *rest = reader.get_many(paths)
    arms, lists = rest[: len(managed)], rest[len(managed) :]
    found = {one: _items(answer, one) for one, answer in zip((*wanted, *local), lists, strict=True)}
    scopes = [operator_scope.of(one) for one in (*_items(bundled), *_items(charted))]
    agents = found.get(PROMETHEUS_AGENTS, [])
    return Scene(
        groups=frozenset(groups),
        namespaces=frozenset(ARMS_NAMESPACE for one in arms if not isinstance(one, ApiError)),
        prometheuses=prometheuses,
        agents=agents,
        # one that cannot be understood may be the one that looks after it: then nothing is concluded
        operators=[one for one in scopes if one is not None] if all(scopes) else [],
        vm_agents=[*found.get(VM_AGENTS, []), *found.get(VM_SINGLES, [])],
        scrape_objects=[obj for one in local for obj in found[one]],
        may_list=scrape_rights.may_list_pods(reader, namespace, [*prometheuses, *agents]),
    )


def _groups(reader: Reader) -> set[str]:
    try:
        return {str(one["name"]) for one in reader.get("/apis").get("groups") or []}
    except ApiError as error:
        if error.unavailable:
            raise
        return set()


def _items(answer: Json | ApiError, resource: Resource | None = None) -> list[Json]:
    if isinstance(answer, ApiError):
        return []
    named = {"apiVersion": resource.api_version, "kind": resource.kind} if resource else {}
    return [{**named, **item} for item in answer.get("items") or []]
