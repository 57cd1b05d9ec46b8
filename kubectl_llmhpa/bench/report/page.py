"""A report as one page: no script, nothing loaded from anywhere, for bright and dark screens and for paper."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from kubectl_llmhpa.bench.report import figures, page_template, words
from kubectl_llmhpa.bench.report.model import Report
from kubectl_llmhpa.bench.report.sections import ANSWERS, head, lag_steps, sections
from kubectl_llmhpa.errors import ExitCode
from kubectl_llmhpa.output import pages

_FIGURE = re.compile(r"[-+]?[\d.,]+( ?(%|s|ms))?|-|not seen")
#: Sections that the page shows in a form of its own; the head has no title.
_DRAWN = ("", "Autoscaler", "Timeline", "From load to relief")
#: Letters from which a cell needs room to be read.
_WORDY = 30
#: A class of the style sheet and a word for each kind of verdict.
_VERDICTS = {
    ExitCode.OK: ("good", "Result"),
    ExitCode.SLO_NOT_MET: ("bad", "SLO not met"),
    ExitCode.NO_RESCALE: ("bad", "Not scaled"),
    ExitCode.MEASUREMENT_INVALID: ("unsure", "Invalid"),
}


def page(report: Report) -> str:
    """The whole page. What comes from the cluster is escaped."""
    tone, word = _VERDICTS.get(ExitCode(report.verdict.exit_code), ("unsure", "Result"))
    parts = list(sections(report))
    return pages.render(
        page_template.BODY,
        title=f"Benchmark of {report.workload}",
        style=page_template.STYLE,
        report=report,
        tone=tone,
        word=word,
        date=(report.started_at or "")[:16].replace("T", " "),
        engine=f"{report.engine.name} {report.engine.version or ''}".rstrip(),
        tiles=list(tiles(report)),
        sweep=[pages.figure(each.chart, each.caption, pages.HALF) for each in figures.of_sweep(report)],
        timeline=[pages.figure(each.chart, each.caption, pages.FULL) for each in figures.over_time(report)],
        lag=[] if report.sweep is not None else _lag(report),
        events=[event for event in report.timeline if event.seconds is not None],
        answers=[one for one in parts if one.title in ANSWERS],
        sections=[one for one in parts if one.title not in (*ANSWERS, *_DRAWN)],
        head=head(report),
        method=_method(report),
        kind=_kind,
        stamp=words.stamp,
    )


def tiles(report: Report) -> Iterator[tuple[str, str, str]]:
    """The figures that a reader looks for first: what it is, its value, what it means."""
    sizing, result = report.sizing, report.result
    if sizing is not None:
        best = next((one for one in sizing.targets if one.role == "main" and one.value is not None), None)
        if best is not None:
            yield "Target", words.number(best.value), f"{best.signal} per pod, {best.confidence}"
        if sizing.n_max is not None:
            yield "At most", words.number(sizing.n_max), "in flight per pod within the SLO and below the knee"
        if sizing.rate_max is not None:
            yield "One pod serves", f"{words.number(sizing.rate_max)}/s", "requests at that load"
        if sizing.replicas.least is not None:
            most = "" if sizing.replicas.most is None else f" to {sizing.replicas.most}"
            yield "Replicas", f"{sizing.replicas.least}{most}", "for the given rates"
    else:
        yield (
            "Throughput",
            f"{words.number(result.request_rate)}/s",
            f"{result.output_token_rate:,.0f} output tokens/s",
        )
        p95 = (result.latencies.get("ttft") or {}).get("p95")
        if p95 is not None:
            yield "TTFT p95", words.duration(p95 / 1000), "until the first token"
    if (
        report.sweep is not None
    ):  # it goes beyond every limit on purpose, and what the HPA made of that is no answer
        return
    if report.first_rescale_seconds is not None:
        yield "First rescale", words.duration(report.first_rescale_seconds), "after the load began"
    if report.lag.serving is not None:
        yield "Relief", words.duration(report.lag.serving), "until a new pod served"
    if report.attainment is not None:
        yield "SLO kept", words.percent(round(report.attainment, 3)), "of all requests"
    if report.usage is not None and report.usage.accelerator_hours is not None:
        yield "GPU-hours", words.number(report.usage.accelerator_hours), f"in {report.usage.seconds:.0f} s"
    if report.proof is not None and report.proof.scale_in_deadline is not None:
        lost = report.proof.cut + report.proof.failed
        yield "Lost in scale-in", str(lost), f"{report.proof.cut} requests cut, {report.proof.failed} failed"


def _lag(report: Report) -> list[dict[str, object]]:
    """The steps from load to relief as bars, in percent of the whole."""
    steps = lag_steps(report.lag)
    whole = max((until for _, _, until in steps), default=0.0)
    if len(steps) < 2 or whole <= 0:
        return []
    return [
        {"what": what, "at": words.stamp(until), "took": f"{until - since:.1f} s",
         "left": round(since / whole * 100, 2), "width": round((until - since) / whole * 100, 2)}
        for what, since, until in steps
    ]  # fmt: skip


def _method(report: Report) -> Sequence[tuple[str, str]]:
    method, engine = report.method, report.engine
    seeds = ", ".join(map(str, method.seeds))
    pairs = [
        ("Generator", words.client_line(report.result)),
        ("Loop", f"{method.loop}, {method.clients} client{'s' if method.clients > 1 else ''}, seeds {seeds}"),
        ("Prompts", f"{method.input_tokens} tokens in, {method.output_tokens} out, no two alike"),
        ("Replicas", f"{method.replicas}; {method.ready} ready at the start"),
        ("Image", f"{engine.image or '-'} {engine.image_id or ''}".rstrip()),
        ("Engine's flags", ", ".join(engine.flags) or "none that matter"),
    ]
    accelerators = ", ".join(f"{count} {name}" for name, count in engine.accelerators.items())
    if engine.gpus:
        accelerators += f" ({', '.join(engine.gpus)})"
    return [*pairs, ("Per pod", accelerators or "no accelerator"), ("Settings", method.settings)]


def _kind(cell: str) -> str:
    """The class of a cell in the style sheet."""
    if _FIGURE.fullmatch(cell.strip()):
        return "figure"
    return "wordy" if len(cell) > _WORDY else ""
