"""KEDA's part of the hop value: each trigger's query, asked again, beside what KEDA says of it.

KEDA 2.21, pkg/scalers/prometheus_scaler.go: a query has to give one element; without `ignoreNullValues: "false"` an
empty answer, NaN and infinity are 0 and no error. Why a query failed stands in an event only.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from kubectl_llmhpa import engines, quantities
from kubectl_llmhpa.api import API_SERVICES, NAMESPACE_NAME, NETWORK_POLICIES, PROMETHEUSES, Json
from kubectl_llmhpa.backends import keda as keda_backend
from kubectl_llmhpa.doctor.engine import finite
from kubectl_llmhpa.doctor.facts import Facts, KedaFacts, TriggerFacts, ValueFacts
from kubectl_llmhpa.doctor.judge_serving import all_of
from kubectl_llmhpa.doctor.model import Verdict, broken, ok, told, unknown
from kubectl_llmhpa.doctor.seeing import Seeing, problem
from kubectl_llmhpa.errors import LlmHpaError
from kubectl_llmhpa.findings import Finding, found
from kubectl_llmhpa.hpa import scaled_objects
from kubectl_llmhpa.monitoring import network_policies, prometheus, prometheus_operator
from kubectl_llmhpa.names.queries import words_in

_ZERO = re.compile(r"\s+or\s+(on\s*\(\s*\)\s*)?vector\s*\(\s*0(\.0*)?\s*\)", re.IGNORECASE)
_EQUALS = re.compile(r'([A-Za-z_][A-Za-z0-9_]*)\s*=\s*"([^"]*)"')
_MATCHERS = re.compile(r"\{([^{}]*)\}")
#: What KEDA says of a query that failed, and the finding that it means; the first that fits counts.
_CAUSES = (
    (r"multiple elements", "query-many-elements"),
    (r"result is empty|target may be lost", "keda-empty"),
    (r"returns? NaN|infinity|Inf\b", "not-a-number"),
    (r"\b401\b|\b403\b|[Uu]nauthorized|[Ff]orbidden", "keda-unauthorized"),
    (r"x509|certificate|tls:", "keda-unauthorized"),
    (r"no such host|lookup |server misbehaving|connection refused|no route to host", "keda-unreachable"),
    (r"i/o timeout|deadline exceeded|connect:", "keda-unreachable"),
    (r"parse error|bad_data|\b400\b|\b422\b", "query-unreadable"),
)  # fmt: skip


def metrics_of(scaled: Json | None) -> tuple[str, ...]:
    """The engine metrics that the queries of a ScaledObject are made of."""
    words = [
        word
        for trigger in ((scaled or {}).get("spec") or {}).get("triggers") or []
        for word in words_in(str((trigger.get("metadata") or {}).get("query", "")))
    ]
    return tuple(dict.fromkeys(word for word in words if engines.signal_of(word)))


def address_of(scaled: Json | None) -> str:
    """The Prometheus that the first trigger asks."""
    for trigger in ((scaled or {}).get("spec") or {}).get("triggers") or []:
        if url := (trigger.get("metadata") or {}).get("serverAddress"):
            return str(url)
    return ""


def look(
    seeing: Seeing, scaled: Json | None, namespace: str, values: Sequence[ValueFacts]
) -> KedaFacts | None:
    """KEDA and the triggers of a ScaledObject; None where there is neither."""
    services = seeing.items(API_SERVICES.path()) or []
    keda = keda_backend.find(seeing, services)
    if keda is None and scaled is None:
        return None
    spec = (scaled or {}).get("spec") or {}
    _read_ahead(seeing, spec.get("triggers") or [], keda.namespace if keda else "")
    triggers = [
        _trigger(seeing, index, one, namespace, keda.namespace if keda else "")
        for index, one in enumerate(spec.get("triggers") or [])
        if one.get("type") == "prometheus"
    ]
    policies: tuple[Finding, ...] = ()
    if keda is not None and any(one.problem is not None for one in values):
        policies = _policies(seeing, keda, namespace)
    return KedaFacts(
        keda.namespace if keda else "", keda.version if keda else "", keda.problem if keda else "", tuple(triggers),
        policies,
    )  # fmt: skip


def _read_ahead(seeing: Seeing, triggers: Sequence[Json], home: str) -> None:
    """Ask all the queries at once."""
    given = [one.get("metadata") or {} for one in triggers]
    places = [
        (prometheus.server_of(str(one.get("serverAddress", "")), home), one.get("query", "")) for one in given
    ]
    seeing.get_many(
        [prometheus.query_path(server, str(query)) for server, query in places if server is not None]
    )


def _trigger(seeing: Seeing, index: int, trigger: Json, namespace: str, home: str) -> TriggerFacts:
    given = trigger.get("metadata") or {}
    query, address = str(given.get("query", "")), str(given.get("serverAddress", ""))
    facts = {
        "metric": scaled_objects.metric_name(index, trigger),
        "query": query,
        "address": address,
        "ignore_null": str(given.get("ignoreNullValues", "true")).lower() != "false",
        "metric_type": str(trigger.get("metricType") or "AverageValue"),
        "threshold": str(given.get("threshold", "")),
    }
    server = prometheus.server_of(address, home)
    if server is None:
        return TriggerFacts(**facts)  # type: ignore[arg-type]
    try:
        answer = prometheus.query(seeing, server, query)
        bare = None
        if _ZERO.search(query):
            bare = len(prometheus.query(seeing, server, _ZERO.sub("", query)))
        foreign = _foreign(seeing, server, query, namespace)
    except LlmHpaError as error:
        return TriggerFacts(**facts, problem=problem(error))  # type: ignore[arg-type]
    values = tuple(f"{one.value:g}" for one in answer[:5])
    return TriggerFacts(**facts, elements=len(answer), values=values, bare=bare, foreign=foreign)  # type: ignore[arg-type]


def _foreign(seeing: Seeing, server: prometheus.Server, query: str, namespace: str) -> tuple[str, ...]:
    """Other namespaces whose series a query adds up, where none of its selectors tells any apart."""
    inside = " ".join(_MATCHERS.findall(query))
    if re.search(r"\b(namespace|job|pod|exported_namespace|model_name|app|service)\w*\s*(=|=~)", inside):
        return ()
    names = [word for word in dict.fromkeys(words_in(query)) if engines.signal_of(word)]
    if not names:
        return ()
    pattern = "|".join(names)
    answer = prometheus.query(seeing, server, f'count by (namespace) ({{__name__=~"{pattern}"}})')
    return tuple(
        sorted(one.labels.get("namespace", "") for one in answer if one.labels.get("namespace") != namespace)
    )


def _policies(seeing: Seeing, keda: keda_backend.Keda, namespace: str) -> tuple[Finding, ...]:
    """NetworkPolicies that keep KEDA from the Prometheus objects' pods."""
    result: list[Finding] = []
    for one in seeing.items(PROMETHEUSES.path()) or []:
        home = one["metadata"]["namespace"]
        policies = seeing.items(NETWORK_POLICIES.path(home)) or []
        try:
            labels = {NAMESPACE_NAME: namespace}
            selection = prometheus_operator.choose([one], namespace, labels)
        except LlmHpaError:
            continue
        result += network_policies.blocking(policies, selection, keda)
    return tuple(result)


def _unmatched(facts: Facts, query: str) -> str:
    """The first label in a query with a value that no series of its metrics has, and those that they have."""
    names = set(words_in(query))
    series = [one.labels for one in facts.samples.series if one.labels.get("__name__") in names]
    for label, wanted in _EQUALS.findall(query):
        values = {labels.get(label, "") for labels in series}
        if series and wanted not in values:
            shown = ", ".join(sorted(f'"{value}"' for value in values if value)) or "no such label"
            return f': {label}="{wanted}" fits no series of the pods, which have {shown}'
    return ""


def judge_value(facts: Facts) -> Verdict:
    """What KEDA's numbers are."""
    about, scaled = facts.target.reference, facts.scaler.scaled_object
    asked = "the controller's own request for each metric, and each trigger's query"
    if scaled is not None:
        state = scaled_objects.state(scaled)
        if state.fallback:
            cause = scaled_objects.cause(scaled, facts.scaler.events)
            seen = f"KEDA's fallback is active: {cause or 'its queries fail'}"
            return broken(asked, seen, _by_cause(facts, cause, seen) or found("keda-fallback", about, seen))
    triggers = {one.metric: one for one in facts.keda.triggers} if facts.keda else {}
    return all_of([_one(facts, one, triggers.get(one.metric)) for one in facts.values])


def _one(facts: Facts, value: ValueFacts, trigger: TriggerFacts | None) -> Verdict:
    path = f"GET {value.path}"
    if trigger is not None:
        path += f"; {trigger.query}"
        if (told := _query(facts, trigger, path)) is not None:
            return told
    if value.problem is None:
        if any(quantities.is_garbage(text) for _, text in value.items):
            seen = f"{value.metric} is {value.items[0][1]}, which is what NaN and infinity turn into"
            return broken(path, seen, found("not-a-number", facts.target.reference, seen))
        shown = ", ".join(text for _, text in value.items)
        return ok(path, f"{value.metric}: {shown}")
    if value.problem.forbidden:
        return unknown(path, f"{value.metric}: {value.problem.text}")
    return _failed(facts, value, path)


def _failed(facts: Facts, value: ValueFacts, path: str) -> Verdict:
    about, scaled = facts.target.reference, facts.scaler.scaled_object
    text = value.problem.text if value.problem else ""
    if scaled is None:
        return broken(path, text, found("scaledobject-absent", about, text))
    cause = scaled_objects.cause(scaled, facts.scaler.events)
    seen = f"{value.metric}: {cause or text}"
    finding = _by_cause(facts, cause, seen)
    return broken(
        path,
        seen,
        finding
        or found(
            "keda-query-fails",
            about,
            seen,
            namespace=facts.keda.namespace if facts.keda and facts.keda.namespace else "keda",
        ),
    )


def _by_cause(facts: Facts, cause: str, seen: str) -> Finding | None:
    """The finding that an event of KEDA's means; a NetworkPolicy that blocks it explains what does not answer."""
    code = next((code for pattern, code in _CAUSES if re.search(pattern, cause)), "")
    if not code:
        return None
    resolved = not re.search(r"no such host|lookup |server misbehaving", cause)
    if code == "keda-unreachable" and resolved and facts.keda is not None and facts.keda.policies:
        return facts.keda.policies[0]
    address = facts.keda.triggers[0].address if facts.keda and facts.keda.triggers else "the address"
    more = "make one number of the query with sum(...)"
    return found(code, facts.target.reference, seen, address=address, effect="", fix=more)


def _query(facts: Facts, one: TriggerFacts, path: str) -> Verdict | None:
    """What the query itself gives, None where it gives one number or could not be asked."""
    about = facts.target.reference
    if one.problem is not None and one.problem.code in (400, 422):
        seen = f"Prometheus refuses the query of {one.metric}: {one.problem.text}"
        return broken(path, seen, found("query-unreadable", about, seen, effect=", and KEDA gives no number"))
    if one.elements is None:
        return None
    if one.elements > 1:
        seen = f"the query of {one.metric} gives {one.elements} elements ({', '.join(one.values)})"
        return broken(
            path, seen, told("query-many-elements", about, seen, f"make one number of it: sum({one.query})")
        )
    if one.elements == 0 or (one.bare == 0 and one.elements == 1):
        if facts.engine is not None and facts.engine.armed:
            return ok(path, f"{one.metric}: no sample before the first request (armed)", armed=True)
        if not facts.pods or not any(each.ready for each in facts.pods):
            return unknown(path, f"{one.metric}: the query gives nothing, and no pod is ready")
    if one.elements == 0:
        code = "silent-zero" if one.ignore_null else "keda-empty"
        seen = f"the query of {one.metric} gives nothing{_unmatched(facts, one.query)}"
        return broken(path, seen, found(code, about, seen))
    if one.bare == 0:
        seen = f"without `or vector(0)` the query of {one.metric} gives nothing"
        return broken(path, seen, found("zero-hides-loss", about, seen, value="0"))
    if not finite(one.values[0]):
        seen = f"the query of {one.metric} gives {one.values[0]}"
        return broken(path, seen, found("not-a-number", about, seen))
    if one.foreign:
        seen = f"the query of {one.metric} names no namespace, and adds up series of {', '.join(one.foreign[:3])} too"
        return broken(
            path, seen, found("query-of-everybody", about, seen, better=f'namespace="{facts.namespace}"')
        )
    return None
