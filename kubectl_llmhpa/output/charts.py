"""Charts as SVG for a page without a script: axes, lines, steps, limits and marks.

Not by a package: a chart here takes its colours from the page's style sheet, which has `STYLE`, so that it is readable
in the dark and in print; and it is drawn anew for a narrow screen, so that its text keeps its size there. The title and
the legend are the page's own text.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape

from kubectl_llmhpa.output import terminal

#: Places of a line's colour, `c1` to `c6` in the style sheet.
COLOURS = 6
_FONT = 12
#: Width of a character of that size, on average and a little more.
_CHAR = 6.8
#: Margins. Above the plot stand the name of the y axis and a row for each upright rule; below it the numbers of the
#: ticks, where there are some, and the name of the x axis.
_TOP, _ROW, _BOTTOM, _TICKS, _LEFT, _RIGHT = 28, 16, 38, 26, 44, 12

STYLE = """
svg.chart { display: block; width: 100%; height: auto; overflow: visible }
svg.chart text { font: 12px system-ui, sans-serif; fill: var(--soft); font-variant-numeric: tabular-nums }
svg.chart .grid { stroke: var(--line); stroke-width: 1 }
svg.chart .axis { stroke: var(--soft); stroke-width: 1 }
svg.chart .drawn { fill: none; stroke: var(--c); stroke-width: 2; stroke-linejoin: round }
svg.chart .dashed { stroke-dasharray: 5 4 }
svg.chart .area { fill: var(--c); opacity: .13; stroke: none }
svg.chart .dot { fill: var(--paper); stroke: var(--c); stroke-width: 2 }
svg.chart .rule { stroke: var(--c); stroke-width: 1.5; stroke-dasharray: 2 3 }
svg.chart text.label { fill: var(--c); font-weight: 600; paint-order: stroke; stroke: var(--paper); stroke-width: 4px }
svg.chart .band { fill: var(--soft); opacity: .08 }
svg.chart .tick { stroke: var(--ink); stroke-width: 1.5 }
svg.chart text.count { fill: var(--ink); font-size: 11px }
"""


@dataclass(frozen=True)
class Line:
    """Points by x; a None is a gap. `step`: a value holds until the next one. `marks`: a dot for each point."""

    name: str
    points: Sequence[tuple[float, float | None]]
    colour: int = 1
    step: bool = False
    marks: bool = False
    dashed: bool = False
    area: bool = False


@dataclass(frozen=True)
class Rule:
    """A straight line across the chart: a limit, a target. `tone` is a class of the style sheet that sets `--c`."""

    at: float
    label: str
    tone: str = "limit"
    vertical: bool = False


@dataclass(frozen=True)
class Chart:
    """`x` and `y` name the axes. `band` shades a span of x, `ticks` are things that happened at x, numbered from 1.

    `x_range` and `top` make charts comparable; without them they follow from the data. `bottom` is the least y, 0 as a
    rule: a chart that starts elsewhere makes little look like much.
    """

    title: str
    x: str
    y: str
    lines: Sequence[Line]
    rules: Sequence[Rule] = ()
    ticks: Sequence[tuple[float, str]] = ()
    band: tuple[float, float] | None = None
    x_range: tuple[float, float] | None = None
    top: float | None = None
    bottom: float = 0.0


@dataclass(frozen=True)
class _Frame:
    """From values to places on the paper."""

    left: float
    right: float
    top: float
    bottom: float
    x0: float
    x1: float
    y0: float
    y1: float

    def x(self, value: float) -> float:
        return self.left + (value - self.x0) / (self.x1 - self.x0) * (self.right - self.left)

    def y(self, value: float) -> float:
        return self.bottom - (value - self.y0) / (self.y1 - self.y0) * (self.bottom - self.top)


def svg(chart: Chart, width: int, height: int) -> str:
    """The chart, so many pixels wide and high at its natural size. All text in it is escaped."""
    frame = _frame(chart, width, height)
    parts = [
        f'<svg class="chart" viewBox="0 0 {width} {height}" role="img" aria-label="{_plain(chart.title)}">',
        *_band(chart, frame),
        *_axes(chart, frame, height),
        *(part for line in chart.lines for part in _line(line, frame)),
        *_rules(chart, frame),
        *_ticks(chart, frame),
        "</svg>",
    ]
    return "".join(parts)


def nice_steps(top: float, most: int) -> list[float]:
    """Round values from 0 to the first at or above `top`, at most about so many."""
    if top <= 0:
        return [0.0, 1.0]
    raw = top / max(1, most)
    unit = 10.0 ** math.floor(math.log10(raw))
    step = next(unit * factor for factor in (1, 2, 5, 10) if unit * factor >= raw * 0.999)
    return [step * place for place in range(math.ceil(top / step * 0.999) + 1)]


def _frame(chart: Chart, width: int, height: int) -> _Frame:
    rows = _rows(height)
    values = [value for line in chart.lines for _, value in line.points if value is not None]
    values += [rule.at for rule in chart.rules if not rule.vertical]
    highest = chart.top or max(values, default=1.0) * 1.05
    steps = [chart.bottom + step for step in nice_steps(highest - chart.bottom, rows)]
    places = [place for line in chart.lines for place, _ in line.points]
    places += [rule.at for rule in chart.rules if rule.vertical]
    x0, x1 = chart.x_range or (min(0.0, *places, 0.0), max([*places, 1.0]))
    left = max(_LEFT, max(len(_text(step)) for step in steps) * _CHAR + 10)
    top = _TOP + _ROW * sum(1 for rule in chart.rules if rule.vertical)
    below = _BOTTOM + (_TICKS if chart.ticks else 0)
    return _Frame(left, width - _RIGHT, top, height - below, x0, max(x1, x0 + 1e-9), steps[0], steps[-1])


def _rows(height: int) -> int:
    return max(2, (height - _TOP - _BOTTOM) // 42)


def _axes(chart: Chart, frame: _Frame, height: int) -> Iterator[str]:
    for step in nice_steps(frame.y1 - frame.y0, _rows(height)):
        y = frame.y(frame.y0 + step)
        yield _straight("grid", frame.left, frame.right, y, y)
        yield _words(frame.left - 6, y + 4, _text(frame.y0 + step), anchor="end")
    floor = frame.bottom
    yield _straight("axis", frame.left, frame.right, floor, floor)
    for value in nice_steps(frame.x1, int((frame.right - frame.left) // 70)):
        if frame.x0 <= value <= frame.x1 * 1.0001:
            x = frame.x(value)
            yield _straight("axis", x, x, floor, floor + 4)
            yield _words(x, floor + 17, _text(value), anchor="middle")
    yield _words(0, _FONT - 2, chart.y)
    yield _words(frame.right, floor + 33 + (_TICKS if chart.ticks else 0), chart.x, anchor="end")


def _line(line: Line, frame: _Frame) -> Iterator[str]:
    colour = f"c{line.colour}"
    for run in _runs(line.points):
        corners = list(_corners(run, frame, line.step))
        path = "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in corners)
        if line.area:
            down = f"L{corners[-1][0]:.1f} {frame.bottom:.1f}L{corners[0][0]:.1f} {frame.bottom:.1f}Z"
            yield f'<path class="area {colour}" d="{path}{down}"/>'
        yield f'<path class="drawn {colour}{" dashed" if line.dashed else ""}" d="{path}"/>'
    if line.marks:
        for x, y in line.points:
            if y is not None:
                hint = _plain(f"{line.name}: {_text(y)} at {_text(x)}")
                yield (
                    f'<circle class="dot {colour}" cx="{frame.x(x):.1f}" cy="{frame.y(y):.1f}" r="3.5">'
                    f"<title>{hint}</title></circle>"
                )


def _runs(points: Sequence[tuple[float, float | None]]) -> Iterator[list[tuple[float, float]]]:
    """The parts between the gaps."""
    run: list[tuple[float, float]] = []
    for x, y in points:
        if y is not None:
            run.append((x, y))
        elif run:
            yield run
            run = []
    if run:
        yield run


def _corners(run: Sequence[tuple[float, float]], frame: _Frame, step: bool) -> Iterator[tuple[float, float]]:
    before: float | None = None
    for x, y in run:
        if step and before is not None:
            yield frame.x(x), frame.y(before)
        yield frame.x(x), frame.y(y)
        before = y


def _rules(chart: Chart, frame: _Frame) -> Iterator[str]:
    """Labels of upright ones stand above the plot, below each other, on the side where there is more room."""
    y = _TOP + 8.0
    for rule in chart.rules:
        kind = f"rule {rule.tone}"
        if not rule.vertical:
            level = frame.y(rule.at)
            yield _straight(kind, frame.left, frame.right, level, level)
            yield _words(frame.right, level - 5, rule.label, f"label {rule.tone}", "end")
            continue
        x = frame.x(rule.at)
        side, anchor = (-6, "end") if x > (frame.left + frame.right) / 2 else (6, "start")
        yield _straight(kind, x, x, y - 10, frame.bottom)
        yield _words(x + side, y, rule.label, f"label {rule.tone}", anchor)
        y += _ROW


def _band(chart: Chart, frame: _Frame) -> Iterator[str]:
    if chart.band is not None:
        x0, x1 = (frame.x(max(frame.x0, min(frame.x1, place))) for place in chart.band)
        size = f'width="{max(0.0, x1 - x0):.1f}" height="{frame.bottom - frame.top:.1f}"'
        yield f'<rect class="band" x="{x0:.1f}" y="{frame.top:.1f}" {size}/>'


def _ticks(chart: Chart, frame: _Frame) -> Iterator[str]:
    """A tick for each, and its number where there is room for it."""
    free = -math.inf
    for count, (place, what) in enumerate(chart.ticks, 1):
        if not frame.x0 <= place <= frame.x1:
            continue
        x, y = frame.x(place), frame.bottom + 22
        yield _straight("tick", x, x, y, y + 6, what)
        if x >= free:
            yield _words(x, y + 17, str(count), "count", "middle")
            free = x + len(str(count)) * 7 + 5


def _straight(kind: str, x1: float, x2: float, y1: float, y2: float, hint: str = "") -> str:
    ends = f'x1="{x1:.1f}" x2="{x2:.1f}" y1="{y1:.1f}" y2="{y2:.1f}"'
    inner = f"<title>{_plain(hint)}</title>" if hint else ""
    return f'<line class="{kind}" {ends}>{inner}</line>'


def _words(x: float, y: float, text: str, kind: str = "", anchor: str = "start") -> str:
    named = f' class="{kind}"' if kind else ""
    return f'<text{named} x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{_plain(text)}</text>'


def _plain(text: str) -> str:
    """Text of others on the page: neither markup nor what hides or turns around."""
    return escape(terminal.escape(text))


def _text(value: float) -> str:
    """`1,200`, `0.25`, `12`."""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
