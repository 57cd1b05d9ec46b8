"""`detect` as text: a table of workloads, or one engine in full, and below it the findings as sentences."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from kubectl_llmhpa.engines import EngineFacts, Kind, NotAnEngine, Seats, SignalSource
from kubectl_llmhpa.findings import Finding
from kubectl_llmhpa.output.tables import UNKNOWN, fields, table

_SEVERITIES = ("error", "warning", "info")
_PER_SECOND = "<per second>"
_QUANTILE = "<quantile>"


def engine_block(facts: EngineFacts) -> str:
    """One engine: what it is, its signals, its seats."""
    version = f"{facts.version} ({facts.version_source})" if facts.version else UNKNOWN
    parts = [
        fields(
            [
                ("Engine", facts.engine),
                ("Version", version),
                ("Dialect", facts.dialect or UNKNOWN),
                ("Models", ", ".join(facts.models) or UNKNOWN),
                ("Role", facts.role or "none of its own"),
                ("State", "armed: no series before its first request" if facts.armed else "serving"),
                ("Seats", seats_sentence(facts.seats)),
                ("Evidence", f"{facts.source.value}: {facts.evidence}"),
            ]
        )
    ]
    if facts.signals:
        parts.append("Signals:\n" + signals_table(facts.signals.values()))
    return "\n".join(parts)


def no_engine_block(refusal: NotAnEngine) -> str:
    """Why it is no engine, and the signals that a router offers instead."""
    parts = [fields([("Engine", "none"), ("Reason", refusal.problem), ("Remedy", refusal.remedy)])]
    if refusal.upstream:
        parts.append("Signals (External only):\n" + signals_table(refusal.upstream.values()))
    return "\n".join(parts)


def signals_table(sources: Iterable[SignalSource]) -> str:
    """One line a signal, indented."""
    rows = [
        [one.signal, one.metric, one.kind.value, value(one), str(one.series), ", ".join(one.forms)]
        for one in sources
    ]
    return table(["signal", "metric", "kind", "now", "series", "hpa forms"], rows, indent="  ")


def finding_lines(found: Sequence[Finding]) -> list[str]:
    """`warning: sts/vllm: what was seen; why it matters; the fix [code]`, worst first."""
    ordered = sorted(found, key=lambda one: _SEVERITIES.index(one.severity))
    return [f"{one.severity}: {one}" for one in ordered]


def value(source: SignalSource | None) -> str:
    """`5`, `42%`; what one look cannot tell says what it is."""
    if source is None:
        return UNKNOWN
    if source.kind is Kind.LATENCY:
        return _QUANTILE
    if source.kind is Kind.RATE:
        return _PER_SECOND
    if source.value is None:
        return UNKNOWN
    return f"{100 * source.value:.0f}%" if source.kind is Kind.RATIO else f"{source.value:g}"


def seats_sentence(seats: Seats | None) -> str:
    """`8 (--max-num-seqs 8 x 1 data-parallel rank, not proved)`."""
    if seats is None:
        return UNKNOWN
    return f"{seats.value} ({seats.evidence}{'' if seats.proved else ', not proved'})"
