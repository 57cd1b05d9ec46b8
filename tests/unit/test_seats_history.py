"""Seats by what was seen: since when, and what is believed."""

from __future__ import annotations

import math
from typing import Any

import pytest

from kubectl_llmhpa.engines import Seats
from kubectl_llmhpa.plan.looking.seats_history import LONGEST_S, judge, since

NOW = 1_800_000_000.0  # 2027-01-15T08:00:00Z
FLAG = Seats(1024, "--max-num-seqs 1024", proved=False, ceiling=1024)


def pod(started: str | None) -> dict[str, Any]:
    return {"metadata": {"name": "x"}, "status": {"startTime": started} if started else {}}


@pytest.mark.parametrize(
    ("started", "seconds"),
    [
        ([], 0),
        ([None], 0),
        (["2027-01-15T07:50:00Z"], 600),
        (["2027-01-15T07:50:00Z", "2027-01-15T07:20:00Z", None], 2400),
        (["2026-01-15T07:50:00Z"], LONGEST_S),
        (["2027-01-15T08:10:00Z"], 0),
        (["soon"], 0),
    ],
)
def test_it_goes_back_to_the_oldest_pod_that_is_there(started: list[str | None], seconds: int) -> None:
    assert since([pod(one) for one in started], NOW) == seconds


def test_what_a_full_pod_ran_is_its_seats() -> None:
    found = judge(43.0, 3000, FLAG)
    evidence = "the most that a pod ran while requests waited, in the last 50 min"
    assert found == Seats(43, evidence, proved=True, ceiling=1024)
    assert judge(43.0, 86_400, None) == Seats(43, evidence.replace("50 min", "24 h"), proved=True)


@pytest.mark.parametrize("ran", [0.0, 1.0, math.nan, math.inf])
def test_a_stuck_pod_says_nothing(ran: float) -> None:
    assert judge(ran, 3000, FLAG) is None
