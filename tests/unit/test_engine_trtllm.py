"""trtllm-serve on bodies transcribed from three times of its collector."""

from __future__ import annotations

import re

import pytest

from kubectl_llmhpa.engines import NotAnEngine, clues, identify, listening
from kubectl_llmhpa.errors import LlmHpaError
from kubectl_llmhpa.policy import decide
from tests.unit.bodies import body_of

MODEL = "Qwen/Qwen2.5-7B-Instruct"
SERVER = ["trtllm-serve", "m", "--config", "/config/llm.yaml"]


def body(name: str) -> str:
    return body_of(f"trtllm-{name}")


LATENCIES = {
    "ttft": ("trtllm_time_to_first_token_seconds", None),
    "itl": ("trtllm_time_per_output_token_seconds", None),
    "e2e": ("trtllm_e2e_request_latency_seconds", None),
}


def test_the_1_3_line_counts_requests() -> None:
    facts = identify(body("1.3.0dev-transcribed-busy"))
    assert (facts.engine, facts.form, facts.dialect, facts.models) == (
        "trtllm",
        "",
        "1.3 and newer",
        (MODEL,),
    )
    assert {name: (source.metric, source.value) for name, source in facts.signals.items()} == {
        "waiting": ("trtllm_num_requests_waiting", 5),
        "running": ("trtllm_num_requests_running", 8),
        "in-flight": ("trtllm_num_requests_running", 13),
        "kv-cache": ("trtllm_kv_cache_utilization", 0.42),
        **LATENCIES,
        "prompt-tokens": ("trtllm_prompt_tokens_total", None),
        "generation-tokens": ("trtllm_generation_tokens_total", None),
    }
    assert facts.findings == ()
    # 13756 x 32 / (512 + 128 / 2), below 2048 active requests
    assert facts.seats is not None
    assert (facts.seats.value, facts.seats.proved, facts.seats.ceiling) == (764, True, 2048)


def test_1_2_has_the_cache_and_no_counts() -> None:
    facts = identify(body("1.2-transcribed-busy"))
    assert (facts.form, facts.dialect, facts.models) == ("without-counts", "1.2", ())
    assert {name: (source.metric, source.value) for name, source in facts.signals.items()} == {
        "kv-cache": ("trtllm_kv_cache_utilization", 0.42),
        **LATENCIES,
    }
    assert [finding.code for finding in facts.findings] == ["no-counts"]
    assert "1.3" in facts.findings[0].fix
    assert [target.signal for target in decide(facts).targets] == ["kv-cache"]


def test_1_1_has_latencies_without_a_prefix_and_no_pods_metric_can_scale_it() -> None:
    facts = identify(body("1.1-transcribed-busy"))
    assert (facts.form, facts.dialect, facts.models) == ("unprefixed", "1.1", ())
    assert {name: (source.metric, source.forms) for name, source in facts.signals.items()} == {
        "ttft": ("time_to_first_token_seconds", ("External Value",)),
        "itl": ("time_per_output_token_seconds", ("External Value",)),
        "e2e": ("e2e_request_latency_seconds", ("External Value",)),
    }
    assert "no Pods metric can scale it" in facts.findings[0].seen
    with pytest.raises(LlmHpaError, match="use a version or a setting of the engine"):
        decide(facts)


def test_names_without_a_prefix_are_nobodys_without_the_labels() -> None:
    text = body("1.1-transcribed-busy").replace('engine_type="undefined",', "")
    with pytest.raises(NotAnEngine, match="of no engine"):
        identify(text)


def test_1_3_without_iteration_statistics_names_the_setting() -> None:
    text = re.sub(r"(?m)^trtllm_(num|max|kv_cache)_.*\n", "", body("1.3.0dev-transcribed-busy"))
    facts = identify(text)
    assert (facts.form, facts.dialect) == ("without-counts", "1.3 and newer")
    assert facts.findings[0].fix == "use enable_iter_perf_stats: true in the file of --config"


def test_an_idle_server_is_armed_with_what_its_type_lines_promise() -> None:
    facts = identify(body("1.3.0dev-transcribed-idle"))
    assert (facts.armed, facts.signals["waiting"].metric) == (True, "trtllm_num_requests_waiting")
    older = re.sub(
        r"(?m)^.*trtllm_(num_requests|prompt_tokens|generation).*\n", "", body("1.2-transcribed-busy")
    )
    idle = "".join(line for line in older.splitlines(keepends=True) if line.startswith("#"))
    assert "waiting" not in identify(idle).signals


def test_only_the_prometheus_path_is_ever_read() -> None:
    assert listening(clues(SERVER)) == [(8000, "/prometheus/metrics", "http")]
    assert listening(clues([*SERVER, "--port", "8001"])) == [(8001, "/prometheus/metrics", "http")]


def test_its_json_is_refused_with_the_right_path() -> None:
    with pytest.raises(NotAnEngine) as refused:
        identify('[{"gpuMemUsage": 1, "iter": 3}]', clues(SERVER))
    assert "/prometheus/metrics" in refused.value.remedy
