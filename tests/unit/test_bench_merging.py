"""Several clients as one: the figures of all requests together, within the histogram's stated error."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from kubectl_llmhpa.bench import merging, results
from kubectl_llmhpa.bench.pod.measure import Sample, Tally

#: Half a bucket of a Histogram: what its percentiles may be off.
ERROR = 0.011
#: Half of the last digit that a summary shows, in ms.
ROUNDED = 0.005


def summary(latencies: list[float], ended: str = "time", **facts: Any) -> dict[str, Any]:
    """What a client prints after requests of so many ms."""
    tally = Tally(0.0, {"e2e_s": 1.0})
    for ms in latencies:
        tally.sent += 1
        tally.succeed(Sample(ms / 2000, [], ms / 1000, 10, True, 5), 1.0)
    made = tally.summary(10.0)
    made.update({"ended": ended, "mode": "m", "asked_concurrency": 2, **facts})
    read: dict[str, Any] = json.loads(json.dumps(made))
    return read


@given(some.lists(some.lists(some.floats(1, 1e5), max_size=60), min_size=1, max_size=6).filter(any))
def test_merged_percentiles_are_those_of_all_samples(parts: list[list[float]]) -> None:
    together = sorted(ms for part in parts for ms in part)
    merged = merging.summaries({index: summary(part) for index, part in enumerate(parts)}, len(parts), {})
    for share in (50, 90, 95, 99):
        exact = together[math.ceil(share / 100 * len(together)) - 1]
        assert merged["e2e_ms"][f"p{share}"] == pytest.approx(exact, abs=ERROR * exact + ROUNDED)
    assert merged["e2e_ms"]["mean"] == pytest.approx(sum(together) / len(together), rel=1e-3, abs=0.01)
    assert merged["done"] == merged["sent"] == len(together)
    assert merged["good"] == sum(ms <= 1000 for ms in together)


def test_counts_are_added_and_the_worst_end_is_the_end() -> None:
    parts = {
        0: summary([100.0], failed={"http 500": 1}, examples={"http 500": "a"}),
        2: summary([300.0, 500.0], "signal", failed={"http 500": 2, "timeout": 1}, examples={"timeout": "b"}),
    }
    result = results.merge(parts, 3, {1: "it ran out of memory"})
    assert (result.done, dict(result.failed)) == (3, {"http 500": 3, "timeout": 1})
    assert dict(result.examples) == {"http 500": "a", "timeout": "b"}
    assert (result.ended, result.clients) == ("signal", 3)
    assert result.request_rate == pytest.approx(0.3)
    assert result.invalid == "1 of 3 clients left no result (client 1: it ran out of memory)"


def test_clients_that_did_not_load_together_are_told() -> None:
    result = results.merge({0: summary([1.0]), 1: summary([1.0], duration_s=4.0)}, 2, {})
    assert result.invalid == "the clients did not load for the same time"


def test_a_client_that_was_ended_from_outside_is_named() -> None:
    told = {
        0: summary([1.0]),
        1: summary([1.0], "signal"),
        2: summary([1.0], "signal", interrupted="drained"),
    }
    assert results.merge(told, 3, {}).invalid == (
        "the load was ended from outside (client 1: its pod was told to end; client 2: drained)"
    )


def test_one_limited_client_limits_all() -> None:
    busy = {"cpu_share": 0.97, "lag_p50_ms": 1.0, "limited": True}
    result = results.merge({0: summary([1.0]), 1: summary([1.0], client=busy)}, 2, {})
    assert (result.client_cpu_share, result.invalid) == (0.97, "the client was the limit, not the engine")


def test_ticks_of_all_clients_as_one() -> None:
    tick = {"kind": "tick", "n": 3, "t": 3.0, "want": 2, "in_flight": 2, "sent": 9, "done": 7, "good": 7,
            "failed": {"timeout": 1}, "tokens": 70, "ttft_ms": 50.0}  # fmt: skip
    merged = merging.ticks([tick, {**tick, "t": 2.5, "ttft_ms": None, "failed": {}}])
    assert (merged["t"], merged["done"], merged["failed"], merged["ttft_ms"]) == (
        2.5,
        14,
        {"timeout": 1},
        50.0,
    )


def test_without_any_summary_there_is_nothing_to_merge() -> None:
    with pytest.raises(ValueError, match="no client"):
        merging.summaries({}, 2, {0: "a", 1: "b"})
