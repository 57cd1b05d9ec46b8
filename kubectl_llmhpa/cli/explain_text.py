"""`explain` as text, to be read from the top by somebody who was just woken up."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import click

from kubectl_llmhpa import quantities
from kubectl_llmhpa.explain import STOPPED, Explained, Explanation
from kubectl_llmhpa.explain.words import number, ratio
from kubectl_llmhpa.hpa.arithmetic import Invalid, Metric, Outcome, Proposal, ScalingRules, Spec
from kubectl_llmhpa.hpa.arithmetic.limits import Limited
from kubectl_llmhpa.hpa.failures import without_selectors
from kubectl_llmhpa.output.tables import fields
from kubectl_llmhpa.output.terminal import escape

#: Pods that are named one by one; the others are one line.
SHOWN = 8
#: What is named on one line.
_NAMES = 4
_RATES = {"ScaleUpLimit": "the scale-up policies", "ScaleDownLimit": "the scale-down policies"}
_ENDS = {"TooManyReplicas": "the maximum", "TooFewReplicas": "the minimum"}
_CUT_BY = {**_RATES, **_ENDS}


def block(one: Explanation, *, colour: bool = False) -> str:
    """Everything about one HPA, without a final newline."""
    parts = [_head(one)]
    if one.stops:
        told = one.outcome is not None or one.stops.startswith(STOPPED)
        parts.append(escape(one.stops) if told else f"Nothing to calculate: {escape(one.stops)}")
    parts += [_metric(metric, one, colour=colour) for metric in one.metrics]
    if one.outcome is not None:
        parts.append(_section("Result", _result(one, one.outcome)))
    parts.append(_section("The controller says", _said(one)))
    if one.outcome is not None:
        lines = [*_changes(one, one.outcome), *_doctor(one)]
        parts.append(_bullets("What would change it", lines or ["nothing that was looked for"]))
    elif one.stops.startswith(STOPPED):
        parts.append(_bullets("What would change it", _doctor(one)))
    if one.estimates:
        parts.append(_bullets("Not known, but estimated", one.estimates))
    return "\n\n".join(parts)


def _head(one: Explanation) -> str:
    facts, hpa = one.facts, one.facts.hpa
    metadata, spec = hpa.get("metadata") or {}, hpa.get("spec") or {}
    target = spec.get("scaleTargetRef") or {}
    pairs = [
        ("Name", str(metadata.get("name") or "")),
        ("Namespace", str(metadata.get("namespace") or "")),
        ("Workload", f"{target.get('kind')}/{target.get('name')}"),
    ]
    if facts.scaled_object:
        pairs.append(("Made by", f"KEDA, from ScaledObject {facts.scaled_object['metadata'].get('name')}"))
    limits = f"limits {spec.get('minReplicas', 1)}..{spec.get('maxReplicas')}"
    if facts.scale is not None:
        running = f", {facts.scale.status_replicas} there" * (
            facts.scale.status_replicas != facts.scale.replicas
        )
        pairs.append(("Replicas", f"{facts.scale.replicas}{running}, {limits}"))
        pairs.append(("Pods", f"{_pods(one)}; selector {facts.scale.selector}"))
    else:
        pairs.append(("Replicas", f"unknown, {limits}"))
    if one.what_if:
        pairs.append(("What if", one.what_if))
    if one.inputs is not None and one.outcome is not None:
        pairs.append(("In short", _short(one, one.inputs.spec, one.outcome)))
    return fields(pairs)


def _short(one: Explanation, spec: Spec, outcome: Outcome) -> str:
    """The result in one sentence: what is asked for, what is taken away from it, what comes out."""
    size = f"{outcome.before} -> {outcome.replicas}" if outcome.rescaled else f"stays {outcome.replicas}"
    if one.stops:
        return f"stays {outcome.before}: the controller calculates nothing"
    if outcome.path == "disabled":
        return "stays 0: an HPA does nothing for a workload without replicas"
    if outcome.ballot is None:
        return f"{size}: outside of {spec.min_replicas}..{spec.max_replicas}"
    unread = " and ".join(metric.named.word for metric in one.metrics if isinstance(metric.vote, Invalid))
    if outcome.ballot.replicas is None:
        return f"{size}: {unread} cannot be read"
    word = next((metric.named.word for metric in one.metrics if metric.wins), "nothing")
    parts = [f"{size}: {word} asks for {outcome.asked}"]
    if outcome.stabilized is not None and outcome.stabilized.replicas != outcome.asked:
        way = "down" if outcome.stabilized.replicas > outcome.asked else "up"
        parts.append(f"held at {outcome.stabilized.replicas} by the scale-{way} window")
    if outcome.limited is not None and (by := _CUT_BY.get(outcome.limited.reason)):
        parts.append(f"cut to {outcome.limited.replicas} by {by}")
    parts += [change.sentence for change in one.changes if change.kind == "wait"]
    if one.said.agrees is False:
        parts.append(f"the controller last came to {one.said.desired}")
    return ", ".join(parts)


def _pods(one: Explanation) -> str:
    pods = one.facts.pods
    ready = sum(1 for pod in pods if pod.ready)
    told = [f"{len(pods)} match", f"{ready} ready"]
    for phase in ("Pending", "Failed", "Succeeded"):
        if count := sum(1 for pod in pods if pod.phase == phase):
            told.append(f"{count} {phase.lower()}")
    if count := sum(1 for pod in pods if pod.deleting):
        told.append(f"{count} being deleted")
    return ", ".join(told)


def _metric(one: Explained, all_: Explanation, *, colour: bool) -> str:
    metric, view = one.metric, one.view
    form = metric.form or "no target" if metric else view.form
    target = number(metric.target) if metric and metric.form else quantities.human(view.target.rstrip("%"))
    own = "" if one.named.word == one.named.name else f"{one.named.name}, "
    about = escape(f"({own}{view.type} {form}, target {target}{'%' * view.target.endswith('%')})")
    title = f"{escape(one.named.word)}  {click.style(about, dim=True) if colour else about}"
    lines = list(_numbers(one, all_)) if metric else []
    lines += [("note", note) for note in one.notes]
    return "\n".join([title, *_rows(lines)])


def _numbers(one: Explained, all_: Explanation) -> Iterator[tuple[str, str]]:
    metric, vote, inputs = one.metric, one.vote, all_.inputs
    assert metric is not None
    assert inputs is not None
    if one.answer.kind == "pods":
        index = inputs.places.index(all_.metrics.index(one))
        yield from _samples(inputs.counted(index))
    elif one.answer.kind == "values" and len(one.answer.values) > 1:
        series = (quantities.human(text) for text in one.answer.values[:SHOWN])
        yield "series", f"{len(one.answer.values)}: {', '.join(series)}"
    if isinstance(vote, Invalid):
        yield "no vote", without_selectors(vote.message)
        return
    if vote is None:
        return
    pods = one.answer.kind == "pods"
    if one.level is not None and metric.form != "Value" and not (pods and one.named.per_pod):
        yield "total", number(one.level)
    if pods:
        yield "average", f"{number(vote.usage)} per pod, over {_count(one.counted, 'pod')} with a sample"
    elif metric.form == "Value":
        yield "value", number(vote.usage)
    else:
        yield "average", f"{number(vote.usage)} per replica"
    yield "ratio", _band(metric, vote, inputs.spec)
    yield from _uncounted(vote, one.named.word)
    yield "asks for", _asks(metric, vote, one, inputs.status_replicas)


def _samples(counted: dict[str, int]) -> Iterator[tuple[str, str]]:
    ordered = sorted(counted.items(), key=lambda pair: (-pair[1], pair[0]))
    shown = ordered if len(ordered) <= SHOWN else ordered[: SHOWN - 2]
    for name, value in shown:
        yield name, number(value)
    if rest := ordered[len(shown) :]:
        yield f"{len(rest)} more", f"{number(rest[0][1])} to {number(rest[-1][1])}"


def _band(metric: Metric, vote: Proposal, spec: Spec) -> str:
    low, high = 1 - spec.tolerances[0], 1 + spec.tolerances[1]
    place = (
        "above"
        if vote.ratio > high
        else "below"
        if vote.ratio < low
        else "within"
        if vote.ratio == vote.ratio
        else "?"
    )
    values = f"{number(round(metric.target * low))} to {number(round(metric.target * high))}"
    return (
        f"{ratio(vote.ratio)} of the target, {place} the tolerance of {ratio(low)}..{ratio(high)} "
        f"({values} would change nothing)"
    )


def _uncounted(vote: Proposal, word: str) -> Iterator[tuple[str, str]]:
    """The pods without a number, and what stands for it."""
    up, down = vote.ratio > 1, vote.ratio < 1
    if vote.missing:
        counts, plays = ("counts", "plays") if len(vote.missing) == 1 else ("count", "play")
        how = (
            f"{counts} 0, since it would go up"
            if up
            else f"{counts} as on target, since it would go down"
            if down
            else f"{plays} no part"
        )
        yield "no sample", f"{_names(vote.missing)}: {how} (running, without {word})"
    if vote.pending:
        counts = "counts" if len(vote.pending) == 1 else "count"
        how = f"{counts} 0, since it would go up" if up else "left out"
        yield "pending", f"{_names(vote.pending)}: {how}"
    if vote.ignored:
        yield "ended", f"{_names(vote.ignored)}: left out (being deleted, or failed)"
    if vote.step not in ("within", "formula", "from-zero"):
        yield "with those", f"ratio {ratio(vote.final)} over {_count(vote.count, 'pod')}"


def _asks(metric: Metric, vote: Proposal, one: Explained, status_replicas: int) -> str:
    target = number(metric.target)
    match vote.step:
        case "within":
            return f"{vote.replicas}: within the tolerance, so it stays"
        case "held-within":
            return f"{vote.replicas}: with those pods it is within the tolerance, so it stays"
        case "held-turn":
            return f"{vote.replicas}: with those pods the ratio is on the other side of 1, so it stays"
        case "held-count":
            return f"{vote.replicas}: with those pods the number would go the other way, so it stays"
        case "from-zero":
            return f"{vote.replicas} = {number(vote.usage)} / {target}, rounded up: there is no replica yet"
        case "filled":
            return f"{vote.replicas} = {ratio(vote.final)} x {_count(vote.count, 'pod')}, rounded up"
        case _:
            if metric.form == "AverageValue" and metric.source != "Pods":
                total = number(one.level or 0)
                return f"{vote.replicas} = {total} / {target}, rounded up"
            what = "pod" if metric.source == "Pods" else "ready pod"
            return f"{vote.replicas} = {ratio(vote.ratio)} x {_count(vote.count, what)}, rounded up"


def _result(one: Explanation, outcome: Outcome) -> Iterator[tuple[str, str]]:
    inputs = one.inputs
    assert inputs is not None
    spec = inputs.spec
    if outcome.path == "disabled":
        yield "result", "0: scaling is off while there is no replica; scale the workload to 1 to go on"
        return
    if outcome.path != "metrics":
        yield "limits", outcome.reason.lower()
    elif outcome.ballot is not None:
        yield "votes", ", ".join(_vote(metric) for metric in one.metrics)
        if outcome.ballot.replicas is None:
            some = len(outcome.ballot.invalid) < len(outcome.ballot.votes)
            yield (
                "",
                (
                    "a metric without a number may mean load, so it cannot go down"
                    if some
                    else "without any number nothing can change"
                ),
            )
    if outcome.stabilized is not None and outcome.limited is not None:
        yield "windows", _windows(spec, outcome)
        yield from _policies(spec, outcome)
        yield "limits", _limits(spec, outcome.limited, outcome.stabilized.replicas)
    yield (
        "result",
        f"{outcome.before} -> {outcome.replicas}" if outcome.rescaled else f"{outcome.replicas}, no change",
    )


def _vote(one: Explained) -> str:
    if isinstance(one.vote, Proposal):
        return f"{one.named.word} {one.vote.replicas}" + " (the largest)" * one.wins
    return f"{one.named.word} none" if one.metric else f"{one.named.word} not calculated"


def _windows(spec: Spec, outcome: Outcome) -> str:
    assert outcome.stabilized is not None
    held = outcome.stabilized.replicas
    if spec.up is None or spec.down is None:
        window = f"down {spec.controller.downscale_window} s"
    else:
        window = f"up {spec.up.window} s, down {spec.down.window} s"
    if held == outcome.asked:
        return f"{window}: nothing held, {held}"
    recent = outcome.stabilized.highest if held > outcome.asked else outcome.stabilized.lowest
    way = "highest" if held > outcome.asked else "lowest"
    return f"{window}: {outcome.asked} held at {held}, since the {way} recent recommendation was {recent}"


def _policies(spec: Spec, outcome: Outcome) -> Iterator[tuple[str, str]]:
    assert outcome.stabilized is not None
    assert outcome.limited is not None
    wanted, before = outcome.stabilized.replicas, outcome.before
    limited = outcome.limited
    cut = f", so {wanted} is cut to {limited.replicas}" if limited.reason in _RATES else ""
    if spec.up is None or spec.down is None:
        if wanted > before:
            yield "policies", f"no behavior: at most twice the replicas, or 4{cut}"
        return
    if wanted == before:
        return
    rules, way = (spec.up, "up") if wanted > before else (spec.down, "down")
    if rules.select == "Disabled":
        yield "policies", f"{way} is Disabled, so it stays at {before}"
        return
    yield "policies", f"{way}, {_select(rules)}{cut}:"
    for one in limited.allowances:
        policy = one.policy
        what = f"{policy.value} %" if policy.type == "Percent" else _count(policy.value, "pod")
        start = f" (from {one.start}, which it had then)" if one.start != before else f" (from {one.start})"
        yield "", f"{what} in {policy.period} s allows {one.replicas}{start}"


def _select(rules: ScalingRules) -> str:
    return "the policy that changes most" if rules.select == "Max" else "the policy that changes least"


def _limits(spec: Spec, limited: Limited, wanted: int) -> str:
    text = f"{spec.min_replicas}..{spec.max_replicas}"
    return (
        f"{text}: {wanted} cut to {limited.replicas}, {limited.reason}" if limited.reason in _ENDS else text
    )


def _said(one: Explanation) -> Iterator[tuple[str, str]]:
    said = one.said
    if not said.conditions:
        yield "replicas", "nothing yet"
        return
    verdict = {None: "", True: ": the same", False: ": not what is calculated here"}[said.agrees]
    size = f"{said.current} -> {said.desired}" if said.desired or not said.current else f"{said.current}"
    yield "replicas", f"{size}{verdict}"
    for why in said.why:
        yield "", why
    for condition in said.conditions:
        message = without_selectors(condition.message)
        yield condition.type, f"{condition.status} {condition.reason}: {message}"


def _changes(one: Explanation, outcome: Outcome) -> list[str]:
    lines = [change.sentence for change in one.changes]
    settled, inputs = one.settled, one.inputs
    assert inputs is not None
    if one.stops or settled is None or settled.limited is None or outcome.path != "metrics":
        return lines
    down = inputs.spec.down
    if down is not None and down.select == "Disabled":
        lines.append("scale-down is Disabled, so it never goes down of itself")
    elif (
        not any(change.kind == "less" for change in one.changes)
        and len(one.metrics) > 1
        and inputs.spec.min_replicas < outcome.before <= settled.replicas
    ):
        unread = [metric.named.word for metric in one.metrics if isinstance(metric.vote, Invalid)]
        while_ = f" while {' and '.join(unread)} cannot be read" if unread else ": the others ask for as many"
        lines.append(f"less of any one metric changes nothing{while_}")
    return lines


def _doctor(one: Explanation) -> list[str]:
    """Where a number is missing that the controller needs, what looks for the cause; at 0 replicas what starts it."""
    if one.outcome is not None and one.outcome.path == "disabled" and not one.what_if:
        target = one.facts.hpa["spec"]["scaleTargetRef"]
        typed = f"{str(target.get('kind')).lower()}/{target.get('name')}"
        namespace = (one.facts.hpa.get("metadata") or {}).get("namespace")
        return [f"a first replica switches it on again: kubectl -n {namespace} scale {typed} --replicas=1"]
    missing = [
        metric for metric in one.metrics if isinstance(metric.vote, Invalid) and not metric.answer.refused
    ]
    if not one.stops and not missing:
        return []
    metadata = one.facts.hpa.get("metadata") or {}
    where = f"hpa/{metadata.get('name')} -n {metadata.get('namespace')}"
    return [f"what is broken, and the fix: kubectl llm-hpa doctor {where}"]


def _section(title: str, rows: Iterator[tuple[str, str]]) -> str:
    return "\n".join([f"{title}:", *_rows(list(rows))])


def _rows(rows: Sequence[tuple[str, str]]) -> list[str]:
    width = max((len(escape(label)) for label, _ in rows), default=0)
    return [f"  {escape(label):<{max(width, 10)}}  {escape(text)}".rstrip() for label, text in rows]


def _bullets(title: str, lines: Sequence[str]) -> str:
    return "\n".join([f"{title}:", *(f"  - {escape(line)}" for line in lines)])


def _names(pods: Sequence[str]) -> str:
    shown = ", ".join(pods[:_NAMES])
    return shown if len(pods) <= _NAMES else f"{shown} and {len(pods) - _NAMES} more"


def _count(number_: int, what: str) -> str:
    return f"{number_} {what}" if number_ == 1 else f"{number_} {what}s"
