"""A page of a simulation: one file, no script, nothing loaded from anywhere."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kubectl_llmhpa.cli import simulate_text
from kubectl_llmhpa.simulate import Comparison, Question, Row

_WIDTH, _HEIGHT, _TALL = 1000, 260, 360
_COLOURS = ("#1f6feb", "#d1242f", "#2da44e", "#bf8700", "#8250df", "#57606a")
#: Points of a line: more would not show on the page.
_POINTS = 400

_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Simulation: {{ title }}</title>
<style>
body { font: 15px/1.5 system-ui, sans-serif; max-width: 1040px; margin: 2em auto; padding: 0 1em; color: #1f2328 }
svg { width: 100%; height: auto } svg text { font-family: system-ui, sans-serif; font-size: 13px }
table { border-collapse: collapse; font-size: 13px; display: block; overflow-x: auto }
th, td { text-align: left; padding: .35em .7em; border-bottom: 1px solid #d1d9e0; white-space: nowrap }
th { font-weight: 600; color: #59636e } tr.best td { background: #dafbe1 } tr.fixed td { color: #59636e }
dt { font-weight: 600; float: left; clear: left; width: 7em } dd { margin: 0 0 .3em 7em }
.note { color: #59636e; margin: .2em 0 }
</style>
</head>
<body>
<h1>Simulation</h1>
<dl>{% for name, value in given %}<dt>{{ name }}</dt><dd>{{ value }}</dd>{% endfor %}</dl>
<table>
<tr>{% for header in headers %}<th>{{ header }}</th>{% endfor %}</tr>
{% for row in rows -%}
<tr class="{{ row.style }}">{% for cell in row.cells %}<td>{{ cell }}</td>{% endfor %}</tr>
{% endfor -%}
</table>
{% for line in conclusion %}<p>{{ line }}</p>
{% endfor -%}
{% for chart in charts %}{{ chart | safe }}
{% endfor -%}
{% for note in notes %}<p class="note">{{ note }}</p>
{% endfor -%}
</body>
</html>
"""


def page(found: Comparison, notes: Sequence[str]) -> str:
    """The whole page. What comes from files and clusters is escaped, by jinja2 and by leather for its charts."""
    from jinja2 import Environment

    template = Environment(autoescape=True).from_string(_PAGE)
    return template.render(
        title=found.question.requests.origin,
        given=simulate_text.given(found.question),
        headers=simulate_text.headers(found),
        rows=[{"cells": simulate_text.cells(one, found), "style": _style(one, found)} for one in found.rows],
        conclusion=simulate_text.conclusion(found),
        charts=[
            _arrivals(found.question),
            _frontier(found),
            *(_timeline(one, found.question) for one in found.rows),
        ],
        notes=notes,
    )


def _style(one: Row, found: Comparison) -> str:
    return "best" if one.name == found.recommended else "fixed" if one.fixed else ""


def _arrivals(question: Question) -> str:
    """Requests per second over the load."""
    requests = question.requests
    width = max(1.0, requests.length / _POINTS)
    counts = [0] * (int(requests.length / width) + 1)
    for at in requests.at:
        counts[int(at / width)] += 1
    # The last part of the load is shorter than the others.
    points = [(place * width / 60, count / width) for place, count in enumerate(counts[:-1])] or [(0.0, 0.0)]
    chart = _chart("Requests per second")
    chart.add_line([*points, (requests.length / 60, points[-1][1])], stroke_color=_COLOURS[0], width=1)
    return _svg(chart)


def _timeline(one: Row, question: Question) -> str:
    """Asked-for and ready replicas of a row, in steps."""
    end = question.requests.length
    asked, ready = ([(0.0, one.run.ready[0][which])] for which in (1, 2))
    for at, replicas, pods in one.run.ready:
        if at <= end:
            for line, number in ((asked, replicas), (ready, pods)):
                line += [(at / 60, line[-1][1]), (at / 60, number)]
    for line in (asked, ready):
        line.append((end / 60, line[-1][1]))
    chart = _chart(f"{one.name}: replicas")
    chart.add_line(asked, name="asked for", stroke_color=_COLOURS[1], width=1)
    chart.add_line(ready, name="ready", stroke_color=_COLOURS[0], width=2)
    chart.add_y_scale(0, max(number for _, number in asked) + 1)
    return _svg(chart)


def _frontier(found: Comparison) -> str:
    """Share of requests that met the SLO against GPU-hours, a dot each."""
    chart = _chart("SLO met (%) by GPU-hours", minutes=False)
    rows = [one for one in found.rows if one.figures.gpu_hours]
    for place, one in enumerate(rows):
        point = (one.figures.gpu_hours, one.figures.attainment * 100)
        chart.add_dots([point], name=one.name, fill_color=_COLOURS[place % len(_COLOURS)], radius=5)
    low = min(one.figures.attainment for one in rows) * 100
    chart.add_x_scale(0, max(one.figures.gpu_hours for one in rows) * 1.05)
    chart.add_y_scale(min(low - 1, 99), 100.5)
    return _svg(chart, _TALL)


def _chart(title: str, *, minutes: bool = True) -> Any:
    import leather

    chart = leather.Chart(title)
    chart.add_x_axis(name="minutes" if minutes else "GPU-hours")
    return chart


def _svg(chart: Any, height: int = _HEIGHT) -> str:
    drawn = str(chart.to_svg(width=_WIDTH, height=height))
    return drawn.replace("<svg ", f'<svg viewBox="0 0 {_WIDTH} {height}" ', 1)
