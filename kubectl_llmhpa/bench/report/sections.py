"""What a report says, in order, as plain sections: the text, the Markdown and the page only show them differently."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from kubectl_llmhpa.bench.observed import Lag, Proof, Rung
from kubectl_llmhpa.bench.report import sweep_sections, words
from kubectl_llmhpa.bench.report.model import Report, Scaler, Usage
from kubectl_llmhpa.bench.report.section import Section
from kubectl_llmhpa.bench.results import LATENCIES

_NAMES = {"ttft": "TTFT", "tpot": "TPOT", "itl": "ITL", "e2e": "latency"}
_FIGURES = ("mean", "p50", "p90", "p95", "p99")
#: Titles of the sections that say what a sweep means.
ANSWERS = (sweep_sections.FINDINGS, sweep_sections.TARGETS)
#: A ready pod with less than this share of an even split has been left out by the load balancing.
_LEFT_OUT = 0.02


def sections(report: Report) -> Iterator[Section]:
    """All of a report but its notes and its verdict."""
    yield head(report)
    if report.sweep is not None:
        yield sweep_sections.points(report.sweep)
        if report.sizing is not None:
            yield sweep_sections.findings(report.sizing, report.sweep)
            if report.sizing.targets:
                yield sweep_sections.targets(report.sizing)
    elif report.result.done:
        yield _latencies(report)
    if report.started_at is not None:  # nothing was loaded, so nothing was moved
        yield from _scaling(report)
    if report.cold_start is not None:
        yield sweep_sections.cold_start(report.cold_start)
    if report.started_at is not None and report.requests_per_pod:
        yield _shares(report)
    if report.result.tail:
        yield Section("Last lines of the generator", lines=tuple(report.result.tail.splitlines()))


def head(report: Report) -> Section:
    """What was measured, and the figures of the whole run; those of a sweep are its points'."""
    result = report.result
    fields = [
        ("Workload", f"{report.workload} in namespace {report.namespace}"),
        ("Engine", words.engine_line(report.engine, report.model)),
        ("Through", f"{report.url} ({report.through})"),
        ("Load", _load(report)),
        ("Client", words.client_line(result)),
    ]
    if nodes := words.nodes_line(report.engine, report.method):
        fields.append(("Nodes", nodes))
    if report.sweep is not None:
        return Section(fields=tuple(fields), lines=_examples(report))
    fields += [
        ("Requests", words.requests_line(result)),
        ("Throughput", words.throughput_line(result)),
    ]
    if report.method.slo is not None and report.attainment is not None:
        slo = report.method.slo
        kept = f"{words.percent(report.attainment)} of the requests kept {words.limits(slo)}"
        goodput = "" if result.goodput is None else f", {words.number(result.goodput)}/s"
        fields.append(("SLO", f"{kept}{goodput}; wanted: {words.percent(slo.share)}"))
    return Section(fields=tuple(fields), lines=_examples(report))


def _examples(report: Report) -> tuple[str, ...]:
    """The engine's own words for failures."""
    return tuple(f"{reason}: {example}" for reason, example in report.result.examples.items())


def _load(report: Report) -> str:
    if report.sweep is None:
        return words.load_line(report.load, report.method)
    asked = [words.number(point.per_pod) for point in report.sweep.points]
    shape = f"{report.method.input_tokens} tokens in, {report.method.output_tokens} out"
    return f"{', '.join(asked)} requests in flight per pod, one after the other; {shape}"


def _latencies(report: Report) -> Section:
    figures = [
        name
        for name in _FIGURES
        if any(found.get(name) is not None for found in report.result.latencies.values())
    ]
    rows = []
    for name in LATENCIES:
        values = report.result.latencies.get(name) or {}
        rows.append((_NAMES[name], *(words.number(values.get(figure), 1) for figure in figures)))
    return Section("Latency (ms)", headers=("measure", *figures), rows=tuple(rows))


def _scaling(report: Report) -> Iterator[Section]:
    rows = timeline(report)
    if report.hpa is not None:
        yield Section("Autoscaler", rows=rows, lines=(_scaler_line(report.hpa, report.method.ready),))
    elif rows:
        yield Section("Timeline", rows=rows)
    if report.sweep is not None:  # what the HPA makes of a sweep is no answer of its own
        return
    steps = lag_steps(report.lag)
    if len(steps) > 1:
        lag = tuple((what, words.stamp(until), f"{until - since:.1f} s") for what, since, until in steps)
        yield Section("From load to relief", headers=("step", "at", "took"), rows=lag)
    if report.proof is not None:
        yield _proof(report.proof)
    if report.usage is not None and report.usage.replica_hours:
        yield _usage(report.usage)


def timeline(report: Report) -> tuple[tuple[str, str], ...]:
    """Each event with its seconds since the load began."""
    return tuple(
        (f"{'' if event.seconds is None else words.stamp(event.seconds):>7}", event.text)
        for event in report.timeline
    )


def _scaler_line(hpa: Scaler, ready: int) -> str:
    line = f"{hpa.name}: {ready} ready at the start, now {words.replicas(hpa, hpa.ready)}"
    return f"{line}, limits {hpa.min}..{hpa.max}; {', '.join(words.signals(hpa.metrics, hpa.signals))}"


def lag_steps(lag: Lag) -> tuple[tuple[str, float, float], ...]:
    """Each step from load to relief that was seen: what it is, and from when to when."""
    ends = (
        ("metric above its target", lag.metric), ("more replicas wanted", lag.decision),
        ("pod made", lag.created), ("pod ready", lag.ready), ("first token of it", lag.serving),
    )  # fmt: skip
    steps, since = [], 0.0
    for what, until in ends:
        if until is not None:
            steps.append((what, since, max(since, until)))
            since = max(since, until)
    return tuple(steps)


def _proof(proof: Proof) -> Section:
    fields = [
        ("Load", proof.load),
        ("Predicted", _path(proof.predicted, "by")),
        ("Observed", _path(proof.observed, "at")),
        ("First rescale", _within(proof.rescaled, proof.deadline)),
    ]
    if proof.scale_in_deadline is not None:
        fields.append(("Scale-in", f"{_within(proof.scaled_in, proof.scale_in_deadline)} after the load"))
        fields.append(("Lost in it", f"{proof.cut} requests cut, {proof.failed} failed"))
    fields += proof.inputs.items()
    return Section("Proof", fields=tuple(fields), lines=proof.problems)


def _path(rungs: Sequence[Rung], word: str) -> str:
    """`1, 3 by 32 s, 4 by 61 s`."""
    parts = [f"{rung.replicas} {word} {rung.seconds:.0f} s" if place else str(rung.replicas)
             for place, rung in enumerate(rungs)]  # fmt: skip
    return ", ".join(parts) or "nothing"


def _within(seconds: float | None, deadline: float) -> str:
    return f"{'never' if seconds is None else f'{seconds:.1f} s'}, deadline {deadline:.1f} s"


def _usage(usage: Usage) -> Section:
    fields = [("Replica-hours", f"{words.number(usage.replica_hours, 3)} in {usage.seconds:.0f} s")]
    if usage.accelerator_hours is not None:
        fields.append(("GPU-hours", words.number(usage.accelerator_hours, 3)))
    fields += [("Most ready", str(usage.most_ready)), ("Turned back", words.times(usage.turns))]
    return Section("Cost", fields=tuple(fields))


def _shares(report: Report) -> Section:
    even = 1 / len(report.requests_per_pod)
    rows = []
    for share in report.requests_per_pod:
        left_out = report.result.done > 0 and share.share < _LEFT_OUT * even
        note = "got nothing" if left_out else ""
        rows.append((share.pod, str(share.requests), f"{share.share * 100:.0f}%", note))
    return Section("Requests per pod", headers=("pod", "requests", "share", "note"), rows=tuple(rows))
