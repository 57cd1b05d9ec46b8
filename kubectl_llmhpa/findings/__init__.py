"""Findings: what a user should know before or after a change. One registry of every code there is.

A finding says what was seen on which object, why it matters, and the exact fix. `docs/findings.md` is made from
`RULES`; lint rules and doctor hops are rows of the same table.
"""

from __future__ import annotations

from kubectl_llmhpa.findings import (
    adapter,
    autoscalers,
    engines,
    keda,
    queries,
    reading,
    scraping,
    serving,
    targets,
)
from kubectl_llmhpa.findings.model import SEVERITIES, Finding, Rule, Severity

__all__ = ["RULES", "SEVERITIES", "Finding", "Rule", "Severity", "found"]

#: Every code and its rule.
RULES = {
    rule.code: rule
    for module in (reading, engines, targets, scraping, queries, adapter, keda, serving, autoscalers)
    for rule in module.ROWS
}


def found(code: str, about: str, seen: str, **values: object) -> Finding:
    """A finding of the rule `code`; `values` fill its sentences. Raises KeyError for a code that is not in RULES."""
    rule = RULES[code]
    return Finding(code, rule.severity, about, seen, rule.why.format_map(values), rule.fix.format_map(values))
