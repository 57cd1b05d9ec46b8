"""A service curve from benchmark results: what it recovers, and what it refuses."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from kubectl_llmhpa.errors import LlmHpaError
from kubectl_llmhpa.simulate import fitting
from kubectl_llmhpa.simulate.closed import point
from kubectl_llmhpa.simulate.service import DEFAULT, Service

PROMPT, OUTPUT = 500, 100
CLIENTS = (1, 4, 16, 32)


def result(clients: int, throughput: float, ttft: float, **changes: Any) -> dict[str, Any]:
    """As vLLM writes it, with the lists that 0.32 leaves in."""
    return {
        "backend": "vllm", "max_concurrency": clients, "completed": 100, "failed": 0, "request_rate": "inf",
        "total_input_tokens": 100 * PROMPT, "total_output_tokens": 100 * OUTPUT, "request_throughput": throughput,
        "mean_ttft_ms": ttft * 1000, "latencies": [1.0, 2.0], **changes,
    }  # fmt: skip


def sweep(service: Service) -> list[dict[str, Any]]:
    found = [point(service, clients, PROMPT, OUTPUT, count=8 * clients) for clients in CLIENTS]
    return [result(one.clients, one.throughput, one.ttft_mean) for one in found]


def written(folder: Path, *results: dict[str, Any]) -> list[Path]:
    paths = []
    for index, one in enumerate(results):
        paths.append(folder / f"{index}.json")
        paths[-1].write_text(json.dumps(one))
    return paths


@pytest.mark.parametrize("speed", [0.3, 1.0, 3.0])
def test_a_curve_comes_back_out_of_its_own_sweep(tmp_path: Path, speed: float) -> None:
    truth = replace(DEFAULT, seats=16, per_request=0.0004).at_speed(speed)
    runs = fitting.read(written(tmp_path, *sweep(truth)))
    found = fitting.fit(runs.runs, replace(DEFAULT, seats=16))
    assert found.throughput_error < 0.05
    assert found.ttft_error < 0.15
    assert found.service.step_time(8) == pytest.approx(truth.step_time(8), rel=0.15)
    assert found.service.prefill == pytest.approx(truth.prefill, rel=0.3)
    assert not found.service.assumed


def test_results_may_be_an_object_a_list_or_one_a_line(tmp_path: Path) -> None:
    one, two = result(1, 2.0, 0.05), result(8, 9.0, 0.3, request_rate=float("inf"))
    forms = [json.dumps([one, two]), f"{json.dumps(one)}\n{json.dumps(two)}\n"]
    expected = fitting.read(written(tmp_path, two, one))
    assert [run.clients for run in expected.runs] == [1, 8]
    for text in forms:
        (tmp_path / "all").write_text(text)
        assert fitting.read([tmp_path / "all"]) == expected


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"max_concurrency": None}, "not a closed loop"),
        ({"request_rate": 4.0}, "held to a rate"),
        ({"completed": 0}, "says no completed above 0"),
        ({"mean_ttft_ms": float("nan")}, "says no mean_ttft_ms above 0"),
        ({"max_concurrency": 8}, "one concurrency says nothing"),
    ],
)
def test_results_that_tell_nothing(tmp_path: Path, changes: dict[str, Any], said: str) -> None:
    with pytest.raises(LlmHpaError, match=said):
        fitting.read(written(tmp_path, result(8, 9.0, 0.3), result(1, 2.0, 0.05, **changes)))


@pytest.mark.parametrize("text", ["", "[]", "{", "[1]", "a,b\n"])
def test_what_is_no_result(tmp_path: Path, text: str) -> None:
    (tmp_path / "x").write_text(text)
    with pytest.raises(LlmHpaError, match="no result of vLLM's"):
        fitting.read([tmp_path / "x"])
    with pytest.raises(LlmHpaError, match="No such file"):
        fitting.read([tmp_path / "absent"])


def bench(**changes: Any) -> dict[str, Any]:
    """A document of `bench --sweep` of two pods."""
    points = [
        {
            "concurrency": 2 * clients, "pods": 2, "done": 50, "inputTokens": 50 * PROMPT,
            "outputTokens": 50 * OUTPUT, "throughput": 2 * rate, "ttft": {"mean": ttft}, "invalid": invalid,
        }
        for clients, rate, ttft, invalid in ((8, 9.0, 0.3, ""), (1, 2.0, 0.05, ""), (4, 1.0, 9.0, "too short"))
    ]  # fmt: skip
    return {"kind": "Bench", "sweep": {"points": points, "seats": 8, "block": 16, "blocks": 100, **changes}}


def test_our_own_document_counts_by_pod_and_without_invalid_points(tmp_path: Path) -> None:
    found = fitting.read(written(tmp_path, bench()))
    theirs = fitting.read(written(tmp_path, result(1, 2.0, 0.05), result(8, 9.0, 0.3)))
    assert found.runs == theirs.runs
    assert (found.seats, found.kv_tokens) == (8, 1600)
    assert (theirs.seats, theirs.kv_tokens) == (None, None)
    assert fitting.read(written(tmp_path, bench(seats=None, blocks=None))).kv_tokens is None


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ({"kind": "Bench", "sweep": None}, "it has no sweep; give what bench --sweep"),
        (bench(points=[{"concurrency": 1, "pods": 1}]), "a point of its sweep is not whole"),
        (bench(points=[]), "one concurrency says nothing"),
    ],
)
def test_documents_that_tell_nothing(tmp_path: Path, document: dict[str, Any], said: str) -> None:
    with pytest.raises(LlmHpaError, match=said):
        fitting.read(written(tmp_path, document))
