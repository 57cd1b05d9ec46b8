"""Hugging Face's Text Generation Inference, 0.9 to 3.3.7, its last.

Names: `router/src/server.rs` and `backends/v3/src/{backend,queue}.rs` of 3.3.7; the same since 0.9, except
`tgi_batch_max_total_tokens`, which came with 3.0. No labels; a series appears when it is first set. There is no KV
gauge: the scheduler counts the tokens that it reserves for the running batch against a budget that was measured at
start-up, which is the same thing. No time to first token.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kubectl_llmhpa.engines import commands, seats
from kubectl_llmhpa.engines.exposition import Exposition
from kubectl_llmhpa.engines.model import Clues, Dialect, Engine, Form, Info, Seats, Signal
from kubectl_llmhpa.findings import Finding, found

WAITING = "tgi_queue_size"
RUNNING = "tgi_batch_current_size"
_RESERVED = "tgi_batch_current_max_tokens"
_BUDGET = "tgi_batch_max_total_tokens"
_PROMPT = "tgi_request_input_length"
_OUTPUT = "tgi_request_generated_tokens"

FORM = Form(
    "",
    "tgi_",
    ((RUNNING,), (WAITING,)),
    (
        Signal("waiting", (WAITING,)),
        Signal("running", (RUNNING,)),
        Signal("in-flight", (RUNNING,), plus=(WAITING,), served_as="tgi_requests_in_flight"),
        Signal("kv-cache", (_RESERVED,), over=(_BUDGET,), served_as="tgi_batch_token_usage"),
        Signal("itl", ("tgi_request_mean_time_per_token_duration",)),
        Signal("e2e", ("tgi_request_duration",)),
        Signal("prompt-tokens", (f"{_PROMPT}_sum",)),
        Signal("generation-tokens", (f"{_OUTPUT}_sum",)),
    ),
    signs=("tgi_request_count", "tgi_request_success", "tgi_batch_inference_count"),
)


def seats_of(body: Exposition, clues: Clues) -> Seats | None:
    """The token budget over what one request reserves (prompt + the most it may generate), at most --max-batch-size.

    `--max-concurrent-requests` bounds what is let in, queue included, so it is only the ceiling.
    """
    running, waiting = seats.whole_total(body, RUNNING), seats.whole_total(body, WAITING)
    budget, reserved = seats.whole_total(body, _BUDGET), seats.whole_total(body, _RESERVED)
    size, admitted = _whole(clues, "max-batch-size"), _whole(clues, "max-concurrent-requests")
    limit = seats.Bound(size, f"--max-batch-size {size}") if size else None
    cache = None
    if budget and reserved and running:
        each = reserved / running
        held = max(1, int(budget / each))
        cache = seats.Bound(held, f"{budget} batch tokens / {each:.0f} reserved by each running request")
    decided = seats.decide(limit, cache, running=running, waiting=waiting, ceiling=size or admitted)
    if decided is None and budget:
        names = (f"{_PROMPT}_count", f"{_PROMPT}_sum", f"{_OUTPUT}_sum")
        if mean := seats.mean_lengths(body, names):
            # A request reserves what it may generate at most, so this many is too many rather than too few.
            held = max(1, int(budget / max(1.0, mean.prompt + mean.output)))
            evidence = f"{budget} batch tokens / mean ({mean.prompt:.0f} prompt + {mean.output:.0f}) tokens"
            return Seats(held, evidence, proved=False, ceiling=admitted)
    return decided


def findings_of(_body: Exposition, clues: Clues, _dialect: str) -> tuple[Finding, ...]:
    """The bound on admitted requests, where it is stated: beyond it they are refused (429), not queued."""
    admitted = _whole(clues, "max-concurrent-requests")
    if admitted is None:
        return ()
    seen = f"--max-concurrent-requests {admitted} turns requests beyond it away, queue included"
    return (found("bounded-queue", "", seen),)


def info_of(answer: Any) -> Info:
    """`GET /info` (router/src/lib.rs, Info): {"model_id": "m", "version": "3.3.7", ...}."""
    if not isinstance(answer, Mapping):
        return Info()
    version, model = answer.get("version"), answer.get("model_id")
    return Info(str(version) if version else None, (str(model),) if model else ())


def _whole(clues: Clues, name: str) -> int | None:
    """A number from the flag `--name` or the variable NAME, which the launcher reads for every flag."""
    text = commands.flag(clues.words, f"--{name}") or clues.env.get(name.replace("-", "_").upper())
    return commands.whole(text)


TGI = Engine(
    name="tgi",
    title="Text Generation Inference",
    forms=(FORM,),
    dialects=(
        Dialect("3.0 and newer", present=(_BUDGET,), since="3.0"),
        Dialect("0.9 to 2.4", present=(RUNNING,), since="0.9"),
    ),
    commands=(r"\btext-generation-(launcher|router)\b",),
    images=(r"(^|/)(text-generation-inference|huggingface-pytorch-tgi-inference|tgi)(:|@|$)",),
    versioned=(r"(^|/)text-generation-inference:",),
    labels=("tgi", "text-generation-inference"),
    # The launcher's own default is 3000; every image sets PORT=80.
    default_port=80,
    port_flags=("--port", "-p"),
    port_env=("PORT",),
    tls_flags=(),
    model_flags=("--served-model-name", "--model-id"),
    model_env=("MODEL_ID",),
    lazy=True,
    finished=("tgi_request_success",),
    seats_of=seats_of,
    findings_of=findings_of,
    info_path="/info",
    info_of=info_of,
)
