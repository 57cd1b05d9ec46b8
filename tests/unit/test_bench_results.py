"""What generators print, in one form; whether it may be believed."""

from __future__ import annotations

from typing import Any

import pytest

from kubectl_llmhpa.bench import results

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


# One line of SGLang's output file, as 0.4.9 and as a later version writes it.
SGLANG = {
    "backend": "sglang-oai", "request_rate": "inf", "duration": 80.0, "completed": 396, "request_throughput": 4.95,
    "output_throughput": 495.0, "total_input_tokens": 594000, "total_output_tokens": 39600,
    "mean_ttft_ms": 210.0, "median_ttft_ms": 200.0, "p99_ttft_ms": 500.0, "mean_e2e_latency_ms": 4000.0,
    "median_e2e_latency_ms": 3900.0, "p99_e2e_latency_ms": 5100.0, "concurrency": 19.8,
}  # fmt: skip
SGLANG_NEW = {**SGLANG, "p95_ttft_ms": 400.0, "request_goodput": 4.5, "slo_attainment": 0.9}


@pytest.mark.parametrize(("found", "p95", "good"), [(SGLANG, None, None), (SGLANG_NEW, 400.0, 360)])
def test_sglangs_result(found: dict[str, Any], p95: float | None, good: int | None) -> None:
    result = results.of("sglang", summary(found, num_prompts=400))
    assert (result.sent, result.done, result.failures, result.good) == (400, 396, 4, good)
    assert (result.latencies["ttft"]["p95"], result.latencies["e2e"]["p99"]) == (p95, 5100.0)
    assert result.concurrency == 19.8
    assert result.invalid == ""


def test_a_generator_without_a_tokenizer_says_so() -> None:
    tail = "OSError: /models/Q is not a local folder and is not a valid model identifier listed on the hub"
    result = results.of("vllm", summary(None, done=0, tail=tail, exit_code=1))
    assert result.invalid == "no request succeeded: the generator found no tokenizer"


def test_a_point_has_seconds_and_says_why_it_must_not_be_used() -> None:
    facts = {"kind": "point", "asked_concurrency": 20, "seed": 3, "complete": True, "slo": {"ttft_s": 1}}
    good = results.point("vllm", {**facts, "result": {**NEW, "request_goodput": 4.0}}, 2)
    assert (good.concurrency, good.pods, good.seed, good.good, good.goodput) == (20, 2, 3, 320, 4.0)
    assert (good.ttft.p50, good.e2e.p99, good.itl.p50, good.invalid) == (0.2, 5.1, None, "")
    assert good.per_pod == 10
    uncounted = results.point("vllm", {**facts, "result": NEW}, 1)
    assert uncounted.invalid == "the generator does not count the requests that kept the SLO"
    without_slo = results.point("vllm", {**facts, "slo": None, "result": NEW}, 1)
    assert (without_slo.good, without_slo.invalid) == (396, "")
    cut = results.point("vllm", {**facts, "complete": False, "result": None}, 1)
    assert cut.invalid == "the load ended before the point was over: no request succeeded"


@pytest.mark.parametrize(
    ("facts", "invalid"),
    [
        ({"ended": "gave up"}, "the engine stopped answering"),
        ({"ended": "signal"}, "the load was ended from outside"),
        (
            {"ended": "time", "arrivals": 100, "late": 6},
            "the client was the limit: 6 of 100 requests were sent late",
        ),
        (
            {"ended": "time", "arrivals": 100, "shed": 6},
            "6 of 100 requests were not sent: too many were in flight",
        ),
        ({"ended": "time", "arrivals": 100, "late": 5, "shed": 5}, ""),
    ],
)
def test_why_a_load_was_not_the_one_that_was_asked_for(facts: dict[str, Any], invalid: str) -> None:
    assert results.of("builtin", {"done": 90, "sent": 94, **facts}).invalid == invalid
