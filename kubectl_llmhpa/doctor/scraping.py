"""Hops scrape object and selection: what names the pods to a Prometheus, and which Prometheus takes it.

Both are asked only as far as needed: targets that Prometheus has already prove them, whoever wrote the scrape.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from urllib.parse import urlencode

from kubectl_llmhpa.api import NAMESPACE_NAME, NAMESPACES, POD_MONITORS, PODS, PROMETHEUSES, Json
from kubectl_llmhpa.doctor import samples, trimmed
from kubectl_llmhpa.doctor.facts import Facts, PodFacts, ScrapingFacts
from kubectl_llmhpa.doctor.model import Verdict, broken, ok, told, unknown
from kubectl_llmhpa.doctor.seeing import Seeing
from kubectl_llmhpa.errors import ApiError, LlmHpaError
from kubectl_llmhpa.explain.look import selector_text
from kubectl_llmhpa.findings import Finding, found
from kubectl_llmhpa.monitoring import operator_scope, prometheus_operator, scrape_rights, selectors
from kubectl_llmhpa.monitoring.operator_scope import OperatorScope
from kubectl_llmhpa.workloads import Workload

#: Monitors that are asked for their pods; of more it is not known.
_MONITORS = 10


def look(seeing: Seeing, workload: Workload, *, scraped: bool) -> ScrapingFacts:
    """The scrape objects and who could select them; where the pods are `scraped`, no more than the objects."""
    namespace = workload.namespace
    monitors = seeing.items(POD_MONITORS.path(namespace))
    prometheuses = seeing.items(PROMETHEUSES.path())
    kept = None if monitors is None else tuple(trimmed.monitor(one) for one in monitors)
    selecting = None if prometheuses is None else tuple(trimmed.prometheus(one) for one in prometheuses)
    if scraped:
        return ScrapingFacts(kept, selecting)
    return ScrapingFacts(
        kept, selecting, _labels(seeing, namespace), _may_list(seeing, namespace, prometheuses or ()),
        _operators(seeing), _busy(seeing, namespace, monitors or ()),
    )  # fmt: skip


def _busy(seeing: Seeing, namespace: str, monitors: Sequence[Json]) -> tuple[str, ...]:
    """The monitors that select a pod, by one request each; those that cannot be told count too."""
    paths = [
        f"{PODS.path(namespace)}?{urlencode({'labelSelector': selector_text(one['spec'].get('selector')), 'limit': 1})}"
        for one in monitors[:_MONITORS]
    ]
    answers = [*seeing.get_many(paths), *[None] * len(monitors[_MONITORS:])]
    return tuple(
        str(one["metadata"]["name"])
        for one, answer in zip(monitors, answers, strict=True)
        if not isinstance(answer, dict) or answer.get("items")
    )


def _labels(seeing: Seeing, namespace: str) -> dict[str, str]:
    known = {NAMESPACE_NAME: namespace}
    try:
        return {**known, **(seeing.get(NAMESPACES.path(name=namespace))["metadata"].get("labels") or {})}
    except ApiError as error:
        if error.unavailable:
            raise
        return known


def _may_list(seeing: Seeing, namespace: str, prometheuses: Sequence[Json]) -> dict[str, bool | None]:
    return scrape_rights.may_list_pods(seeing, namespace, prometheuses)


def _operators(seeing: Seeing) -> tuple[Json, ...]:
    """The scopes of the Prometheus operators; none where one of them cannot be told."""
    deployments = [one for path in operator_scope.PATHS for one in seeing.items(path) or ()]
    scopes = [operator_scope.of(one) for one in deployments]
    if not all(scopes):
        return ()
    return tuple(
        {
            "reference": one.reference, "namespaces": sorted(one.namespaces), "denied": sorted(one.denied),
            "instances": sorted(one.instances), "selector": one.selector, "controller": one.controller,
        }
        for one in scopes
        if one is not None
    )  # fmt: skip


def judge_object(facts: Facts) -> Verdict:
    """Whether something names the pods' metrics port to a scraper."""
    about, monitors = facts.target.reference, facts.scraping.monitors
    asked = f"PodMonitors in namespace {facts.namespace}, and the targets that Prometheus has"
    pods = facts.pods or ()
    if by := _scraped_by(facts):
        return ok(asked, f"scraped by {by}")
    if monitors is None:
        return unknown(asked, "PodMonitors may not be listed")
    if not pods:
        return unknown(asked, "no pod to compare with")
    covering = [
        one for one in monitors if any(prometheus_operator.selects(one, each.labels) for each in pods)
    ]
    if not covering:
        if samples.blind(facts):
            return unknown(
                asked, "no PodMonitor selects the pods, and whether another scraper has them is not known"
            )
        return _none_covers(facts, asked, monitors)
    for one in covering:
        name = f"podmonitor/{one['metadata']['name']}"
        if why := prometheus_operator.rejected(one):
            seen = f"{name} is skipped by the operator: {why}"
            return broken(asked, seen, found("scrape-object-rejected", about, seen, name=name, why=why))
    fits = [one for one in covering if _has_port(one, pods)]
    if not fits:
        return broken(asked, *_no_port(facts, covering[0], pods))
    if armed := _waits(facts):
        return unknown(asked, armed)
    return ok(asked, ", ".join(f"podmonitor/{one['metadata']['name']}" for one in fits))


def _waits(facts: Facts) -> str:
    return "" if samples.running(facts.pods or ()) else "no pod runs yet"


def _scraped_by(facts: Facts) -> str:
    """Who scrapes the pods already, as Prometheus knows it; empty where it has no target of them."""
    if samples.left_over(facts.samples):
        return ""
    states = samples.up(facts)
    there = {one.name for one in facts.pods or ()}
    if not there & states.keys():
        return "a scrape with other labels" if facts.samples.strays else ""
    named = {job for pod, each in samples.jobs(facts).items() if pod in there for job in each}
    named |= {one.labels.get("job", "") for one in facts.samples.series if one.labels.get("pod") in there}
    named |= {one.job for one in facts.samples.targets}
    return f"the job {', '.join(sorted(filter(None, named)))}"


def _none_covers(facts: Facts, asked: str, monitors: Sequence[Json]) -> Verdict:
    about, pods = facts.target.reference, facts.pods or ()
    kind, _, name = about.partition("/")
    ours = f"llm-hpa-{kind.lower()}-{name}"
    near = next((one for one in monitors if one["metadata"]["name"] == ours), None)
    # Never one that scrapes other pods: its owner would lose them.
    idle = [one for one in monitors if one["metadata"]["name"] not in facts.scraping.busy]
    word = re.compile(rf"(?<![a-z0-9]){re.escape(name)}(?![a-z0-9])")
    near = near or next((one for one in idle if word.search(one["metadata"]["name"])), None)
    near = near or (idle[0] if len(idle) == 1 else None)
    if near is None:
        seen = f"no PodMonitor selects the pods, and Prometheus {facts.samples.server} has no target of them"
        values = {"reference": about, "namespace": facts.namespace}
        return broken(asked, seen, told("no-scrape-object", about, seen, _new_monitor(facts), **values))
    monitor = f"podmonitor/{near['metadata']['name']}"
    unmet = selectors.unmet(near["spec"].get("selector") or {}, pods[0].labels)
    seen = f"{monitor} asks for {', '.join(unmet) or 'nothing'}, which no pod of {about} has"
    labels = _own_labels(facts.target.selector)
    patch = json.dumps([{"op": "replace", "path": "/spec/selector", "value": {"matchLabels": labels}}])
    fix = f"kubectl -n {facts.namespace} patch {monitor} --type=json -p '{patch}'"
    return broken(
        asked,
        seen,
        told("monitor-matches-nothing", about, seen, fix, unmet=", ".join(unmet), workload=about, better=""),
    )


def _new_monitor(facts: Facts) -> str:
    """What writes a PodMonitor beside an autoscaler that `enable` would not touch; empty where enable can."""
    scaler, about = facts.scaler, facts.target.reference
    if scaler.ours:
        return f"kubectl llm-hpa enable {about.lower()} -n {facts.namespace}"
    if scaler.hpa is None and scaler.scaled_object is None:
        return ""
    prometheuses, engine = facts.scraping.prometheuses, facts.engine
    if not prometheuses or engine is None or not engine.port:
        return ""
    endpoint: Json = (
        {"port": engine.port_name} if isinstance(engine.port_name, str) else {"portNumber": engine.port}
    )
    endpoint |= {"path": engine.path} if engine.path not in ("", "/metrics") else {}
    endpoint |= {"scheme": engine.scheme} if engine.scheme == "https" else {}
    name = about.partition("/")[2]
    while any(one["metadata"]["name"] == name for one in facts.scraping.monitors or ()):
        name += "-metrics"
    labels = selectors.required_labels(prometheuses[0]["spec"].get("podMonitorSelector") or {})
    monitor = {
        "apiVersion": POD_MONITORS.api_version,
        "kind": POD_MONITORS.kind,
        "metadata": {"name": name, "namespace": facts.namespace, "labels": labels},
        "spec": {
            "selector": {"matchLabels": _own_labels(facts.target.selector)},
            "podMetricsEndpoints": [endpoint],
        },
    }
    return f"echo '{json.dumps(monitor)}' | kubectl apply -f -"


def _own_labels(selector: str) -> dict[str, str]:
    pairs = (one.split("=", 1) for one in selector.split(",") if "=" in one and "!=" not in one)
    return {key.strip(): text.strip().lstrip("=") for key, text in pairs}


def _has_port(monitor: Json, pods: Sequence[PodFacts]) -> bool:
    """Whether an endpoint names a port that a pod declares; one that is redirected by relabelings counts."""
    for one in monitor["spec"].get("podMetricsEndpoints") or []:
        if any(prometheus_operator.is_redirection(each) for each in one.get("relabelings") or []):
            return True
        named = one.get("port", one.get("portNumber", one.get("targetPort")))
        if named is None or any(named in port for pod in pods for port in pod.ports):
            return True
    return False


def _no_port(facts: Facts, monitor: Json, pods: Sequence[PodFacts]) -> tuple[str, Finding]:
    name = f"podmonitor/{monitor['metadata']['name']}"
    endpoints = monitor["spec"].get("podMetricsEndpoints") or [{}]
    named = endpoints[0].get("port", endpoints[0].get("portNumber", endpoints[0].get("targetPort")))
    ports = list(
        dict.fromkeys(
            f"{number} ({word})" if word else str(number) for pod in pods for word, number in pod.ports
        )
    )
    seen = f"{name} names the port {named!r}, and the pods declare {', '.join(ports) or 'none'}"
    engine = facts.engine
    number = engine.port if engine and engine.port else next((n for pod in pods for _, n in pod.ports), 8000)
    word = next((word for pod in pods for word, each in pod.ports if each == number), "")
    patch: list[Json] = [
        {"op": "remove", "path": f"/spec/podMetricsEndpoints/0/{key}"}
        for key in ("port", "portNumber", "targetPort")
        if key in endpoints[0]
    ]
    field: tuple[str, str | int] = ("port", word) if word else ("portNumber", number)
    patch.append({"op": "add", "path": f"/spec/podMetricsEndpoints/0/{field[0]}", "value": field[1]})
    fix = f"kubectl -n {facts.namespace} patch {name} --type=json -p '{json.dumps(patch)}'"
    if not any(number == each for pod in pods for _, each in pod.ports):
        typed = facts.target.reference.lower()
        fix = f"kubectl llm-hpa enable {typed} -n {facts.namespace}  # port {number} is not declared"
    return seen, told("monitor-port", facts.target.reference, seen, fix)


def judge_selection(facts: Facts) -> Verdict:
    """Whether a Prometheus selects the scrape object, and may find the pods."""
    about, scraping = facts.target.reference, facts.scraping
    asked = "which Prometheus selects it"
    if by := _scraped_by(facts):
        return ok(asked, f"Prometheus {facts.samples.server} has its targets ({by})")
    if scraping.prometheuses is None or scraping.monitors is None:
        return unknown(asked, "Prometheus objects may not be listed")
    pods = facts.pods or ()
    covering = [
        one
        for one in scraping.monitors
        if any(prometheus_operator.selects(one, each.labels) for each in pods) and _has_port(one, pods)
    ]
    if not covering:
        return unknown(asked, "no PodMonitor of these pods is known")
    if not scraping.prometheuses:
        seen = "there is no Prometheus object, so nothing reads PodMonitors"
        return broken(asked, seen, found("no-prometheus-object", about, seen))
    problems: list[Finding] = []
    chosen = [one for each in scraping.prometheuses if (one := _takes(facts, each, covering, problems))]
    if not chosen:
        return broken(asked, problems[0].seen, problems[0])
    for reference, account in chosen:
        if scraping.may_list.get(account) is False:
            return broken(asked, f"Prometheus {reference} selects it", _may_not(facts, reference, account))
    return ok(asked, f"Prometheus {', '.join(reference for reference, _ in chosen)} selects it")


def _takes(
    facts: Facts, prometheus: Json, covering: Sequence[Json], problems: list[Finding]
) -> tuple[str, str] | None:
    """The reference and account of a Prometheus that selects one of the monitors; else why it does not."""
    about, namespace = facts.target.reference, facts.namespace
    head = prometheus["metadata"]
    reference = f"{head['namespace']}/{head['name']}"
    try:
        selection = prometheus_operator.choose(
            [prometheus], namespace, facts.scraping.namespace_labels,
            operators=[_scope(one) for one in facts.scraping.operators],
        )  # fmt: skip
    except LlmHpaError as error:
        problems.append(
            told("namespace-not-selected", about, f"Prometheus {reference}: {error.problem}", error.remedy)
        )
        return None
    which = prometheus["spec"].get("podMonitorSelector") or {}
    for one in covering:
        missing = selectors.unmet(which, one["metadata"].get("labels") or {})
        if not missing:
            return reference, selection.account
        name = f"podmonitor/{one['metadata']['name']}"
        seen = f"Prometheus {reference} selects PodMonitors with {', '.join(missing)}, and {name} has it not"
        words = " ".join(f"{key}={text}" for key, text in selectors.required_labels(which).items())
        fix = f"kubectl -n {namespace} label {name} {words} --overwrite"
        problems.insert(
            0,
            told(
                "monitor-not-selected",
                about,
                seen,
                fix,
                prometheus=reference,
                unmet=", ".join(missing),
                better="",
            ),
        )
    return None


def _may_not(facts: Facts, reference: str, account: str) -> Finding:
    namespace = facts.namespace
    name = f"{reference.replace('/', '-')}-discovery"
    home = account.replace("/", ":")
    seen = f"serviceaccount {account} may not list pods in namespace {namespace}"
    return found(
        "prometheus-may-not-list-pods", facts.target.reference, seen, prometheus=reference,
        role=f"kubectl -n {namespace} create role {name} --verb=get,list,watch --resource=pods",
        binding=f"kubectl -n {namespace} create rolebinding {name} --role={name} --serviceaccount={home}",
    )  # fmt: skip


def _scope(one: Json) -> OperatorScope:
    sets = {key: frozenset(one[key]) for key in ("namespaces", "denied", "instances")}
    return OperatorScope(one["reference"], selector=one["selector"], controller=one["controller"], **sets)
