"""Triton with the TensorRT-LLM backend.

Names: README.md ("Triton Metrics") of tensorrtllm_backend. `inflight_batcher_llm/src/model_instance_state.cc` there:
Waiting Requests = Active Request Count - Scheduled Requests, so what runs is `scheduled`, and `active` is what is in
flight; the Gateway API inference extension reads `scheduled` and `waiting` too. A gauge has a series per model and
version. No histograms, and no count of tokens.
"""

from __future__ import annotations

from kubectl_llmhpa.engines import seats
from kubectl_llmhpa.engines.exposition import Exposition
from kubectl_llmhpa.engines.model import Clues, Dialect, Engine, Form, Seats, Signal

REQUESTS = "nv_trt_llm_request_metrics"
_BLOCKS = "nv_trt_llm_kv_cache_block_metrics"
_RANKS = ("model", "version")

FORM = Form(
    "",
    "nv_trt_llm_",
    ((REQUESTS,),),
    (
        Signal(
            "waiting", (REQUESTS,), _RANKS, (("request_type", "waiting"),),
            served_as="nv_trt_llm_requests_waiting",
        ),
        Signal(
            "running", (REQUESTS,), _RANKS, (("request_type", "scheduled"),),
            served_as="nv_trt_llm_requests_running",
        ),
        Signal(
            "in-flight", (REQUESTS,), (*_RANKS, "request_type"), (("request_type", "waiting|scheduled"),),
            served_as="nv_trt_llm_requests_in_flight",
        ),
        Signal(
            "kv-cache", (_BLOCKS,), _RANKS, (("kv_cache_block_type", "fraction"),),
            served_as="nv_trt_llm_kv_cache_usage",
        ),
    ),
    model_label="model",
)  # fmt: skip


def seats_of(body: Exposition, _clues: Clues) -> Seats | None:
    """`request_type="max"`, the most active requests that the engine was built for; mean lengths are not exposed."""
    most, running, waiting = (_total(body, kind) for kind in ("max", "scheduled", "waiting"))
    limit = seats.Bound(most, f'{REQUESTS}{{request_type="max"}} {most}') if most else None
    return seats.decide(limit, None, running=running, waiting=waiting, ceiling=most or None)


def _total(body: Exposition, kind: str) -> int:
    values = [sample.value for sample in body.of(REQUESTS) if sample.labels.get("request_type") == kind]
    return int(sum(values)) if all(map(seats.countable, values)) else 0


TRITON = Engine(
    name="triton",
    title="Triton with TensorRT-LLM",
    forms=(FORM,),
    dialects=(Dialect("nv_trt_llm_*", present=(REQUESTS,)),),
    commands=(r"\btritonserver\b",),
    images=(r"/tritonserver:[^\s]*trtllm",),
    versioned=(r"/tritonserver:",),
    labels=("triton", "triton-tensorrt-llm"),
    default_port=8002,
    port_flags=("--metrics-port",),
    tls_flags=(),
    switch_off=("--allow-metrics=false", "--allow-metrics=0"),
    finished=("nv_inference_request_success",),
    seats_of=seats_of,
)
