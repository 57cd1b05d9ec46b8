"""What generators print, in one form; whether it may be believed."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from kubectl_llmhpa.bench import following, results
from kubectl_llmhpa.bench.pod import vllm_serve

# The fields of vLLM's own result files that are read here; the new one leaves arrays in.
OLD = {
    "endpoint_type": "openai", "num_prompts": 400, "completed": 396, "duration": 80.0, "request_throughput": 4.95,
    "output_throughput": 495.0, "total_input_tokens": 594000, "total_output_tokens": 39600, "max_concurrency": 20,
    "mean_ttft_ms": 210.0, "median_ttft_ms": 200.0, "p95_ttft_ms": 400.0, "p99_ttft_ms": 500.0,
    "mean_e2el_ms": 4000.0, "median_e2el_ms": 3900.0, "p95_e2el_ms": 5000.0, "p99_e2el_ms": 5100.0,
}  # fmt: skip
NEW = {**OLD, "failed": 4, "latencies": [1.0] * 400, "queue_times": [], "request_rate": "inf"}


def summary(result: Any, **facts: Any) -> dict[str, Any]:
    return {
        "kind": "summary",
        "n": 9,
        "ended": "prompts",
        "generator": "g",
        "result": result,
        "tail": "boom",
        **facts,
    }


@pytest.mark.parametrize("found", [OLD, NEW], ids=["old, without failed", "new"])
def test_vllms_result_file(found: dict[str, Any]) -> None:
    result = results.of_vllm(summary(found), 400)
    assert (result.sent, result.done, result.failures) == (400, 396, 4)
    assert result.request_rate == 4.95
    assert result.latencies["ttft"] == {
        "mean": 210.0, "p50": 200.0, "p90": None, "p95": 400.0, "p99": 500.0,
    }  # fmt: skip
    assert result.latencies["e2e"]["p99"] == 5100.0
    assert result.latencies["itl"]["p50"] is None
    assert result.concurrency == 19.8
    assert result.invalid == ""


def test_vllms_generator_with_every_request_failed_is_invalid_and_its_zeros_are_unknown() -> None:
    nothing = {**OLD, "completed": 0, "mean_ttft_ms": 0.0, "median_ttft_ms": 0.0}
    result = results.of_vllm(summary(nothing, exit_code=0), 400)
    assert result.failures == 400
    assert result.latencies["ttft"]["p50"] is None
    assert result.invalid == "no request succeeded"
    assert result.tail == "boom"


def test_vllms_generator_without_a_result_file() -> None:
    result = results.of_vllm(summary(None, done=0), 400)
    assert (result.done, result.invalid, result.tail) == (0, "no request succeeded", "boom")


@pytest.mark.parametrize(
    ("done", "failed", "limited", "invalid"),
    [(100, 5, False, ""), (100, 6, False, "6 % of the requests failed (most: http 500)"),
     (0, 3, False, "no request succeeded"),
     (100, 0, True, "the client was the limit, not the engine")],
)  # fmt: skip
def test_counts_decide(done: int, failed: int, limited: bool, invalid: str) -> None:
    facts = {
        "done": done,
        "sent": done + failed,
        "failed": {"http 500": failed},
        "client": {"limited": limited},
    }
    assert results.of_builtin(facts).invalid == invalid


def test_the_flags_are_those_that_the_generators_parser_has() -> None:
    settings = {"base_url": "http://s:80", "model": "tiny", "tokenizer": "/models/Q", "num_prompts": 400,
                "concurrency": 20, "input_tokens": 1500, "output_tokens": 100, "seed": 7}  # fmt: skip
    old = vllm_serve.arguments(
        settings, {"--base-url", "--endpoint-type", "--random-range-ratio", "--ignore-eos"}
    )
    assert old == [
        "--endpoint-type",
        "openai",
        "--base-url",
        "http://s:80",
        "--random-range-ratio",
        "0.0",
        "--ignore-eos",
    ]
    common = vllm_serve.arguments(settings, None)
    assert "--endpoint-type" not in common
    assert "--ready-check-timeout-sec" not in common
    assert common[common.index("--tokenizer") + 1] == "/models/Q"
    assert common[common.index("--served-model-name") + 1] == "tiny"


def test_the_driver_follows_a_generator_and_reports_its_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "result.json"
    script = f"""
import sys, time
for done in (0, 1, 2):
    sys.stderr.write(f"\\r {{done}}/2 [00:00<00:00]"); sys.stderr.flush(); time.sleep(0.6)
print("\\nwarning: x")
open({str(file)!r}, "w").write('{{"completed": 2, "num_prompts": 2, "latencies": [1, 2]}}')
"""
    monkeypatch.setattr(vllm_serve, "RESULT", str(file))
    codes = (f"raise SystemExit({vllm_serve.NOT_HERE})", script)
    forms = [(str(number), [sys.executable, "-c", code]) for number, code in enumerate(codes)]
    monkeypatch.setattr(vllm_serve, "forms", lambda path, settings: forms)
    out = tmp_path / "out"
    with out.open("w") as stream:
        vllm_serve.Driver("s.json", {"num_prompts": 2, "concurrency": 1}, stream).run()
    facts = following.parse(out.read_text())
    assert [fact["n"] for fact in facts] == list(range(1, len(facts) + 1))
    assert "start" in [fact["kind"] for fact in facts]
    assert facts[-1]["kind"] == "summary"
    assert facts[-1]["done"] == 2
    assert facts[-1]["result"] == {"completed": 2, "num_prompts": 2}
    assert facts[-1]["generator"] == "1"
    assert "warning: x" in facts[-1]["tail"]
