"""What the engines say during a run: counts by pod, gauges and counters over the looks of a point."""

from __future__ import annotations

import pytest

from kubectl_llmhpa.bench import sampling
from kubectl_llmhpa.bench.sampling import Look, Reading
from kubectl_llmhpa.bench.share import Shares
from kubectl_llmhpa.bench.sizing.model import Gauge
from kubectl_llmhpa.engines import exposition


def test_shares_are_differences_of_the_engines_counters() -> None:
    shares = Shares()
    for pod, count in (("a", 120.0), ("b", 50.0)):
        shares.take(pod, count, start=True)
    for pod, later in (("a", 150.0), ("b", 5.0), ("c", 65.0), ("d", None)):
        shares.take(pod, later)
    counts = {each.pod: (each.requests, each.share) for each in shares.shares()}
    assert counts == {"a": (30, 0.3), "b": (5, 0.05), "c": (65, 0.65)}  # b was restarted, c came later
    assert list(shares.unread) == ["d"]


@pytest.mark.parametrize(
    ("body", "count"),
    [
        ("# TYPE vllm:num_requests_running gauge\nvllm:num_requests_running 0\n", 0.0),
        ('# TYPE vllm:request_success counter\nvllm:request_success_total{finished_reason="stop"} 4\n', 4.0),
        ("other 1\n", None),
    ],
)
def test_a_counter_that_is_not_there_yet_is_zero_only_for_an_engine(body: str, count: float | None) -> None:
    assert sampling.finished(exposition.read(body)) == count


def look(at: float, **running: float | None) -> Look:
    return Look(
        at,
        {pod: Reading(value, 0.0, 0.5, value, value and value * 100, None) for pod, value in running.items()},
    )


def test_gauges_add_up_the_pods_and_counters_grow_by_what_is_in_both_looks() -> None:
    looks = [look(0, a=1.0, b=2.0), look(2, a=3.0, b=None), look(4, a=3.0, b=4.0, c=9.0)]
    assert sampling.gauge(looks, "running") == Gauge((3 + 3 + 16) / 3, 16.0, 3)
    assert sampling.gauge(looks, "kv_cache") == Gauge(0.5, 0.5, 3)
    assert sampling.gauge(looks, "preemptions") is None
    assert sampling.growth(looks, "output_tokens") == 200 + 200  # c was not there at the start
    assert sampling.growth(looks, "preemptions") is None
    assert sampling.growth([look(0, a=5.0), look(2, a=1.0)], "finished") is None  # counts anew
    assert sampling.growth(looks[:1], "finished") is None
