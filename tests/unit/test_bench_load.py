"""From HPA targets and seats to a concurrency."""

from __future__ import annotations

from dataclasses import replace

import pytest

from kubectl_llmhpa.bench.load import FALLBACK, Ask, choose
from kubectl_llmhpa.bench.preparing import asks_of, signals_of

RUNNING = Ask("vllm:num_requests_running", "running", 10)
WAITING = Ask("vllm:num_requests_waiting", "waiting", 5)
KV = Ask("vllm:kv_cache_usage_perc", "kv-cache", 0.8)


@pytest.mark.parametrize(
    ("asks", "replicas", "most", "seats", "concurrency", "must"),
    [
        ([RUNNING], 1, 3, None, 15, True),
        ([RUNNING], 2, 3, 16, 30, True),
        ([WAITING], 1, 3, 8, 16, True),  # 8 seats + 7.5
        ([WAITING], 2, 3, 8, 31, True),
        ([RUNNING, WAITING, KV], 1, 3, 16, 24, True),  # waiting asks for the most
        ([RUNNING, WAITING], 1, 3, None, 15, True),  # waiting cannot be computed, running can
        ([WAITING], 1, 3, None, FALLBACK, False),
        ([KV], 1, 3, 8, 8, False),
        ([Ask("x", "", 5)], 1, 3, 8, 8, False),
        ([RUNNING], 1, 3, 8, 8, False),  # target 10 is above what 8 seats can reach
        ([RUNNING], 1, 3, 11, 11, False),  # within the HPA's tolerance
        ([Ask("x", "in-flight", 10)], 1, 3, 8, 15, True),  # queued ones count: no ceiling
        ([Ask("x", "in-flight", 10, per_pod=False)], 3, 5, 8, 15, True),
        ([RUNNING], 3, 3, 16, 45, False),  # at the maximum
        ([], 1, None, 8, 8, False),
        ([], 2, None, None, 2 * FALLBACK, False),
    ],
)
def test_default_concurrency(
    asks: list[Ask], replicas: int, most: int | None, seats: int | None, concurrency: int, must: bool
) -> None:
    load = choose(asks, replicas=replicas, max_replicas=most, seats=seats)
    assert (load.concurrency, load.must_rescale) == (concurrency, must)
    assert load.reason


@pytest.mark.parametrize(("wanted", "must"), [(5, False), (12, True), (100, True)])
def test_the_users_own_concurrency_is_kept_and_judged(wanted: int, must: bool) -> None:
    load = choose([RUNNING], replicas=1, max_replicas=3, seats=16, wanted=wanted)
    assert (load.concurrency, load.must_rescale, load.reason) == (wanted, must, "as asked")
    assert bool(load.notes) is not must


def test_an_unreachable_target_and_a_full_hpa_are_said() -> None:
    assert "cannot exceed" in choose([RUNNING], replicas=1, max_replicas=3, seats=8).notes[0]
    told = replace(RUNNING, told=32)  # so many count for a full pod, whatever it runs
    assert choose([told], replicas=1, max_replicas=3, seats=8).must_rescale
    assert "at its maximum" in choose([RUNNING], replicas=3, max_replicas=3, seats=16).notes[0]


def test_the_reason_shows_its_inputs() -> None:
    assert choose([WAITING], replicas=2, max_replicas=3, seats=8).reason == (
        "8 seats x 2 replicas + 1.5 x waiting target 5 x 2 replicas"
    )


def test_asks_are_read_from_the_hpa() -> None:
    def metric(kind: str, name: str, form: str, value: str) -> dict[str, object]:
        field = {"AverageValue": "averageValue", "Value": "value"}[form]
        return {
            "type": kind,
            kind.lower(): {"metric": {"name": name}, "target": {"type": form, field: value}},
        }

    metrics = [
        metric("Pods", "vllm:num_requests_running", "AverageValue", "4800m"),
        metric("Pods", "my_own", "AverageValue", "7"),
        metric("External", "vllm_num_requests_waiting", "Value", "9"),
    ]
    hpa = {"metadata": {}, "spec": {"maxReplicas": 3, "metrics": metrics}}
    assert asks_of(hpa, signals_of(hpa, None)) == [
        Ask("vllm:num_requests_running", "running", 4.8),
        Ask("my_own", "", 7),
        Ask("vllm_num_requests_waiting", "waiting", 9, per_pod=False),
    ]


def test_asks_of_kedas_hpa_are_named_by_its_scaled_object() -> None:
    def trigger(name: str, query: str) -> dict[str, object]:
        return {"type": "prometheus", "name": name, "metadata": {"query": query, "threshold": "4"}}

    names = ("s0-prometheus", "s1-prometheus")
    average = {"type": "AverageValue", "averageValue": "4"}
    metrics = [
        {"type": "External", "external": {"metric": {"name": name}, "target": average}} for name in names
    ]
    hpa = {"metadata": {}, "spec": {"maxReplicas": 3, "metrics": metrics}}
    triggers = [trigger("running", "sum(vllm:num_requests_running)"), trigger("", "sum(my_own)")]
    asks = asks_of(hpa, signals_of(hpa, {"spec": {"triggers": triggers}}))
    assert asks == [Ask("s0-prometheus", "running", 4), Ask("s1-prometheus", "", 4)]
    # 4 for each of 2 replicas is a sum of 8
    assert choose(asks, replicas=2, max_replicas=3, seats=8).concurrency == 12
