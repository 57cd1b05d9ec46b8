"""Judgement over what was seen: what cannot work, works badly, or is worth knowing. Pure functions of plain data.

`about` is the object of a finding (`Deployment/vllm`), empty where none is known.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from kubectl_llmhpa import engines, quantities
from kubectl_llmhpa.engines import EngineFacts, Kind, NotAnEngine, SignalSource, registry
from kubectl_llmhpa.engines.model import Clues
from kubectl_llmhpa.findings import Finding, found
from kubectl_llmhpa.hpa import HpaView, MetricView
from kubectl_llmhpa.policy.reach import better_target, most_running, within_reach
from kubectl_llmhpa.workloads import Rival

#: For so long a gauge above zero with flat counters is no long request any more.
STALE_MINUTES = 10


def of_facts(about: str, facts: EngineFacts) -> tuple[Finding, ...]:
    """Defects of the engine's own numbers, series that must be combined, an engine that has not worked yet."""
    result = [replace(one, about=about) for one in facts.findings]
    if facts.armed:
        result.append(found("armed", about, f"{facts.engine} has no series of its signals yet"))
    several = [
        one for one in facts.signals.values() if one.series > 1 and one.kind in (Kind.COUNT, Kind.RATIO)
    ]
    if several and not any(one.code in ("series-per-pod", "series-per-process") for one in result):
        names = ", ".join(f"{one.metric} ({one.series})" for one in several)
        ranks = dict.fromkeys(rank for one in several for rank in one.spec.ranks)
        text = ", ".join(ranks) or "their highest value"
        result.append(found("series-per-pod", about, f"several series in one pod: {names}", ranks=text))
    return tuple(result)


def of_refusal(about: str, refusal: NotAnEngine, clues: Clues, body: str) -> tuple[Finding, ...]:
    """What a body that is no engine's says besides: metrics that a flag hides, statistics that a read takes away."""
    if body.lstrip()[:1] in ("{", "["):
        expected = engines.expect(clues)
        read_away = registry.is_iterations(body) or bool(expected and expected.engine.never_ask)
        return (found("json-metrics", about, refusal.reason),) if read_away else ()
    fault = hidden(about, clues)
    return (fault,) if fault else ()


def hidden(about: str, clues: Clues, hint: str = "") -> Finding | None:
    """A flag that hides the metrics of the engine that the clues stand for."""
    expected = engines.expect(clues, hint)
    flag = engines.hidden_by(expected.engine, clues) if expected else ""
    if not expected or not flag:
        return None
    return found("metrics-hidden", about, f"{expected.engine.title} runs with {flag}", flag=flag)


def switched_off(about: str, clues: Clues, answer: str, hint: str = "") -> Finding | None:
    """A flag that is missing where there is no metrics page; `answer` is what came instead."""
    expected = engines.expect(clues, hint)
    flag = engines.missing_switch(expected.engine, clues) if expected else ""
    if not expected or not flag:
        return None
    seen = f"{expected.engine.title} answers without metrics ({answer})"
    if flag.startswith("-"):
        return found("metrics-off", about, seen, switch_on=f"add {flag} to its command line")
    value = expected.engine.default_port if flag in expected.engine.port_env else "1"
    return found("metrics-off", about, seen, switch_on=f"set {flag}={value} in its environment")


def of_rival(about: str, rival: Rival | None) -> tuple[Finding, ...]:
    """Who scales a workload already, or why an HPA would do harm there, so that `enable` refuses."""
    if rival is None:
        return ()
    remedy = rival.remedy or "leave its replicas as they are"
    return (found("enable-refused", about, rival.problem, remedy=remedy),)


def of_templates(about: str, templates: Mapping[str, str]) -> tuple[Finding, ...]:
    """Two templates side by side; `templates` maps each hash to what runs in it (`vllm 0.20.2, 3 pods`)."""
    if len(templates) < 2:
        return ()
    seen = "; ".join(f"{name or 'no hash'}: {what}" for name, what in templates.items())
    return (found("two-versions", about, seen),)


@dataclass(frozen=True)
class Selected:
    """A pod that a workload's scale selector matches: what it is instead of an engine, and whether it has metrics."""

    name: str
    lookalike: str
    metrics: bool


def of_selector(about: str, selected: Sequence[Selected]) -> tuple[Finding, ...]:
    """Pods of the scale selector that are routers, or have no metrics beside others that do."""
    result = []
    routers = [one for one in selected if one.lookalike]
    if routers and len(routers) < len(selected):
        seen = f"pod {routers[0].name} is {routers[0].lookalike}"
        result.append(found("router-in-match", about, seen))
    silent = [one for one in selected if not one.metrics and not one.lookalike]
    if silent and any(one.metrics for one in selected):
        seen = f"{len(silent)} of {len(selected)} pods have no metrics ({silent[0].name})"
        result.append(found("multi-node-workers", about, seen))
    return tuple(result)


def of_hpa(about: str, facts: EngineFacts, view: HpaView, queue: str = "") -> tuple[Finding, ...]:
    """Metrics of an HPA that cannot do their work. `queue` is who holds requests back in front of the engines."""
    result: list[Finding] = []
    where = f"hpa/{view.name}"
    for metric in view.metrics:
        known = engines.signal_of(metric.name)
        if known is None:
            continue
        engine, signal = known
        target = _number(metric.target)
        averaged = metric.form == "AverageValue"
        if signal.kind is Kind.RATIO and averaged and target is not None and target >= 1:
            seen = f"{where} wants {metric.name} at {metric.target}"
            result.append(found("ratio-target", about, seen))
        if signal.name == "running" and averaged and target is not None:
            result += _above_seats(about, where, metric, target, facts)
        if engine.name == facts.engine:
            result += _renamed(about, where, metric, facts.signals.get(signal.name), live=facts.live)
        if signal.name == "waiting" and queue:
            result.append(found("queue-upstream", about, f"{where} scales by {metric.name}; {queue} queues"))
    return tuple(result)


def _above_seats(
    about: str, where: str, metric: MetricView, target: Decimal, facts: EngineFacts
) -> tuple[Finding, ...]:
    """A full pod stays within the tolerance of the target: replica_calculator.go never acts on it."""
    most = most_running(facts.seats)
    if most is None or facts.seats is None or within_reach(target, most):
        return ()
    seen = f"{where} wants {metric.name} at {metric.target}, and a pod runs {most} at most"
    return (found("target-above-seats", about, seen, better=better_target(facts.seats.value)),)


def _renamed(
    about: str, where: str, metric: MetricView, source: SignalSource | None, *, live: bool
) -> tuple[Finding, ...]:
    """A name that is not in the live body, without a value, while another name of the same signal is there.

    A rule may serve a name from its aliases, so a metric that has a value is not at fault.
    """
    if source is None or not live or metric.now is not None:
        return ()
    spelt = metric.name.replace(":", "_")
    if spelt == source.metric.replace(":", "_") or spelt not in {
        name.replace(":", "_") for name in source.spec.metrics
    }:
        return ()
    seen = f"{where} asks for {metric.name}, and the engine exposes {source.metric}"
    return (found("renamed-metric", about, seen, now=source.metric),)


def twice_scraped(sources: Iterable[SignalSource], matchers: str) -> str:
    """PromQL for the pods whose engine series come from more than one scrape target."""
    metrics = sorted({source.metric for source in sources if source.kind is not Kind.LATENCY})
    series = f'{{__name__=~"{"|".join(metrics)}",{matchers}}}'
    target = "namespace, pod, container, job, instance, endpoint"
    return f"count by (namespace, pod) (count by ({target}) ({series})) > 1"


def stale(signals: Mapping[str, SignalSource], moving: Sequence[str], matchers: str) -> str:
    """PromQL for the pods that run or hold requests for STALE_MINUTES while no token counter moves.

    `moving` are counters that move while a request generates (`Engine.counts_while_generating`), of which a pod needs
    one: where all of them wait for a request to end, a long generation looks the same. Empty when there is none. A
    pod that is younger than that is left out (`offset`).
    """
    window = f"{STALE_MINUTES}m"
    gauges = [signals[name].metric for name in ("running", "waiting", "in-flight") if name in signals][:2]
    if not gauges or not moving:
        return ""

    def increase(name: str) -> str:
        return f"sum by (namespace, pod) (increase({name}{{{matchers}}}[{window}]))"

    busy = " or ".join(f"min_over_time({name}{{{matchers}}}[{window}]) > 0" for name in gauges)
    flat = " or ".join(map(increase, moving))
    result = f"max by (namespace, pod) ({busy}) and on (namespace, pod) (({flat}) == 0)"
    if "prompt-tokens" in signals:
        result += f" unless on (namespace, pod) ({increase(signals['prompt-tokens'].metric)} > 0)"
    old = f"max by (namespace, pod) ({gauges[0]}{{{matchers}}} offset {window})"
    return f"{result} and on (namespace, pod) {old}"


def of_samples(about: str, twice: Sequence[str], stuck: Sequence[str]) -> tuple[Finding, ...]:
    """Findings for pods of a workload that `twice_scraped` and `stale` gave."""
    result = []
    if twice:
        seen = f"{len(twice)} pods ({twice[0]}, ...)" if len(twice) > 1 else f"pod {twice[0]}"
        result.append(found("two-targets", about, f"{seen} under two scrape targets"))
    for name in stuck:
        seen = f"pod {name} shows requests for {STALE_MINUTES} minutes and generates nothing"
        result.append(found("stale-gauge", about, seen))
    return tuple(result)


def _number(text: str) -> Decimal | None:
    try:
        return quantities.parse(text)
    except ValueError:
        return None
