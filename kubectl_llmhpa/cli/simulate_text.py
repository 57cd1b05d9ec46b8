"""How `simulate` shows a comparison: what was given, a table, the recommendation; and the same as a document."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from kubectl_llmhpa.output import documents, tables
from kubectl_llmhpa.output.terminal import escape
from kubectl_llmhpa.simulate import Comparison, Question, Row
from kubectl_llmhpa.simulate.results import duration

_HEADERS = (
    "", "policy", "replicas", "asks for", "slo met", "mean", "peak", "gpu-hours", "rescales", "above slo",
    "ttft p95", "overshoot",
)  # fmt: skip


def text(found: Comparison, notes: Sequence[str], workload: str = "") -> str:
    """The whole answer, without a final newline; with the command that writes the recommended one to a workload."""
    parts = [tables.fields(given(found.question)), table(found), "\n".join(conclusion(found))]
    if command := enable(found, workload):
        parts[-1] += f"\nTo write it: {command}"
    if notes:
        parts.append("\n".join(f"note: {escape(one)}" for one in notes))
    return "\n\n".join(parts)


def given(question: Question) -> list[tuple[str, str]]:
    """What the comparison rests on, as name and value."""
    pod, world = question.service, question.world
    starts = world.start_up
    ready = duration(starts[0]) if len(starts) == 1 else f"{duration(min(starts))} to {duration(max(starts))}"
    return [
        ("Load", f"{question.requests.origin}, {len(question.requests):,} requests"),
        ("SLO", f"{question.slo} for {question.goal * 100:.4g} % of the requests"),
        (
            "Pod",
            f"{pod.seats} seats, step {duration(pod.step)} + {duration(pod.per_request)} per request, "
            f"prefill {pod.prefill:g} tokens/s, KV cache {pod.kv_tokens:,} tokens"
            + (f" (default: {pod.origin})" if pod.assumed else ""),
        ),
        ("Start-up", f"{ready}, {'one pod after the other' if world.ordered else 'all at once'}"),
        (
            "Control",
            f"scrape {duration(world.scrape)}, sync {duration(world.sync)}, {world.balance} balancing",
        ),
    ]


def table(found: Comparison) -> str:
    """One line a row; `*` marks the recommended one, `-` those that another is better than in both figures."""
    return tables.table(headers(found), [cells(one, found) for one in found.rows])


def headers(found: Comparison) -> list[str]:
    """The names of the columns; only a load that steps up has the time to the first ready pod more."""
    return [*_HEADERS, "first extra"] if found.question.requests.change is not None else [*_HEADERS]


def cells(one: Row, found: Comparison) -> list[str]:
    """One row of the table."""
    figures = one.figures
    mark = "*" if one.name == found.recommended else "-" if one.dominated else " "
    row = [
        mark,
        one.name,
        f"{one.least}" if one.fixed else f"{one.least}-{one.most}",
        one.asks or "-",
        f"{figures.attainment:.2%}",
        f"{figures.mean_replicas:.2f}",
        str(figures.peak_replicas),
        f"{figures.gpu_hours:.4g}",
        "-" if one.fixed else str(figures.rescales),
        duration(figures.slow_seconds) if figures.slow_seconds else "0s",
        "never" if math.isnan(figures.ttft_p95) else duration(figures.ttft_p95),
        "-" if figures.overshoot is None else f"{figures.overshoot:.2g}x",
    ]
    if found.question.requests.change is not None:
        row.append("-" if figures.first_extra is None else duration(figures.first_extra))
    return row


def conclusion(found: Comparison) -> list[str]:
    """The recommendation and the frontier, a line each."""
    best = escape(found.recommended) or "none"
    names = " -> ".join(
        f"{escape(one.name)} ({one.figures.gpu_hours:.4g} GPU-hours, {one.figures.attainment:.2%})"
        for one in found.frontier
    )
    return [f"Recommended: {best}: {escape(found.reason)}", f"Frontier: {names}"]


def enable(found: Comparison, workload: str) -> str:
    """The command that writes the recommended policy, "" where there is none, or no workload."""
    return f"kubectl llm-hpa enable {workload} {found.options}" if workload and found.options else ""


def document(found: Comparison, notes: Sequence[str], workload: str = "") -> dict[str, Any]:
    """The comparison for `-o json|yaml`."""
    question = found.question
    requests = question.requests
    content = {
        "load": {
            "origin": requests.origin,
            "requests": len(requests),
            "seconds": requests.length,
            "change": requests.change,
        },
        "slo": question.slo,
        "goal": question.goal,
        "service": question.service,
        "world": question.world,
        "gpusPerPod": question.gpus,
        "items": [_item(one, found) for one in found.rows],
        "fixedReplicas": found.fixed,
        "recommended": found.recommended or None,
        "reason": found.reason,
        "command": enable(found, workload) or None,
        "frontier": [one.name for one in found.frontier],
        "notes": list(notes),
    }
    return documents.document("Simulation", content)


def _item(one: Row, found: Comparison) -> dict[str, Any]:
    figures = {
        key: None if isinstance(value, float) and not math.isfinite(value) else value
        for key, value in documents.plain(one.figures).items()
    }
    end = found.question.requests.length
    return {
        "name": one.name,
        "fixed": one.fixed,
        "asks": one.asks or None,
        "minReplicas": one.least,
        "maxReplicas": one.most,
        "recommended": one.name == found.recommended,
        "dominated": one.dominated,
        **figures,
        "rescaleEvents": [event for event in one.run.rescales if event.at <= end],
        "timeline": [
            {"at": round(at, 3), "replicas": asked, "ready": ready}
            for at, asked, ready in one.run.ready
            if at <= end
        ],
    }
