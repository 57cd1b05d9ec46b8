"""The sweep that chooses its points, on a modelled engine with noise: does it find what measuring every point finds?"""

from __future__ import annotations

import random
from functools import cache
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubectl_llmhpa.bench.pod.adaptive import OUTPUT_SPREAD, AdaptivePoints, enough, listed
from kubectl_llmhpa.simulate.closed import Answer, answers
from kubectl_llmhpa.simulate.sweep import SMALL

SHARE = 0.95
SEATS = SMALL.curve.seats
#: What the issue allows a sweep of an engine with 8 seats.
SIX_MINUTES = 360.0


class Engine:
    """8 seats under a closed loop, as fast as the measured one. Every point has a speed of its own (3 %), every request
    a TTFT of its own (10 %), and one in a hundred waits three times as long."""

    def __init__(self, ttft: float, seed: int) -> None:
        self.ttft, self.dice = ttft, random.Random(seed)
        self.now = 0.0

    def clock(self) -> float:
        return self.now

    def measure(self, point: dict[str, Any]) -> dict[str, Any]:
        """The figures that the client prints for a point, which takes its time."""
        n = point["concurrency"]
        speed = self.dice.lognormvariate(0, 0.03)
        every = answered(n)
        began = next(one for one in every if one.at >= point["warmup_s"]).at
        ended, done, good, latency = began, 0, 0, 0.0
        for one in every:
            if one.at < began:
                continue
            if done >= point["min_requests"] and ended - began >= point["min_seconds"]:
                break
            if ended > point["max_seconds"]:
                break
            ended = max(ended, one.at * speed)
            done += 1
            good += self._kept(one, speed)
            latency += one.latency * speed
        self.now += ended
        return {
            "asked_concurrency": n, "done": done, "good": good, "failed": {}, "duration_s": ended - began,
            "e2e_ms": {"mean": 1000 * latency / done},
        }  # fmt: skip

    def exhaustive(self) -> int:
        """The last good point when every concurrency is measured for long."""
        for n in range(1, 3 * SEATS):
            every = answered(n)[2 * n :] * 5
            if sum(self._kept(one, 1.0) for one in every) < SHARE * len(every):
                return n - 1
        raise AssertionError("never missed")

    def _kept(self, one: Answer, speed: float) -> bool:
        hiccup = 3 if self.dice.random() < 0.01 else 1
        return one.ttft * speed * hiccup * self.dice.lognormvariate(0, 0.1) <= self.ttft


@cache
def answered(n: int) -> list[Answer]:
    """More requests of `n` clients than a point can take."""
    dice = random.Random(n)
    lengths = [round(SMALL.output * (1 + dice.uniform(-OUTPUT_SPREAD, OUTPUT_SPREAD))) for _ in range(3000)]
    return answers(SMALL.curve, n, SMALL.prompt, lengths)


def swept(engine: Engine, **plan: Any) -> tuple[AdaptivePoints, list[dict[str, Any]]]:
    points = AdaptivePoints({"seats": SEATS, "share": SHARE, **plan}, engine.clock)
    asked = []
    point = points.next(None)
    while point is not None:
        asked.append(point)
        point = points.next(engine.measure(point))
    return points, asked


def n_slo(points: AdaptivePoints) -> int:
    best = 0
    for n, level in points.levels.items():
        if level.missed(SHARE):
            return best
        best = n
    return best


@pytest.mark.parametrize(
    ("ttft", "seats"), [(0.6, SEATS), (0.6, None), (0.4, SEATS), (0.225, SEATS), (0.115, SEATS)]
)
def test_the_last_good_point_is_found_in_six_minutes(ttft: float, seats: int | None) -> None:
    truth = Engine(ttft, 0).exhaustive()
    found = []
    for seed in range(10):
        engine = Engine(ttft, seed)
        points, _ = swept(engine, seats=seats)
        found.append(n_slo(points))
        assert engine.now <= SIX_MINUTES, (seed, engine.now)
        assert points.stopped
    assert sum(one == truth for one in found) >= 9, (truth, found)
    assert all(abs(one - truth) <= 1 for one in found), (truth, found)


def test_the_knee_is_found_without_an_slo() -> None:
    points, asked = swept(Engine(9, 1), share=None)
    assert points.stopped == "the throughput grows no more"
    assert {8, 16} <= {one["concurrency"] for one in asked}
    assert max(one["concurrency"] for one in asked) <= 16


def test_pods_share_the_load_and_the_most_is_kept() -> None:
    points = AdaptivePoints({"seats": 8, "pods": 3, "share": SHARE, "most": 30}, lambda: 0.0)
    asked = []
    point = points.next(None)
    while point is not None:
        asked.append(point["concurrency"])
        point = points.next(figures(point, rate=10.0 * point["concurrency"]))
    assert asked == [3, 12, 24, 30]
    assert points.stopped == "more requests in flight were not to be tried"


@pytest.mark.parametrize(
    ("figures_of", "stopped", "count"),
    [
        ({"done": 0, "good": 0, "failed": {"connect": 9}}, "no request was finished with 1 in flight", 1),
        ({"done": 60, "good": 0}, "one request alone misses the SLO, or fails", 1),
        (
            {"done": 60, "good": 60, "failed": {"http 500": 20}},
            "one request alone misses the SLO, or fails",
            1,
        ),
    ],
)
def test_a_hopeless_engine_ends_the_sweep(figures_of: dict[str, Any], stopped: str, count: int) -> None:
    points = AdaptivePoints({"seats": 8, "share": SHARE}, lambda: 0.0)
    asked = []
    point = points.next(None)
    while point is not None:
        asked.append(point)
        point = points.next(figures(point, rate=2.0) | figures_of)
    assert (points.stopped, len(asked)) == (stopped, count)


def test_the_time_bounds_the_sweep() -> None:
    now = [0.0]
    points = AdaptivePoints({"share": SHARE, "budget_s": 100}, lambda: now[0])
    asked = 0
    point = points.next(None)
    while point is not None:
        assert point["warmup_s"] + point["min_seconds"] <= point["max_seconds"] <= 120
        asked += 1
        now[0] += point["warmup_s"] + point["min_seconds"]
        point = points.next(figures(point, rate=float(point["concurrency"])))
    assert points.stopped == "the time for the sweep is over"
    assert asked == 2
    assert now[0] <= 100


@given(
    st.integers(1, 300) | st.none(),
    st.lists(st.tuples(st.floats(0, 1), st.floats(0.1, 50), st.integers(0, 9)), min_size=60, max_size=60),
    st.sampled_from([None, 0.5, 0.95, 0.99, 1.0]),
)
def test_it_ends_whatever_the_engine_does(
    seats: int | None, answers_: list[tuple[float, float, int]], share: float | None
) -> None:
    now = [0.0]
    points = AdaptivePoints({"seats": seats, "share": share, "most": 4096}, lambda: now[0])
    point = points.next(None)
    count = 0
    while point is not None:
        kept, rate, failed = answers_[count % len(answers_)]
        count += 1
        assert 1 <= point["concurrency"] <= 4096
        assert point["min_requests"] >= 8 * point["concurrency"]
        now[0] += point["warmup_s"] + point["min_seconds"]
        said = figures(point, rate=rate) | {"failed": {"x": failed}}
        point = points.next(said | {"good": int(kept * said["done"])})
    assert points.stopped
    assert count <= 12


def test_a_fixed_list_goes_around_the_seats() -> None:
    found = [one["concurrency"] for one in listed({"seats": 8, "pods": 2})]
    assert found == [2, 4, 8, 12, 16, 20, 24, 32]
    assert [one["concurrency"] for one in listed({"seats": 1})] == [1, 2]
    assert [one["concurrency"] for one in listed({"most": 20})] == [1, 2, 4, 8, 16]
    assert all(a["seed"] != b["seed"] for a, b in pairwise(listed({"seed": 7})))


def test_enough_requests_prove_a_share() -> None:
    assert (enough(1, 0.95), enough(1, 0.99), enough(100, 0.95), enough(1, None)) == (52, 268, 800, 52)


def figures(point: dict[str, Any], *, rate: float) -> dict[str, Any]:
    """What the client prints of a point that kept the SLO, at so many requests a second."""
    done = max(1, round(rate * point["min_seconds"]))
    return {
        "asked_concurrency": point["concurrency"], "done": done, "good": done, "failed": {},
        "duration_s": point["min_seconds"], "e2e_ms": {"mean": 1000 * point["concurrency"] / rate},
    }  # fmt: skip
