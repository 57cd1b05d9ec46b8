"""Findings of `lint`: what a manifest says that cannot work, or works badly."""

from __future__ import annotations

from kubectl_llmhpa.findings.model import Rule

ROWS: tuple[Rule, ...] = ()
