"""A page of a simulation: the comparison, the arrivals, and what each row did with its replicas."""

from __future__ import annotations

from collections.abc import Sequence

from kubectl_llmhpa.cli import simulate_text
from kubectl_llmhpa.output import pages
from kubectl_llmhpa.output.charts import COLOURS, Chart, Line
from kubectl_llmhpa.simulate import Comparison, Question, Row

#: Points of a line: more would not show on the page.
_POINTS = 400

_STYLE = """
tr.best td { background: color-mix(in srgb, var(--good) 16%, var(--paper)) } tr.fixed td { color: var(--soft) }
"""
_BODY = """
<h1>Simulation</h1>
<table class="facts">
{% for name, value in given %}<tr><th scope="row">{{ name }}</th><td>{{ value }}</td></tr>
{% endfor %}
</table>
<h2>Comparison</h2>
<div class="scroll" tabindex="0" role="region" aria-label="Comparison">
<table>
<thead><tr>{% for header in headers %}<th scope="col">{{ header }}</th>{% endfor %}</tr></thead>
<tbody>
{% for row in rows %}
<tr class="{{ row.style }}">{% for cell in row.cells %}<td>{{ cell }}</td>{% endfor %}</tr>
{% endfor %}
</tbody>
</table>
</div>
{% for line in conclusion %}<p>{{ line }}</p>
{% endfor %}
{% for one in figures %}{{ one | safe }}{% endfor %}
{% for note in notes %}<p class="soft">{{ note }}</p>
{% endfor %}
"""


def page(found: Comparison, notes: Sequence[str]) -> str:
    """The whole page. What comes from files and clusters is escaped."""
    return pages.render(
        _BODY,
        title=f"Simulation: {found.question.requests.origin}",
        style=_STYLE,
        given=simulate_text.given(found.question),
        headers=simulate_text.headers(found),
        rows=[{"cells": simulate_text.cells(one, found), "style": _style(one, found)} for one in found.rows],
        conclusion=simulate_text.conclusion(found),
        figures=[
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
    line = Line("arrivals", (*points, (requests.length / 60, points[-1][1])), 1, area=True)
    return _over_time(Chart("Load", "minutes", "requests/s", (line,)), f"{requests.origin}.")


def _timeline(one: Row, question: Question) -> str:
    """Asked-for and ready replicas of a row, in steps."""
    end = question.requests.length
    seen = [
        (at, replicas, pods) for at, replicas, pods in one.run.ready if at <= end or at == one.run.ready[0][0]
    ]
    seen.append((end, *seen[-1][1:]))
    asked = Line(
        "asked for", tuple((at / 60, replicas) for at, replicas, _ in seen), 2, step=True, dashed=True
    )
    ready = Line("ready", tuple((at / 60, pods) for at, _, pods in seen), 1, step=True, area=True)
    most = max(replicas for _, replicas, _ in seen)
    chart = Chart(one.name, "minutes", "replicas", (ready, asked), x_range=(0, end / 60), top=most + 1)
    return _over_time(chart, "What was asked for, and what was ready.")


def _frontier(found: Comparison) -> str:
    """Share of requests that met the SLO against GPU-hours, a dot each."""
    rows = [one for one in found.rows if one.figures.gpu_hours]
    dots = tuple(
        Line(
            one.name,
            ((one.figures.gpu_hours, one.figures.attainment * 100),),
            place % COLOURS + 1,
            marks=True,
        )
        for place, one in enumerate(rows)
    )
    lowest = min(one.figures.attainment for one in rows) * 100
    most = max(one.figures.gpu_hours for one in rows) * 1.05
    chart = Chart(
        "SLO met by GPU-hours", "GPU-hours", "% of requests", dots,
        x_range=(0, most), bottom=float(min(int(lowest - 1), 99)), top=100,
    )  # fmt: skip
    return pages.figure(chart, "Higher is better, further to the left is cheaper.", (1120, 320))


def _over_time(chart: Chart, caption: str) -> str:
    return pages.figure(chart, caption, pages.FULL)
