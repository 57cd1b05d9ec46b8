"""What generators print, in one form; whether it may be believed; how it is told."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from kubectl_llmhpa.bench import following, report, results
from kubectl_llmhpa.bench.load import Load
from kubectl_llmhpa.bench.outcome import Outcome
from kubectl_llmhpa.bench.pod import vllm_serve
from kubectl_llmhpa.bench.preparing import Options, Plan
from kubectl_llmhpa.bench.share import PodShare
from kubectl_llmhpa.bench.target import Endpoint, Model
from kubectl_llmhpa.bench.timeline import Entry, Timeline
from kubectl_llmhpa.errors import ExitCode, LlmHpaError

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
    assert result.latencies["ttft"] == {"mean": 210.0, "p50": 200.0, "p95": 400.0, "p99": 500.0}
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
    [(100, 5, False, ""), (100, 6, False, "6 % of the requests failed"), (0, 3, False, "no request succeeded"),
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


def test_a_log_is_read_past_noise_and_half_lines() -> None:
    text = 'INFO hello\nLLMHPA {"kind":"tick","n":3}\nLLMHPA {"kind":"ti\nLLMHPA [1]\nLLMHPA {"kind":"x","n":"3"}\n'
    assert following.parse(text) == [{"kind": "tick", "n": 3}]


def pod_state(state: dict[str, Any], **status: Any) -> dict[str, Any]:
    statuses = [{"name": "istio-proxy", "state": {"running": {}}}, {"name": "bench", "state": state}]
    return {"spec": {"containers": [{"image": "x/y:1"}]}, "status": {"containerStatuses": statuses, **status}}


@pytest.mark.parametrize(
    ("waiting", "words"),
    [
        ({"reason": "ImagePullBackOff", "message": "not found"}, "image x/y:1 cannot be pulled: not found.*--image"),
        ({"reason": "RunContainerError", "message": 'exec: "python3": not found in $PATH'}, "no Python.*--image"),
        ({"reason": "CreateContainerConfigError", "message": 'secret "k" missing'}, "cannot start: secret"),
    ],
)  # fmt: skip
def test_what_does_not_pass_by_waiting_ends_it(waiting: dict[str, str], words: str) -> None:
    pod = pod_state({"waiting": waiting})
    with pytest.raises(LlmHpaError, match=words):
        following.why_waiting(pod, following.container_state(pod), "run")


def test_what_passes_by_waiting_is_told() -> None:
    pod = pod_state({}, conditions=[{"type": "PodScheduled", "status": "False", "message": "0/3 nodes"}])
    assert "0/3 nodes" in following.why_waiting(pod, {}, "run")
    assert "being started" in following.why_waiting(pod_state({}), {}, "run")


def hpa(desired: int, current: int = 1, waiting: str = "11") -> dict[str, Any]:
    name = {"name": "vllm:num_requests_waiting"}
    target = {"averageValue": "5", "type": "AverageValue"}
    return {
        "metadata": {"name": "h", "namespace": "llm"},
        "spec": {
            "scaleTargetRef": {"kind": "StatefulSet", "name": "vllm", "apiVersion": "apps/v1"},
            "minReplicas": 1, "maxReplicas": 3,
            "metrics": [{"type": "Pods", "pods": {"metric": name, "target": target}}],
        },
        "status": {
            "currentReplicas": current, "desiredReplicas": desired,
            "currentMetrics": [{"type": "Pods", "pods": {"metric": name, "current": {"averageValue": waiting}}}],
            "conditions": [{"type": "AbleToScale", "status": "True"}, {"type": "ScalingActive", "status": "True"}],
        },
    }  # fmt: skip


def rescale_event(count: int = 1) -> dict[str, Any]:
    message = "New size: 3; reason: pods metric vllm:num_requests_waiting above target"
    return {
        "metadata": {"uid": "e"},
        "reason": "SuccessfulRescale",
        "type": "Normal",
        "message": message,
        "count": count,
    }


def test_the_first_rescale_is_the_first_change_of_desired_and_events_add_the_reason() -> None:
    now = [100.0]
    timeline = Timeline(None, "llm", clock=lambda: now[0])  # type: ignore[arg-type]
    timeline.on_hpa("ADDED", hpa(1))
    for at, change in ((110.0, hpa(1)), (114.0, hpa(3)), (120.0, hpa(3, 3)), (130.0, hpa(1, 3))):
        now[0] = at
        timeline.on_hpa("MODIFIED", change)
    timeline.on_event("ADDED", rescale_event())
    timeline.on_event("ADDED", rescale_event())  # listed again
    assert timeline.first_rescale(104.0) == 10.0
    assert timeline.first_rescale(115.0) is None  # going down is not what the load was for
    assert [(entry.kind, entry.text) for entry in timeline.entries] == [
        ("desired", "desired replicas 1 -> 3"),
        ("desired", "desired replicas 3 -> 1"),
        (
            "rescale",
            "SuccessfulRescale: new size 3; reason: pods metric vllm:num_requests_waiting above target",
        ),
    ]


def outcome(must: bool = True, first: float | None = 14.2, **result: Any) -> Outcome:
    facts = {"done": 100, "sent": 101, "failed": {"http 500": 1}, "duration_s": 180.0, "request_rate": 5.5,
             "examples": {"http 500": "bad \x1b[31m thing"},
             "ttft_ms": {"mean": 9, "p50": 8, "p95": 10, "p99": 11}, **result}  # fmt: skip
    sight = type("Sight", (), {})()
    sight.facts = type("Facts", (), {"engine": "vllm", "version": "0.20.2", "seats": None})()
    sight.container = {"image": "i"}
    workload = type("Workload", (), {"reference": "StatefulSet/vllm", "namespace": "llm", "replicas": 1})()
    run = type("Run", (), {"run": "abc", "settings": {"seed": 1}})()
    plan = Plan(workload, sight, hpa(1), Endpoint("http://s:80", "service/s port 80"), Model("tiny", ""),
                Load(16, "because", must), 1, Options(), run)  # fmt: skip
    timeline = Timeline(None, "llm")  # type: ignore[arg-type]
    timeline.on_hpa("ADDED", hpa(3))
    return Outcome(plan, results.of_builtin(facts), [Entry(114.2, "desired", "desired replicas 1 -> 3")],
                   [PodShare("vllm-0", 100, 1.0), PodShare("vllm-1", 0, 0.0)], 100.0, first, timeline.now,
                   1)  # fmt: skip


@pytest.mark.parametrize(
    ("made", "code"),
    [
        (outcome(), ExitCode.OK),
        (outcome(first=None), ExitCode.NO_RESCALE),
        (outcome(must=False, first=None), ExitCode.OK),
        (outcome(done=0), ExitCode.MEASUREMENT_INVALID),
        (outcome(failed={"http 500": 50}), ExitCode.MEASUREMENT_INVALID),
    ],
    ids=["rescaled", "not rescaled", "need not", "nothing", "half failed"],
)
def test_the_verdict(made: Outcome, code: ExitCode) -> None:
    assert report.verdict(made)[0] is code


def test_the_text_says_what_happened_and_no_escape_sequence_passes() -> None:
    text = report.text(outcome())
    assert "\x1b" not in text
    assert "101 sent, 100 succeeded, 1 failed (http 500: 1)" in text
    assert "+14.2s  desired replicas 1 -> 3" in text
    assert "waiting 11/5" in text
    assert [line for line in text.splitlines() if "vllm-1" in line and "got nothing" in line]
    assert text.splitlines()[-1] == "Result: first rescale 14.2 s after the load began"


def test_the_document_is_json_and_says_what_is_unknown() -> None:
    made = json.loads(json.dumps(report.document(outcome(first=None))))
    assert made["kind"] == "Bench"
    assert made["startedAt"] == "1970-01-01T00:01:40.000Z"
    assert made["firstRescaleSeconds"] is None
    assert made["result"]["latencies"]["itl"]["p50"] is None
    assert made["timeline"] == [{"seconds": 14.2, "kind": "desired", "text": "desired replicas 1 -> 3"}]
    assert made["verdict"]["exitCode"] == 4
