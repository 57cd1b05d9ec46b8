"""`status` as text: the table, and the block for one workload."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from kubectl_llmhpa import quantities
from kubectl_llmhpa.hpa import Autoscaler, HpaView, MetricView
from kubectl_llmhpa.output.ages import age
from kubectl_llmhpa.output.tables import NONE, UNKNOWN, fields, table

#: Rescales that the block of one workload shows.
LAST_RESCALES = 5
#: Cells that a growing table leaves room for, so that its columns stay where they are.
_USUAL = {
    "signal": "generation-tokens <unknown>/10",
    "replicas": "10 -> 10 (10 ready)",
    "state": "Broken: metrics API",
    "last rescale": "10m, All metrics below target",
    "age": "10m10s",
}


def headers(*, namespaces: bool, wide: bool) -> list[str]:
    """The column titles of the table."""
    first = ["namespace"] if namespaces else []
    more = ["name", "ours", "why"] if wide else []
    return [
        *first,
        "workload",
        "engine",
        "signal",
        "replicas",
        "limits",
        "state",
        "last rescale",
        "age",
        *more,
    ]


def row(one: Autoscaler, now: datetime, *, namespaces: bool, wide: bool) -> list[str]:
    """One autoscaler as cells under `headers`."""
    view = one.view
    binding = view.binding
    shown = view.metrics if wide else [binding] if binding else []
    first = [view.namespace] if namespaces else []
    more = [view.name, "yes" if one.ours else "no", view.why] if wide else []
    return [
        *first,
        str(view.target).lower() if view.target.kind in ("Deployment", "StatefulSet") else str(view.target),
        one.engine or NONE,
        ", ".join(f"{one.signal(metric.name)} {reading(metric)}" for metric in shown),
        replicas(view),
        f"{view.min}..{view.max}",
        view.state,
        last_rescale(one, now),
        age(view.created, now),
        *more,
    ]


def overview_table(
    found: Sequence[Autoscaler], now: datetime, *, namespaces: bool, wide: bool, header: bool
) -> str:
    """The table of `status`."""
    rows = [row(one, now, namespaces=namespaces, wide=wide) for one in found]
    return table(headers(namespaces=namespaces, wide=wide), rows, header=header)


class Lines:
    """A table that grows at its end: a line per autoscaler that has changed, in columns that keep their places."""

    def __init__(self, titles: list[str]) -> None:
        """`titles` as `headers` gives them."""
        self._titles = titles
        self._widest = [max(name, _USUAL.get(name, ""), key=len) for name in titles]
        self._shown: dict[tuple[str, str], list[str]] = {}

    def after(self, key: tuple[str, str], cells: list[str]) -> list[str]:
        """The lines to print for an autoscaler's row: none while nothing but ages has changed.

        The header comes before the first one. `key` is namespace and name of the HPA.
        """
        steady = [
            cell
            for name, cell in zip(self._titles, cells, strict=True)
            if name not in ("age", "last rescale")
        ]
        if self._shown.get(key) == steady:
            return []
        first = not self._shown
        self._shown[key] = steady
        self._widest = [max(pair, key=len) for pair in zip(self._widest, cells, strict=True)]
        drawn = table(self._titles, [self._widest, cells]).splitlines()
        return [drawn[0], drawn[-1]] if first else [drawn[-1]]


def block(one: Autoscaler, now: datetime) -> str:
    """Everything about one autoscaler: its metrics with their votes, its conditions, its last rescales."""
    view = one.view
    parts = [
        fields(
            [
                ("Name", view.name),
                ("Namespace", view.namespace),
                ("Workload", str(view.target)),
                ("Engine", one.engine or "no metric of a known engine"),
                ("Made by", _made_by(one)),
                ("Replicas", f"{replicas(view)}, limits {view.min}..{view.max}"),
                ("State", view.state),
                ("Why", view.why),
                ("Last rescale", last_rescale(one, now)),
            ]
        )
    ]
    lines = [
        [
            one.signal(metric.name),
            metric.name,
            _number(metric.now),
            _number(metric.target),
            "-" if metric.ratio is None else f"{metric.ratio:.2f}",
            "-" if metric.vote is None else str(metric.vote),
            metric.state,
        ]
        for metric in view.metrics
    ]
    parts.append(
        "Metrics:\n"
        + table(["signal", "metric", "now", "target", "ratio", "vote", "state"], lines, indent="  ")
    )
    parts += [f"  Note: {note}" for metric in view.metrics for note in metric.notes]
    if view.conditions:
        lines = [[one.type, one.status, one.reason, one.message] for one in view.conditions]
        parts.append("Conditions:\n" + table(["type", "status", "reason", "message"], lines, indent="  "))
    if one.rescales:
        lines = [
            [age(rescale.time, now), str(rescale.size), str(rescale.count), rescale.reason]
            for rescale in reversed(one.rescales[-LAST_RESCALES:])
        ]
        parts.append("Rescales:\n" + table(["age", "size", "count", "reason"], lines, indent="  "))
    return "\n".join(parts)


def _made_by(one: Autoscaler) -> str:
    who = "kubectl llm-hpa" if one.ours else "somebody else"
    return f"KEDA, from ScaledObject {one.scaled_object} of {who}" if one.scaled_object else who


def reading(metric: MetricView) -> str:
    """`4.8/5`, `<unknown>/5`, `42%/80%`."""
    return f"{_number(metric.now)}/{_number(metric.target)}"


def replicas(view: HpaView) -> str:
    """`3`, `1 -> 3`, `3 (1 ready)`."""
    size = str(view.current) if view.desired in (view.current, 0) else f"{view.current} -> {view.desired}"
    return size if view.ready is None or view.ready == view.current else f"{size} ({view.ready} ready)"


def last_rescale(one: Autoscaler, now: datetime) -> str:
    """`3m12s, waiting above target`; the time is the HPA's own, the reason that of the newest event."""
    when = one.view.last_scale
    if not when:
        return NONE
    return f"{age(when, now)}, {one.last_reason}" if one.last_reason else age(when, now)


def _number(text: str | None) -> str:
    if text is None:
        return UNKNOWN
    return text if text.endswith("%") or text.startswith("<") else quantities.human(text)
