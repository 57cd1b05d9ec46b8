"""Pages for people: one file, no script, nothing loaded from anywhere, for bright and dark screens and for paper."""

from __future__ import annotations

from typing import Any

from kubectl_llmhpa.output import charts
from kubectl_llmhpa.output.charts import Chart
from kubectl_llmhpa.output.terminal import escape

#: Sizes of a chart: half of a page's width, all of it, and a phone's.
HALF, FULL, NARROW = (540, 280), (1120, 210), (370, 240)
#: What the numbers of ticks take below a chart.
_TICKS = 30

_BRIGHT = """
  --paper: #ffffff; --panel: #f6f7f9; --ink: #1c2129; --soft: #5b6572; --line: #e1e5ea;
  --c1: #1f66d1; --c2: #c2570c; --c3: #17804a; --c4: #7a45c9; --c5: #6b7480; --c6: #0b7f8a;
  --good: #17804a; --bad: #c22f2f; --unsure: #a15c00; --limit: #c22f2f; --target: #7a45c9; --mark: #5b6572;
"""
_STYLE = (
    """
:root {
  color-scheme: light dark;"""
    + _BRIGHT
    + """}
@media (prefers-color-scheme: dark) { :root {
  --paper: #12161c; --panel: #1a2029; --ink: #e6e9ee; --soft: #9aa5b3; --line: #2b333e;
  --c1: #6ea8ff; --c2: #f2924d; --c3: #4cc38a; --c4: #b592f5; --c5: #98a2af; --c6: #4fc3d0;
  --good: #4cc38a; --bad: #ff7b72; --unsure: #e3a04a; --limit: #ff7b72; --target: #b592f5; --mark: #9aa5b3;
} }
* { box-sizing: border-box }
body { margin: 0; background: var(--paper); color: var(--ink); font: 15px/1.5 system-ui, "Segoe UI", sans-serif }
main { max-width: 1180px; margin: 0 auto; padding: 2.2rem 1.4rem 3rem; overflow-wrap: anywhere }
h1 { font-size: 1.7rem; line-height: 1.2; margin: 0 0 .25rem }
h2 { font-size: 1.2rem; margin: 2.6rem 0 .9rem; padding-bottom: .35rem; border-bottom: 1px solid var(--line) }
h3 { font-size: 1rem; margin: 1.8rem 0 .5rem }
p { margin: .3rem 0 }
section > p { font-size: .87rem }
.soft, figcaption p { color: var(--soft) }
figure { margin: 1.6rem 0 0; break-inside: avoid }
figcaption strong { font-size: 1rem }
figcaption p { font-size: .87rem; margin: 0 0 .2rem }
.legend { list-style: none; display: flex; flex-wrap: wrap; gap: 0 1.1rem; margin: .1rem 0 .5rem; padding: 0;
  font-size: .85rem }
.legend li::before { content: ""; display: inline-block; width: 1.3em; margin-right: .4em; vertical-align: .28em;
  border-top: 3px solid var(--c) }
.legend li.dashed::before { border-top-style: dashed }
.narrow { display: none }
.c1 { --c: var(--c1) } .c2 { --c: var(--c2) } .c3 { --c: var(--c3) }
.c4 { --c: var(--c4) } .c5 { --c: var(--c5) } .c6 { --c: var(--c6) }
.limit { --c: var(--limit) } .target { --c: var(--target) } .mark { --c: var(--mark) }
.scroll { overflow-x: auto; overflow-wrap: normal }
table { border-collapse: collapse; font-size: .87rem }
th, td { text-align: left; vertical-align: top; padding: .38rem 1rem .38rem 0; border-bottom: 1px solid var(--line) }
th { color: var(--soft); font-weight: 600; vertical-align: bottom }
td.figure, th.figure { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums }
td.wordy { min-width: 15rem }
table.facts { width: 100%; table-layout: fixed }
table.facts th { width: 8.5rem; vertical-align: top }
footer { margin-top: 2.6rem; padding-top: .8rem; border-top: 1px solid var(--line); color: var(--soft);
  font-size: .85rem }
"""
    + charts.STYLE
    + """
@media screen and (max-width: 760px) {
  main { padding: 1.3rem 1rem 2rem }
  .wide { display: none } .narrow { display: block }
  table.facts th { width: 7.2rem; padding-right: .6rem }
}
@media print {
  :root { color-scheme: light; print-color-adjust: exact; -webkit-print-color-adjust: exact;"""
    + _BRIGHT
    + """}
  html { font-size: 12px } body { font-size: 11px } main { max-width: none; padding: 0 }
  h2, h3 { break-after: avoid } tr, li { break-inside: avoid }
  .scroll { overflow: visible } table { font-size: 9.5px }
}
"""
)

_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{ title }}</title>
<style>
{{ style | safe }}
</style>
</head>
<body>
<main>
BODY
</main>
</body>
</html>
"""
_FIGURE = """<figure>
<figcaption><strong>{{ chart.title }}</strong><p>{{ caption }}</p>
{% if chart.lines | length > 1 %}
<ul class="legend">
{% for line in chart.lines %}
<li class="c{{ line.colour }}{{ ' dashed' if line.dashed }}">{{ line.name }}</li>
{% endfor %}
</ul>
{% endif %}
</figcaption>
<div class="wide">{{ wide | safe }}</div>
<div class="narrow">{{ narrow | safe }}</div>
</figure>
"""


def render(body: str, *, title: str, style: str = "", **facts: Any) -> str:
    """The page with the body of this jinja2 template and its own style beside the common one. Facts are escaped."""
    return _render(_PAGE.replace("BODY", body), title=title, style=_STYLE + style, **facts)


def figure(chart: Chart, caption: str, size: tuple[int, int]) -> str:
    """A chart with its title, its legend and what it shows, for a wide screen and for a narrow one, as HTML."""
    below = _TICKS if chart.ticks else 0
    wide, narrow = (charts.svg(chart, width, height + below) for width, height in (size, NARROW))
    return _render(_FIGURE, chart=chart, caption=caption, wide=wide, narrow=narrow)


def _render(template: str, **facts: Any) -> str:
    from jinja2 import Environment

    environment = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True, finalize=_printable)
    text: str = environment.from_string(template).render(**facts)
    return text


def _printable(value: object) -> object:
    """Text without characters that turn others around or hide them; what is markup by our own word stays as it is."""
    return escape(value) if type(value) is str else value
