"""Rules about what an autoscaler compares, and with which number.

What the controller computes with each form stands in `hpa/metrics.py`; what queries give is judged in `promql_rules`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from decimal import Decimal

from kubectl_llmhpa.api import MANAGED_BY, MANAGER, Json
from kubectl_llmhpa.engines import Kind
from kubectl_llmhpa.lint import names, scalers
from kubectl_llmhpa.lint.documents import Document
from kubectl_llmhpa.lint.model import HPA, SCALED_OBJECT, Bundle, Check, Located, PodEngine, located
from kubectl_llmhpa.lint.scalers import Metric
from kubectl_llmhpa.policy.reach import better_target, most_running, within_reach

#: Beyond this a quantity overflows the controller's 64-bit thousandths.
_LARGEST = Decimal(2**63 - 1) / 1000
_REMOVED = ("autoscaling/v2beta1", "autoscaling/v2beta2")


def judge(bundle: Bundle, scaler: Document) -> Iterator[Located]:
    """All rules over the metrics of an HPA or a ScaledObject."""
    engine = bundle.engine(bundle.workload(scaler))
    every = scalers.metrics(scaler)
    for metric in every:
        yield from _refused(scaler, metric)
        if metric.target is not None:
            yield from _ratio(scaler, metric)
            yield from _percent(scaler, metric)
            yield from _seats(scaler, metric, engine)
        if not metric.trigger and metric.source in ("Pods", "Object", "External"):
            yield from _form(scaler, metric)
            yield from _name(bundle, scaler, metric, engine)
            yield from _namespace(bundle, scaler, metric)
    yield from _version(scaler)
    yield from _no_engine_signal(bundle, scaler, every, engine)


def _refused(scaler: Document, metric: Metric) -> Iterator[Located]:
    """Targets that are no positive quantity, and fields that do not fit."""
    if metric.trigger and metric.trigger not in ("prometheus", "cpu", "memory"):
        return
    if metric.text and (metric.target is None or not 0 < metric.target <= _LARGEST):
        seen = f"{metric.shown} has the target {metric.text}"
        yield located(
            scaler,
            metric.target_path,
            "target-refused",
            seen,
            fix="write a positive number, such as 5 or 800m",
        )
    if scaler.kind != HPA or metric.source not in ("Pods", "Object", "External"):
        return
    target: Json = metric.body.get("target") if isinstance(metric.body.get("target"), dict) else {}  # type: ignore[assignment]
    path = metric.target_path[:-1]
    said, field = str(target.get("type") or ""), str(metric.target_path[-1])
    has = [one for one in ("value", "averageValue") if target.get(one) is not None]
    if not has or (metric.source != "External" and field not in has):
        seen = f"{metric.shown} has {f'only {has[0]}' if has else 'no number'} in its target of type {said or 'none'}"
        yield located(scaler, path, "target-refused", seen, fix=f"write {field}: NUMBER")
    elif metric.source == "External" and len(has) == 2:
        seen = f"{metric.shown} has value and averageValue"
        yield located(scaler, path, "target-refused", seen, fix="keep averageValue")
    elif said and said != metric.form:
        seen = f"{metric.shown} says type {said} and sets {field}, so it works as {metric.form}"
        yield located(scaler, path, "target-type-mismatch", seen, form=metric.form)


def _ratio(scaler: Document, metric: Metric) -> Iterator[Located]:
    """0..1 against a target of 1 or more."""
    kind, scale = metric.kind, 1.0
    if metric.query:
        shape = metric.shape
        known = shape is not None and shape.combined != "ratio"  # waiting / running may be any number
        kind, scale = (shape.kind, shape.scale) if shape and known else (None, 1.0)
    if kind is not Kind.RATIO or metric.target is None or metric.target < Decimal(str(scale)):
        return
    if metric.query and metric.form == "Value" and metric.shape and metric.shape.combined == "sum":
        return  # a sum may be any number; that form has a finding of its own
    seen = f"{metric.shown} is compared with {metric.text}"
    yield located(scaler, metric.target_path, "ratio-target", seen)


def _percent(scaler: Document, metric: Metric) -> Iterator[Located]:
    if names.is_percent(metric.name) and metric.target is not None and metric.target <= 1:
        yield located(
            scaler, metric.target_path, "percent-target", f"{metric.name} is compared with {metric.text}"
        )


def _seats(scaler: Document, metric: Metric, engine: PodEngine | None) -> Iterator[Located]:
    """Running requests against what one pod can run, by its own flags."""
    known = metric.known
    if engine is None or known is None or known[1].name != "running" or metric.target is None:
        return
    if known[0].name != engine.facts.engine or metric.form != "AverageValue":
        return
    if metric.query and not (metric.shape and metric.shape.combined == "sum" and metric.shape.scale == 1):
        return
    seats = engine.facts.seats
    most = most_running(seats)
    if most is None or seats is None or within_reach(metric.target, most):
        return
    seen = f"{metric.shown} is compared with {metric.text}, and a pod runs {most} at most ({seats.evidence})"
    yield located(scaler, metric.target_path, "target-above-seats", seen, better=better_target(seats.value))


def _form(scaler: Document, metric: Metric) -> Iterator[Located]:
    """Latencies, means and counts in a form that is not sound for them."""
    seen = f"{metric.source} metric {metric.name} has type {metric.form}"
    if metric.kind is Kind.LATENCY and metric.source == "Pods":
        yield located(scaler, metric.path, "latency-of-pods", f"{metric.name} is a latency")
    elif metric.kind is Kind.LATENCY and metric.form == "AverageValue":
        yield located(scaler, metric.path, "latency-not-additive", seen)
    elif metric.source != "Pods" and metric.form == "AverageValue" and names.is_mean(metric.name):
        yield located(
            scaler, metric.path, "not-additive", seen,
            fix="use a Pods metric, or the sum over pods with this target",
        )  # fmt: skip
    elif metric.source != "Pods" and metric.form == "Value" and _grows(metric):
        yield located(scaler, metric.path, "sum-as-value", seen)


def _grows(metric: Metric) -> bool:
    """Whether a metric outside pods is a total: a count of an engine, which its name does not call a mean."""
    known = metric.known
    return known is not None and known[1].kind is Kind.COUNT and not names.is_mean(metric.name)


def _name(bundle: Bundle, scaler: Document, metric: Metric, engine: PodEngine | None) -> Iterator[Located]:
    """Names that no engine has, that this version has not, and that newer ones have not. A rule among the manifests
    that serves the name settles it, as does a live HPA with numbers; `enable` has seen to a rule for what it wrote."""
    ours = scaler.at("metadata", "labels", MANAGED_BY) == MANAGER
    if ours or bundle.served(metric.name) or _active(scaler):
        return
    path = _name_path(metric)
    if meant := names.mistake(metric.name):
        yield located(scaler, path, "metric-misspelt", f"{metric.name} is asked for", better=meant)
        return
    version = engine.facts.version if engine is not None else None
    if engine is not None and version:
        if gone := names.renamed(metric.name, version):
            seen = f"{metric.name} is asked for, and {engine.facts.engine} {version} has {gone.now}"
            yield located(scaler, path, "renamed-metric", seen, now=gone.now)
    elif retired := names.retired(metric.name):
        yield located(
            scaler, path, "retired-metric", f"{metric.name} is asked for", now=retired.now, since=retired
        )


def _active(scaler: Document) -> bool:
    """Whether a live HPA gets its numbers."""
    return any(
        one.get("type") == "ScalingActive" and one.get("status") == "True"
        for _, one in scaler.items("status", "conditions")
    )


def _name_path(metric: Metric) -> tuple[str | int, ...]:
    return (*metric.target_path[:-2], "metric", "name")


def _namespace(bundle: Bundle, scaler: Document, metric: Metric) -> Iterator[Located]:
    """A number of the whole namespace: always blind to the workload with Value, and with AverageValue where another
    engine runs beside it."""
    described = metric.body.get("describedObject")
    of_namespace = isinstance(described, dict) and described.get("kind") == "Namespace"
    unselected = metric.source == "External" and not (metric.body.get("metric") or {}).get("selector")
    if metric.engine is None or not (of_namespace or unselected):
        return
    others = _other_engines(bundle, scaler)
    if of_namespace and metric.form == "Value":
        seen = f"{metric.name} is that of namespace {(described or {}).get('name', '')}"
        yield located(scaler, metric.path, "namespace-metric", seen)
    elif others:
        seen = f"{metric.name} has no selector" if unselected else f"{metric.name} is that of the namespace"
        yield located(
            scaler, metric.path, "namespace-metric", f"{seen}, and {others[0].reference} runs beside it"
        )


def _other_engines(bundle: Bundle, scaler: Document) -> list[Document]:
    """Other workloads with an engine that stand in the same file or namespace as what is scaled."""
    own = bundle.workload(scaler)
    if own is None:
        return []
    return [
        one
        for one in bundle.of_kind("Deployment", "StatefulSet", "LeaderWorkerSet")
        if one is not own
        and one.name != own.name
        and one.namespace == own.namespace
        and (one.path == own.path or bool(own.namespace))
        and bundle.engine(one) is not None
    ]


def _version(scaler: Document) -> Iterator[Located]:
    if scaler.api_version in _REMOVED:
        yield located(scaler, ("apiVersion",), "removed-api-version", f"apiVersion is {scaler.api_version}")


def _no_engine_signal(
    bundle: Bundle, scaler: Document, every: Iterable[Metric], engine: PodEngine | None
) -> Iterator[Located]:
    """Only CPU, memory or GPU use for an engine. No metrics at all is 80 % CPU, the API server's default."""
    if engine is None or scaler.api_version == "autoscaling/v1":
        return
    found = list(every)
    blind = all(
        one.source in ("Resource", "ContainerResource") or names.is_gpu_use(one.name) for one in found
    )
    if not blind or (not found and scaler.kind == SCALED_OBJECT):
        return
    what = ", ".join(one.name for one in found) or "processor use (no metrics are given)"
    workload = bundle.workload(scaler)
    seen = f"{engine.facts.engine} is scaled by {what}"
    name = workload.reference.lower() if workload else "TYPE/NAME"
    yield located(scaler, ("spec", "metrics"), "no-engine-signal", seen, workload=name)


CHECKS = (Check((HPA, SCALED_OBJECT), judge),)
