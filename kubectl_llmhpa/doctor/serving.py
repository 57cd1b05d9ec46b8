"""Hops metrics API and name: who serves the numbers of the custom and external metrics APIs, and under which names."""

from __future__ import annotations

import urllib.parse
from collections.abc import Sequence

from kubectl_llmhpa import engines
from kubectl_llmhpa.api import API_SERVICES, CONFIG_MAPS, PODS, Json
from kubectl_llmhpa.backends import adapter_rules, prometheus_adapter, providers
from kubectl_llmhpa.backends.prometheus_adapter import Adapter
from kubectl_llmhpa.doctor import asks, trimmed
from kubectl_llmhpa.doctor.asks import Ask
from kubectl_llmhpa.doctor.facts import AdapterFacts, EngineSeen, Problem, ProviderFacts, ServingFacts
from kubectl_llmhpa.doctor.samples import nearest
from kubectl_llmhpa.doctor.seeing import Seeing, problem
from kubectl_llmhpa.errors import ApiError, LlmHpaError
from kubectl_llmhpa.findings import Finding
from kubectl_llmhpa.monitoring import prometheus
from kubectl_llmhpa.plan.adapter import lost_rules
from kubectl_llmhpa.plan.adapter.rule_record import RECORD

#: Rules whose queries are tried out when the adapter lists nothing.
_RULES = 20


def look_adapter(seeing: Seeing) -> tuple[Adapter | None, Problem | None]:
    """The adapter behind the custom metrics API, also one that is down; else why there is none."""
    try:
        services = seeing.items(API_SERVICES.path())
        if services is None:
            return None, Problem("APIServices may not be listed", forbidden=True)
        return prometheus_adapter.find(seeing, even_down=True, api_services=services), None
    except LlmHpaError as error:
        if isinstance(error, ApiError) and error.code == 0:
            raise
        return None, problem(error)


def look(
    seeing: Seeing,
    adapter: Adapter | None,
    why: Problem | None,
    asked: Sequence[Ask],
    engine: EngineSeen | None,
    *,
    listing: bool,
) -> ServingFacts:
    """Who serves what is asked for; the custom metrics API's list only with `listing`."""
    services = seeing.items(API_SERVICES.path())
    custom = _providers(services, prometheus_adapter.GROUP, adapter)
    external = _providers(services, prometheus_adapter.EXTERNAL_GROUP, None)
    names = [one.name for one in asked if one.type != asks.EXTERNAL]
    root = f"/apis/{prometheus_adapter.GROUP}/{custom[0].version if custom else prometheus_adapter.DEFAULT_VERSION}"
    answer: Json | None = None
    listed, failed = None, None
    try:
        if listing:
            answer = seeing.get(root)
            listed = [str(one["name"]) for one in answer.get("resources") or []]
    except ApiError as error:
        failed = problem(error)
    known = sorted({one.partition("/")[2] for one in listed or ()})
    served = [one for one in names if one in known]
    near = {one: nearest(one, known) for one in names if one not in known}
    facts = None
    if adapter is not None:
        facts = _adapter(seeing, adapter, asked, answer, missing=len(served) < len(names), empty=listed == [])
    live = [one.api_name for one in engine.signals] if engine else []
    return ServingFacts(
        custom, external, facts, why, None if listed is None else len(known), failed,
        tuple(dict.fromkeys((*served, *(one for one in live if one in known)))), near,
    )  # fmt: skip


def _providers(
    services: Sequence[Json] | None, group: str, adapter: Adapter | None
) -> tuple[ProviderFacts, ...] | None:
    if services is None:
        return None
    found = []
    for one in providers.of_group(services, group):
        mine = adapter is not None and adapter.provider is not None and one.place == adapter.provider.place
        program = adapter.kind if mine and adapter else ""
        found.append(ProviderFacts(one.name, one.version, one.place, one.available, one.message, program))
    return tuple(found)


def _adapter(
    seeing: Seeing,
    adapter: Adapter,
    asked: Sequence[Ask],
    listing: Json | None,
    *,
    missing: bool,
    empty: bool,
) -> AdapterFacts:
    """Its settings and rules; what is asked besides costs requests, and only where a name is missing."""
    root = [prometheus_adapter.EXTERNAL_ROOT] if adapter.external else []
    answers = seeing.get_many([adapter.config_path, CONFIG_MAPS.path(adapter.namespace, RECORD), *root])
    config_map, record, *listed = (None if isinstance(one, ApiError) else one for one in answers)
    rules: dict[str, Json | None] | None = None
    external: tuple[str, ...] = ()
    in_file: list[Json] = []
    if config_map is not None:
        try:
            parsed = adapter_rules.parse(str((config_map.get("data") or {}).get(adapter.key, "")))
            in_file = list(parsed.get("rules") or [])
            rules = {one.name: _rule_of(in_file, one.name) for one in asked}
            others = parsed.get("externalRules") or []
            external = tuple(one.name for one in asked if _rule_of(others, one.name) is not None)
        except LlmHpaError:
            pass
    down = adapter.provider is not None and not adapter.provider.available
    server = prometheus.server_of(adapter.prometheus_url, adapter.namespace)
    answer: Problem | None = None
    refused: tuple[tuple[str, str], ...] = ()
    if empty and server is not None:
        error = prometheus.reachable(seeing, server)
        answer = problem(error) if error is not None and not error.forbidden else None
        refused = () if error is not None else tuple(_refused(seeing, server, in_file))
    lost: tuple[Finding, ...] = ()
    if not (missing or down):
        lost = tuple(lost_rules.judge(adapter, config_map, record, listing, *listed).values())
    return AdapterFacts(
        adapter.namespace, adapter.name, adapter.kind, adapter.prometheus_url, adapter.relist, adapter.max_age,
        adapter.config_map, rules, external,
        _started(seeing, adapter) if missing or down else "",
        trimmed.changed(config_map) if config_map else "",
        answer, refused, adapter.others, lost,
    )  # fmt: skip


def _rule_of(rules: Sequence[Json], metric: str) -> Json | None:
    """The last rule that serves a metric, which is the one that counts."""
    return next((one for one in reversed(rules) if adapter_rules.serves(one, metric)), None)


def _started(seeing: Seeing, adapter: Adapter) -> str:
    """When the newest pod of the adapter started, empty where that is not known."""
    labels = (adapter.deployment.get("spec") or {}).get("selector", {}).get("matchLabels") or {}
    if not labels:
        return ""
    words = ",".join(f"{key}={text}" for key, text in sorted(labels.items()))
    pods = seeing.items(f"{PODS.path(adapter.namespace)}?labelSelector={urllib.parse.quote(words)}") or []
    started = [
        str((state.get("running") or {}).get("startedAt") or "")
        for pod in pods
        for one in (pod.get("status") or {}).get("containerStatuses") or []
        if (state := one.get("state") or {})
    ]
    return max(started, default="")


def _refused(seeing: Seeing, server: prometheus.Server, rules: Sequence[Json]) -> list[tuple[str, str]]:
    """The series queries that Prometheus refuses: one of them empties the whole list (adapter 0.12)."""
    queries = list(dict.fromkeys(str(one.get("seriesQuery", "")) for one in rules))[:_RULES]
    paths = [
        f"{server.proxy_path}/api/v1/series?{urllib.parse.urlencode({'match[]': one, 'limit': '1'})}"
        for one in queries
    ]
    return [
        (query, answer.problem)
        for query, answer in zip(queries, seeing.get_many(paths), strict=True)
        if isinstance(answer, ApiError) and answer.code in (400, 422)
    ]


def live_name(engine: EngineSeen | None, metric: str) -> str:
    """What the live engine calls the signal of a metric that an HPA asks for, empty where nothing tells."""
    known = engines.signal_of(metric)
    if known is None or engine is None:
        return ""
    return next((one.api_name for one in engine.signals if one.signal == known[1].name), "")
