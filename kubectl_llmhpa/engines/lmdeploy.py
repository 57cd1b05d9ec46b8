"""LMDeploy, 0.9.2 (which brought metrics) to 0.18.

Names: `lmdeploy/metrics/loggers.py` of the tags v0.9.2 to v0.16.0, confirmed on bodies that the wheels' own code made.
The server hands requests to its engine through a pool of as many handles as the batch has places
(`session_manager.py`), so what it cannot serve waits for a handle, not in the engine: both queues count, from 0.12.1
on, which is the first to expose the outer one. The scheduler's gauges are refreshed every 10 s.
"""

from __future__ import annotations

from kubectl_llmhpa.engines import commands, seats
from kubectl_llmhpa.engines.exposition import Exposition
from kubectl_llmhpa.engines.model import Clues, Dialect, Engine, Form, Seats, Signal

WAITING = "lmdeploy:num_requests_waiting"
RUNNING = "lmdeploy:num_requests_running"
#: Requests that wait for a handle; the engine's own queue does not count them.
_OUTSIDE = "lmdeploy:num_api_requests_waiting"
#: `engine` is the data-parallel rank.
_RANKS = ("engine", "model_name")

#: lmdeploy/utils.py, get_max_batch_size: 384 on A100, 1024 on H100 and H200, 256 on other vendors' devices, else 128.
DEFAULT_MAX_BATCH_SIZE = 128

FORM = Form(
    "",
    "lmdeploy:",
    ((RUNNING,), (WAITING,)),
    (
        Signal("waiting", (WAITING,), _RANKS, plus=(_OUTSIDE,), served_as="lmdeploy:num_all_requests_waiting"),
        Signal("running", (RUNNING,), _RANKS),
        Signal(
            "in-flight", (RUNNING,), _RANKS, plus=(WAITING, _OUTSIDE),
            served_as="lmdeploy:num_requests_in_flight",
        ),
        Signal("kv-cache", ("lmdeploy:gpu_cache_usage_perc",), _RANKS),
        Signal("ttft", ("lmdeploy:time_to_first_token_seconds",), _RANKS),
        Signal("itl", ("lmdeploy:time_per_output_token_seconds",), _RANKS),
        Signal("e2e", ("lmdeploy:e2e_request_latency_seconds",), _RANKS),
        Signal("prompt-tokens", ("lmdeploy:prompt_tokens_total",), _RANKS),
        Signal("generation-tokens", ("lmdeploy:generation_tokens_total",), _RANKS),
    ),
)  # fmt: skip


def seats_of(body: Exposition, clues: Clues) -> Seats | None:
    """`--max-batch-size`, or its smallest default on NVIDIA; the size of the KV cache is not exposed."""
    text = commands.flag(clues.words, "--max-batch-size")
    flag = commands.whole(text)
    ranks = max(1, len(body.label_values(RUNNING, "engine")))
    if flag is not None:
        evidence = f"--max-batch-size {flag}" + (f" x {ranks} ranks" if ranks > 1 else "")
    else:
        evidence = (
            f"the smallest default --max-batch-size {DEFAULT_MAX_BATCH_SIZE} (384 on A100, 1024 on H100 and H200; "
            "the flag is not on the command line)"
        )
    unknown = text is not None and flag is None
    return seats.decide(
        None
        if unknown
        else seats.Bound((flag or DEFAULT_MAX_BATCH_SIZE) * ranks, evidence, flag is not None),
        None,
        running=seats.whole_total(body, RUNNING),
        waiting=seats.whole_total(body, WAITING, _OUTSIDE),
        ceiling=flag * ranks if flag else None,
    )


LMDEPLOY = Engine(
    name="lmdeploy",
    title="LMDeploy",
    forms=(FORM,),
    dialects=(
        Dialect("0.12.3 and newer", present=("lmdeploy:num_requests_succeeded",), since="0.12.3"),
        Dialect("0.12.1 to 0.12.2", present=("lmdeploy:num_requests_completed",), since="0.12.1"),
        Dialect(
            "0.10 to 0.12.0",
            present=("lmdeploy:num_requests_unfinished", "lmdeploy:iter_token_latency"),
            since="0.10",
        ),
        Dialect("0.9.2", present=("lmdeploy:num_requests_unfinished",), since="0.9.2"),
    ),
    commands=(r"\blmdeploy\s+serve\s+api_server\b",),
    images=(r"(^|/)openmmlab/lmdeploy\b", r"(^|/)lmdeploy(:|@|$)"),
    versioned=(r"(^|/)lmdeploy:",),
    labels=("lmdeploy",),
    default_port=23333,
    port_flags=("--server-port",),
    tls_flags=(),
    model_after=(("lmdeploy", "serve", "api_server"),),
    switch_on=("--enable-metrics",),
    switch_until="0.11",
    switch_off=("--disable-metrics",),
    # Of the scheduler's iterations (`record_iteration` of loggers.py).
    counts_while_generating=("lmdeploy:generation_tokens_total",),
    finished=("lmdeploy:request_success_total",),
    seats_of=seats_of,
)
