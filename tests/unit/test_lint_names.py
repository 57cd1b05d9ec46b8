"""What a metric's name says: whose it is, a slip of whose, and until which version."""

from __future__ import annotations

import re

import pytest

from kubectl_llmhpa.engines import Kind
from kubectl_llmhpa.lint import names
from kubectl_llmhpa.lint.families import FAMILIES
from tests.loading import ROOT

PREFIXES = (
    "vllm:",
    "sglang:",
    "tgi_",
    "lmdeploy:",
    "trtllm_",
    "trtllm:",
    "llamacpp:",
    "nv_trt_llm_",
    "dynamo_",
)


def test_the_list_of_families_holds_what_the_recorded_bodies_have() -> None:
    texts = [path.read_text(errors="replace") for path in (ROOT / "tests" / "bodies").glob("*.txt")]
    seen = {name for text in texts for name in re.findall(r"(?m)^# TYPE (\S+) ", text)}
    assert {name for name in seen if name.startswith(PREFIXES)} == FAMILIES


@pytest.mark.parametrize(
    ("name", "meant", "in_a_query"),
    [
        ("tgi:queue_size", "tgi_queue_size", "tgi_queue_size"),
        ("vllm:num_request_waiting", "vllm:num_requests_waiting", "vllm:num_requests_waiting"),
        ("vllm:kv_cache_usage", "vllm:kv_cache_usage_perc", "vllm:kv_cache_usage_perc"),
        ("vllm_num_requests_waiting", "", "vllm:num_requests_waiting"),
        ("vllm_num_requests_waitting", "", "vllm:num_requests_waiting"),
        ("vllm:num_requests_waiting", "", ""),
        ("vllm:num_requests_swapped", "", ""),
        ("vllm:cpu_cache_usage_perc", "", ""),
        ("vllm:time_to_first_token_seconds_bucket", "", ""),
        ("vllm:waiting:sum5m", "", ""),
        ("queue_depth", "", ""),
    ],
)
def test_a_slip_is_told_from_the_other_names_of_an_engine(name: str, meant: str, in_a_query: str) -> None:
    assert names.mistake(name) == meant
    assert names.mistake(name, exact=True) == in_a_query


def test_no_family_and_no_signal_of_an_engine_is_a_slip() -> None:
    assert {name for name in FAMILIES if names.mistake(name, exact=True)} == set()


@pytest.mark.parametrize(
    ("name", "version", "now"),
    [
        ("vllm:gpu_cache_usage_perc", "0.12.0", "vllm:kv_cache_usage_perc"),
        ("vllm_gpu_cache_usage_perc", "0.13", "vllm:kv_cache_usage_perc"),
        ("vllm:gpu_cache_usage_perc", "0.9.2", ""),
        ("vllm:kv_cache_usage_perc", "0.8.5", "vllm:gpu_cache_usage_perc"),
        ("vllm:kv_cache_usage_perc", "0.20.2", ""),
        ("vllm:num_requests_waiting", "0.20.2", ""),
        ("vllm:gpu_cache_usage_perc", "", ""),
    ],
)
def test_a_name_that_a_version_has_not(name: str, version: str, now: str) -> None:
    found = names.renamed(name, version)
    assert (found.now if found else "") == now


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("vllm:num_requests_running", Kind.COUNT),
        ("vllm_kv_cache_usage_perc", Kind.RATIO),
        ("vllm:e2e_request_latency_seconds", Kind.LATENCY),
        ("llm_ttft_p95", Kind.LATENCY),
        ("request_latency_seconds_count", None),
        ("queue_depth", None),
        ("item_count", None),
    ],
)
def test_the_kind_of_a_name(name: str, kind: Kind | None) -> None:
    assert names.kind_of(name) is kind
