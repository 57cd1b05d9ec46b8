"""The arrivals of an open loop, and how a load is shared by several clients."""

from __future__ import annotations

import itertools
import statistics
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from kubectl_llmhpa.bench.pod.arrivals import arrivals, part, rate_at


@pytest.mark.parametrize(
    ("rates", "expected"),
    [
        ([[100, 20, 20]], 2000),
        ([[100, 0, 40]], 2000),
        ([[100, 40, 0]], 2000),
        ([[50, 10, 10], [50, 30, 30]], 2000),
        ([[50, 0, 0], [50, 40, 40]], 2000),
    ],
)
def test_as_many_come_as_the_rate_says(rates: list[list[float]], expected: int) -> None:
    found = list(arrivals(rates, 3))
    assert len(found) == pytest.approx(expected, rel=0.08)
    assert found == sorted(found)
    assert found[0] >= 0
    assert found[-1] <= sum(stage[0] for stage in rates)


def test_a_ramp_is_thin_at_its_low_end() -> None:
    found = list(arrivals([[100, 0, 40]], 3))
    assert len([at for at in found if at < 50]) / len(found) == pytest.approx(0.25, abs=0.04)


@pytest.mark.parametrize(("burstiness", "spread"), [(1.0, 1.0), (0.25, 2.0), (100.0, 0.1)])
def test_burstiness_is_the_spread_of_the_gaps(burstiness: float, spread: float) -> None:
    found = list(arrivals([[500, 10, 10]], 3, burstiness))
    gaps = [late - early for early, late in itertools.pairwise(found)]
    assert statistics.stdev(gaps) / statistics.mean(gaps) == pytest.approx(spread, rel=0.1)


def test_the_seed_decides() -> None:
    rates: list[list[float]] = [[10, 5, 9]]
    assert list(arrivals(rates, 1)) == list(arrivals(rates, 1))
    assert list(arrivals(rates, 1)) != list(arrivals(rates, 2))


def test_the_rate_at_a_time() -> None:
    rates: list[list[float]] = [[10, 5, 5], [10, 5, 25]]
    assert [rate_at(rates, at) for at in (0, 9.9, 15, 20)] == [5, 5, 15, 0]


@given(
    stages=some.lists(some.tuples(some.floats(1, 60), some.integers(0, 5000)), min_size=1, max_size=4),
    clients=some.integers(1, 12),
    prompts=some.none() | some.integers(1, 10_000),
)
def test_the_parts_of_all_clients_are_the_load(
    stages: list[tuple[float, int]], clients: int, prompts: int | None
) -> None:
    settings: dict[str, Any] = {"stages": stages, "rates": [[5, 2, 8]], "seed": 4, "num_prompts": prompts}
    parts = [part(settings, index, clients) for index in range(clients)]
    for number, (seconds, concurrency) in enumerate(stages):
        assert sum(one["stages"][number][1] for one in parts) == concurrency
        assert {one["stages"][number][0] for one in parts} == {seconds}
    assert sum(one["rates"][0][2] for one in parts) == pytest.approx(8)
    assert sum(one["num_prompts"] or 0 for one in parts) == (prompts or 0)
    assert len({one["seed"] for one in parts}) == clients
