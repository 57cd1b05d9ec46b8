"""Triton with TensorRT-LLM on bodies written from the backend's README."""

from __future__ import annotations

import pytest

from kubectl_llmhpa.engines import NotAnEngine, clues, identify, listening
from tests.unit.bodies import body_of

BUSY = body_of("triton-trtllm-busy")
IDLE = body_of("triton-trtllm-idle")
SERVER = ["mpirun", "-n", "1", "tritonserver", "--model-repository=/models"]


@pytest.mark.parametrize(("text", "waiting", "running", "ratio"), [(BUSY, 5, 8, 0.42), (IDLE, 0, 0, 0)])
def test_both_bodies_give_their_numbers(text: str, waiting: float, running: float, ratio: float) -> None:
    facts = identify(text)
    assert (facts.engine, facts.models) == ("triton", ("tensorrt_llm",))
    requests, blocks = "nv_trt_llm_request_metrics", "nv_trt_llm_kv_cache_block_metrics"
    assert {name: (source.metric, source.value, source.series) for name, source in facts.signals.items()} == {
        "waiting": (requests, waiting, 1),
        "running": (requests, running, 1),
        "in-flight": (requests, waiting + running, 2),
        "kv-cache": (blocks, ratio, 1),
    }


def test_each_number_has_a_name_of_its_own_in_the_metrics_api() -> None:
    names = [source.api_name for source in identify(BUSY).signals.values()]
    assert len(set(names)) == len(names)
    assert "nv_trt_llm_request_metrics" not in names


def test_two_models_of_one_server_add_up() -> None:
    second = "".join(
        line.replace('"tensorrt_llm"', '"draft"')
        for line in BUSY.splitlines(keepends=True)
        if line.startswith("nv_trt_llm")
    )
    facts = identify(BUSY + second)
    assert facts.models == ("draft", "tensorrt_llm")
    assert (facts.signals["waiting"].value, facts.signals["kv-cache"].value) == (10, 0.42)


def test_the_capacity_gauge_is_the_seats() -> None:
    seats = identify(BUSY).seats
    assert seats is not None
    assert (seats.value, seats.proved, seats.ceiling) == (512, False, 512)


def test_a_triton_without_the_backend_is_no_engine() -> None:
    text = "".join(line for line in BUSY.splitlines(keepends=True) if "nv_trt_llm" not in line)
    with pytest.raises(NotAnEngine, match="of no engine"):
        identify(text)


@pytest.mark.parametrize(
    ("flags", "port"), [([], 8002), (["--metrics-port=9002"], 9002), (["--http-port=8000"], 8002)]
)
def test_listening(flags: list[str], port: int) -> None:
    assert listening(clues([*SERVER, *flags])) == [(port, "/metrics", "http")]


def test_the_flag_that_hides_metrics_is_named() -> None:
    with pytest.raises(NotAnEngine) as refused:
        identify("", clues([*SERVER, "--allow-metrics=false"]))
    assert refused.value.remedy == "remove --allow-metrics=false from the command line"
    with pytest.raises(NotAnEngine, match="answered with nothing"):
        identify("", clues([*SERVER, "--allow-metrics=true"]))
