"""A report as Markdown, for a pull request or a wiki."""

from __future__ import annotations

import re
from collections.abc import Sequence

from kubectl_llmhpa.bench.report.model import Report
from kubectl_llmhpa.bench.report.section import Section
from kubectl_llmhpa.bench.report.sections import sections
from kubectl_llmhpa.output.terminal import escape

#: What Markdown, or the HTML in it, would take for more than text.
_ACTIVE = re.compile(r"([\\`*_\[\]<>|#~&@])")


def markdown(report: Report) -> str:
    """The whole report, with a final newline."""
    parts = [f"## Benchmark of {_plain(report.workload)}", f"**{_plain(report.verdict.text)}**"]
    for section in sections(report):
        parts += _section(section)
    if report.notes:
        parts.append("\n".join(f"- {_plain(note)}" for note in report.notes))
    when = f" on {report.started_at[:10]}" if report.started_at else ""
    parts.append(f"Measured{when} by kubectl-llm-hpa {report.plugin_version}, run {_plain(report.run)}.")
    return "\n\n".join(parts) + "\n"


def _section(section: Section) -> list[str]:
    parts = [f"### {_plain(section.title)}"] if section.title else []
    if section.fields:
        parts.append(_table(("", ""), section.fields))
    if section.rows:
        parts.append(_table(section.headers or [""] * len(section.rows[0]), section.rows))
    if section.lines:
        parts.append("\n".join(f"- {_plain(line)}" for line in section.lines))
    return parts


def _table(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    from tabulate import tabulate

    cells = [[_plain(cell.strip()) for cell in row] for row in rows]
    return tabulate(cells, headers, tablefmt="github", disable_numparse=True)


def _plain(text: str) -> str:
    """Text of the cluster that no Markdown makes more of."""
    return _ACTIVE.sub(r"\\\1", escape(text))
