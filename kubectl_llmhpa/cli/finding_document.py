"""A finding in the documents of every command."""

from __future__ import annotations

from kubectl_llmhpa.api import Json
from kubectl_llmhpa.findings import Finding


def item(one: Finding) -> Json:
    """Its code, severity, object and sentences."""
    return {
        "code": one.code,
        "severity": one.severity,
        "object": one.about or None,
        "seen": one.seen,
        "why": one.why,
        "fix": one.fix,
    }
