"""Which charts a report has: from its figures to lines, limits and marks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from kubectl_llmhpa.bench.report import words
from kubectl_llmhpa.bench.report.model import Report
from kubectl_llmhpa.bench.sizing.model import Latency, Point, Sizing, Slo
from kubectl_llmhpa.bench.timeline import number
from kubectl_llmhpa.output.charts import Chart, Line, Rule

#: Points of a line over time: more would not show.
_POINTS = 300
_PER_POD = "requests in flight per pod"
_SECONDS = "seconds since the load began"


@dataclass(frozen=True)
class Figure:
    """A chart with what it shows in a sentence."""

    chart: Chart
    caption: str


def of_sweep(report: Report) -> list[Figure]:
    """Throughput, latencies and the engine's gauges against the requests in flight; points that may not be used are
    left out."""
    sweep, sizing = report.sweep, report.sizing
    points = [point for point in sweep.points if not point.invalid] if sweep else []
    if sweep is None or not points:
        return []
    marks = _marks(sizing)
    figures = [
        _throughput(points, bool(words.limits(sweep.slo)), marks),
        _latency("TTFT", points, [point.ttft for point in points], sweep.slo.ttft, marks),
        _latency("TPOT", points, [point.tpot for point in points], sweep.slo.tpot, marks),
    ]
    if any(point.running or point.waiting for point in points):
        figures.append(_gauges(points, marks))
    if any(point.kv_cache for point in points):
        shares = [None if point.kv_cache is None else point.kv_cache.mean * 100 for point in points]
        chart = Chart("KV cache", _PER_POD, "% in use", (_by_load("mean", points, shares, 4),), marks)
        figures.append(Figure(chart, "How full the memory for running requests was, by the engine."))
    return figures


def _throughput(points: Sequence[Point], judged: bool, marks: Sequence[Rule]) -> Figure:
    lines = [_by_load("throughput", points, [point.throughput / point.pods for point in points], 1)]
    if judged:
        goodput = [point.goodput / point.pods for point in points]
        lines.append(_by_load("goodput (SLO kept)", points, goodput, 3))
    title = "Throughput and goodput" if judged else "Throughput"
    return Figure(
        Chart(title, _PER_POD, "requests/s per pod", lines, marks),
        "From the knee on, more requests in flight wait and bring no more throughput.",
    )


def _latency(
    name: str, points: Sequence[Point], found: Sequence[Latency], limit: float | None, marks: Sequence[Rule]
) -> Figure:
    lines = (
        _by_load("p95", points, [_ms(latency.p95) for latency in found], 2),
        _by_load("p50", points, [_ms(latency.p50) for latency in found], 1),
    )
    rules = [*marks, *([] if limit is None else [Rule(limit * 1000, f"SLO {words.duration(limit)}")])]
    kind = {"TTFT": "until the first token", "TPOT": "for each token after the first"}[name]
    return Figure(Chart(name, _PER_POD, "ms", lines, rules), f"Time {kind}.")


def _gauges(points: Sequence[Point], marks: Sequence[Rule]) -> Figure:
    running = [point.running.mean / point.pods if point.running else None for point in points]
    waiting = [point.waiting.mean / point.pods if point.waiting else None for point in points]
    lines = (_by_load("running", points, running, 1), _by_load("waiting", points, waiting, 2))
    return Figure(
        Chart("Running and waiting", _PER_POD, "requests per pod", lines, marks),
        "What the engine itself says: once all seats are taken, requests wait.",
    )


def _marks(sizing: Sizing | None) -> tuple[Rule, ...]:
    """The target, the SLO's end and the knee as upright lines; those at one place share a label."""
    if sizing is None:
        return ()
    in_flight = [target.value for target in sizing.targets if target.signal in ("running", "in-flight")]
    named = (
        ("target", next(iter(in_flight), None)), ("last within SLO", sizing.slo.value), ("knee", sizing.knee.value),
    )  # fmt: skip
    at: dict[float, list[str]] = {}
    for name, value in named:
        if value is not None:
            at.setdefault(value, []).append(name)
    return tuple(
        Rule(
            value,
            f"{' and '.join(names)} {words.number(value)}",
            "target" if "target" in names else "mark",
            True,
        )
        for value, names in sorted(at.items())
    )


def _by_load(name: str, points: Sequence[Point], values: Sequence[float | None], colour: int) -> Line:
    places = [point.per_pod for point in points]
    return Line(name, tuple(zip(places, values, strict=True)), colour, marks=True)


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None else seconds * 1000


def over_time(report: Report) -> list[Figure]:
    """Load, metric, replicas and latency on one axis of time."""
    if report.started_at is None or not (report.scaling or report.moments):
        return []
    ends = [one[-1].seconds for one in (report.scaling, report.moments, report.samples) if one]
    span = (0.0, max(*ends, report.result.duration_s))
    return [*_load(report, span), *_metrics(report, span), *_replicas(report, span), *_service(report, span)]


def _load(report: Report, span: tuple[float, float]) -> Iterator[Figure]:
    if not report.moments:
        return
    band, told = _loaded(report), f"{words.load_line(report.load, report.method)}."
    if report.load.rate is not None:
        rates = (
            Line("asked for", _thin([(one.seconds, one.want) for one in report.moments]), 5, dashed=True),
            Line("sent", _thin([(one.seconds, one.arrivals) for one in report.moments]), 1),
            Line("finished", _thin([(one.seconds, one.finished) for one in report.moments]), 3),
        )
        yield Figure(Chart("Load", _SECONDS, "requests/s", rates, band=band, x_range=span), told)
    in_flight = [(one.seconds, float(one.in_flight)) for one in report.moments]
    lines = [Line("in flight, by the client", _thin(in_flight), 1, area=True)]
    if any(one.waiting is not None for one in report.samples):
        waiting = [(one.seconds, one.waiting) for one in report.samples]
        lines.append(Line("waiting, by the engines", _thin(waiting), 2))
    title = "Requests in flight" if report.load.rate is not None else "Load"
    caption = "What the load made of that." if report.load.rate is not None else told
    yield Figure(Chart(title, _SECONDS, "requests", lines, band=band, x_range=span), caption)


def _metrics(report: Report, span: tuple[float, float]) -> Iterator[Figure]:
    if report.hpa is None:
        return
    for metric in report.hpa.metrics:
        values = [(one.seconds, one.values.get(metric.name)) for one in report.scaling]
        target = number(metric.target)
        if all(value is None for _, value in values):
            continue
        name = report.hpa.signals.get(metric.name, metric.name)
        rules = () if target is None else (Rule(target, f"target {words.quantity(metric.target)}", "target"),)
        line = Line(name, _held(values, span), 4, step=True)
        yield Figure(
            Chart(f"Metric: {name}", _SECONDS, "average per pod" if metric.form == "AverageValue" else "value",
                  (line,), rules, band=_loaded(report), x_range=span),
            f"{metric.name} as the HPA saw it.",
        )  # fmt: skip


def _replicas(report: Report, span: tuple[float, float]) -> Iterator[Figure]:
    if not report.scaling:
        return
    rungs = report.proof.predicted if report.proof else ()
    seen: tuple[tuple[str, int, list[tuple[float, float | None]]], ...] = (
        ("ready", 1, [(one.seconds, one.ready) for one in report.scaling]),
        ("current", 6, [(one.seconds, one.current) for one in report.scaling]),
        ("desired", 2, [(one.seconds, one.desired) for one in report.scaling]),
        ("predicted, at the latest", 5, [(rung.seconds, rung.replicas) for rung in rungs]),
    )
    lines = [
        Line(name, _held(points, span), colour, step=True, dashed=colour in (2, 5), area=colour == 1)
        for name, colour, points in seen
        if any(value is not None for _, value in points)
    ]
    ticks = tuple((event.seconds, event.text) for event in report.timeline if event.seconds is not None)
    most = max([0, *(int(value) for line in lines for _, value in line.points if value is not None)])
    yield Figure(
        Chart(
            "Replicas",
            _SECONDS,
            "replicas",
            lines,
            ticks=ticks,
            band=_loaded(report),
            x_range=span,
            top=most + 1,
        ),
        "What the HPA wanted and what was ready. The numbers are those of the events below.",
    )


def _service(report: Report, span: tuple[float, float]) -> Iterator[Figure]:
    slo = report.method.slo or Slo()
    ttft = [(one.seconds, _ms(one.ttft)) for one in report.moments]
    if any(value is not None for _, value in ttft):
        rules = () if slo.ttft is None else (Rule(slo.ttft * 1000, f"SLO {words.duration(slo.ttft)}"),)
        chart = Chart("TTFT", _SECONDS, "ms", (Line("median of 10 s", _thin(ttft), 2),), rules,
                      band=_loaded(report), x_range=span)  # fmt: skip
        yield Figure(chart, "What users saw meanwhile.")
    if report.method.slo is None:
        return
    kept = [(one.seconds, None if one.attainment is None else one.attainment * 100) for one in report.moments]
    if any(value is not None for _, value in kept):
        rules = (Rule(slo.share * 100, f"wanted {words.percent(slo.share)}"),)
        chart = Chart("SLO kept", _SECONDS, "% of requests", (Line("kept", _thin(kept), 3, area=True),), rules,
                      band=_loaded(report), x_range=span, top=100)  # fmt: skip
        yield Figure(chart, f"{words.slo_line(slo)}.")


def _loaded(report: Report) -> tuple[float, float]:
    """From when to when there was load: until the event that says so, since a sweep's result is that of one point."""
    told = [event.seconds for event in report.timeline if event.kind == "load" and event.seconds]
    return (0.0, max(told, default=report.result.duration_s))


def _held(
    points: Sequence[tuple[float, float | None]], span: tuple[float, float]
) -> tuple[tuple[float, float | None], ...]:
    """Values that hold until the next one, from the start of the span to its end."""
    before = [value for at, value in points if at <= span[0]]
    inside = [(at, value) for at, value in points if span[0] < at <= span[1]]
    start = [(span[0], before[-1])] if before else []
    end = [(span[1], (inside or start)[-1][1])] if inside or start else []
    return (*start, *inside, *end)


def _thin(points: Sequence[tuple[float, float | None]]) -> tuple[tuple[float, float | None], ...]:
    """Not more points than show on a page."""
    return tuple(points[:: max(1, len(points) // _POINTS)])
