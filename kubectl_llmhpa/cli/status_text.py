"""`status` as text: the table, and the block for one workload."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import datetime

from kubectl_llmhpa import quantities
from kubectl_llmhpa.hpa import HpaView, MetricView, in_words
from kubectl_llmhpa.hpa.failures import without_selectors
from kubectl_llmhpa.output.ages import age
from kubectl_llmhpa.output.tables import NONE, UNKNOWN, cut, fields, fitting, table
from kubectl_llmhpa.output.terminal import CLEAR, ERASE_BELOW, ERASE_LINE, HOME, coloured, escape
from kubectl_llmhpa.status.overview import Autoscaler, word
from kubectl_llmhpa.status.question import Question

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


#: Colours of states; the others need nobody.
_COLOURS = {
    **dict.fromkeys(("Broken", "NoCapacity"), "red"),
    **dict.fromkeys(("Degraded", "AtMax", "Paused", "Disabled"), "yellow"),
    **dict.fromkeys(("ScalingUp", "ScalingDown", "Stabilizing"), "cyan"),
    "Steady": "green",
}
#: What a narrow terminal does without, the first first: the state is what is looked for.
_SPARED = ("age", "engine", "limits", "last rescale")
#: Stands after the state of an autoscaler that has drifted.
MARK = "*"


def painted(title: str, cell: str) -> str:
    """A cell of the table in its colour: only the state has one."""
    colour = _COLOURS.get(word(cell).rstrip(f" {MARK}")) if title == "state" else None
    return coloured(cell, colour) if colour else cell


def headers(*, namespaces: bool, wide: bool) -> list[str]:
    """The column titles of the table."""
    first = ["namespace"] if namespaces else []
    more = ["name", "ours", "drift", "why"] if wide else []
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
    drift = ", ".join(dict.fromkeys(found.word for found in one.drift))
    more = [view.name, "yes" if one.ours else "no", drift, view.why] if wide else []
    return [
        *first,
        str(view.target).lower() if view.target.kind in ("Deployment", "StatefulSet") else str(view.target),
        one.engine or NONE,
        ", ".join(f"{one.signal(metric.name)} {reading(metric)}" for metric in shown),
        replicas(view),
        f"{view.min}..{view.max}",
        f"{view.state} {MARK}" if one.drift else view.state,
        last_rescale(one, now),
        age(view.created, now),
        *more,
    ]


def overview_table(
    found: Sequence[Autoscaler],
    now: datetime,
    *,
    namespaces: bool,
    wide: bool,
    header: bool = True,
    colour: bool = False,
    columns: int = 0,
) -> str:
    """The table of `status`; `columns` as in `output.tables.table`."""
    rows = [row(one, now, namespaces=namespaces, wide=wide) for one in found]
    titles = headers(namespaces=namespaces, wide=wide)
    if columns:
        gone = fitting(titles, rows, _SPARED, columns)
        kept = [place for place, title in enumerate(titles) if title not in gone]
        titles, *rows = ([cells[place] for place in kept] for cells in (titles, *rows))
    return table(titles, rows, header=header, paint=painted if colour else None, columns=columns)


def footnotes(found: Sequence[Autoscaler]) -> list[str]:
    """What the marks in the table mean, a line for each drift; the same sentence is said once."""
    lines: dict[str, list[str]] = {}
    for one in found:
        for drift in one.drift:
            lines.setdefault(drift.text, []).append(f"{one.view.namespace}/{one.view.name}")
    return [
        f"{MARK} {', '.join(names[:3])}{f' and {len(names) - 3} more' if len(names) > 3 else ''}: {text}"
        for text, names in lines.items()
    ]


class Lines:
    """A table that grows at its end: a line per autoscaler that has changed, in columns that keep their places."""

    def __init__(self, titles: list[str], *, header: bool = True) -> None:
        """`titles` as `headers` gives them."""
        self._titles = titles
        self._header = header
        self._widest = [max(name, _USUAL.get(name, ""), key=len) for name in titles]
        self._shown: dict[tuple[str, str], list[str]] = {}

    def after(self, key: tuple[str, str], cells: list[str], rescale: str = "") -> list[str]:
        """The lines to print for an autoscaler's row: none while nothing but ages has changed.

        The header comes before the first one. `key` is namespace and name of the HPA, `rescale` the time of its last
        rescale: a new one is a line, also when the replicas read the same again.
        """
        steady = [
            cell
            for name, cell in zip(self._titles, cells, strict=True)
            if name not in ("age", "last rescale")
        ] + [rescale]
        if self._shown.get(key) == steady:
            return []
        first = not self._shown
        self._shown[key] = steady
        self._widest = [max(pair, key=len) for pair in zip(self._widest, cells, strict=True)]
        drawn = table(self._titles, [self._widest, cells]).splitlines()
        return [drawn[0], drawn[-1]] if first and self._header else [drawn[-1]]


class Screen:
    """A table, or the block of one workload, that is drawn over itself, at the size that the terminal has then."""

    def __init__(self, question: Question, *, wide: bool) -> None:
        self._question = question
        self._wide = wide
        self._begun = False

    def drawn(self, found: Sequence[Autoscaler], now: datetime, notes: Sequence[str] = ()) -> str:
        """What to send: every line over the old one and then erased to its end, so that nothing flickers.

        `notes` stand below.
        """
        import shutil

        columns, height = shutil.get_terminal_size()
        if len(self._question.named) == 1 and not self._wide:
            text = "\n\n".join(block(one, now) for one in found)
            lines = [cut(line, columns) for line in text.splitlines()]
        else:
            everywhere = self._question.namespace is None
            colour = not os.environ.get("NO_COLOR")
            text = overview_table(
                found, now, namespaces=everywhere, wide=self._wide, colour=colour, columns=columns
            )
            lines = [*text.splitlines(), *(cut(escape(line), columns) for line in footnotes(found))]
        if not found:
            lines = ["No LLM autoscalers found."]
        lines += [cut(escape(line), columns) for line in notes]
        if len(lines) >= height:
            hidden = len(lines) - height + 2
            lines = [*lines[: height - 2], cut(f"... and {hidden} lines more", columns)]
        start = HOME if self._begun else CLEAR
        self._begun = True
        return start + "".join(f"{line}{ERASE_LINE}\n" for line in lines) + ERASE_BELOW


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
                *(("Drift", found.text) for found in one.drift),
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
        lines = [
            [each.type, each.status, each.reason, without_selectors(each.message)] for each in view.conditions
        ]
        parts.append("Conditions:\n" + table(["type", "status", "reason", "message"], lines, indent="  "))
    if one.rescales:
        lines = [
            [
                age(rescale.time, now),
                str(rescale.size),
                str(rescale.count),
                in_words(rescale.reason, one.signals),
            ]
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
    """`3m12s, waiting above target`; the time is the HPA's own, the reason that of its event.

    Where no event tells, a rescale that was seen happening is told by its sizes: `3s, 1 -> 3`.
    """
    seen, when = one.resized, one.view.last_scale
    if seen is not None and seen.by_hand and (not when or when < seen.time):
        return f"{age(seen.time, now)}, {seen.old} -> {seen.new} not by this HPA"
    if not when:
        return NONE
    reason = one.last_reason
    if not reason and seen is not None and seen.time == when:
        reason = f"{seen.old} -> {seen.new}"
    return f"{age(when, now)}, {reason}" if reason else age(when, now)


def _number(text: str | None) -> str:
    if text is None:
        return UNKNOWN
    return text if text.endswith("%") or text.startswith("<") else quantities.human(text)
