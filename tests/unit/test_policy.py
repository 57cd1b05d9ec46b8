"""From an engine's facts to targets: one row per case."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubectl_llmhpa.engines import (
    HPA_FORMS,
    EngineFacts,
    Kind,
    Seats,
    Signal,
    SignalSource,
    Source,
    clues,
    identify,
)
from kubectl_llmhpa.errors import LlmHpaError
from kubectl_llmhpa.findings import found
from kubectl_llmhpa.policy import PRESETS, TOLERANCE, behavior, decide
from tests.unit.bodies import body_of

METRICS = {
    "waiting": ("vllm:num_requests_waiting", Kind.COUNT),
    "running": ("vllm:num_requests_running", Kind.COUNT),
    "kv-cache": ("vllm:kv_cache_usage_perc", Kind.RATIO),
    "ttft": ("vllm:time_to_first_token_seconds", Kind.LATENCY),
    "prompt-tokens": ("vllm:prompt_tokens_total", Kind.RATE),
}


def facts(seats: Seats | None, *, without: str = "") -> EngineFacts:
    signals = {
        name: SignalSource(
            name, kind, metric, 0.0, 1, Signal(name, (metric,), ("engine",)), "", HPA_FORMS[kind]
        )
        for name, (metric, kind) in METRICS.items()
        if name != without
    }
    return EngineFacts("vllm", None, "", Source.BODY, "", ("m",), signals, seats, armed=False)


def chosen(policy_facts: EngineFacts, preset: str = "load") -> dict[str, str]:
    return {target.signal: str(target.value) for target in decide(policy_facts, preset=preset).targets}


@pytest.mark.parametrize(
    ("seats", "proved", "running", "waiting", "kv"),
    [
        (2, True, "1", "1", "0.8"),
        (3, True, "1.5", "1", "0.8"),
        (4, True, "2", "1", "0.8"),
        (8, True, "4", "2", "0.8"),
        (8, False, "4", "2", "0.7"),
        (11, True, "5", "2", "0.8"),
        (64, True, "32", "16", "0.8"),
        (256, False, "128", "16", "0.7"),
    ],
)
def test_the_load_preset(seats: int, proved: bool, running: str, waiting: str, kv: str) -> None:
    targets = chosen(facts(Seats(seats, "seen", proved)))
    assert {name: Decimal(value) for name, value in targets.items()} == {
        "running": Decimal(running), "waiting": Decimal(waiting), "kv-cache": Decimal(kv)
    }  # fmt: skip


def test_a_prefill_pod_is_scaled_by_all_that_it_holds() -> None:
    shown = with_in_flight(facts(Seats(10, "seen", True)), role="prefill")
    assert chosen(shown) == {"in-flight": "5"}
    assert chosen(replace(shown, seats=None)) == {"waiting": "5"}


def test_a_decode_pod_ignores_a_queue_that_counts_requests_whose_cache_is_on_its_way() -> None:
    plain = replace(facts(Seats(10, "seen", True)), role="decode")
    assert chosen(plain).keys() == {"running", "waiting", "kv-cache"}
    deferred = replace(plain, findings=(found("deferred-waiting", "", "seen"),))
    assert chosen(deferred).keys() == {"running", "kv-cache"}


def test_an_engine_that_only_counts_requests_in_flight_is_scaled_by_those() -> None:
    bare = with_in_flight(facts(Seats(10, "seen", True)))
    signals = {name: bare.signals[name] for name in ("in-flight",)}
    assert chosen(replace(bare, signals=signals)) == {"in-flight": "5"}
    with pytest.raises(LlmHpaError, match="--signal in-flight=N"):
        decide(replace(bare, signals=signals, seats=None))


@pytest.mark.parametrize("external", [False, True])
def test_a_frontend_is_refused_because_its_numbers_are_not_those_of_one_pod(external: bool) -> None:
    """Also where an External metric could carry them: its workers have their own."""
    plain = facts(Seats(10, "seen", True))
    outside = {name: replace(one, forms=("External AverageValue",)) for name, one in plain.signals.items()}
    with pytest.raises(LlmHpaError, match="name the workload of the engines behind it") as refused:
        decide(replace(plain, signals=outside, form="frontend"), external=external)
    assert "workers of several roles or pools" in str(refused.value)


def with_in_flight(plain: EngineFacts, **changed: Any) -> EngineFacts:
    spec = Signal("in-flight", ("vllm:num_requests_running",), plus=("vllm:num_requests_waiting",))
    source = SignalSource("in-flight", Kind.COUNT, spec.metrics[0], 0.0, 1, spec, "", HPA_FORMS[Kind.COUNT])
    return replace(plain, signals={**plain.signals, "in-flight": source}, **changed)


def test_without_seats_the_load_preset_says_that_it_is_uncalibrated() -> None:
    policy = decide(facts(None))
    assert {target.signal: str(target.value) for target in policy.targets} == {
        "kv-cache": "0.7",
        "waiting": "5",
    }
    assert all("uncalibrated: run bench" in target.reason for target in policy.targets)
    assert any("uncalibrated: run bench" in reason for reason in policy.reasons)


def test_the_vendor_preset_is_waiting_five() -> None:
    assert chosen(facts(Seats(8, "seen", proved=True)), "vendor") == {"waiting": "5"}


def test_targets_carry_the_newest_name_and_the_evidence() -> None:
    body = body_of("vllm-0.8.5-busy")
    policy = decide(identify(body, clues(["vllm", "serve", "m", "--max-num-seqs", "8"])))
    by_signal = {target.signal: target for target in policy.targets}
    assert by_signal["kv-cache"].metric == "vllm:kv_cache_usage_perc"
    assert "--max-num-seqs 8" in by_signal["running"].reason


def test_a_signal_without_series_is_left_out_and_said() -> None:
    policy = decide(facts(Seats(8, "seen", proved=True), without="kv-cache"))
    assert [target.signal for target in policy.targets] == ["running", "waiting"]
    assert any(reason.startswith("kv-cache is left out") for reason in policy.reasons)


@pytest.mark.parametrize(
    ("seats", "running"),
    [
        (Seats(1, "--parallel 1 slots", proved=True, ceiling=1), False),
        (Seats(1, "--max-num-seqs 1", proved=False, ceiling=1), False),
        # the flag admits more than the KV cache holds of requests as long as these
        (Seats(1, "the KV cache", proved=True, ceiling=8), True),
        # nothing proves that it cannot run more
        (Seats(1, "1 runs", proved=False), True),
    ],
)
def test_running_is_left_out_where_a_full_pod_is_within_the_tolerance(seats: Seats, running: bool) -> None:
    policy = decide(facts(seats))
    assert ("running" in [target.signal for target in policy.targets]) is running
    said = "running is left out: a pod runs 1 at most, which no target for it can tell"
    assert (said in policy.reasons) is not running


def test_one_slot_of_llama_cpp_is_scaled_by_its_queue() -> None:
    body = body_of("llamacpp-11434-idle")
    one = identify(body, clues(["llama-server", "-m", "x", "--metrics", "-np", "1"]))
    assert chosen(one) == {"waiting": "1"}
    with pytest.raises(LlmHpaError, match="use waiting instead: one pod runs one request"):
        decide(one, targets={"running": Decimal(1)})


def test_own_targets_replace_the_whole_list() -> None:
    policy = decide(
        facts(Seats(8, "seen", proved=True)), targets={"waiting": Decimal(3), "kv-cache": Decimal("0.6")}
    )
    assert policy.preset == "custom"
    assert [(target.signal, str(target.value)) for target in policy.targets] == [
        ("waiting", "3"),
        ("kv-cache", "0.6"),
    ]


def test_on_top_of_a_policy_they_take_its_place_one_by_one() -> None:
    told = facts(Seats(8, "seen", proved=True))
    own = {"kv-cache": Decimal("0.6"), "ttft": Decimal(2)}
    policy = decide(told, preset="latency", targets=own, on_top=True, external=True)
    alone = decide(told, preset="latency", external=True)
    assert policy.preset == "latency"
    assert policy.targets[:2] == alone.targets[:2]
    assert [(one.signal, str(one.value), one.reason) for one in policy.targets[2:]] == [
        ("kv-cache", "0.6", "given on the command line"),
        ("ttft", "2", "given on the command line"),
    ]
    with pytest.raises(LlmHpaError, match="a latency is no load of one pod"):
        decide(told, targets={"ttft": Decimal(2)}, on_top=True)


FULL = Seats(8, "--max-num-seqs 8 x 1 data-parallel rank", proved=True, ceiling=8)
FLAG = Seats(8, "--max-num-seqs 8 x 1 data-parallel rank", proved=False, ceiling=8)
DEFAULT = Seats(256, "the default", proved=False)


@pytest.mark.parametrize(
    ("seats", "targets", "problem"),
    [
        (FULL, {"nonsense": "1"}, "there is no signal 'nonsense'"),
        (FULL, {"ttft": "1"}, "a latency is no load of one pod"),
        (FULL, {"prompt-tokens": "1"}, "not served per pod"),
        (FULL, {"in-flight": "4"}, "exposes no live series for in-flight"),
        (FULL, {"waiting": "0"}, "must be above 0"),
        (FULL, {"waiting": "-1"}, "must be above 0"),
        (FULL, {"waiting": "NaN"}, "must be above 0"),
        (FULL, {"waiting": "0.0004"}, "resolution of 0.001"),
        (FULL, {"kv-cache": "1"}, "is a ratio"),
        (FULL, {"kv-cache": "80"}, "is a ratio"),
        (FULL, {"running": "9"}, "never runs more than 8 requests at once"),
        (FLAG, {"running": "9"}, "never runs more than 8 requests at once"),
        (FULL, {"running": "7.5"}, "within the 10 % tolerance"),
        (FULL, {"running": "4", "kv-cache": "2"}, "is a ratio"),
    ],
)
def test_targets_that_cannot_work_are_refused(seats: Seats, targets: Mapping[str, str], problem: str) -> None:
    with pytest.raises(LlmHpaError, match=problem):
        decide(facts(seats), targets={name: Decimal(value) for name, value in targets.items()})


@pytest.mark.parametrize(
    ("seats", "signal", "value"),
    [(FULL, "running", "7"), (FULL, "waiting", "100"), (DEFAULT, "running", "300"), (None, "running", "300")],
)
def test_targets_that_can_work_are_taken(seats: Seats | None, signal: str, value: str) -> None:
    (target,) = decide(facts(seats), targets={signal: Decimal(value)}).targets
    assert target.value == Decimal(value)


def test_an_armed_engine_is_given_its_newest_names() -> None:
    policy = decide(
        identify(
            "# TYPE vllm:num_requests_running gauge\n", clues(["vllm", "serve", "m", "--max-num-seqs", "8"])
        )
    )
    assert [target.metric for target in policy.targets] == [
        "vllm:num_requests_running",
        "vllm:num_requests_waiting",
        "vllm:kv_cache_usage_perc",
    ]
    assert any("no series of vllm seen" in reason for reason in policy.reasons)


def test_an_engine_without_a_single_signal_of_the_preset_is_refused() -> None:
    with pytest.raises(LlmHpaError, match="waiting is left out"):
        decide(facts(None, without="waiting"), preset="vendor")


def test_an_unknown_preset_names_the_known_ones() -> None:
    with pytest.raises(LlmHpaError, match=", ".join(PRESETS)):
        decide(facts(None), preset="nonsense")


def test_behavior_is_written_in_full() -> None:
    assert behavior() == {
        "scaleUp": {
            "stabilizationWindowSeconds": 0,
            "selectPolicy": "Max",
            "policies": [
                {"type": "Percent", "value": 100, "periodSeconds": 30},
                {"type": "Pods", "value": 2, "periodSeconds": 30},
            ],
        },
        "scaleDown": {
            "stabilizationWindowSeconds": 300,
            "selectPolicy": "Max",
            "policies": [
                {"type": "Pods", "value": 1, "periodSeconds": 60},
                {"type": "Percent", "value": 10, "periodSeconds": 60},
            ],
        },
    }


def test_scale_down_can_be_disabled_and_keeps_its_policies() -> None:
    down = decide(facts(FULL), scale_down=False, scale_down_window=0).behavior["scaleDown"]
    assert (down["selectPolicy"], down["stabilizationWindowSeconds"], len(down["policies"])) == (
        "Disabled",
        0,
        2,
    )


@pytest.mark.parametrize("window", [-1, 3601])
def test_a_window_that_the_api_refuses_is_refused_here(window: int) -> None:
    with pytest.raises(LlmHpaError, match="not between 0 and 3600"):
        decide(facts(FULL), scale_down_window=window)


@given(st.integers(min_value=2, max_value=100_000))
def test_the_running_target_can_always_be_exceeded_by_a_full_pod(seats: int) -> None:
    (running,) = [
        t for t in decide(facts(Seats(seats, "seen", proved=True))).targets if t.signal == "running"
    ]
    assert running.value >= 1
    assert running.value * (1 + TOLERANCE) < seats
