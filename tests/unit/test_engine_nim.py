"""NVIDIA NIM 1.x: names without a prefix, so nothing short of all of them is believed."""

from __future__ import annotations

import re

import pytest

from kubectl_llmhpa.engines import NotAnEngine, clues, identify, listening
from tests.unit.bodies import body_of

MODEL = "Qwen/Qwen2.5-7B-Instruct"
BUSY = body_of("nim-1-busy")
IDLE = body_of("nim-1-idle")
IMAGE = "nvcr.io/nim/meta/llama-3.1-8b-instruct:1.8.4"


@pytest.mark.parametrize(("text", "waiting", "running", "ratio"), [(BUSY, 5, 8, 0.42), (IDLE, 0, 0, 0)])
def test_both_bodies_give_their_numbers(text: str, waiting: float, running: float, ratio: float) -> None:
    facts = identify(text)
    assert (facts.engine, facts.dialect, facts.models) == ("nim", "1.x", (MODEL,))
    assert {name: (source.metric, source.value) for name, source in facts.signals.items()} == {
        "waiting": ("num_requests_waiting", waiting),
        "running": ("num_requests_running", running),
        "in-flight": ("num_requests_running", waiting + running),
        "kv-cache": ("gpu_cache_usage_perc", ratio),
        "ttft": ("time_to_first_token_seconds", None),
        "itl": ("time_per_output_token_seconds", None),
        "e2e": ("e2e_request_latency_seconds", None),
        "prompt-tokens": ("prompt_tokens_total", None),
        "generation-tokens": ("generation_tokens_total", None),
    }
    assert facts.seats is not None
    assert (facts.seats.value, facts.seats.proved, facts.seats.ceiling) == (256, False, 256)


def test_every_query_asks_for_a_model_because_the_names_are_anybodys() -> None:
    for source in identify(BUSY).signals.values():
        assert 'model_name=~".+"' in source.query


@pytest.mark.parametrize(
    "missing", ["num_requests_running", "num_requests_waiting", "gpu_cache_usage_perc", "num_request_max"]
)
def test_without_one_of_its_gauges_it_is_no_engine(missing: str) -> None:
    with pytest.raises(NotAnEngine):
        identify(re.sub(rf"(?m)^{missing}\b.*\n", "", BUSY))


def test_without_the_name_of_a_model_it_is_no_engine() -> None:
    with pytest.raises(NotAnEngine):
        identify(BUSY.replace("model_name", "model"))


def test_a_new_server_is_armed_only_when_nim_is_expected() -> None:
    idle = "".join(line for line in IDLE.splitlines(keepends=True) if line.startswith("#"))
    assert identify(idle, clues(image=IMAGE)).armed
    with pytest.raises(NotAnEngine):
        identify(idle)


def test_what_runs_inside_newer_releases_is_recognised_as_itself() -> None:
    vllm = body_of("vllm-0.20.2-busy")
    assert identify(vllm, clues(image="nvcr.io/nim/meta/llama-3.1-8b-instruct:2.1.0")).engine == "vllm"


@pytest.mark.parametrize(
    ("labels", "image", "env", "port"),
    [
        ({}, IMAGE, {}, 8000),
        ({"app.kubernetes.io/part-of": "nim-service"}, "mirror.example/llama:1", {}, 8000),
        ({}, IMAGE, {"NIM_SERVER_PORT": "8080"}, 8080),
    ],
)
def test_listening(labels: dict[str, str], image: str, env: dict[str, str], port: int) -> None:
    assert listening(clues(image=image, labels=labels, env=env)) == [(port, "/v1/metrics", "http")]
