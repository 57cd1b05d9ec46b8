"""How `lint` shows what it found: lines for people and `grep`, and a document for programs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

import click

from kubectl_llmhpa.cli.finding_document import item
from kubectl_llmhpa.findings import SEVERITIES
from kubectl_llmhpa.lint.documents import Manifests
from kubectl_llmhpa.lint.model import Located
from kubectl_llmhpa.lint.registry import Report
from kubectl_llmhpa.output import documents
from kubectl_llmhpa.output.terminal import one_line

_COLOUR = {"error": "red", "warning": "yellow", "info": "cyan"}


def lines(found: Iterable[Located], *, colour: bool) -> list[str]:
    """`PATH:LINE: SEVERITY CODE OBJECT: what was seen`, with why and what to do below it."""
    paint: Callable[..., str] = click.style if colour else lambda text, **_: text
    result = []
    for one in found:
        finding = one.finding
        place = paint(one_line(where(one)), bold=True)
        word = paint(finding.severity, fg=_COLOUR[finding.severity], bold=True)
        about = f"{one_line(finding.about)}: " if finding.about else ""
        result.append(f"{place} {word} {finding.code} {about}{one_line(finding.seen)}")
        result.append(f"    {one_line(finding.why)}")
        result.append(f"    fix: {one_line(finding.fix)}")
    return result


def where(one: Located) -> str:
    """`hpa.yaml:12:`, or the namespace of a live object."""
    return f"{one.document.path}:{one.line}:" if one.line else f"{one.document.path}:"


def summary(report: Report) -> str:
    """`2 errors, 1 warning in 14 objects, 1 ignored`."""
    counts = Counter(one.finding.severity for one in report.found)
    words = {"error": "error", "warning": "warning", "info": "note"}
    parts = [
        f"{counts[severity]} {words[severity]}{'s' * (counts[severity] != 1)}"
        for severity in SEVERITIES
        if counts[severity]
    ]
    objects = f"{report.judged} object{'s' * (report.judged != 1)}"
    ignored = f", {len(report.ignored)} ignored" if report.ignored else ""
    return f"{', '.join(parts) or 'nothing found'} in {objects}{ignored}"


def document(report: Report, manifests: Manifests) -> dict[str, Any]:
    """The report for `-o json|yaml`."""
    content = {
        "findings": [_entry(one) for one in report.found],
        "ignored": [_entry(one) for one in report.ignored],
        "unreadable": list(manifests.unreadable),
        "notes": [*manifests.notes, *report.notes],
        "judged": report.judged,
    }
    return documents.document("LintReport", content)


def _entry(one: Located) -> dict[str, Any]:
    document = one.document
    return {
        **item(one.finding),
        "object": document.reference or None,
        "namespace": document.namespace or None,
        "file": None if document.live else document.path,
        "line": one.line or None,
        "field": field(one) or None,
    }


def field(one: Located) -> str:
    """`spec.metrics[0].pods`."""
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in one.path).lstrip(".")
