"""Facts of healthy workloads as they were recorded, and changes of them."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from kubectl_llmhpa.api import Json
from kubectl_llmhpa.doctor import Facts, codec
from kubectl_llmhpa.doctor.facts import (
    PodFacts,
    Problem,
    ProviderFacts,
    ScrapeTarget,
    Series,
    Writer,
)
from kubectl_llmhpa.findings import found
from tests import loading

WAITING = "vllm:num_requests_waiting"
RUNNING = "vllm:num_requests_running"
FIRST, SECOND = "vllm-inference-0", "vllm-inference-1"


def recorded(name: str) -> Facts:
    path = loading.ROOT / "tests" / "facts" / f"{name}.json"
    return codec.load(path.read_text(), path.name)


ADAPTER, KEDA = recorded("adapter"), recorded("keda")
Change = Callable[[Facts], Facts]


def on(part: str, **values: Any) -> Change:
    """One part of the facts with other values."""
    return lambda facts: replace(facts, **{part: replace(getattr(facts, part), **values)})


def top(**values: Any) -> Change:
    return lambda facts: replace(facts, **values)


def both(*changes: Change) -> Change:
    def all_of(facts: Facts) -> Facts:
        for one in changes:
            facts = one(facts)
        return facts

    return all_of


def pods(**values: Any) -> Change:
    """Every pod with other values."""
    return lambda facts: replace(facts, pods=tuple(replace(one, **values) for one in facts.pods or ()))


def hpa(edit: Callable[[Json], object]) -> Change:
    def change(facts: Facts) -> Facts:
        live = copy.deepcopy(facts.scaler.hpa)
        assert live is not None
        edit(live)
        return replace(facts, scaler=replace(facts.scaler, hpa=live))

    return change


def scaled(edit: Callable[[Json], object]) -> Change:
    def change(facts: Facts) -> Facts:
        live = copy.deepcopy(facts.scaler.scaled_object)
        assert live is not None
        edit(live)
        return replace(facts, scaler=replace(facts.scaler, scaled_object=live))

    return change


def condition(kind: str, status: str, reason: str, message: str) -> Callable[[Json], object]:
    """Sets a condition in an HPA or ScaledObject."""

    def edit(live: Json) -> None:
        conditions = live["status"].setdefault("conditions", [])
        conditions[:] = [one for one in conditions if one["type"] != kind]
        conditions.append({"type": kind, "status": status, "reason": reason, "message": message})

    return edit


def unscraped(facts: Facts) -> Facts:
    """Prometheus has nothing of the pods; it selects what the recorded PodMonitor needs."""
    prometheuses = tuple(copy.deepcopy(one) for one in facts.scraping.prometheuses or ())
    return replace(
        facts,
        samples=replace(facts.samples, series=(), ages={}),
        scraping=replace(
            facts.scraping,
            prometheuses=prometheuses,
            namespace_labels={"kubernetes.io/metadata.name": facts.namespace},
        ),
    )


def monitor(edit: Callable[[Json], object]) -> Change:
    def change(facts: Facts) -> Facts:
        live = copy.deepcopy((facts.scraping.monitors or ())[0])
        edit(live)
        return replace(facts, scraping=replace(facts.scraping, monitors=(live,)))

    return change


def prometheus(edit: Callable[[Json], object]) -> Change:
    def change(facts: Facts) -> Facts:
        live = copy.deepcopy((facts.scraping.prometheuses or ())[0])
        edit(live)
        return replace(facts, scraping=replace(facts.scraping, prometheuses=(live,)))

    return change


def one_pending(facts: Facts) -> Facts:
    """A third pod that finds no node."""
    owner = "StatefulSet/vllm-inference"
    third = PodFacts(
        "vllm-inference-2", "Pending", False, "2026-11-27T00:00:00Z", owner, unschedulable="0/1 nodes"
    )
    return replace(facts, pods=(*(facts.pods or ()), third))


def down(error: str) -> Change:
    """The targets of all pods fail with an error."""

    def change(facts: Facts) -> Facts:
        names = [one.name for one in facts.pods or ()]
        series = tuple(
            Series({"__name__": "up", "namespace": facts.namespace, "pod": one, "job": "j"}, "0")
            for one in names
        )
        targets = tuple(ScrapeTarget(one, "j", "http://x", "down", error) for one in names)
        return replace(facts, samples=replace(facts.samples, series=series, targets=targets, ages={}))

    return change  # fmt: skip


def values(**changed: Any) -> Change:
    """Every answer of the metrics API with other values."""
    return lambda facts: replace(facts, values=tuple(replace(one, **changed) for one in facts.values))


def adapter(**changed: Any) -> Change:
    def change(facts: Facts) -> Facts:
        assert facts.serving.adapter is not None
        return replace(
            facts, serving=replace(facts.serving, adapter=replace(facts.serving.adapter, **changed))
        )

    return change


def trigger(**changed: Any) -> Change:
    """The first trigger as another."""

    def change(facts: Facts) -> Facts:
        assert facts.keda is not None
        first, *others = facts.keda.triggers
        return replace(facts, keda=replace(facts.keda, triggers=(replace(first, **changed), *others)))

    return change


def said(
    reason: str, message: str, kind: str, name: str, count: int = 1, time: str = "2026-11-27T00:00:00Z"
) -> Json:
    about = {"kind": kind, "namespace": "", "name": name}
    return {
        "type": "Warning", "reason": reason, "message": message, "count": count, "lastTimestamp": time,
        "involvedObject": about,
    }  # fmt: skip


def keda_says(cause: str) -> Change:
    """KEDA's answer is an error, and its event tells the cause."""

    def change(facts: Facts) -> Facts:
        event = said("KEDAScalerFailed", cause, "ScaledObject", "vllm-inference")
        event["involvedObject"]["namespace"] = facts.namespace
        error = Problem(
            "rpc error: error when getting metric values metric:s0-prometheus encountered error", code=500
        )
        facts = replace(facts, scaler=replace(facts.scaler, events=(event,)))
        return values(problem=error, items=())(facts)

    return change  # fmt: skip


def rename(metric: str) -> Change:
    """The HPA asks for another name, which is not listed."""

    def edit(live: Json) -> None:
        first = live["spec"]["metrics"][0]
        first["pods"]["metric"]["name"] = metric

    def change(facts: Facts) -> Facts:
        served = tuple(one for one in facts.serving.served if one != metric)
        return replace(hpa(edit)(facts), serving=replace(facts.serving, served=served))

    return change


def no_rule(metric: str) -> Change:
    return lambda facts: adapter(rules={**(facts.serving.adapter.rules or {}), metric: None})(facts)  # type: ignore[union-attr]


def unlisted(facts: Facts) -> Facts:
    """The adapter does not list what is asked for."""
    return replace(facts, serving=replace(facts.serving, served=(), listed=3))


NOT_THERE = Problem("the server could not find the metric", code=404)
STRANGER = PodFacts("router-1", "Running", True, "2026-01-01T00:00:00Z", "ReplicaSet/router-6f", "10.0.0.9")
EXTERNAL = {
    "type": "External",
    "external": {"metric": {"name": WAITING}, "target": {"type": "AverageValue", "averageValue": "5"}},
}


def external(live: Json) -> None:
    live["spec"]["metrics"] = [copy.deepcopy(EXTERNAL)]


def of_namespace(live: Json) -> None:
    """One metric: the sum of a namespace, compared as Value."""
    about = {"apiVersion": "v1", "kind": "Namespace", "name": "x"}
    target = {"type": "Value", "value": "5"}
    metric = {"metric": {"name": RUNNING}, "describedObject": about, "target": target}
    live["spec"]["metrics"] = [{"type": "Object", "object": metric}]


def as_value(live: Json) -> None:
    """The first trigger's sum is compared as Value."""
    live["spec"]["triggers"][0]["metricType"] = "Value"


def raw(facts: Facts) -> Facts:
    """Two series of each pod, by a rule that takes one."""
    rule = {"seriesQuery": RUNNING, "metricsQuery": "<<.Series>>{<<.LabelMatchers>>}"}
    more = tuple(
        Series({"__name__": RUNNING, "namespace": facts.namespace, "pod": FIRST, "engine": rank}, value)
        for rank, value in (("0", "3"), ("1", "17"))
    )
    rules = {**(facts.serving.adapter.rules or {}), RUNNING: rule}  # type: ignore[union-attr]
    series = tuple(one for one in facts.samples.series if one.labels["__name__"] == "up")
    return adapter(rules=rules)(replace(facts, samples=replace(facts.samples, series=(*series, *more))))


def strays(facts: Facts) -> Facts:
    stray = Series(
        {
            "__name__": RUNNING,
            "exported_namespace": facts.namespace,
            "exported_pod": FIRST,
            "pod": "exporter",
        },
        "1",
    )
    return replace(facts, samples=replace(facts.samples, series=(), strays=(stray,), ages={}))


def idle_zero(facts: Facts) -> Facts:
    """Scaled to zero."""

    def empty(live: Json) -> None:
        live["status"].update(currentReplicas=0, desiredReplicas=0)

    facts = replace(hpa(empty)(facts), pods=(), engine=None, target=replace(facts.target, replicas=0))
    return replace(facts, samples=replace(facts.samples, series=(), ages={}), values=(), arithmetic=None)


def percent_only(live: Json) -> None:
    condition("ScalingLimited", "True", "ScaleUpLimit", "the desired replica count is increasing faster")(
        live
    )


def finding(code: str, **more: object) -> Change:
    made = found(code, "StatefulSet/vllm-inference", "seen", **more)
    return on("scaler", findings=(made,))


def keda_gone(facts: Facts) -> Facts:
    assert facts.keda is not None
    problem = "v1beta1.external.metrics.k8s.io leads to monitoring/x, which is not KEDA"
    return replace(facts, keda=replace(facts.keda, problem=problem))


def engine_is(**changed: Any) -> Change:
    return on("engine", **changed)


def no_number(facts: Facts) -> Facts:
    """The first signal is NaN on the page."""
    assert facts.engine is not None
    return engine_is(signals=(replace(facts.engine.signals[0], value=None, series=1),))(facts)


def renamed_body(facts: Facts) -> Facts:
    """The live page has another name than the HPA asks for, and nothing of that is in Prometheus."""
    series = tuple(one for one in facts.samples.series if one.labels["__name__"] == "up")
    facts = replace(facts, samples=replace(facts.samples, series=series, ages={}))
    return rename("vllm:no_such_metric")(facts)


def flapping(facts: Facts) -> Facts:
    event = said(
        "SuccessfulRescale",
        "New size: 3; reason: pods metric x above target",
        "HorizontalPodAutoscaler",
        "vllm-inference",
        5,
    )
    writer = Writer("argocd-controller", "Apply", "", "2026-12-01T00:00:00Z")
    return replace(
        facts, scaler=replace(facts.scaler, events=(event,)), target=replace(facts.target, writers=(writer,))
    )  # fmt: skip


def quota(facts: Facts) -> Facts:
    event = said(
        "FailedCreate", 'pods "x" is forbidden: exceeded quota: gpus', "StatefulSet", "vllm-inference"
    )
    return replace(
        facts, scaler=replace(facts.scaler, events=(event,)), target=replace(facts.target, replicas=9)
    )


def old_pods(facts: Facts) -> Facts:
    return pods(created="2026-01-01T00:00:00Z")(facts)


def one_silent(facts: Facts) -> Facts:
    """The last pod has no value: a worker of a group of pods."""
    return values(items=((FIRST, "5"),))(old_pods(facts))


def ready_gone(facts: Facts) -> Facts:
    return replace(pods(ready=False)(facts), engine=None)


DOWN = ProviderFacts("v1beta1.custom.metrics.k8s.io", "v1beta1", "monitoring/x", False, "MissingEndpoints")
STACKDRIVER = ProviderFacts(
    "v1beta2.custom.metrics.k8s.io", "v1beta2", "custom-metrics/x", True, "all checks passed"
)


@dataclass(frozen=True)
class Case:
    """`change` of `base` breaks `hop` with the finding `code`."""

    code: str
    hop: str
    change: Change
    base: Facts = ADAPTER
    modes: tuple[int, ...] = ()
    name: str = ""
