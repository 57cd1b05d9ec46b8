"""Findings of `lint`: what a manifest says that cannot work, or works badly."""

from __future__ import annotations

from kubectl_llmhpa.findings.model import Rule

ROWS: tuple[Rule, ...] = (
    Rule(
        "malformed-object", "error", "A field has another type than its kind says",
        "the API server refuses the object, and it was judged only in part",
        "compare it with: kubectl explain KIND --recursive",
        "A list where a mapping belongs, text where a number belongs. The API server would say which field; without "
        "one, run `kubectl apply --dry-run=server` to hear it.",
    ),
)  # fmt: skip
