"""SGLang, 0.4.6 to the newest: unified, prefill and decode servers, also inside Ray.

Names, labels and windows: `srt/metrics/collector.py` (to 0.5.9) and `srt/observability/metrics_collector.py` of the
0.4.6 to 0.5.23 wheels, confirmed on bodies that their own code made. Prometheus' multiprocess mode is always on, so
before the first request the body is empty (to 0.5.2) or has constants only. Every data-parallel rank writes its
gauges, and so does every pipeline stage and, with --enable-metrics-for-all-schedulers, every tensor-parallel rank:
the first add up, the others are copies. With priority scheduling `priority=""` is the total of a gauge; counters and
histograms have no total.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from kubectl_llmhpa.engines import commands, promql, ray, seats
from kubectl_llmhpa.engines.exposition import Exposition
from kubectl_llmhpa.engines.model import Clues, Dialect, Engine, Form, Info, Seats, Signal
from kubectl_llmhpa.findings import Finding, found

PREFIX = "sglang:"
RUNNING = "sglang:num_running_reqs"
QUEUE = "sglang:num_queue_reqs"
CAPACITY = "sglang:max_total_num_tokens"
USED, USAGE = "sglang:num_used_tokens", "sglang:token_usage"
#: Waiting for the handshake with a decode server; renamed in 0.5.12.
BOOTSTRAP = ("sglang:num_prefill_bootstrap_queue_reqs", "sglang:num_prefill_prealloc_queue_reqs")
#: Computed, the KV cache still being sent; misspelt up to 0.5.1.
SENDING = ("sglang:num_prefill_inflight_queue_reqs", "sglang:num_prefill_infight_queue_reqs")
#: Waiting for room, and for the KV cache to arrive. num_decode_host_receive_queue_reqs is a part of the second.
ARRIVING = ("sglang:num_decode_prealloc_queue_reqs", "sglang:num_decode_transfer_queue_reqs")

#: All other counts of tokens move only when a request ends (metrics_collector.py, 0.5.9 and newer).
_GENERATED = "sglang:realtime_tokens_total"
#: From 0.5.18 on, from the start: a prefill server counts what runs (scheduler metrics_reporter.py; 0 before).
COUNTS_PREFILL = "sglang:prefill_effective_tokens_total"
ROLES = ("prefill", "decode", "dynamic")

#: server_args.py: the limit when speculative decoding is on and no flag is given.
SPECULATIVE_MAX_RUNNING = 48
#: server_args.py: chosen by GPU memory, 2048 to 16384; this is what 40 to 90 GB get.
DEFAULT_CHUNK = 8192

#: What is there before the first request, most of it constants.
_CONSTANTS = tuple(
    f"{PREFIX}{name}"
    for name in (
        "max_total_num_tokens", "engine_startup_time", "engine_load_weights_time", "page_size", "num_pages",
        "context_len", "startup_available_gpu_memory_gb", "routing_keys_active", "http_requests_active",
        "http_requests_total", "weight_memory_usage_gb",
    )
)  # fmt: skip

_TOTAL = (("priority", ""), ("pp_rank", "|0"))
_RANKS = ("dp_rank", "model_name")
#: Labels of counters whose series add up, each with its first version: is_streaming 0.5.17, priority 0.5.10.
_PARTS = ("is_streaming", "priority")


def signals(
    role: str, rename: Callable[[str], tuple[str, ...]], actors: tuple[str, ...] = (), *, running: bool = True
) -> tuple[Signal, ...]:
    """The signals of a role under other spellings (`rename`, newest first) and with other rank labels.

    A server keeps the queues of other roles empty, so in-flight is the same for all roles, and `dynamic` (a server that
    can change its role, 0.5.21 and newer) adds the queues of both up.
    """

    def all_of(*names: str) -> tuple[str, ...]:
        return tuple(spelt for name in names for spelt in rename(name))

    queues = {"": (), "prefill": BOOTSTRAP, "decode": ARRIVING, "dynamic": (*BOOTSTRAP, *ARRIVING)}[role]
    ranks, parts = (*_RANKS, *actors), (*_RANKS, *_PARTS, *actors)
    waiting = Signal(
        "waiting", all_of(QUEUE), ranks, _TOTAL, plus=all_of(*queues),
        served_as=rename(f"sglang:num_{role}_waiting_reqs")[0] if role else "",
    )  # fmt: skip
    in_flight = Signal(
        "in-flight", all_of(RUNNING), ranks, _TOTAL, plus=all_of(QUEUE, *BOOTSTRAP, *SENDING, *ARRIVING),
        served_as=rename("sglang:num_reqs_in_flight")[0],
    )  # fmt: skip
    runs = (Signal("running", all_of(RUNNING), ranks, _TOTAL),) if running else ()
    itl = ("sglang:inter_token_latency_seconds", "sglang:time_per_output_token_seconds")
    return (
        waiting,
        *runs,
        in_flight,
        Signal("kv-cache", all_of(USAGE), ranks),
        Signal("ttft", all_of("sglang:time_to_first_token_seconds"), parts),
        Signal("itl", all_of(*itl), parts),
        Signal("e2e", all_of("sglang:e2e_request_latency_seconds"), parts),
        Signal("prompt-tokens", all_of("sglang:prompt_tokens_total"), parts),
        Signal("generation-tokens", all_of("sglang:generation_tokens_total"), parts),
    )


def _plain(name: str) -> tuple[str, ...]:
    return (name,)


def _forms(
    name: str, prefix: str, rename: Callable[[str], tuple[str, ...]], actors: tuple[str, ...] = ()
) -> tuple[Form, ...]:
    live = (rename(RUNNING), rename(QUEUE))
    signs = tuple(spelt for constant in _CONSTANTS for spelt in rename(constant))

    def form(role: str, names: tuple[tuple[str, ...], ...] = live, *, running: bool = True) -> Form:
        told = signals(role, rename, actors, running=running)
        return Form(f"{name}{role}".strip(), prefix, names, told, (role,) if role else (), signs=signs)

    prefill = (form("prefill", (*live, rename(COUNTS_PREFILL))), form("prefill", running=False))
    return (*prefill, form("decode"), form("dynamic"), form(""))


FORMS = (*_forms("", PREFIX, _plain), *_forms("ray ", "ray_sglang", ray.spellings, ray.ACTORS))
DYNAMIC, UNIFIED = FORMS[3:5]

#: Whose label says `unified` for every role.
_ROLE_UNTOLD = ("0.5.2 to 0.5.6", "0.4.10 to 0.5.1", "0.4.7 to 0.4.9")
_UNLABELLED = (_ROLE_UNTOLD[2], "0.4.6 and older")
#: Newest first; the first that fits names the dialect.
DIALECTS = (
    Dialect("0.5.21 and newer", present=("sglang:num_decode_host_receive_queue_reqs",), since="0.5.21"),
    Dialect("0.5.18 to 0.5.20", present=(COUNTS_PREFILL,), since="0.5.18"),
    Dialect("0.5.12 to 0.5.17", present=(BOOTSTRAP[0],), since="0.5.12"),
    Dialect("0.5.7 to 0.5.11", present=("sglang:decode_sum_seq_lens", BOOTSTRAP[1]), since="0.5.7"),
    Dialect(_ROLE_UNTOLD[0], present=(SENDING[0],), since="0.5.2"),
    Dialect(_ROLE_UNTOLD[1], present=(SENDING[1], "sglang:total_retracted_reqs"), since="0.4.10"),
    Dialect(_UNLABELLED[0], present=(SENDING[1],), since="0.4.7"),
    Dialect(_UNLABELLED[1], present=(QUEUE,), since="0.4"),
)


def dialect_of(body: Exposition, form: Form) -> str:
    """The range of versions that shares the names of this body."""
    own = ray.unwrapped(body, PREFIX)
    name = next((dialect.name for dialect in DIALECTS if dialect.fits(own)), "unlisted")
    return f"Ray-wrapped {name}" if form.prefix != PREFIX else name


def forms_of(body: Exposition, _clues: Clues) -> tuple[Form, ...]:
    """The forms of a body; none for series of Dynamo's mocker alone: `engine_type="sglang"` is no SGLang's.

    Where no label tells the role and nothing else does, the queues of all roles count: those of other roles are empty.
    """
    if "sglang" in _types(body) and not body.has("dynamo_"):
        return ()
    if next((one.name for one in DIALECTS if one.fits(body)), "") not in _ROLE_UNTOLD:
        return FORMS
    any_role = replace(UNIFIED, signals=DYNAMIC.signals)
    return tuple(any_role if form is UNIFIED else form for form in FORMS)


def _types(body: Exposition) -> set[str]:
    """The values of the label `engine_type` on its series."""
    return {
        sample.labels.get("engine_type", "")
        for name, samples in body.samples.items()
        if name.startswith((PREFIX, "ray_sglang"))
        for sample in samples
    }


def role_of(body: Exposition, clues: Clues) -> str:
    """The role by the label `engine_type`, else by --disaggregation-mode; empty for a unified server.

    The label says `unified` for every role up to 0.5.6 (scheduler_metrics_mixin.py), so only other values count.
    `dynamic` is a server with --enable-pd-role-switch, whose role changes at run time.
    """
    types = _types(body)
    if "dynamic" in types or commands.switch(clues.words, "--enable-pd-role-switch"):
        return "dynamic"
    told = [role for role in ROLES if role in types]
    mode = commands.flag(clues.words, "--disaggregation-mode") or ""
    return told[0] if told else mode if mode in ROLES else ""


def seats_of(body: Exposition, clues: Clues) -> Seats | None:
    """min(--max-running-requests, KV tokens / mean(prompt + output / 2)); of a prefill server what one pass takes.

    The flag holds for each data-parallel replica, but for all attention ranks together (model_runner.py divides it by
    their number). Without it the pool alone bounds what runs (2048 and more requests are allowed).
    """
    body = ray.unwrapped(body, PREFIX)
    words = clues.words
    ranks = _ranks(body, words)
    lengths = seats.mean_lengths(
        body,
        (
            "sglang:prompt_tokens_histogram_count",
            "sglang:prompt_tokens_histogram_sum",
            "sglang:generation_tokens_histogram_sum",
        ),
        ("sglang:num_requests_total", "sglang:prompt_tokens_total", "sglang:generation_tokens_total"),
    )
    limit = _limit(words, ranks)
    if clues.role == "prefill":
        chunk = commands.whole(commands.flag(words, "--chunked-prefill-size"))
        copies = 1 if _attention(words) else ranks
        origin = "" if chunk else "the default "
        what = f"{origin}--chunked-prefill-size {chunk or DEFAULT_CHUNK}{_times(copies)}"
        tokens = (chunk or DEFAULT_CHUNK) * copies
        return seats.of_prefill(limit, tokens, what, lengths, stated=chunk is not None)
    size = _capacity(body, ranks)
    return seats.decide(
        limit,
        seats.by_cache(*size, lengths) if size else None,
        running=_now(body, RUNNING),
        waiting=_now(body, QUEUE),
        ceiling=limit.value if limit is not None and limit.stated else None,
    )


def findings_of(body: Exposition, clues: Clues, dialect: str) -> tuple[Finding, ...]:
    """Ranks that are not counted, copies that must not be added up, a bounded queue."""
    body = ray.unwrapped(body, PREFIX)
    words = clues.words
    size = _size(words)
    shown = len(body.label_values(RUNNING, "dp_rank"))
    result = []
    if dialect in _UNLABELLED and size > 1:
        result.append(
            found("ranks-overwritten", "", f"{size} data-parallel ranks share one series of {RUNNING}")
        )
    nodes = commands.whole(commands.flag(words, "--nnodes")) or 1
    if nodes > 1 and size > 1 and shown < size:
        result.append(
            found(
                "ranks-elsewhere", "",
                f"{shown} of {size} data-parallel ranks report on this pod, the others on {nodes - 1} more",
                where="every pod of the group",
            )
        )  # fmt: skip
    series = len(body.of(RUNNING))
    if series > 1:
        labels = [name for name in ("dp_rank", "pp_rank", "tp_rank", "priority") if _varies(body, name)]
        result.append(
            found("series-per-pod", "", f"{RUNNING} has {series} series", ranks=", ".join(labels) or "rank")
        )
    bound = commands.flag(words, "--max-queued-requests")
    if bound and not clues.role:
        result.append(
            found("bounded-queue", "", f"--max-queued-requests {bound} turns requests beyond it away")
        )
    return tuple(result)


def port_of(clues: Clues) -> int | None:
    """The HTTP port beside a gRPC server, 0.5.12 and newer (entrypoints/grpc_server.py): --port + 1 by default."""
    words = clues.words
    if not commands.switch(words, "--grpc-mode", "--smg-grpc-mode"):
        return None
    own = commands.whole(commands.flag(words, "--grpc-http-sidecar-port", "--smg-http-sidecar-port"))
    return own or (commands.whole(commands.flag(words, "--port")) or SGLANG.default_port) + 1


def info_of(answer: Any) -> Info:
    """`GET /get_server_info` (entrypoints/http_server.py): the arguments, the version and a state for each rank."""
    if not isinstance(answer, dict):
        return Info()
    version, model = answer.get("version"), answer.get("served_model_name")
    states = answer.get("internal_states")
    known = [
        value
        for state in (states if isinstance(states, list) else [])
        if isinstance(state, dict) and isinstance(value := state.get("effective_max_running_requests_per_dp"), int)
    ]  # fmt: skip
    limit = None
    if known and sum(known) > 0:
        text = f"the server allows {known[0]} running requests{_times(len(known))}"
        limit = Seats(sum(known), text, proved=False, ceiling=sum(known))
    return Info(str(version) if version else None, (str(model),) if model else (), limit)


def _size(words: tuple[str, ...]) -> int:
    """Data-parallel ranks of the whole server, all its nodes together."""
    plain = commands.whole(commands.flag(words, "--dp-size", "--data-parallel-size", "--dp")) or 1
    attention = commands.flag(words, "--attn-dp-size", "--attention-data-parallel-size")
    return plain * (commands.whole(attention) or 1)


def _attention(words: tuple[str, ...]) -> bool:
    """Whether the ranks share one model (DP attention) and so one limit."""
    width = commands.flag(words, "--attn-dp-size", "--attention-data-parallel-size")
    return bool(commands.switch(words, "--enable-dp-attention")) or (commands.whole(width) or 1) > 1


def _ranks(body: Exposition, words: tuple[str, ...]) -> int:
    """Ranks that this pod's body stands for: those seen, else those of the command line."""
    seen = {tuple(one.labels.get(name, "") for name in ("dp_rank", *ray.ACTORS)) for one in body.of(RUNNING)}
    return len(seen) if len(seen) > 1 or body.label_values(RUNNING, "dp_rank") else _size(words)


def _limit(words: tuple[str, ...], ranks: int) -> seats.Bound | None:
    text = commands.flag(words, "--max-running-requests")
    flag = commands.whole(text)
    speculative = text is None and commands.flag(words, "--speculative-algorithm")
    each = SPECULATIVE_MAX_RUNNING if speculative else flag
    if each is None:
        return None
    origin = "the default of speculative decoding, " if speculative else ""
    what = f"{origin}--max-running-requests {each}"
    if _attention(words):
        share = max(1, each // _size(words))
        return seats.Bound(
            share * ranks, f"{what} over {_size(words)} attention ranks", stated=not speculative
        )
    return seats.Bound(each * ranks, what + _times(ranks), stated=not speculative)


def _capacity(body: Exposition, ranks: int) -> tuple[int, str] | None:
    """KV tokens of all ranks and the words for them: the gauge (0.5.6 and newer), else tokens in use / their share.

    Up to 0.5.6 the share is rounded to 0.01, so a nearly empty cache says nothing.
    """
    sizes: dict[tuple[str, ...], float] = {}
    for sample in body.of(CAPACITY):
        if not (seats.countable(sample.value) and sample.value > 0):
            return None
        rank = tuple(sample.labels.get(name, "") for name in ("dp_rank", *ray.ACTORS))
        sizes[rank] = max(sizes.get(rank, 0.0), sample.value)
    copies = ranks if len(sizes) == 1 else 1
    if sizes:
        text = " + ".join(f"{size:.0f}" for size in dict.fromkeys(sizes.values()))
        return int(sum(sizes.values())) * copies, f"{text} KV tokens{_times(max(copies, len(sizes)))}"
    usage = {frozenset(one.labels.items()): one.value for one in body.of(USAGE)}
    shares = [
        (used.value, share)
        for used in body.of(USED)
        if 0.1 <= (share := usage.get(frozenset(used.labels.items()), 0.0)) <= 1
        and seats.countable(used.value)
    ]
    if not shares:
        return None
    used_tokens, share = max(shares, key=lambda one: one[1])
    return int(used_tokens / share) * ranks, f"{used_tokens:.0f} KV tokens in use / {share:g}{_times(ranks)}"


def _now(body: Exposition, metric: str) -> int:
    signal = next(one for one in UNIFIED.signals if one.metrics == (metric,) and not one.plus)
    value = promql.value(signal, body) or 0
    return int(value) if seats.countable(value) else 0


def _varies(body: Exposition, label: str) -> bool:
    return len({sample.labels.get(label, "") for sample in body.of(RUNNING)}) > 1


def _times(ranks: int) -> str:
    return f" x {ranks} data-parallel ranks" if ranks > 1 else ""


SGLANG = Engine(
    name="sglang",
    title="SGLang",
    forms=FORMS,
    dialects=DIALECTS,
    # dynamo.sglang is Dynamo's own worker around SGLang, told apart by its body.
    commands=(r"\bsglang\.launch_server\b", r"(^|[\s/])sglang\s+serve\b"),
    images=(r"(^|/)sglang(?!-router)[\w.-]*(:|@|$)",),
    versioned=(r"(?<!^nvcr\.io/nvidia)(^|/)sglang:",),
    labels=("sglang",),
    default_port=30000,
    model_flags=("--served-model-name", "--model-path", "--model"),
    switch_on=("--enable-metrics",),
    lazy=True,
    forms_of=forms_of,
    port_of=port_of,
    dialect_of=dialect_of,
    role_of=role_of,
    finished=("sglang:num_requests_total",),
    counts_while_generating=(_GENERATED, *ray.spellings(_GENERATED)),
    seats_of=seats_of,
    findings_of=findings_of,
    # /server_info (0.5.7 and newer) is the same page; this name works in every version.
    info_path="/get_server_info",
    info_of=info_of,
)
