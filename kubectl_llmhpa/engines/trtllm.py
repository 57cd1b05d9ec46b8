"""TensorRT-LLM's own server, `trtllm-serve`.

Names: `tensorrt_llm/metrics/collector.py` of three times (2025-08, early 2026, 2026). Its `/metrics` is JSON that a
read takes out of a queue (NVIDIA/TensorRT-LLM#5785), so only `/prometheus/metrics` is ever read. 1.1 has latencies
without any prefix, 1.2 a prefix and the KV cache, the 1.3 line counts of requests, and those only with
`enable_iter_perf_stats` in its configuration file. Series appear with the first request.
"""

from __future__ import annotations

from collections.abc import Callable

from kubectl_llmhpa.engines import commands, seats
from kubectl_llmhpa.engines.exposition import Exposition
from kubectl_llmhpa.engines.model import Clues, Dialect, Engine, Form, Seats, Signal
from kubectl_llmhpa.findings import Finding, found

WAITING = "trtllm_num_requests_waiting"
RUNNING = "trtllm_num_requests_running"
_KV = "trtllm_kv_cache_utilization"
_TTFT = "time_to_first_token_seconds"
_ITL = "time_per_output_token_seconds"
_E2E = "e2e_request_latency_seconds"
_RANKS = ("model_name", "engine_type")


def _latencies(spelt: Callable[[str], str], where: tuple[tuple[str, str], ...] = ()) -> tuple[Signal, ...]:
    return (
        Signal("ttft", (spelt(_TTFT),), where=where),
        Signal("itl", (spelt(_ITL),), where=where),
        Signal("e2e", (spelt(_E2E),), where=where),
    )


_COMMON = (Signal("kv-cache", (_KV,), _RANKS), *_latencies("trtllm_{}".format))
COUNTING = Form(
    "",
    "trtllm_",
    ((RUNNING,), (WAITING,)),
    (
        Signal("waiting", (WAITING,), _RANKS),
        Signal("running", (RUNNING,), _RANKS),
        Signal("in-flight", (RUNNING,), _RANKS, plus=(WAITING,), served_as="trtllm_num_requests_in_flight"),
        *_COMMON,
        Signal("prompt-tokens", ("trtllm_prompt_tokens_total",), _RANKS),
        Signal("generation-tokens", ("trtllm_generation_tokens_total",), _RANKS),
    ),
)
WITHOUT_COUNTS = Form(
    "without-counts",
    "trtllm_",
    ((_KV, f"trtllm_{_E2E}"),),
    _COMMON,
    signs=("trtllm_request_success_total", "trtllm_request_queue_time_seconds", "trtllm_kv_cache_hit_rate"),
)
#: Nothing but its labels tells these names from anybody's.
UNPREFIXED = Form(
    "unprefixed",
    "",
    ((_E2E,), (_TTFT,), ("request_queue_time_seconds",)),
    _latencies("{}".format, (("engine_type", ".+"),)),
    labelled=("engine_type", "model_name"),
)
_FORMS = (COUNTING, WITHOUT_COUNTS, UNPREFIXED)
_SINCE_1_3, _SINCE_1_2, _SINCE_1_1 = "1.3 and newer", "1.2", "1.1"


def forms_of(body: Exposition, _clues: Clues) -> tuple[Form, ...]:
    """Up to 1.2 not even the TYPE lines of the counts are there, so none are awaited."""
    return _FORMS if body.has(RUNNING) else _FORMS[1:]


def dialect_of(body: Exposition, form: Form) -> str:
    """By families: without `enable_iter_perf_stats` 1.3 has the TYPE lines of its counts, but no series."""
    if form is UNPREFIXED:
        return _SINCE_1_1
    return _SINCE_1_3 if body.has(RUNNING) else _SINCE_1_2


def seats_of(body: Exposition, clues: Clues) -> Seats | None:
    """The most active requests (`--max-batch-size`), or what the KV blocks hold; None where neither is known."""
    flag = commands.whole(commands.flag(clues.words, "--max_batch_size"))
    most = seats.whole_total(body, "trtllm_max_num_active_requests")
    limit = seats.Bound(flag, f"--max_batch_size {flag}") if flag else None
    if most:
        limit = seats.Bound(most, f"trtllm_max_num_active_requests {most}")
    blocks = seats.whole_total(body, "trtllm_kv_cache_max_blocks")
    size = seats.whole_total(body, "trtllm_kv_cache_tokens_per_block")
    lengths = seats.mean_lengths(
        body,
        ("trtllm_request_success_total", "trtllm_prompt_tokens_total", "trtllm_generation_tokens_total"),
    )
    return seats.decide(
        limit,
        seats.by_cache(blocks * size, f"{blocks} KV blocks x {size} tokens", lengths),
        running=seats.whole_total(body, RUNNING),
        waiting=seats.whole_total(body, WAITING),
        ceiling=most or flag,
    )


def findings_of(body: Exposition, _clues: Clues, dialect: str) -> tuple[Finding, ...]:
    """What this version, or its configuration, does not count."""
    if body.live(RUNNING):
        return ()
    setting = "enable_iter_perf_stats: true in the file of --config"
    rest = (
        "and the KV cache, but no count of requests"
        if body.live(_KV)
        else "only, so no Pods metric can scale it"
    )
    seen = f"TensorRT-LLM {dialect} exposes latencies {rest}"
    what = setting if dialect == _SINCE_1_3 else f"TensorRT-LLM 1.3 with {setting}"
    return (found("no-counts", "", seen, what=what),)


TRTLLM = Engine(
    name="trtllm",
    title="TensorRT-LLM",
    forms=_FORMS,
    dialects=(
        Dialect(_SINCE_1_3, present=(RUNNING,), since="1.3"),
        Dialect(_SINCE_1_2, present=(f"trtllm_{_E2E}",), since="1.2"),
        Dialect(_SINCE_1_1, present=(_E2E,), since="1.1"),
    ),
    commands=(r"\btrtllm-serve\b",),
    images=(r"/tensorrt-llm/release(:|@|$)",),
    versioned=(r"/tensorrt-llm/release:",),
    labels=("trtllm", "trtllm-serve", "tensorrt-llm", "tensorrtllm"),
    default_port=8000,
    path="/prometheus/metrics",
    never_ask=("/metrics",),
    tls_flags=(),
    model_after=(("trtllm-serve", "serve"), ("trtllm-serve",)),
    lazy=True,
    forms_of=forms_of,
    dialect_of=dialect_of,
    preempted=("trtllm:num_preemptions_total",),
    finished=("trtllm_request_success_total", "trtllm_num_requests_completed_total"),
    seats_of=seats_of,
    findings_of=findings_of,
)
