"""The points of a sweep, as the load client measures them."""

from __future__ import annotations

import asyncio
import itertools
from typing import Any

import pytest

from kubectl_llmhpa.bench.pod import adaptive, client, request
from tests.unit.bench_engine import error_500, good, in_turn, load


def test_points_are_measured_one_after_the_other_without_their_warm_up() -> None:
    answering: list[int] = [0]  # how many requests were, each time that one came or went

    async def counting(path: str, body: dict[str, Any], writer: asyncio.StreamWriter) -> None:
        answering.append(answering[-1] + 1)
        await good(path, body, writer)
        answering.append(answering[-1] - 1)

    point = {"min_seconds": 0.1, "min_requests": 10, "max_seconds": 60, "warmup_s": 0.05}
    points = [{"concurrency": 2, "seed": 7, **point}, {"concurrency": 5, "seed": 8, **point}]
    facts, lines, engine = load(counting, points=points, slo={"ttft_s": 60})
    found = [line for line in lines if line["kind"] == "point"]
    assert [(one["point"], one["asked_concurrency"], one["seed"]) for one in found] == [(0, 2, 7), (1, 5, 8)]
    assert facts["ended"] == "points"
    for one in found:
        assert one["complete"]
        assert one["measured"]
        assert one["done"] >= 10
        assert one["good"] == one["done"]
        assert one["sent"] == one["done"] + one["open"]
        assert one["open"] <= one["asked_concurrency"]
    # 2 at a time for all of the first point, and never more than 5
    before = next(place for place, number in enumerate(answering) if number > 2)
    assert before > 2 * found[0]["done"]
    assert max(answering) == 5
    assert sum(one["done"] for one in found) < len(engine.bodies)  # the warm-up is not among them


def test_a_sweep_chooses_its_points(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(adaptive, "FIRST_WARMUP_S", 0.05)
    monkeypatch.setattr(adaptive, "WARMUP_S", (0.05, 0.1))
    plan = {"seats": 2, "share": 0.95, "most": 4, "min_seconds": 0.2, "budget_s": 20}
    facts, lines, _ = load(good, adaptive=plan, slo={"ttft_s": 5})
    found = [line["asked_concurrency"] for line in lines if line["kind"] == "point"]
    assert found[:3] == [1, 2, 4]
    assert facts["ended"] == "points"
    assert facts["stopped"] in (
        "more requests in flight were not to be tried",
        "the throughput grows no more",
    )


def test_answers_of_a_sweep_differ_in_length_around_what_was_asked() -> None:
    settings = {"base_url": "http://engine", "input_tokens": 1, "output_tokens": 48, "seed": 1}
    found = [request.Endpoint({**settings, "output_spread": 0.5}).length() for _ in range(3)]
    assert len(set(found)) == 1  # by the seed
    endpoint = request.Endpoint({**settings, "output_spread": 0.5})
    lengths = [endpoint.length() for _ in range(2000)]
    assert (min(lengths), max(lengths)) == (24, 72)
    assert sum(lengths) / len(lengths) == pytest.approx(48, rel=0.03)
    assert {request.Endpoint(settings).length() for _ in range(9)} == {48}


def test_a_hopeless_sweep_stops() -> None:
    point = {"seed": 1, "min_seconds": 0.1, "max_seconds": 5}
    points = [{"concurrency": number, **point} for number in (1, 2, 3, 4)]
    facts, lines, _ = load(good, points=points, slo={"e2e_s": 1e-6}, stop={"points": 2, "misses": 0.5})
    assert len([line for line in lines if line["kind"] == "point"]) == facts["points"] == 2
    assert facts["stopped"] == "2 points in a row had more than 50 % of requests outside the SLO"


def test_an_engine_that_dies_in_a_sweep_leaves_what_was_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "GIVE_UP_S", 0.3)
    monkeypatch.setattr(client, "TICK_S", 0.1)
    dies = in_turn(itertools.chain(itertools.repeat(good, 59), itertools.repeat(error_500)))
    points = [
        {"concurrency": 4, "seed": 1, "min_requests": number, "max_seconds": 20} for number in (20, 500)
    ]
    facts, lines, _ = load(dies, points=points)
    first, second = [line for line in lines if line["kind"] == "point"]
    assert (first["complete"], second["complete"], facts["ended"]) == (True, False, "gave up")
    assert second["failed"]["http 500"] >= 10
