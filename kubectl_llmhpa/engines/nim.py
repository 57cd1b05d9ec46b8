"""NVIDIA NIM for LLMs, 1.x.

Names: docs.nvidia.com/nim/large-language-models (1.x), Observability. They have no prefix, so only all of the gauges
together, each with a model's name, tell it, and every query asks for that label too. NIM 2 and newer expose the names
of the engine inside and are recognised as that.
"""

from __future__ import annotations

from kubectl_llmhpa.engines import seats
from kubectl_llmhpa.engines.exposition import Exposition
from kubectl_llmhpa.engines.model import Clues, Dialect, Engine, Form, Seats, Signal

WAITING = "num_requests_waiting"
RUNNING = "num_requests_running"
_MOST = "num_request_max"
_KV = "gpu_cache_usage_perc"
_RANKS = ("model_name",)
_NAMED = (("model_name", ".+"),)

FORM = Form(
    "",
    "",
    ((RUNNING,), (WAITING,), (_KV,), (_MOST,)),
    (
        Signal("waiting", (WAITING,), _RANKS, _NAMED),
        Signal("running", (RUNNING,), _RANKS, _NAMED),
        Signal(
            "in-flight", (RUNNING,), _RANKS, _NAMED, plus=(WAITING,), served_as="nim_num_requests_in_flight"
        ),
        Signal("kv-cache", (_KV,), _RANKS, _NAMED),
        Signal("ttft", ("time_to_first_token_seconds",), _RANKS, _NAMED),
        Signal("itl", ("time_per_output_token_seconds",), _RANKS, _NAMED),
        Signal("e2e", ("e2e_request_latency_seconds",), _RANKS, _NAMED),
        Signal("prompt-tokens", ("prompt_tokens_total",), _RANKS, _NAMED),
        Signal("generation-tokens", ("generation_tokens_total",), _RANKS, _NAMED),
    ),
    labelled=("model_name",),
)


def seats_of(body: Exposition, _clues: Clues) -> Seats | None:
    """`num_request_max`: the most requests that the model runs at once. The size of its KV cache is not exposed."""
    most = seats.whole_total(body, _MOST)
    return seats.decide(
        seats.Bound(most, f"{_MOST} {most}") if most else None,
        None,
        running=seats.whole_total(body, RUNNING),
        waiting=seats.whole_total(body, WAITING),
        ceiling=most or None,
    )


NIM = Engine(
    name="nim",
    title="NVIDIA NIM",
    forms=(FORM,),
    dialects=(Dialect("1.x", present=(RUNNING, _MOST), since="1"),),
    commands=(r"/opt/nim/start[-_]server\.sh",),
    # Embedding, ranking, speech and image models are served by other programs.
    images=(
        r"(^|/)nim/(?![\w./-]*(embed|rerank|retriev|clip|ocr|riva|parakeet|canary|tts|diffusion|flux))[\w./-]+(:|@|$)",
    ),
    versioned=(r"(^|/)nim/[\w./-]+:",),
    labels=("nim", "nim-service"),
    default_port=8000,
    path="/v1/metrics",
    port_env=("NIM_SERVER_PORT", "NIM_HTTP_API_PORT"),
    tls_flags=(),
    model_env=("NIM_SERVED_MODEL_NAME", "NIM_MODEL_NAME"),
    finished=("request_finish_total", "request_success_total"),
    seats_of=seats_of,
)
