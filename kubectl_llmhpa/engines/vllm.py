"""vLLM, 0.8 (V0 and V1) to the newest.

Names and version windows: `vllm/v1/metrics/loggers.py` (V1) and `vllm/engine/metrics.py` (V0) of the 0.8.5 to 0.32.0
wheels, confirmed on bodies that their own code made; its Rust frontend keeps them. All gauges exist from the start with
value 0; vLLM deprecates a name in X.Y, hides it in X.Y+1 and removes it in X.Y+2 (docs/usage/metrics.md), hence the
aliases.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from kubectl_llmhpa.engines import commands, ray, seats
from kubectl_llmhpa.engines.exposition import Exposition
from kubectl_llmhpa.engines.model import Clues, Dialect, Engine, Form, Info, Seats, Signal
from kubectl_llmhpa.findings import Finding, found

WAITING = "vllm:num_requests_waiting"
RUNNING = "vllm:num_requests_running"
#: Of the waiting, those held back for want of room (`capacity`) and those whose KV cache, adapter or grammar is
#: still on its way (`deferred`); 0.20 and newer.
BY_REASON = "vllm:num_requests_waiting_by_reason"
CACHE_INFO = "vllm:cache_config_info"
#: `engine` is the data-parallel rank (V1); `model_name` tells two engines of one pod apart.
RANKS = ("engine", "model_name")

#: arg_utils.py: 1024 on devices of 70 GiB and more (not A100) from 0.9 on, else 256. The smaller one is assumed.
DEFAULT_MAX_NUM_SEQS = 256
#: arg_utils.py: of the API server on devices of 70 GiB and more, on which prefill servers run; 2048 on smaller ones.
DEFAULT_BATCHED_TOKENS = 8192

_KV = ("vllm:kv_cache_usage_perc", "vllm:gpu_cache_usage_perc")
_GENERATED = "vllm:generation_tokens_total"
_ITL = ("vllm:inter_token_latency_seconds", "vllm:time_per_output_token_seconds")


def signals(rename: Callable[[str], tuple[str, ...]], ranks: tuple[str, ...]) -> tuple[Signal, ...]:
    """The signals under other spellings of vLLM's names (`rename`, newest first), with other rank labels."""

    def all_of(*names: str) -> tuple[str, ...]:
        return tuple(spelt for name in names for spelt in rename(name))

    return (
        Signal("waiting", all_of(WAITING), ranks),
        Signal("running", all_of(RUNNING), ranks),
        Signal(
            "in-flight", all_of(RUNNING), ranks, plus=all_of(WAITING),
            served_as=rename("vllm:num_requests_in_flight")[0],
        ),
        Signal("kv-cache", all_of(*_KV), ranks),
        Signal("ttft", all_of("vllm:time_to_first_token_seconds"), ranks),
        Signal("itl", all_of(*_ITL), ranks),
        Signal("e2e", all_of("vllm:e2e_request_latency_seconds"), ranks),
        Signal("prompt-tokens", all_of("vllm:prompt_tokens_total"), ranks),
        Signal("generation-tokens", all_of(_GENERATED), ranks),
    )  # fmt: skip


def _plain(name: str) -> tuple[str, ...]:
    return (name,)


def _decoding(rename: Callable[[str], tuple[str, ...]], ranks: tuple[str, ...]) -> tuple[Signal, ...]:
    """The signals of a decode server: only requests that wait for room are waiting."""
    name = rename("vllm:num_requests_waiting_for_capacity")[0]
    waiting = Signal("waiting", rename(BY_REASON), ranks, (("reason", "capacity"),), served_as=name)
    return (waiting, *(one for one in signals(rename, ranks) if one.name != "waiting"))


def _forms(
    name: str, prefix: str, rename: Callable[[str], tuple[str, ...]], ranks: tuple[str, ...]
) -> tuple[Form, ...]:
    live = (rename(RUNNING), rename(WAITING))
    decode = (*live, rename(BY_REASON))
    return (
        Form(f"{name} decode".strip(), prefix, decode, _decoding(rename, ranks), ("decode",)),
        Form(name, prefix, live, signals(rename, ranks)),
    )


#: `WorkerId` and `ReplicaId` tell the actors of one Ray node apart.
FORMS = (
    *_forms("", "vllm:", _plain, RANKS),
    *_forms("ray", "ray_vllm", ray.spellings, (*RANKS, *ray.ACTORS)),
)
PLAIN = FORMS[1]

V0 = "V0 engine (0.8 to 0.10)"
_LAST_RANK_ONLY = ("V1 0.8 to 0.9.1", "V1 0.9.2 to 0.10.1")

#: Newest first; the first that fits names the dialect.
DIALECTS = (
    Dialect("V1 0.20 and newer", present=(BY_REASON,), since="0.20"),
    Dialect(
        "V1 0.12 to 0.19",
        present=("vllm:kv_cache_usage_perc", "vllm:inter_token_latency_seconds"),
        absent=("vllm:gpu_cache_usage_perc", "vllm:time_per_output_token_seconds"),
        since="0.12",
    ),
    Dialect(
        "V1 0.11 to 0.14",
        present=("vllm:kv_cache_usage_perc", "vllm:request_time_per_output_token_seconds"),
        since="0.11",
    ),
    Dialect(
        "V1 0.10.2", present=("vllm:kv_cache_usage_perc", "vllm:inter_token_latency_seconds"), since="0.10.2"
    ),
    Dialect(_LAST_RANK_ONLY[1], present=_KV, since="0.9.2"),
    Dialect(_LAST_RANK_ONLY[0], present=("vllm:gpu_cache_usage_perc",), since="0.8"),
)


def dialect_of(body: Exposition, form: Form) -> str:
    """The range of versions that shares the names of this body; `unlisted` for names no known version had."""
    if form.prefix != PLAIN.prefix:
        if any(body.of(name) for name in ray.spellings(BY_REASON)):
            return "Ray-wrapped 0.20 and newer"
        return "Ray-wrapped 0.11 to 0.19" if body.of(ray.spellings(RUNNING)[0]) else "Ray-wrapped up to 0.10"
    if body.of(RUNNING) and not body.label_values(RUNNING, "engine"):
        return "unlisted" if body.live(_KV[0]) else V0  # V0 never had the newer name
    return next((dialect.name for dialect in DIALECTS if dialect.fits(body)), "unlisted")


def seats_of(body: Exposition, clues: Clues) -> Seats | None:
    """min(max-num-seqs x ranks, KV tokens / mean(prompt + output / 2)); never below what runs right now.

    A prefill server keeps a request for its prompt only, so what one pass takes (max-num-batched-tokens) bounds it.
    None when the flag is not a number and the KV cache's size or the requests' mean length is not known yet.
    """
    body = ray.unwrapped(body, PLAIN.prefix)
    words = clues.words
    ranks = _ranks(body, words)
    text = commands.flag(words, "--max-num-seqs")
    flag = commands.whole(text)
    evidence = (
        f"--max-num-seqs {flag}{_times(ranks)}"
        if flag
        else f"the default --max-num-seqs {DEFAULT_MAX_NUM_SEQS}{_times(ranks)} "
        "(1024 on large GPUs; the flag is not on the command line)"
    )
    unknown = text is not None and flag is None
    limit = seats.Bound((flag or DEFAULT_MAX_NUM_SEQS) * ranks, evidence, stated=flag is not None)
    if clues.role == "prefill":
        batch = commands.readable(commands.flag(words, "--max-num-batched-tokens"))
        origin = "" if batch else "the default "
        what = f"{origin}--max-num-batched-tokens {batch or DEFAULT_BATCHED_TOKENS}{_times(ranks)}"
        tokens = (batch or DEFAULT_BATCHED_TOKENS) * ranks
        return seats.of_prefill(
            None if unknown else limit, tokens, what, _lengths(body), stated=batch is not None
        )
    return seats.decide(
        None if unknown else limit,
        _cache_seats(body, ranks),
        running=seats.whole_total(body, RUNNING),
        waiting=seats.whole_total(body, WAITING),
        ceiling=flag * ranks if flag else None,
    )


def findings_of(body: Exposition, clues: Clues, dialect: str) -> tuple[Finding, ...]:
    """Defects of the dialect that falsify numbers of this pod, and settings that bend them."""
    body = ray.unwrapped(body, PLAIN.prefix)
    words = clues.words
    result = []
    engines = body.label_values(RUNNING, "engine")
    size = commands.whole(commands.flag(words, "--data-parallel-size", "-dp")) or 1
    elsewhere = _elsewhere(words)
    if elsewhere and len(engines) < size:
        what = f"{len(engines)} of {size} data-parallel ranks is counted here"
        result.append(found("ranks-elsewhere", "", what, where=elsewhere))
    elif dialect in _LAST_RANK_ONLY and not elsewhere and (len(engines) < size or _is_last(engines)):
        result.append(
            found("last-rank-only", "", "with data parallelism this vLLM exposes its last rank only")
        )
    names = (name for signal in PLAIN.signals for name in signal.metrics)
    for name in sorted(set(names)):
        if any("pid" in sample.labels for sample in body.of(name)):
            result.append(
                found("series-per-process", "", f"{name} has a series per API server process (label pid)")
            )
    if (series := len(body.of(RUNNING))) > 1:
        result.append(found("series-per-pod", "", f"{RUNNING} has {series} series", ranks="engine"))
    for flag in ("--max-num-queued-reqs", "--max-num-queued-tokens"):
        if bound := commands.flag(words, flag):
            result.append(found("bounded-queue", "", f"{flag} {bound} turns requests beyond it away"))
    if clues.role == "decode" and not body.live(BY_REASON):
        result.append(
            found("deferred-waiting", "", f"{WAITING} of a decode pod counts deferred requests too")
        )
    return tuple(result)


def role_of(_body: Exposition, clues: Clues) -> str:
    """The side of a KV transfer: kv_producer is prefill, kv_consumer decode (vllm/config/kv_transfer.py)."""
    match = re.search(r"kv_role\W+kv_(producer|consumer)", " ".join(clues.words))
    return {"producer": "prefill", "consumer": "decode"}[match[1]] if match else ""


def info_of(answer: Any) -> Info:
    """`GET /version` (vllm/entrypoints/openai/api_server.py): {"version": "0.20.0"}."""
    version = answer.get("version") if isinstance(answer, dict) else None
    return Info(str(version) if version else None)


def _elsewhere(words: tuple[str, ...]) -> str:
    """Where the other data-parallel ranks report, empty when one server reports all of them.

    docs/serving/data_parallel_deployment.md: with its own load balancer the first node reports every rank; with an
    outer one each server reports its own (hybrid: those of its node; multi-port: one server for each port).
    """
    if commands.switch(words, "--data-parallel-multi-port-external-lb", "-dpm"):
        return "every port from --port on"
    apart = commands.switch(words, "--data-parallel-external-lb", "-dpe", "--data-parallel-hybrid-lb", "-dph")
    rank = commands.flag(words, "--data-parallel-rank", "-dpn", "--data-parallel-start-rank", "-dpr")
    return "every pod of the group" if apart or rank is not None else ""


def _is_last(engines: tuple[str, ...]) -> bool:
    """Whether the one rank that is there is not the first."""
    return len(engines) == 1 and engines != ("0",)


def _ranks(body: Exposition, words: tuple[str, ...]) -> int:
    """Data-parallel ranks that this pod's body stands for."""
    seen = {tuple(one.labels.get(name, "") for name in ("engine", *ray.ACTORS)) for one in body.of(RUNNING)}
    labelled = bool(body.label_values(RUNNING, "engine"))
    if len(seen) > 1:
        return len(seen)
    if labelled and (dialect_of(body, PLAIN) not in _LAST_RANK_ONLY or _elsewhere(words)):
        return 1
    local = commands.whole(commands.flag(words, "--data-parallel-size-local", "-dpl"))
    size = commands.whole(commands.flag(words, "--data-parallel-size", "-dp"))
    return local or (1 if _elsewhere(words) else size) or 1


def _times(ranks: int) -> str:
    return f" x {ranks} data-parallel {'rank' if ranks == 1 else 'ranks'}"


def _cache_seats(body: Exposition, ranks: int) -> seats.Bound | None:
    """Requests of mean length that the KV cache of all ranks holds, and the sentence for it."""
    infos = body.of(CACHE_INFO)
    sizes = [_cache_tokens(sample.labels) for sample in infos]
    known = [size for size in sizes if size is not None]
    if not known or len(known) != len(sizes):
        return None
    # One series for several ranks: no engine label in 0.8.5 and V0, and the last rank only up to 0.9.2.
    copies = ranks if len(known) < ranks and len(known) == 1 else 1
    sizes_text = " + ".join(dict.fromkeys(text for _, text in known))
    times = f" x {copies} ranks" if copies > 1 else f" x {len(known)} engines" if len(known) > 1 else ""
    return seats.by_cache(sum(size for size, _ in known) * copies, sizes_text + times, _lengths(body))


def cache_blocks(body: Exposition) -> tuple[int, int] | None:
    """Tokens of a block and blocks of the KV cache; None where it is not told, or by several engines of one pod."""
    infos = body.of(CACHE_INFO)
    labels = infos[0].labels if len(infos) == 1 else {}
    block, blocks = commands.whole(labels.get("block_size")), commands.whole(labels.get("num_gpu_blocks"))
    return (block, blocks) if block and blocks else None


def _lengths(body: Exposition) -> seats.Lengths | None:
    return seats.mean_lengths(
        body,
        (
            "vllm:request_prompt_tokens_count",
            "vllm:request_prompt_tokens_sum",
            "vllm:request_generation_tokens_sum",
        ),
        ("vllm:request_success_total", "vllm:prompt_tokens_total", "vllm:generation_tokens_total"),
    )


def _cache_tokens(labels: Mapping[str, str]) -> tuple[int, str] | None:
    """Tokens of one engine's KV cache, from `kv_cache_size_tokens` (0.25.1 on) or blocks x block size."""
    size = commands.whole(labels.get("kv_cache_size_tokens"))
    if size is not None:
        return size, f"{size} KV tokens"
    blocks = commands.whole(labels.get("num_gpu_blocks"))
    block = commands.whole(labels.get("block_size"))
    if blocks is None or block is None:
        return None
    return blocks * block, f"{blocks} KV blocks x {block} tokens"


VLLM = Engine(
    name="vllm",
    title="vLLM",
    forms=FORMS,
    dialects=DIALECTS,
    # dynamo.vllm is Dynamo's own worker around vLLM, told apart by its body.
    commands=(r"(^|[\s/])vllm\s+serve\b", r"\bvllm\.entrypoints\b"),
    images=(
        r"(^|/)vllm(?![\w.-]*(router|proxy|exporter|operator|controller))[\w.-]*(:|@|$)",
        r"/llm-d-cuda(:|@|$)",
    ),
    versioned=(r"(^|/)vllm-(openai|tpu|ascend|cpu)[\w.-]*:", r"(?<!^nvcr\.io/nvidia)(^|/)vllm:"),
    labels=("vllm",),
    default_port=8000,
    model_after=(("vllm", "serve"),),
    switch_off=("--disable-log-stats",),
    no_http=("--headless", "--grpc"),
    dialect_of=dialect_of,
    role_of=role_of,
    preempted=("vllm:num_preemptions_total",),
    finished=("vllm:request_success_total", "vllm:e2e_request_latency_seconds_count"),
    counts_while_generating=(_GENERATED, *ray.spellings(_GENERATED)),
    seats_of=seats_of,
    findings_of=findings_of,
    info_path="/version",
    info_of=info_of,
)
