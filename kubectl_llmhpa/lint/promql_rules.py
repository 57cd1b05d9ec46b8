"""Rules on the queries of KEDA's triggers.

KEDA 2.21, pkg/scalers/prometheus_scaler.go: one element, else an error; nothing, NaN and infinities are 0 unless
`ignoreNullValues` is "false". Each trigger is an External metric of KEDA's HPA.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

from kubectl_llmhpa import engines
from kubectl_llmhpa.engines import Engine, Kind, Signal
from kubectl_llmhpa.lint import names, promql, scalers
from kubectl_llmhpa.lint.documents import Document, FieldPath
from kubectl_llmhpa.lint.model import SCALED_OBJECT, Bundle, Check, Located, located
from kubectl_llmhpa.lint.promql import Matcher, NotPromQL, Query, Selector
from kubectl_llmhpa.lint.scraped import scene

_MODEL_LABELS = ("model", "model_name", "served_model_name", "model_id")
#: What the router of vLLM's production-stack exposes under the engine's names, with a value.
_RE_EXPORTED = ("vllm:num_requests_running",)
_RATES = ("rate", "irate", "increase", "delta", "idelta", "deriv")
_LONGEST_SHOWN = 160


def judge(bundle: Bundle, scaled: Document) -> Iterator[Located]:
    """The queries of a ScaledObject."""
    every = scalers.metrics(scaled)
    composed = bool(scaled.at("spec", "advanced", "scalingModifiers", "formula"))
    for metric in every:
        if metric.trigger != "prometheus" or not metric.query:
            continue
        path: FieldPath = (*metric.path, "metadata", "query")
        try:
            query = promql.read(metric.query)
        except NotPromQL as error:
            effect = ", so the HPA keeps the replicas as they are"
            yield located(scaled, path, "query-unreadable", f"{_short(metric.query)}: {error}", effect=effect)
            continue
        yield from selectors(bundle, scaled, path, query)
        yield from _of_result(scaled, path, query, alone=len(every) == 1)
        if not composed and query.shape.one_element:
            yield from _of_form(scaled, path, metric, query)


def selectors(bundle: Bundle, document: Document, path: FieldPath, query: Query) -> Iterator[Located]:
    """What is wrong with the series that a query selects, whoever asks it."""
    known = [(one, found) for one in query.selectors if (found := signal_of(one))]
    asked = sorted({name for one in query.selectors for name in one.names})
    for name in asked:
        better = names.mistake(name, exact=True)
        if better and better not in asked:
            yield located(document, path, "metric-misspelt", f"{name} in the query", better=better)
        gone = names.retired(promql.base(name))
        if gone is not None and not any(promql.base(one) == gone.now for one in asked):
            yield located(document, path, "retired-metric", f"{name} in the query", now=gone.now, since=gone)
    for one, (engine, signal) in known:
        for matcher in one.on(*_MODEL_LABELS):
            if matcher.narrows and not _sets(bundle, engine, signal, matcher.label):
                better = _better_label(engine, signal, matcher)
                seen = f"{one.names[0]}{{{matcher.label}{matcher.operator}{_short(matcher.value)!r}}}"
                yield located(document, path, "query-label-not-set", seen, better=better)
        if set(one.names) & set(_RE_EXPORTED) and not any(each.narrows for each in _of_engines(one)):
            router = scene(bundle).router
            if router is not None:
                yield located(
                    document, path, "router-counts-twice", f"{one.names[0]} without a label of the engines",
                    router=router.reference, metric=one.names[0],
                )  # fmt: skip
    yield from _windows(bundle, document, path, query)
    if document.kind == SCALED_OBJECT:
        wide = [one for one, _ in known if not any(each.narrows for each in one.matchers)]
        if wide and not document.at(*path[:-1], "namespace"):
            name = wide[0].names[0]
            better = f'{name}{{namespace="{document.namespace or "NAMESPACE"}"}}'
            yield located(document, path, "query-of-everybody", f"{name} in the query", better=better)


def signal_of(selector: Selector) -> tuple[Engine, Signal] | None:
    """The engine and signal that a selector asks for, by the first of its names that is one."""
    return next((found for name in selector.names if (found := names.signal_of(name))), None)


def not_a_number(document: Document, path: FieldPath, query: Query) -> Iterator[Located]:
    """Whether the result may be NaN."""
    if query.shape.not_a_number:
        yield located(document, path, "query-nan", _short(query.text), what=query.shape.not_a_number)


def _of_result(document: Document, path: FieldPath, query: Query, *, alone: bool) -> Iterator[Located]:
    shape = query.shape
    yield from not_a_number(document, path, query)
    if not shape.one_element:
        by = "" if shape.labels is None else f", one for each {', '.join(sorted(shape.labels))}"
        seen = f"{_short(query.text)} is not one number{by}"
        yield located(document, path, "query-many-elements", seen, fix=_instead(document, query))
    if shape.filled is not None and query.selectors and (alone or shape.kind is not Kind.LATENCY):
        value = f"{shape.filled:g}"
        seen = f"or vector({value}) in {_short(query.text)}"
        yield located(document, path, "zero-hides-loss", seen, value=value)


def _of_form(document: Document, path: FieldPath, metric: scalers.Metric, query: Query) -> Iterator[Located]:
    """Whether the number suits what the HPA does with it."""
    shape, text = query.shape, _short(query.text)
    target = f"threshold {metric.text}"
    adds_up = shape.combined in ("sum", "count")
    if metric.form == "Value":
        if adds_up and shape.kind is not Kind.LATENCY:
            yield located(document, path, "sum-as-value", f"{text} with metricType Value, {target}")
    elif shape.kind is Kind.LATENCY:
        yield located(document, path, "latency-not-additive", f"{text} with AverageValue, {target}")
    elif shape.combined == "mean" and shape.kind is not None:
        seen = f"{text} with AverageValue, {target}"
        yield located(document, path, "average-divided-again", seen, fix=_instead(document, query))
    elif shape.combined in ("quantile", "ratio") or (
        shape.combined in ("max", "min") and shape.kind is not None
    ):
        seen = f"{text} with AverageValue, {target}"
        yield located(document, path, "not-additive", seen, fix=_instead(document, query))


def _windows(bundle: Bundle, document: Document, path: FieldPath, query: Query) -> Iterator[Located]:
    interval = scene(bundle).interval(bundle.workload(document) if document.kind == SCALED_OBJECT else None)
    for one in query.selectors:
        if one.window is not None and one.function in _RATES and one.window < 2 * interval:
            seen = f"{one.function} over {one.window:g} s with a scrape every {interval:g} s"
            yield located(document, path, "rate-window-short", seen, wanted=f"[{2 * interval:g}s]")
            return


def _sets(bundle: Bundle, engine: Engine, signal: Signal, label: str) -> bool:
    """Whether series of an engine may have a label of the model's name: set by itself, by Dynamo, or by a scrape."""
    own = {model_label(engine, signal), *signal.ranks}
    if label in own and _has_labels(engine):
        return True
    around = scene(bundle)
    return engine.name == "dynamo" or around.with_dynamo or label in around.added_labels


def model_label(engine: Engine, signal: Signal) -> str:
    """The label by which an engine names the model in the series of a signal."""
    return next((form.model_label for form in engine.forms if signal in form.signals), "model_name")


def _has_labels(engine: Engine) -> bool:
    """Whether an engine labels its series at all: TGI and llama.cpp do not."""
    return any(one.ranks for one in engine.signals)


def _better_label(engine: Engine, signal: Signal, matcher: Matcher) -> str:
    if not _has_labels(engine):
        return "namespace and pod, since this engine sets no label"
    return f"{model_label(engine, signal)}{matcher.operator}{_quoted(matcher.value)}"


def _of_engines(selector: Selector) -> list[Matcher]:
    """Matchers that a router's series do not meet: it has no such label, or another value."""
    return selector.on(
        "model_name", "engine", "pod", "pod_name", "kubernetes_pod_name", "job", "container", "service"
    )


def _instead(document: Document, query: Query) -> str:
    """A query that is one number for all pods and adds up: of one signal the one that `enable` writes."""
    found = {known[1].name: known for one in query.selectors if (known := signal_of(one))}
    if len(found) == 1 and all(map(signal_of, query.selectors)):
        ((engine, signal),) = found.values()
        kept = [
            Matcher(model_label(engine, signal), one.operator, one.value)
            if one.label in _MODEL_LABELS
            else one
            for one in query.selectors[0].matchers
            if one.label != "le" and (one.label not in _MODEL_LABELS or _has_labels(engine))
        ]
        if not any(one.label == "namespace" for one in kept):
            kept.insert(0, Matcher("namespace", "=", document.namespace or "NAMESPACE"))
        matchers = ",".join(f"{one.label}{one.operator}{_quoted(one.value)}" for one in kept)
        return f"use {engines.over_all(signal, matchers=matchers)}"
    if query.shape.combined in ("", "sum", "count"):
        return f"use sum({_short(query.text)})"
    return "use a sum over pods, or metricType: Value with a target for the whole"


def _quoted(value: str) -> str:
    """A string of PromQL, whose escapes are Go's."""
    return json.dumps(value, ensure_ascii=False)


def _short(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= _LONGEST_SHOWN else f"{text[: _LONGEST_SHOWN - 3]}..."


CHECKS = (Check((SCALED_OBJECT,), judge),)
