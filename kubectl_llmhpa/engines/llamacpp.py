"""llama.cpp's server.

Names: `tools/server/server.cpp` of 2026 (the tree in llama-cpp-python 0.3.36) and `examples/server/server.cpp` of
February 2025 (c392e509), whose two KV gauges were removed later that year. No labels, no latencies. One process has a
fixed number of slots; `requests_deferred` is what finds none free.
"""

from __future__ import annotations

from typing import Any

from kubectl_llmhpa.engines import commands, seats
from kubectl_llmhpa.engines.exposition import Exposition
from kubectl_llmhpa.engines.model import Clues, Dialect, Engine, Form, Info, Seats, Signal

WAITING = "llamacpp:requests_deferred"
RUNNING = "llamacpp:requests_processing"
_KV = "llamacpp:kv_cache_usage_ratio"

FORM = Form(
    "",
    "llamacpp:",
    ((RUNNING,), (WAITING,)),
    (
        Signal("waiting", (WAITING,)),
        Signal("running", (RUNNING,)),
        Signal("in-flight", (RUNNING,), plus=(WAITING,), served_as="llamacpp:requests_in_flight"),
        Signal("kv-cache", (_KV,)),
        Signal("prompt-tokens", ("llamacpp:prompt_tokens_total",)),
        Signal("generation-tokens", ("llamacpp:tokens_predicted_total",)),
    ),
)


def seats_of(body: Exposition, clues: Clues) -> Seats | None:
    """The slots of `--parallel`; without the flag they are chosen by the server, which `/props` tells."""
    text = commands.flag(clues.words, "-np", "--parallel") or clues.env.get("LLAMA_ARG_N_PARALLEL")
    slots = commands.whole(text)
    running, waiting = seats.whole_total(body, RUNNING), seats.whole_total(body, WAITING)
    if slots is None:
        return seats.decide(None, None, running=running, waiting=waiting)
    return Seats(slots, f"--parallel {slots} slots", proved=True, ceiling=slots)


def info_of(answer: Any) -> Info:
    """`GET /props`: {"total_slots": 4, "model_alias": "m", "build_info": "b6123-1a2b3c4", ...}."""
    if not isinstance(answer, dict):
        return Info()
    slots = commands.whole(str(answer.get("total_slots")))
    model, build = answer.get("model_alias"), answer.get("build_info")
    return Info(
        version=str(build) if build else None,
        models=(str(model),) if model else (),
        seats=Seats(slots, f"{slots} slots in /props", proved=True, ceiling=slots) if slots else None,
    )


LLAMACPP = Engine(
    name="llamacpp",
    title="llama.cpp",
    forms=(FORM,),
    dialects=(
        Dialect("with KV gauges (up to early 2025)", present=(_KV,)),
        Dialect("without KV gauges (mid 2025 and newer)", present=(RUNNING,)),
    ),
    commands=(r"\bllama-server\b",),
    images=(r"/llama\.cpp:(server|full)",),
    labels=("llamacpp", "llama.cpp", "llama-cpp"),
    default_port=8080,
    port_env=("LLAMA_ARG_PORT",),
    tls_flags=("--ssl-cert-file", "--ssl-key-file"),
    model_flags=("--alias", "-a", "--model", "-m", "-hf", "--hf-repo"),
    model_env=("LLAMA_ARG_ALIAS", "LLAMA_ARG_MODEL", "LLAMA_ARG_HF_REPO"),
    switch_on=("--metrics", "LLAMA_ARG_ENDPOINT_METRICS"),
    seats_of=seats_of,
    info_path="/props",
    info_of=info_of,
)
