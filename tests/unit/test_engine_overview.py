"""One row for each kind of metrics page there is: what it is told to be, and which of its numbers are which."""

from __future__ import annotations

import pytest

from kubectl_llmhpa.engines import NotAnEngine, clues, expect, identify
from tests.unit.bodies import body_of

BUSY = {"waiting": 5, "running": 8, "kv-cache": 0.42}
SGLANG = "sglang:num_queue_reqs"

ROWS = {
    "vLLM": (
        "vllm-0.20.2-busy", "vllm", "", "", BUSY,
        ("vllm:num_requests_waiting", "vllm:num_requests_running", "vllm:kv_cache_usage_perc"),
    ),
    "SGLang": (
        "sglang-0.5.12-busy", "sglang", "", "", BUSY, (SGLANG, "sglang:num_running_reqs", "sglang:token_usage"),
    ),
    "SGLang prefill": (
        "sglang-0.5.12-prefill-busy", "sglang", "prefill", "prefill", {"waiting": 8, "kv-cache": 0.42},
        (SGLANG, None, "sglang:token_usage"),
    ),
    "SGLang decode": (
        "sglang-0.5.12-decode-busy", "sglang", "decode", "decode", BUSY,
        (SGLANG, "sglang:num_running_reqs", "sglang:token_usage"),
    ),
    "Dynamo frontend": (
        "dynamo-1.6.1-frontend-busy", "dynamo", "frontend", "frontend", {"waiting": 5, "running": 8},
        ("dynamo_frontend_queued_requests", "dynamo_frontend_active_requests", None),
    ),
    "Dynamo worker": (
        "dynamo-1.6.1-worker-vllm0.31.0-busy", "dynamo", "worker", "", BUSY,
        ("vllm:num_requests_waiting", "vllm:num_requests_running", "vllm:kv_cache_usage_perc"),
    ),
    "TGI": (
        "tgi-3.3.7-busy", "tgi", "", "", BUSY,
        ("tgi_queue_size", "tgi_batch_current_size", "tgi_batch_current_max_tokens"),
    ),
    "trtllm-serve": (
        "trtllm-1.3.0dev-transcribed-busy", "trtllm", "", "", BUSY,
        ("trtllm_num_requests_waiting", "trtllm_num_requests_running", "trtllm_kv_cache_utilization"),
    ),
    "Triton with TensorRT-LLM": (
        "triton-trtllm-busy", "triton", "", "", BUSY,
        ("nv_trt_llm_request_metrics", "nv_trt_llm_request_metrics", "nv_trt_llm_kv_cache_block_metrics"),
    ),
    "llama.cpp": (
        "llamacpp-11434-busy", "llamacpp", "", "", {"waiting": 5, "running": 8},
        ("llamacpp:requests_deferred", "llamacpp:requests_processing", None),
    ),
    "LMDeploy": (
        "lmdeploy-0.10.2-busy", "lmdeploy", "", "", BUSY,
        ("lmdeploy:num_requests_waiting", "lmdeploy:num_requests_running", "lmdeploy:gpu_cache_usage_perc"),
    ),
    "NIM": (
        "nim-1-busy", "nim", "", "", BUSY,
        ("num_requests_waiting", "num_requests_running", "gpu_cache_usage_perc"),
    ),
    "Ray-wrapped vLLM": (
        "ray-vllm-0.11.2-busy", "vllm", "ray", "", BUSY,
        ("ray_vllm_num_requests_waiting", "ray_vllm_num_requests_running", "ray_vllm_kv_cache_usage_perc"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", ROWS)
def test_each_engine(name: str) -> None:
    body, engine, form, role, values, metrics = ROWS[name]
    facts = identify(body_of(body))
    assert (facts.engine, facts.form, facts.role) == (engine, form, role)
    shown = {signal: facts.signals[signal].value for signal in BUSY if signal in facts.signals}
    assert shown == pytest.approx(values)
    named = tuple(facts.signals[one].metric if one in facts.signals else None for one in BUSY)
    assert named == metrics


@pytest.mark.parametrize(
    ("body", "seen"),
    [
        ("epp-gie-1.2-busy", "endpoint picker"),
        ("epp-llm-d-0.9-busy", "endpoint picker"),
        ("router-production-stack-a6c01db-busy", "production-stack router"),
        ("router-sglang-0.2.4-busy", "SGLang router"),
        ("router-smg-0.3.2-busy", "SGLang router"),
        ("router-vllm-rust-0.1.17-busy", "vLLM router"),
    ],
)
def test_each_look_alike(body: str, seen: str) -> None:
    with pytest.raises(NotAnEngine) as refused:
        identify(body_of(body))
    assert seen in refused.value.seen
    waits = refused.value.upstream.get("waiting")
    assert (waits is not None) == body.startswith("epp-")
    assert waits is None or all(form.startswith("External") for form in waits.forms)


@pytest.mark.parametrize(
    ("labels", "engine"),
    [
        ({"alibabacloud.com/inference-workload": "x", "alibabacloud.com/inference-backend": "vllm"}, "vllm"),
        ({"alibabacloud.com/inference-backend": "sglang"}, "sglang"),
        ({"llm-d.ai/engine-type": "trtllm-serve"}, "trtllm"),
        ({"inference.networking.k8s.io/engine-type": "triton-tensorrt-llm"}, "triton"),
        ({"model.aibrix.ai/engine": "vllm"}, "vllm"),
        ({"app.kubernetes.io/part-of": "nim-service"}, "nim"),
        ({"nvidia.com/dynamo-component-type": "worker"}, "dynamo"),
    ],
)
def test_labels_that_platforms_put_on_their_engine_pods(labels: dict[str, str], engine: str) -> None:
    found = expect(clues(labels=labels))
    assert found is not None
    assert found.engine.name == engine
