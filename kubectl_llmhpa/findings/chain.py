"""Findings about the chain between an engine and its HPA: who scrapes, who serves the number, and to whom."""

from __future__ import annotations

from kubectl_llmhpa.findings.model import Rule

ROWS = (
    Rule(
        "prometheus-may-not-list-pods", "error", "Prometheus has no right to find the pods",
        "{prometheus} selects the scrape object and then has no target, without an error",
        "{role} && {binding}",
    ),
    Rule(
        "two-targets", "warning", "Prometheus scrapes one pod twice",
        "sums over series count it twice, and samples are paid twice",
        "keep one of the scrape objects",
    ),
    Rule(
        "two-metric-providers", "warning", "Two programs serve custom metrics",
        "an HPA asks only {asked}, so what the other one serves is unknown to it",
        "delete APIService {other}, or keep one of the programs",
    ),
    Rule(
        "rule-will-be-lost", "warning", "The adapter serves by a rule that its configuration file no longer has",
        "its next restart loses the metric, and the HPA with it",
        "run enable again, or put the rule into {source}",
    ),
    Rule(
        "keda-blocked", "warning", "A NetworkPolicy keeps KEDA from Prometheus",
        "where the cluster's network enforces policies KEDA gets no number, and the HPA keeps the replicas as they are",
        "{command}",
    ),
    Rule(
        "not-checked", "info", "Something could not be read with these permissions",
        "{what} was not checked",
        "ask for the right to read it, or check by hand",
    ),
)  # fmt: skip
