"""What the page of a report consists of, for jinja2, and the style of its own parts."""

STYLE = """
.verdict { border-left: 4px solid var(--tone); background: var(--panel); padding: .8rem 1.1rem; margin: 1.2rem 0;
  border-radius: 0 8px 8px 0 }
.verdict b { color: var(--tone); margin-right: .4rem }
.good { --tone: var(--good) } .bad { --tone: var(--bad) } .unsure { --tone: var(--unsure) }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(140px, 1fr)); gap: .8rem }
.tile { background: var(--panel); border: 1px solid var(--line); border-radius: 8px; padding: .7rem .9rem }
.tile span { display: block; font-size: .8rem; font-weight: 600; color: var(--soft) }
.tile strong { display: block; font-size: 1.6rem; line-height: 1.3; font-variant-numeric: tabular-nums }
.tile small { display: block; line-height: 1.35; color: var(--soft) }
.pair { display: grid; grid-template-columns: repeat(2, minmax(0, 1fr)); gap: 1.8rem 2.2rem }
.pair figure { margin: 0 }
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
@media screen and (max-width: 760px) {
  .pair, .parts { grid-template-columns: minmax(0, 1fr) }
  .tiles { grid-template-columns: repeat(2, minmax(0, 1fr)) }
  .step { grid-template-columns: 1fr max-content }
  .step .bar { grid-column: 1 / -1; grid-row: 2 }
}
@media print {
  .tiles { grid-template-columns: repeat(4, minmax(0, 1fr)) } .tile strong { font-size: 1.3rem }
  .tile, .verdict { break-inside: avoid }
}
"""

BODY = """
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
{% for one in sweep %}{{ one | safe }}{% endfor %}
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
{% for one in timeline %}{{ one | safe }}{% endfor %}
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
"""
