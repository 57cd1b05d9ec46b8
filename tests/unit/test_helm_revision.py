"""Whose a revision of a Helm release is."""

from __future__ import annotations

import pytest

from kubectl_llmhpa.plan.adapter.helm_rules import following, made_by_us


@pytest.mark.parametrize(
    ("now", "made", "sent", "ours"),
    [
        ("10", "10", False, True),
        ("11", "10", False, False),
        # the upgrade failed half-way: its values tell
        ("10", "", True, True),
        ("10", "", False, False),
        ("11", "", True, False),
    ],
)
def test_a_revision_is_ours_or_not(now: str, made: str, sent: bool, ours: bool) -> None:
    assert following("9") == "10"
    assert made_by_us(now, before="9", made=made, sent=sent) is ours
