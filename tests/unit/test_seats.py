"""The arithmetic of seats: what is seen, what is stated, and numbers that no engine means."""

from __future__ import annotations

import re

import pytest

from kubectl_llmhpa.engines import Seats, clues, identify, seats
from kubectl_llmhpa.engines.seats import Bound, Lengths
from tests.unit.bodies import body_of

DEFAULT = Bound(256, "the default 256", stated=False)


def test_what_runs_while_nothing_waits_is_a_lower_bound() -> None:
    assert seats.decide(DEFAULT, None, running=300, waiting=0) == Seats(
        300, "300 requests run at once right now", proved=False
    )


def test_what_runs_while_others_wait_is_the_most() -> None:
    assert seats.decide(DEFAULT, None, running=300, waiting=2) == Seats(
        300, "300 requests run at once right now while 2 wait", proved=True
    )


def test_more_tokens_than_can_be_counted_bound_nothing() -> None:
    assert seats.by_cache(10**300, "x", Lengths(100, 10)) is None
    assert seats.by_cache(1000, "x", Lengths(1e-300, 0)) is None
    assert seats.of_prefill(None, 8192, "x", Lengths(1e-300, 1), stated=True) is None


@pytest.mark.parametrize("value", ["1e300", "9e15", "-1e300", "NaN", "+Inf"])
@pytest.mark.parametrize(
    "name",
    [
        "vllm-0.20.2-busy",
        "sglang-0.5.12-busy",
        "sglang-0.5.2-prefill-busy",
        "trtllm-1.3.0dev-transcribed-busy",
        "triton-trtllm-busy",
        "tgi-3.3.7-busy",
        "nim-1-busy",
        "lmdeploy-0.18.0-busy",
        "llamacpp-11434-busy",
        "dynamo-1.6.1-frontend-busy",
        "dynamo-1.6.1-worker-vllm0.31.0-busy",
    ],
)
def test_numbers_that_no_engine_means_are_no_seats(name: str, value: str) -> None:
    text = re.sub(r"(?m)^([a-z].*) \S+$", rf"\1 {value}", body_of(name))
    found = identify(text, clues(["vllm", "serve", "m"])).seats
    assert found is None or 1 <= found.value < seats.UNCOUNTABLE
