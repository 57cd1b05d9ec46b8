"""Hop value: the very requests that the HPA controller makes, and what it gets."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import timedelta

from kubectl_llmhpa import engines, quantities
from kubectl_llmhpa.api import moment
from kubectl_llmhpa.backends import prometheus_adapter
from kubectl_llmhpa.doctor import asks, keda
from kubectl_llmhpa.doctor.asks import Ask
from kubectl_llmhpa.doctor.facts import Facts, PodFacts, Series, ServingFacts, ValueFacts
from kubectl_llmhpa.doctor.judge_serving import all_of
from kubectl_llmhpa.doctor.model import Verdict, broken, ok, skipped, unknown
from kubectl_llmhpa.doctor.samples import running
from kubectl_llmhpa.doctor.seeing import Seeing, problem
from kubectl_llmhpa.errors import ApiError
from kubectl_llmhpa.explain.look import metric_path
from kubectl_llmhpa.findings import found
from kubectl_llmhpa.workloads import Workload
from kubectl_llmhpa.workloads.discovery import Types

#: A pod that is younger may lack its first sample.
_YOUNG = timedelta(seconds=90)
_AGGREGATED = re.compile(r"\b(sum|max|min|avg|count|quantile|topk|bottomk)\s*(by|without|\()")
_ITEMS = 500


def look(
    seeing: Seeing, asked: Sequence[Ask], workload: Workload, serving: ServingFacts
) -> tuple[ValueFacts, ...]:
    """One request for each metric, several at once."""
    version = serving.custom[0].version if serving.custom else prometheus_adapter.DEFAULT_VERSION
    types = Types(seeing)
    paths = [metric_path(one.entry, workload.namespace, workload.selector, version, types) for one in asked]
    answers = seeing.get_many(paths)
    result = []
    for one, path, answer in zip(asked, paths, answers, strict=True):
        if isinstance(answer, ApiError):
            result.append(ValueFacts(one.name, one.type, path, problem=problem(answer)))
            continue
        items = [
            (
                str((each.get("describedObject") or {}).get("name") or each.get("metricName") or ""),
                str(each.get("value", "")),
            )
            for each in answer.get("items") or []
        ]
        result.append(ValueFacts(one.name, one.type, path, tuple(items[:_ITEMS])))
    return tuple(result)


def judge(facts: Facts) -> Verdict:
    """Whether each metric comes as a number for every pod."""
    asked = "the controller's own request for each metric"
    if not asks.of(facts.scaler.hpa):
        return skipped(asked, "no metric comes from a metrics API")
    if not facts.values:
        return unknown(asked, "it was not made")
    if asks.by_keda(facts):
        return keda.judge_value(facts)
    return all_of([_one(facts, one) for one in facts.values])


def _one(facts: Facts, one: ValueFacts) -> Verdict:
    about, path = facts.target.reference, f"GET {one.path}"
    if one.problem is not None:
        return _failed(facts, one, path)
    if not one.items:
        if facts.engine is not None and facts.engine.armed:
            return ok(path, f"{one.metric}: no value before the first request (armed)", armed=True)
        if not facts.pods:
            return unknown(path, f"{one.metric}: no pod")
        if not any(each.ready for each in facts.pods):
            return unknown(path, f"{one.metric}: no pod is ready")
        series = _series_of(facts, one.metric)
        if series:
            seen = f"{one.metric} is in Prometheus for {len(series)} pods, and the API answers with no item"
            return broken(path, seen, found("rule-without-pod", about, seen))
        seen = f"{one.metric}: an answer without a value for any pod"
        return broken(path, seen, found("no-sample", about, seen))
    if bad := [(name, value) for name, value in one.items if quantities.is_garbage(value)]:
        seen = f"{one.metric} of {bad[0][0]} is {bad[0][1]}, which is what NaN and infinity turn into"
        return broken(path, seen, found("not-a-number", about, seen))
    if ranks := _last_wins(facts, one):
        return broken(path, ranks, found("last-series-wins", about, ranks))
    shown = ", ".join(f"{name} {quantities.human(value)}" for name, value in one.items[:3])
    text = f"{one.metric}: {shown}" + (", ..." if len(one.items) > 3 else "")
    if one.type == asks.PODS and (silent := _silent(facts, one)):
        count = len(running(facts.pods or ()))
        seen = f"{len(silent)} of {count} running pods have no value of {one.metric} ({silent[0]})"
        note = found("multi-node-workers", about, seen)
        if facts.engine is not None and _lazy(facts.engine.engine):
            return ok(path, text, note)
        return broken(path, seen, note)
    return ok(path, text)


def _failed(facts: Facts, one: ValueFacts, path: str) -> Verdict:
    about, why = facts.target.reference, one.problem
    assert why is not None
    text = f"{one.metric}: {why.text}"
    if why.forbidden:
        return unknown(path, f"{text} (the controller has its own right)")
    if why.code == 404:
        if not facts.pods or not any(each.ready for each in facts.pods):
            return unknown(path, f"{text} (no pod is ready)")
        if facts.engine is not None and facts.engine.armed:
            return ok(path, f"{one.metric}: no value before the first request (armed)", armed=True)
        return broken(path, text, found("metric-unknown", about, text, near=""))
    if why.code in (0, 502, 503, 504):
        return broken(
            path, text, found("metrics-api-down", about, text, namespace="NAMESPACE", service="ADAPTER")
        )
    adapter = facts.serving.adapter
    where = f"-n {adapter.namespace} logs deployment/{adapter.name}" if adapter else "logs of the adapter"
    return broken(path, text, found("adapter-query-fails", about, text, logs=where))


def _series_of(facts: Facts, metric: str) -> dict[str, list[Series]]:
    """Pod to its series of a metric, under any of its names: those of the newest name that has any."""
    for name in asks.spellings(metric):
        found_: dict[str, list[Series]] = {}
        for one in facts.samples.series:
            if one.labels.get("__name__") == name:
                found_.setdefault(one.labels.get("pod", ""), []).append(one)
        if found_:
            return found_
    return {}


def _last_wins(facts: Facts, one: ValueFacts) -> str:
    """Several series a pod, and a rule that does not combine them: the adapter serves the last in label order."""
    adapter = facts.serving.adapter
    rule = (adapter.rules or {}).get(one.metric) if adapter else None
    if rule is None or _AGGREGATED.search(str(rule.get("metricsQuery", ""))):
        return ""
    for pod, series in _series_of(facts, one.metric).items():
        if len(series) > 1:
            values = ", ".join(each.value for each in series[:4])
            given = dict(one.items).get(pod, "<none>")
            return (
                f"pod {pod} has {len(series)} series of {one.metric} ({values}), and the rule does not add them up: "
                f"the API answers {given}"
            )
    return ""


def _lazy(engine: str) -> bool:
    """Whether pods of an engine show no series before their first request, so that a silent one may be idle."""
    return any(one.lazy for one in engines.ENGINES if one.name == engine)


def _silent(facts: Facts, one: ValueFacts) -> list[str]:
    """Running pods without a value that are old enough to have one."""
    have = {name for name, _ in one.items}
    return [
        pod.name for pod in running(facts.pods or ()) if pod.name not in have and not young(pod, facts.at)
    ]


def young(pod: PodFacts, at: str) -> bool:
    """Whether a pod may lack its first sample yet; one that is not ready counts as young for ten times as long."""
    now, created = moment(at), moment(pod.created)
    if now is None or created is None:
        return False
    return now - created < (_YOUNG if pod.ready else 10 * _YOUNG)
