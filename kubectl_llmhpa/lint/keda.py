"""Rules about what only KEDA has: triggers, null results, fallback, zero replicas, polling.

Facts: KEDA 2.21, pkg/scalers/prometheus_scaler.go and pkg/fallback.
"""

from __future__ import annotations

from collections.abc import Iterator

from kubectl_llmhpa.engines import lookalikes
from kubectl_llmhpa.lint import scalers
from kubectl_llmhpa.lint.documents import Document
from kubectl_llmhpa.lint.model import HPA, SCALED_OBJECT, Bundle, Check, Located, located
from kubectl_llmhpa.lint.scalers import Metric
from kubectl_llmhpa.names.queries import words_in

_POLLING = 30
#: From here on polling is what makes the loop slow: a scrape and a sync of the HPA come on top.
_SLOW = 60
_SCRAPE_AND_SYNC = 30
_NEEDED = ("serverAddress", "query", "threshold")
#: What KEDA's Go takes for true (strconv.ParseBool); the field is true where it is left out.
_TRUE = ("1", "t", "true")
_KEEPS = ("currentReplicasIfHigher", "currentReplicas", "scalingModifiers")


def judge(_: Bundle, scaled: Document) -> Iterator[Located]:
    """The rules for one ScaledObject."""
    every = scalers.metrics(scaled)
    for metric in every:
        yield from _trigger(scaled, metric)
    yield from _nulls(scaled, every)
    yield from _fallback(scaled, every)
    yield from _zero(scaled, every)
    yield from _polling(scaled, every)


def zero_of_hpa(_: Bundle, hpa: Document) -> Iterator[Located]:
    """An HPA with a minimum of 0 whose metrics only running pods have."""
    every = [one for one in scalers.metrics(hpa) if one.source not in ("Resource", "ContainerResource")]
    if scalers.least(hpa) != 0 or not every:
        return
    if all(one.source == "Pods" or _of_pods(one) for one in every):
        seen = f"minReplicas is 0 and {every[0].name} is a metric of running pods"
        yield located(hpa, ("spec", "minReplicas"), "nobody-counts-at-zero", seen)


def _trigger(scaled: Document, metric: Metric) -> Iterator[Located]:
    if metric.trigger != "prometheus":
        return
    settings = metric.body.get("metadata")
    settings = settings if isinstance(settings, dict) else {}
    missing = [name for name in _NEEDED if not str(settings.get(name) or "").strip()]
    if missing:
        seen = f"{metric.shown} has no {' and no '.join(missing)}"
        yield located(
            scaled,
            (*metric.path, "metadata"),
            "trigger-refused",
            seen,
            fix=f"write {missing[0]} in its metadata",
        )
    if metric.form not in ("AverageValue", "Value"):
        seen = f"{metric.shown} has metricType {metric.form}"
        yield located(
            scaled,
            (*metric.path, "metricType"),
            "trigger-refused",
            seen,
            fix="write metricType: AverageValue",
        )


def _nulls(scaled: Document, every: list[Metric]) -> Iterator[Located]:
    for metric in every:
        if metric.trigger == "prometheus" and metric.engine is not None and takes_null_for_zero(metric):
            seen = f"{metric.shown} takes an empty result for 0"
            yield located(scaled, (*metric.path, "metadata"), "silent-zero", seen)


def takes_null_for_zero(metric: Metric) -> bool:
    """Whether `ignoreNullValues` of a Prometheus trigger is true, which it is where it is left out."""
    given = (metric.body.get("metadata") or {}).get("ignoreNullValues", "true")
    return str(given).lower() in _TRUE


def _fallback(scaled: Document, every: list[Metric]) -> Iterator[Located]:
    fallback = scaled.mapping("spec", "fallback")
    if not fallback:
        return
    behavior = fallback.get("behavior") or "static"
    replicas, most = fallback.get("replicas"), scalers.most(scaled)
    if behavior not in _KEEPS and isinstance(replicas, int) and replicas < most:
        seen = f"{replicas} replicas are asked for while queries fail, with behavior {behavior}"
        yield located(scaled, ("spec", "fallback"), "fallback-takes-away", seen)
    queries = [one for one in every if one.trigger == "prometheus"]
    if queries and all(takes_null_for_zero(one) for one in queries):
        seen = f"{queries[0].shown} takes an empty result for 0"
        yield located(scaled, ("spec", "fallback"), "fallback-never-used", seen)


def _zero(scaled: Document, every: list[Metric]) -> Iterator[Located]:
    """Zero replicas, or an idle number of zero, where every trigger needs a running pod."""
    idle = scaled.at("spec", "idleReplicaCount")
    if scalers.least(scaled) != 0 and idle != 0:
        return
    active = [one for one in every if one.trigger not in ("cpu", "memory")]
    if not active or not all(_of_pods(one) for one in active):
        return
    field = "idleReplicaCount" if idle == 0 else "minReplicaCount"
    given = scaled.at("spec", field) is not None
    seen = f"{field} is 0{'' if given else ' (its default)'} and {active[0].shown} asks the pods themselves"
    yield located(scaled, ("spec", field) if given else ("spec",), "nobody-counts-at-zero", seen)


def _of_pods(metric: Metric) -> bool:
    """Whether a metric is one of the pods that are scaled: no frontend's, router's or gateway's is in the query."""
    words = words_in(metric.query) if metric.trigger else [metric.name]
    if metric.engine is None or any(lookalikes.by_metric(word) for word in words):
        return False
    return not any(
        word in signal.names
        for form in metric.engine.forms
        if form.external_only
        for signal in form.signals
        for word in words
    )


def _polling(scaled: Document, every: list[Metric]) -> Iterator[Located]:
    """Polling counts from zero and with cached metrics; otherwise the HPA asks by itself every 15 s."""
    polling = scaled.at("spec", "pollingInterval", default=_POLLING)
    cached = any(one.body.get("useCachedMetrics") is True for one in every)
    if not isinstance(polling, int) or polling < _SLOW or not (cached or scalers.least(scaled) == 0):
        return
    why = "the HPA gets what was cached" if cached else "at zero only polling sees a request"
    seen = f"KEDA asks every {polling} s and {why}"
    yield located(scaled, ("spec", "pollingInterval"), "slow-loop", seen, lag=polling + _SCRAPE_AND_SYNC)


CHECKS = (Check((SCALED_OBJECT,), judge), Check((HPA,), zero_of_hpa))
