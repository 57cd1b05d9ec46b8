"""The page's template and style sheet, for jinja2."""

PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Benchmark of {{ report.workload }}</title>
<style>
:root {
  color-scheme: light dark;
  --paper: #ffffff; --panel: #f6f7f9; --ink: #1c2129; --soft: #5b6572; --line: #e1e5ea;
  --c1: #1f66d1; --c2: #c2570c; --c3: #17804a; --c4: #7a45c9; --c5: #6b7480; --c6: #0b7f8a;
  --good: #17804a; --bad: #c22f2f; --unsure: #a15c00; --limit: #c22f2f; --target: #7a45c9; --mark: #5b6572;
}
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
.soft, figcaption p, .tile small { color: var(--soft) }
.verdict { border-left: 4px solid var(--tone); background: var(--panel); padding: .8rem 1.1rem; margin: 1.2rem 0;
  border-radius: 0 8px 8px 0 }
.verdict b { color: var(--tone); margin-right: .4rem }
.good { --tone: var(--good) } .bad { --tone: var(--bad) } .unsure { --tone: var(--unsure) }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(140px, 1fr)); gap: .8rem }
.tile { background: var(--panel); border: 1px solid var(--line); border-radius: 8px; padding: .7rem .9rem }
.tile span { display: block; font-size: .8rem; font-weight: 600; color: var(--soft) }
.tile strong { display: block; font-size: 1.6rem; line-height: 1.3; font-variant-numeric: tabular-nums }
.tile small { display: block; line-height: 1.35 }
.pair { display: grid; grid-template-columns: repeat(2, minmax(0, 1fr)); gap: 1.8rem 2.2rem }
figure { margin: 1.6rem 0 0; break-inside: avoid }
.pair figure { margin: 0 }
figcaption b { font-size: 1rem }
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
.parts { display: grid; grid-template-columns: repeat(2, minmax(0, 1fr)); gap: 0 2.2rem; grid-auto-flow: dense }
.parts .full { grid-column: 1 / -1 }
.step { display: grid; grid-template-columns: 11.5rem 1fr 8.5rem; gap: .15rem .9rem; align-items: center;
  font-size: .9rem; padding: .2rem 0 }
.bar { background: var(--panel); border-radius: 4px; height: 1.25rem }
.bar i { display: block; height: 100%; min-width: 3px; border-radius: 4px; background: var(--c1) }
.took { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap }
ol.events { margin: .4rem 0 0; padding-left: 2.2rem; font-size: .9rem }
ol.events li::marker { color: var(--soft); font-variant-numeric: tabular-nums }
ol.events b { display: inline-block; min-width: 4.6rem; font-weight: 600; font-variant-numeric: tabular-nums }
footer { margin-top: 2.6rem; padding-top: .8rem; border-top: 1px solid var(--line); color: var(--soft);
  font-size: .85rem }
{{ style | safe }}
@media screen and (max-width: 760px) {
  main { padding: 1.3rem 1rem 2rem }
  .pair { grid-template-columns: minmax(0, 1fr) }
  .wide { display: none } .narrow { display: block }
  .tiles { grid-template-columns: repeat(2, minmax(0, 1fr)) }
  .step { grid-template-columns: 1fr max-content }
  .step .bar { grid-column: 1 / -1; grid-row: 2 }
  .parts { grid-template-columns: minmax(0, 1fr) }
  table.facts th { width: 7.2rem; padding-right: .6rem }
}
@media print {
  :root {
    color-scheme: light;
    --paper: #ffffff; --panel: #f6f7f9; --ink: #1c2129; --soft: #4a535e; --line: #d5dae0;
    --c1: #1f66d1; --c2: #c2570c; --c3: #17804a; --c4: #7a45c9; --c5: #6b7480; --c6: #0b7f8a;
    --good: #17804a; --bad: #c22f2f; --unsure: #a15c00; --limit: #c22f2f; --target: #7a45c9; --mark: #4a535e;
    print-color-adjust: exact; -webkit-print-color-adjust: exact;
  }
  html { font-size: 12px } body { font-size: 11px } main { max-width: none; padding: 0 }
  .tiles { grid-template-columns: repeat(4, minmax(0, 1fr)) } .tile strong { font-size: 1.3rem }
  h2, h3 { break-after: avoid } tr, .tile, .verdict, li { break-inside: avoid }
  .scroll { overflow: visible } table { font-size: 9.5px }
}
</style>
</head>
<body>
<main>
<header>
<p class="soft">Benchmark</p>
<h1>{{ report.workload }}</h1>
<p class="soft">namespace {{ report.namespace }} · {{ engine }} · model {{ report.model }}
{% if date %}· {{ date }} UTC{% endif %}</p>
<div class="verdict {{ tone }}"><b>{{ word }}</b> {{ report.verdict.text }}</div>
<div class="tiles">
{% for name, value, meaning in tiles %}
<div class="tile"><span>{{ name }}</span><strong>{{ value }}</strong><small>{{ meaning }}</small></div>
{% endfor %}
</div>
</header>
{% macro drawn(one) %}
<figure>
<figcaption><b>{{ one.title }}</b><p>{{ one.caption }}</p>
{% if one.lines | length > 1 %}
<ul class="legend">
{% for line in one.lines %}<li class="c{{ line.colour }}{{ ' dashed' if line.dashed }}">{{ line.name }}</li>{% endfor %}
</ul>
{% endif %}
</figcaption>
<div class="wide">{{ one.wide | safe }}</div>
<div class="narrow">{{ one.narrow | safe }}</div>
</figure>
{% endmacro %}
{% macro facts(pairs) %}
<table class="facts">
{% for name, value in pairs %}<tr><th scope="row">{{ name }}</th><td>{{ value }}</td></tr>
{% endfor %}
</table>
{% endmacro %}
{% macro told(section) %}
<section{% if section.rows and section.rows[0] | length > 4 %} class="full"{% endif %}>
<h3>{{ section.title }}</h3>
{% if section.fields %}{{ facts(section.fields) }}{% endif %}
{% if section.rows %}
<div class="scroll" tabindex="0" role="region" aria-label="{{ section.title }}">
<table>
{% if section.headers %}
<thead><tr>
{% for cell in section.headers %}
<th scope="col" class="{{ kind(section.rows[0][loop.index0]) }}">{{ cell }}</th>
{% endfor %}
</tr></thead>
{% endif %}
<tbody>
{% for row in section.rows %}
<tr>{% for cell in row %}<td class="{{ kind(cell) }}">{{ cell }}</td>{% endfor %}</tr>
{% endfor %}
</tbody>
</table>
</div>
{% endif %}
{% for line in section.lines %}<p class="soft">{{ line }}</p>{% endfor %}
</section>
{% endmacro %}
{% if sweep %}
<h2>What one pod can take</h2>
<div class="pair">
{% for one in sweep %}{{ drawn(one) }}{% endfor %}
</div>
{% endif %}
{% for section in answers %}{{ told(section) }}{% endfor %}
{% if timeline or lag or events %}
<h2>How it scaled</h2>
{% if lag %}
<h3>From load to relief</h3>
<p class="soft">Each bar ends when what it names was there.</p>
{% for step in lag %}
<div class="step"><span>{{ step.what }}</span>
<div class="bar"><i style="margin-left: {{ step.left }}%; width: {{ step.width }}%"></i></div>
<span class="took">{{ step.took }} <span class="soft">at {{ step.at }}</span></span></div>
{% endfor %}
{% endif %}
{% for one in timeline %}{{ drawn(one) }}{% endfor %}
{% if events %}
<h3>Events</h3>
<ol class="events">
{% for event in events %}<li><b>{{ stamp(event.seconds) }}</b> {{ event.text }}</li>
{% endfor %}
</ol>
{% endif %}
{% endif %}
<h2>Figures</h2>
{{ facts(head.fields) }}
{% for line in head.lines %}<p class="soft">{{ line }}</p>{% endfor %}
<div class="parts">
{% for section in sections %}{{ told(section) }}{% endfor %}
</div>
<h2>How it was measured</h2>
{{ facts(method) }}
{% if report.notes %}
<h3>Notes</h3>
<ul>
{% for note in report.notes %}<li>{{ note }}</li>
{% endfor %}
</ul>
{% endif %}
<footer>Run {{ report.run }}, kubectl-llm-hpa {{ report.plugin_version }}. Rates and times are the client's; what the
cluster did is dated by when it was told here.</footer>
</main>
</body>
</html>
"""
