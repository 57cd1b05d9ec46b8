"""Findings about looking itself: what could not be read, or is no object that the API server takes."""

from __future__ import annotations

from kubectl_llmhpa.findings.model import Rule

ROWS: tuple[Rule, ...] = (
    Rule(
        "not-checked", "info", "Something could not be read with these permissions",
        "{what} was not checked",
        "ask for the right to read it, or check by hand",
    ),
    Rule(
        "removed-api-version", "error", "An API version that no longer exists",
        "the API server refuses it: no matches for kind",
        "write apiVersion: autoscaling/v2",
        "autoscaling/v2beta1 went with Kubernetes 1.25, v2beta2 with 1.26; v2 is there from 1.23 on. "
        "autoscaling/v1 knows CPU only.",
    ),
    Rule(
        "malformed-object", "error", "A field has another type than its kind says",
        "the API server refuses the object, and it was judged only in part",
        "compare it with: kubectl explain KIND --recursive",
        "A list where a mapping belongs, text where a number belongs. The API server would say which field; without "
        "one, run `kubectl apply --dry-run=server` to hear it.",
    ),
)  # fmt: skip
