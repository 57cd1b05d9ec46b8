"""What a sweep says that did not go far enough: no limit found, a cache that was not pressed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from kubectl_llmhpa.bench.advice import advice
from kubectl_llmhpa.bench.sizing.judge import judge
from kubectl_llmhpa.bench.sizing.model import SWEEP_FURTHER
from tests.unit.sweeps import measured, point, sweep


def test_one_valid_point_says_sweep_further_and_calls_nothing_impossible() -> None:
    points = [point(1, 2.3), replace(point(4, 6.7), invalid="12 s is too short: at least 30 s")]
    sizing = judge(sweep(points, seats=8))
    assert (sizing.n_max, sizing.confidence, sizing.start.impossible) == (1, SWEEP_FURTHER, "")
    assert sizing.knee.why == "it takes three valid concurrencies to tell, not 1"
    assert sizing.verdict == (
        "a pod can have at least 1 request in flight (2.30 a second): its limit was not found, sweep further"
    )


@pytest.mark.parametrize(
    ("blocks", "target", "said"),
    [
        (64, 0.15, ""),
        (190, 0.05, ""),  # 5 x 2 / 189 = 0.053
        (2048, None, "this gives 0.0049: the sweep did not press the cache (0.0078 full at N_max)"),
    ],
)
def test_a_cache_that_was_not_pressed_gives_no_target(blocks: int, target: float | None, said: str) -> None:
    sizing = judge(replace(measured(), blocks=blocks))
    cache = next(one for one in sizing.targets if one.signal == "kv-cache")
    assert cache.value == target
    assert said in cache.note
    assert ("kv-cache" in advice(sizing, "apply").targets) == (target is not None)
