"""A report as text for a terminal."""

from __future__ import annotations

from kubectl_llmhpa.bench.report.model import Report
from kubectl_llmhpa.bench.report.section import Section
from kubectl_llmhpa.bench.report.sections import sections
from kubectl_llmhpa.output.tables import fields, table
from kubectl_llmhpa.output.terminal import escape

_INDENT = "  "


def text(report: Report) -> str:
    """The whole report, for stdout, without a final newline."""
    parts = [_section(section) for section in sections(report)]
    parts += ["\n".join(f"note: {escape(note)}" for note in report.notes)] if report.notes else []
    code = report.verdict.exit_code
    parts.append(f"Result: {escape(report.verdict.text)}" + (f" (exit code {code})" if code else ""))
    return "\n\n".join(parts)


def _section(section: Section) -> str:
    parts = [f"{section.title}:"] if section.title else []
    indent = _INDENT if section.title else ""
    if section.fields:
        parts += [indent + line for line in fields(section.fields).splitlines()]
    above, below = (section.lines, ()) if not section.headers and section.rows else ((), section.lines)
    parts += [_INDENT + escape(line) for line in above]
    if section.rows:
        rows = [[cell or "-" for cell in row] for row in section.rows]
        headers = section.headers or [""] * len(rows[0])
        parts.append(table(headers, rows, header=bool(section.headers), indent=_INDENT))
    parts += [_INDENT + escape(line) for line in below]
    return "\n".join(parts)
