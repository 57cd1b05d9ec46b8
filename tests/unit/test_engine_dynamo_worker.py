"""Dynamo's workers on bodies of the real mocker, and of real engines' metrics behind a real Dynamo endpoint."""

from __future__ import annotations

import re

import pytest

from kubectl_llmhpa.engines import EngineFacts, Source, clues, identify
from kubectl_llmhpa.engines.exposition import Exposition, read
from tests.unit.bodies import body_of

MODEL = "Qwen/Qwen3-0.6B"
VLLM_OLD_AND_NEW_KV = "V1 0.10.2"


def body(name: str) -> str:
    return body_of(f"dynamo-{name}")


def values(facts: EngineFacts) -> dict[str, float | None]:
    return {name: source.value for name, source in facts.signals.items() if source.value is not None}


VLLM_SIGNALS = {"waiting", "running", "in-flight", "kv-cache", "ttft", "itl", "e2e"}
KV = "vllm:kv_cache_usage_perc"


@pytest.mark.parametrize(
    ("name", "dialect", "in_flight"),
    [
        ("0.4.1-worker-busy", "0.4 to 0.5", 13),
        ("0.5.1-worker-busy", "0.4 to 0.5", 13),
        ("0.5.1-worker-idle", "0.4 to 0.5", 0),
        ("0.6.1-worker-busy", "0.6 to 1.1", 13),
        ("0.7.1-worker-busy", "0.6 to 1.1", 13),
        ("0.8.1-worker-busy", "0.6 to 1.1", 13),
        ("0.8.1-worker-idle", "0.6 to 1.1", 0),
        ("1.0.2-worker-busy", "0.6 to 1.1", 13),
        ("1.2.1-worker-busy", "1.2 and newer", 13),
        ("1.2.1-worker-idle", "1.2 and newer", 0),
        ("1.2.1-worker-kv-busy", "1.2 and newer", 13),
        ("1.2.1-worker-kv-idle", "1.2 and newer", 0),
        ("1.6.1-worker-idle", "1.2 and newer", 0),
    ],
)
def test_a_worker_without_engine_series_says_what_is_in_flight(
    name: str, dialect: str, in_flight: float
) -> None:
    facts = identify(body(name))
    assert (facts.engine, facts.form, facts.role, facts.dialect) == ("dynamo", "worker", "", dialect)
    assert not facts.armed
    assert values(facts) == {"in-flight": in_flight}
    assert set(facts.signals) == {"in-flight", "e2e"}
    assert "Pods AverageValue" in facts.signals["in-flight"].forms


@pytest.mark.parametrize(
    ("name", "engine", "role", "numbers", "kv"),
    [
        ("1.4.2-worker-busy", f"vLLM {VLLM_OLD_AND_NEW_KV}", "", (5, 8, 13, 0.3828125), KV),
        ("1.6.1-worker-busy", f"vLLM {VLLM_OLD_AND_NEW_KV}", "", (5, 8, 13, 0.21875), KV),
        ("1.6.1-worker-decode-busy", f"vLLM {VLLM_OLD_AND_NEW_KV}", "", (5, 8, 13, 0.3828125), KV),
        # two ranks: 6 + 7 run, the fuller one counts
        ("1.6.1-worker-dp2-busy", f"vLLM {VLLM_OLD_AND_NEW_KV}", "", (0, 13, 13, 0.3359375), KV),
        ("1.6.1-worker-vllm0.31.0-busy", "vLLM V1 0.20 and newer", "", (5, 8, 13, 0.42), KV),
        ("1.6.1-worker-vllm0.31.0-idle", "vLLM V1 0.20 and newer", "", (0, 0, 0, 0), KV),
        ("1.6.1-worker-trtllm-busy", "TensorRT-LLM", "", (5, 8, 13, 0.3828125), "trtllm:kv_cache_usage_perc"),
    ],
)  # fmt: skip
def test_a_worker_passes_its_engines_series_through(
    name: str, engine: str, role: str, numbers: tuple[float, ...], kv: str
) -> None:
    facts = identify(body(name))
    assert (facts.engine, facts.form, facts.role) == ("dynamo", "worker", role)
    assert (facts.dialect, facts.models) == (f"1.2 and newer with {engine}", (MODEL,))
    assert values(facts) == dict(zip(("waiting", "running", "in-flight", "kv-cache"), numbers, strict=True))
    assert set(facts.signals) >= VLLM_SIGNALS
    assert facts.signals["kv-cache"].metric == kv
    assert facts.signals["in-flight"].metric == "dynamo_component_inflight_requests"


@pytest.mark.parametrize(
    ("name", "role", "dialect", "numbers"),
    [
        ("sglang-busy", "", "0.4.6 and older", {"waiting": 5, "running": 8, "in-flight": 13}),
        # 5 wait in the queue and 3 for the handshake; what runs is not counted before 0.5.18
        ("sglang0.5.12-prefill-busy", "prefill", "0.5.12 to 0.5.17",
         {"waiting": 8, "in-flight": 13, "kv-cache": 0.42}),
        ("sglang0.5.12-decode-busy", "decode", "0.5.12 to 0.5.17",
         {"waiting": 5, "running": 8, "in-flight": 13, "kv-cache": 0.42}),
    ],
)  # fmt: skip
def test_a_worker_passes_sglangs_series_through_in_its_role(
    name: str, role: str, dialect: str, numbers: dict[str, float]
) -> None:
    facts = identify(body(f"1.6.1-worker-{name}"))
    assert (facts.engine, facts.form, facts.role) == ("dynamo", "worker", role)
    assert (facts.dialect, facts.models) == (f"1.2 and newer with SGLang {dialect}", (MODEL,))
    assert values(facts) == numbers
    assert facts.signals["in-flight"].metric == "dynamo_component_inflight_requests"


def test_passed_series_are_asked_for_as_those_of_the_engine_itself() -> None:
    """One rule serves both."""
    worker = identify(body("1.6.1-worker-vllm0.31.0-busy")).signals
    plain = identify(body_of("vllm-0.20.2-busy")).signals
    assert {name for name in worker if worker[name].query == plain[name].query} == set(plain) - {"in-flight"}


def test_a_worker_with_trtllm_serves_collector() -> None:
    trtllm = body_of("trtllm-1.3.0dev-transcribed-busy")
    facts = identify(trtllm + body("1.2.1-worker-busy"))
    assert (facts.engine, facts.dialect) == ("dynamo", "1.2 and newer with TensorRT-LLM 1.3 and newer")
    assert values(facts) == {"waiting": 5, "running": 8, "in-flight": 13, "kv-cache": 0.42}


@pytest.mark.parametrize("name", ["gpu_cache_usage_percent", "kvstats_gpu_cache_usage_percent"])
def test_dynamos_own_gauge_of_the_cache_serves_where_the_engine_has_none(name: str) -> None:
    gauge = f'dynamo_component_{name}{{dp_rank="0",dynamo_component="backend",model="m"}} 0.42\n'
    facts = identify(body("1.2.1-worker-busy") + gauge)
    assert values(facts) == {"in-flight": 13, "kv-cache": 0.42}
    assert facts.signals["kv-cache"].metric == f"dynamo_component_{name}"


def test_only_generating_requests_count() -> None:
    text = body("0.5.1-worker-busy")
    other = re.sub(r"(?m)^(dynamo_component_inflight_requests\{.*load_metrics.*) 0$", r"\1 7", text)
    assert other != text
    in_flight = identify(other).signals["in-flight"]
    assert (in_flight.value, in_flight.series) == (13, 1)
    assert in_flight.api_name == "dynamo_component_requests_in_flight"
    assert in_flight.query == (
        "sum by (namespace, pod) (max by (namespace, pod, worker_id) "
        '(dynamo_component_inflight_requests{dynamo_endpoint="generate"}))'
    )


def test_series_in_prometheus_are_told_from_vllms_by_their_label() -> None:
    whole = read(body("1.6.1-worker-vllm0.31.0-busy"))
    samples = {name: found for name, found in whole.samples.items() if name.startswith("vllm:")}
    facts = identify(Exposition(frozenset(samples), samples), source=Source.SERIES)
    assert (facts.engine, facts.form) == ("dynamo", "worker")
    assert facts.dialect == "any version with vLLM V1 0.20 and newer"
    assert values(facts) == {"waiting": 5, "running": 8, "kv-cache": 0.42}


def test_any_family_of_dynamo_beside_an_engines_series_tells_a_worker() -> None:
    text = re.sub(r"(?m)^.*dynamo_component_inflight_requests.*\n", "", body("1.6.1-worker-busy"))
    facts = identify(text)
    assert (facts.engine, facts.form) == ("dynamo", "worker")
    assert values(facts) == {"waiting": 5, "running": 8, "kv-cache": 0.21875}


def test_roles() -> None:
    assert identify(body("1.6.1-worker-prefill-busy")).role == "prefill"
    decode = body("1.6.1-worker-decode-busy")
    flags = clues(["python3", "-m", "dynamo.vllm", "--disaggregation-mode", "decode"])
    assert identify(decode, flags).role == "decode"
    assert identify(decode, clues(["python3", "-m", "dynamo.vllm", "--is-decode-worker"])).role == "decode"
    label = {"nvidia.com/dynamo-sub-component-type": "decode"}
    assert identify(decode, clues(labels=label)).role == "decode"
    # its component is stronger than any flag
    assert identify(body("1.6.1-worker-prefill-busy"), flags).role == "prefill"


@pytest.mark.parametrize(
    ("name", "command", "value", "evidence", "proved", "ceiling"),
    [
        ("1.6.1-worker-busy", "mocker --max-num-seqs 8", 8, "--max-num-seqs 8 x 1", True, 8),
        ("1.6.1-worker-dp2-busy", "mocker --max-num-seqs 8 --data-parallel-size 2", 16,
         "--max-num-seqs 8 x 2 data-parallel ranks", False, 16),
        ("1.6.1-worker-trtllm-busy", "mocker --engine-type trtllm --max-num-seqs 8", 8,
         "--max-num-seqs 8", False, 8),
        ("0.8.1-worker-idle", "vllm --max-num-seqs 64", 64, "--max-num-seqs 64", False, 64),
        # 27512 blocks of 16 tokens / (512 + 128 / 2)
        ("1.6.1-worker-vllm0.31.0-busy", "vllm --max-num-seqs 1024", 764, "440192 KV tokens", True, 1024),
        # 440192 tokens / (512 + 128 / 2)
        ("1.6.1-worker-sglang0.5.12-decode-busy", "sglang", 764, "440192 KV tokens", True, None),
        ("1.6.1-worker-sglang0.5.12-decode-busy", "sglang --max-running-requests 64", 64,
         "--max-running-requests 64", True, 64),
        ("0.8.1-worker-idle", "llama_cpp", None, "", False, None),
    ],
)  # fmt: skip
def test_seats(
    name: str, command: str, value: int | None, evidence: str, proved: bool, ceiling: int | None
) -> None:
    module, *flags = command.split()
    seats = identify(body(name), clues(["python3", "-m", f"dynamo.{module}", *flags])).seats
    if value is None:
        assert seats is None
    else:
        assert seats is not None
        assert (seats.value, seats.proved, seats.ceiling) == (value, proved, ceiling)
        assert evidence in seats.evidence


def test_a_worker_that_could_tell_more_says_how() -> None:
    text = body("1.2.1-worker-busy")
    without = identify(text, clues(["python3", "-m", "dynamo.sglang", "--model-path", "m"]))
    assert [one.code for one in without.findings] == ["no-engine-series"]
    assert "--enable-metrics" in without.findings[0].fix
    with_it = identify(text, clues(["python3", "-m", "dynamo.sglang", "--enable-metrics"]))
    assert with_it.findings == ()
