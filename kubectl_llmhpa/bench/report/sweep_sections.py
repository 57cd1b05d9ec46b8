"""The sections about a sweep: its points, what they say, and the targets that follow."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from kubectl_llmhpa.bench.report.section import Section
from kubectl_llmhpa.bench.report.words import duration, limits, number, percent, slo_line
from kubectl_llmhpa.bench.sizing.model import (
    ColdStart,
    Gauge,
    Input,
    Point,
    Replicas,
    SignalTarget,
    Sizing,
    Sweep,
)

#: Titles, for whoever shows them in a place of their own.
FINDINGS, TARGETS = "What the sweep says", "Targets"
_POINTS = (
    "in flight", "requests/s", "tokens/s", "TTFT p50", "TTFT p95", "TPOT p95", "latency",
    "running", "waiting", "KV cache",
)  # fmt: skip
_KEPT = ("goodput/s", "SLO kept")


def points(sweep: Sweep) -> Section:
    """A row for each concurrency; the mean latency, and what the engine says, per pod."""
    judged = bool(limits(sweep.slo))
    headers = (*_POINTS[:2], *(_KEPT if judged else ()), *_POINTS[2:])
    rows = tuple(_point(point, judged) for point in sweep.points)
    failed = (
        f"{point.failures} failed with {number(point.per_pod)} in flight ({', '.join(point.failed)})"
        for point in sweep.points
        if point.failures
    )
    invalid = (
        f"not used: {number(point.per_pod)} in flight: {point.invalid}"
        for point in sweep.points
        if point.invalid
    )
    stopped = (f"stopped: {sweep.stopped}",) if sweep.stopped else ()
    title = "Sweep (in flight and gauges per pod, latencies in ms)"
    return Section(title, headers=headers, rows=rows, lines=(*failed, *invalid, *stopped, *sweep.notes))


def _point(point: Point, judged: bool) -> tuple[str, ...]:
    share = percent(round(point.good / point.done, 3)) if point.done else "-"
    return (
        number(point.per_pod), number(point.throughput), *((number(point.goodput), share) if judged else ()),
        number(point.output_token_rate, 0),
        milliseconds(point.ttft.p50), milliseconds(point.ttft.p95), milliseconds(point.tpot.p95),
        milliseconds(point.e2e.mean), _gauge(point.running, point.pods), _gauge(point.waiting, point.pods),
        percent(round(point.kv_cache.mean, 3)) if point.kv_cache else "-",
    )  # fmt: skip


def findings(sizing: Sizing, sweep: Sweep) -> Section:
    """What the points say."""
    at_most = "none: sweep further" if sizing.n_max is None else f"{number(sizing.n_max)} in flight per pod"
    if sizing.n_max is not None and sizing.rate_max is not None:
        at_most += f", {number(sizing.rate_max)} requests/s"
    fields = [
        ("SLO", slo_line(sweep.slo)),
        ("Knee", _with_reason(sizing.knee.value, sizing.knee.why)),
        ("Within SLO", _with_reason(sizing.slo.value, sizing.slo.why)),
        ("At most", at_most),
        (
            "Saturation",
            "not found" if sizing.saturation is None else f"{number(sizing.saturation)} requests/s per pod",
        ),
        ("Confidence", sizing.confidence),
        ("Lag", f"{duration(sizing.start.lag.value)} ({sizing.start.lag.origin})"),
        ("Scale-in", f"{sizing.start.scale_down_window} s of window ({sizing.start.window_why})"),
    ]
    if sizing.start.impossible:
        fields.append(("Impossible", sizing.start.impossible))
    return Section(FINDINGS, fields=tuple(fields), lines=sizing.notes)


def targets(sizing: Sizing) -> Section:
    """What an HPA should compare each signal with, and how many replicas it needs; below it the numbers in formulas."""
    replicas = sizing.replicas
    lines = [f"{target.signal}: {_inputs(target.inputs)}" for target in sizing.targets if target.inputs]
    lines += [f"replicas: {_inputs(replicas.inputs)}"] if replicas.inputs else []
    return Section(
        TARGETS,
        headers=("signal", "target", "role", "confidence", "formula"),
        rows=(*map(_target, sizing.targets), *_replicas(replicas)),
        lines=tuple(lines),
    )


def _target(target: SignalTarget) -> tuple[str, ...]:
    why = target.note or target.formula if target.value is None else target.formula
    return (target.signal, number(target.value, 3), target.role, target.confidence, why)


def _replicas(replicas: Replicas) -> Iterator[tuple[str, ...]]:
    named = (
        ("minReplicas", replicas.least),
        ("maxReplicas", replicas.most),
        ("warm replicas", replicas.warm),
    )
    for name, value in named:
        if value is not None:
            yield (name, str(value), "", "", replicas.formula)


def cold_start(found: ColdStart) -> Section:
    """Seconds of each part of a new pod's start."""
    parts = (
        ("scheduled", found.scheduled), ("image pulled", found.pulled), ("container started", found.started),
        ("ready", found.ready), ("first sample", found.first_sample), ("first token", found.first_token),
        ("in all", found.total),
    )  # fmt: skip
    rows = tuple((name, "not seen" if seconds is None else f"{seconds:.1f} s") for name, seconds in parts)
    pods = "1 pod" if found.pods == 1 else f"the slowest of {found.pods} pods"
    return Section(f"Cold start of {pods}", headers=("until", "took"), rows=rows)


def milliseconds(seconds: float | None) -> str:
    """Seconds as a cell in ms."""
    return "-" if seconds is None else number(seconds * 1000, 1 if seconds < 0.1 else 0)


def _gauge(gauge: Gauge | None, pods: int) -> str:
    return "-" if gauge is None else number(gauge.mean / pods, 1)


def _with_reason(value: float | None, why: str) -> str:
    return why if value is None else f"{number(value)} in flight per pod ({why})"


def _inputs(inputs: Sequence[Input]) -> str:
    return "; ".join(f"{each.name} = {number(each.value, 3)} ({each.origin})" for each in inputs)
