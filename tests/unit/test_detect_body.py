"""`detect --body`: what a saved metrics page is, without a cluster."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from kubectl_llmhpa.cli.detect import detect
from kubectl_llmhpa.errors import LlmHpaError
from tests.unit.bodies import BODIES, body_of

KEYS = {
    "schemaVersion", "kind", "engine", "reason", "dialect", "models", "role", "version", "signals", "seats",
    "armed", "findings",
}  # fmt: skip
NAN = (
    '# TYPE vllm:num_requests_running gauge\nvllm:num_requests_running{engine="0",model_name="m"} 8\n'
    '# TYPE vllm:num_requests_waiting gauge\nvllm:num_requests_waiting{engine="0",model_name="m"} NaN\n'
)


def run(*arguments: str, stdin: str | bytes = "") -> Result:
    return CliRunner().invoke(detect, list(arguments), input=stdin, catch_exceptions=False)


def rows(outcome: Result) -> list[list[str]]:
    """Signal, metric, kind and value of each line of the table."""
    return [line.split()[:4] for line in outcome.stdout.splitlines()]


def document(name: str, *arguments: str) -> Any:
    outcome = run("--body", str(BODIES / f"{name}.txt"), "-o", "json", *arguments)
    assert outcome.exit_code == 0
    return json.loads(outcome.stdout)


def test_a_body_as_json() -> None:
    found = document("vllm-0.20.2-busy", "--command", "vllm serve m --max-num-seqs 8")
    assert set(found) == KEYS
    assert (found["engine"], found["reason"], found["armed"]) == ("vllm", None, False)
    assert found["dialect"] == "V1 0.20 and newer"
    assert found["models"] == ["Qwen/Qwen2.5-7B-Instruct"]
    assert (found["role"], found["version"], found["findings"]) == (None, None, [])
    assert found["seats"] == {
        "value": 8,
        "evidence": "--max-num-seqs 8 x 1 data-parallel rank, all taken while 5 wait; the KV cache would hold 764",
        "proved": True,
    }
    assert found["signals"]["waiting"] == {
        "metric": "vllm:num_requests_waiting",
        "kind": "count",
        "query": "sum by (namespace, pod) "
        "(max by (namespace, pod, engine, model_name) (vllm:num_requests_waiting))",
        "series_per_pod": 1,
        "value": 5,
        "forms": ["Pods AverageValue", "External AverageValue"],
        "api_name": "vllm:num_requests_waiting",
    }
    assert found["signals"]["ttft"]["value"] is None


def test_the_image_tells_the_version_and_the_command_the_role() -> None:
    command = """vllm serve m --kv-transfer-config '{"kv_role": "kv_consumer"}'"""
    found = document("vllm-0.20.2-busy", "--image", "vllm/vllm-openai:v0.20.2", "--command", command)
    assert (found["version"], found["role"]) == ("0.20.2", "decode")


def test_a_value_that_is_no_number_is_null(tmp_path: Path) -> None:
    path = tmp_path / "body"
    path.write_text(NAN)
    found = json.loads(run("--body", str(path), "-o", "json").stdout)
    assert found["signals"]["waiting"]["value"] is None
    assert found["signals"]["running"]["value"] == 8


def test_a_router_is_no_engine_and_has_a_reason() -> None:
    found = document("router-production-stack-a6c01db-busy")
    assert set(found) == KEYS | {"upstream"}
    assert (found["engine"], found["signals"], found["seats"], found["dialect"]) == (None, {}, None, None)
    assert "production-stack router" in found["reason"]


def test_the_queue_of_an_endpoint_picker_is_an_upstream_signal() -> None:
    found = document("epp-gie-1.2-busy")
    assert found["engine"] is None
    assert found["upstream"]["waiting"]["value"] == 5
    assert found["upstream"]["waiting"]["forms"] == ["External AverageValue"]


def test_hidden_metrics_are_a_finding_with_the_flag_to_remove() -> None:
    command = ("--command", "vllm serve m --disable-log-stats")
    found = document("vllm-0.20.2-nostats-busy", *command)
    assert found["engine"] is None
    assert [(one["code"], one["fix"]) for one in found["findings"]] == [
        ("metrics-hidden", "remove --disable-log-stats from its command line (this restarts the pods)")
    ]


def test_json_is_refused_with_what_to_do() -> None:
    found = json.loads(run("--body", "-", "-o", "json", stdin='[{"iter": 1}]').stdout)
    assert found["engine"] is None
    assert [one["code"] for one in found["findings"]] == ["json-metrics"]


def test_a_defect_is_said_below_the_signals() -> None:
    outcome = run("--body", str(BODIES / "vllm-0.9.2-dp2-busy.txt"))
    assert outcome.stdout.startswith("Engine:     vllm\n")
    assert ["waiting", "vllm:num_requests_waiting", "count", "4"] in rows(outcome)
    assert outcome.stdout.splitlines()[-1].startswith("warning: with data parallelism this vLLM exposes")


def test_a_body_comes_from_stdin_too() -> None:
    outcome = run("--body", "-", stdin=body_of("vllm-0.20.2-idle"))
    assert outcome.exit_code == 0
    assert ["waiting", "vllm:num_requests_waiting", "count", "0"] in rows(outcome)


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00", b"hello world\n", b"<html></html>"])
def test_what_is_no_metrics_page_has_a_reason(content: bytes) -> None:
    outcome = run("--body", "-", "-o", "json", stdin=content)
    assert outcome.exit_code == 0
    found = json.loads(outcome.stdout)
    assert found["engine"] is None
    assert found["reason"]


def test_a_file_that_cannot_be_read_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(LlmHpaError, match=r"read .*/absent: No such file or directory; name a saved"):
        run("--body", str(tmp_path / "absent"))


def test_an_engine_that_does_not_exist_is_refused_by_name() -> None:
    outcome = run("--body", "-", "--engine", "vlm@0.20", stdin="")
    assert outcome.exit_code == 2
    assert "there is no engine 'vlm'" in outcome.stderr


def test_clues_without_a_body_are_bad_usage() -> None:
    outcome = run("--command", "vllm serve m")
    assert outcome.exit_code == 2
    assert "--command needs --body" in outcome.stderr
