"""The frontend of NVIDIA Dynamo: the HTTP service's metrics, whose prefix can be configured.

Names: `lib/runtime/src/metrics/prometheus_names.rs` and `lib/llm/src/http/service/metrics.rs`, and bodies of the real
frontend of 0.3.2 to 1.6.1. Series appear with the first request of a model.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator

from kubectl_llmhpa.engines import seats
from kubectl_llmhpa.engines.exposition import Exposition
from kubectl_llmhpa.engines.model import Clues, Dialect, Form, Listens, Seats, Signal

FRONTEND_PREFIX = "dynamo_frontend_"
#: Up to 0.3 (lib/llm/src/http/service/metrics.rs of that time).
OLD_PREFIX = "nv_llm_http_service_"
#: What every part of Dynamo but the HTTP service keeps, whatever DYN_METRICS_PREFIX says (1.0 on).
_COMPANY = ("dynamo_request_plane_", "dynamo_tokio_", FRONTEND_PREFIX)

#: The gauges of the HTTP service, newest name first; those of 0.5 end in `_total` all the same.
_HELD = ("active_requests", "inflight_requests", "inflight_requests_total")
_QUEUED = ("queued_requests", "queued_requests_total")
_OTHER_PARTS = re.compile(r"dynamo_(component|request_plane|work_handler|router|transport|planner|kv\w*)_")
_DISCONNECTS = ("disconnected_clients", "client_disconnects")
#: Other names of the HTTP service that hardly anybody else has; each entry has had several.
_TELLTALE = (
    _QUEUED,
    _DISCONNECTS,
    ("input_sequence_tokens",),
    ("output_sequence_tokens",),
    ("model_migration_limit",),
    ("model_kv_cache_block_size",),
    ("model_total_kv_blocks",),
)

#: The same ranges for frontends and workers, newest first.
DIALECTS = (
    Dialect("1.2 and newer", since="1.2"),
    Dialect("0.6 to 1.1", since="0.6"),
    Dialect("0.5", since="0.5"),
    Dialect("0.4", since="0.4"),
    Dialect("0.3", since="0.3"),
)
NEWEST, PLAIN, _TOTALS, _NO_QUEUE, _FIRST = (dialect.name for dialect in DIALECTS)


def frontend(prefix: str, *, queue: bool = True, running: bool = True) -> Form:
    """A frontend under a prefix; `queue`: it tells what waits (0.5 on), `running`: and truly (see `never_leaves`)."""

    def named(*names: str) -> tuple[str, ...]:
        return tuple(f"{prefix}{name}" for name in names)

    held, queued, ranks = named(*_HELD), named(*_QUEUED), ("model",)
    signals = [Signal("in-flight", held, ranks)]
    if queue:
        signals.append(Signal("waiting", queued, ranks))
    if queue and running:
        signals.append(Signal("running", held, ranks, minus=queued, served_as=f"{prefix}running_requests"))
    signals += [
        Signal("ttft", named("time_to_first_token_seconds")),
        Signal("itl", named("inter_token_latency_seconds")),
        Signal("e2e", named("request_duration_seconds")),
        Signal("prompt-tokens", named("input_sequence_tokens_sum"), ranks),
        Signal("generation-tokens", named("output_tokens_total", "output_sequence_tokens_sum"), ranks),
    ]
    return Form(
        "frontend",
        prefix,
        (held,),
        tuple(signals),
        role="frontend",
        external_only=True,
        model_label="model",
        # The other metrics have the name in lower case up to 1.0.
        named_by=named("model_max_num_seqs", "model_total_kv_blocks", "model_kv_cache_block_size"),
        signs=named(*_DISCONNECTS, "model_migration_limit"),
        listens=Listens(8000, ("--http-port", "DYN_HTTP_PORT"), ("DYN_HTTP_PORT",)),
    )


def frontend_of(body: Exposition, prefix: str) -> Form:
    """The frontend that a body shows under a prefix."""
    live = any(body.live(f"{prefix}{name}") for name in _HELD)
    queue = not live or any(body.live(f"{prefix}{name}") for name in _QUEUED)
    return frontend(prefix, queue=queue, running=not never_leaves(body, prefix))


def prefixes(body: Exposition, clues: Clues) -> Iterator[str]:
    """Prefixes of an HTTP service's metrics (DYN_METRICS_PREFIX, from 0.4 on), told by the names behind them.

    With a configured prefix the metrics of other authors in the same process keep `dynamo_frontend_` (1.6.1). A guessed
    prefix is none where requests are held for no model, as by any other proxy.
    """
    names = {*body.families, *body.samples}
    if configured := clues.env.get("DYN_METRICS_PREFIX", ""):
        # sanitize_frontend_prometheus_prefix of prometheus_names.rs
        yield re.sub(r"[^a-zA-Z0-9_:]", "_", configured) + "_"
    company = any(body.has(prefix) for prefix in _COMPANY)
    for suffix in (*_DISCONNECTS, *_HELD):
        for name in sorted(names):
            prefix = name.removesuffix(suffix)
            if prefix == name or not prefix.endswith("_") or _OTHER_PARTS.match(prefix):
                continue
            held = [sample for one in _HELD for sample in body.live(f"{prefix}{one}")]
            if any("model" not in sample.labels for sample in held):
                continue
            signs = sum(any(f"{prefix}{one}" in names for one in telltale) for telltale in _TELLTALE)
            if signs >= (1 if company else 2 if held else 3):
                yield prefix


def dialect_of(body: Exposition, prefix: str) -> str:
    """The range of versions that shares the names of a frontend."""
    if prefix == OLD_PREFIX:
        return _FIRST
    if body.live(f"{prefix}active_requests"):
        return NEWEST
    if body.live(f"{prefix}inflight_requests_total"):
        return _TOTALS
    return PLAIN if body.live(f"{prefix}queued_requests") else _NO_QUEUE


def seats_behind(body: Exposition, prefix: str) -> Seats | None:
    """Those of one worker, by the configuration of the first to join; None when workers differ or none has joined."""
    sequences = _only_value(body, f"{prefix}model_max_num_seqs")
    blocks = _only_value(body, f"{prefix}model_total_kv_blocks")
    size = _only_value(body, f"{prefix}model_kv_cache_block_size")
    prompt = _mean(body, f"{prefix}input_sequence_tokens")
    output = _mean(body, f"{prefix}output_sequence_tokens")
    lengths = seats.Lengths(prompt, output) if prompt is not None and output is not None else None
    limit = cache = None
    if sequences:
        limit = seats.Bound(sequences, f"{prefix}model_max_num_seqs {sequences} (of the first worker)")
    if blocks and size:
        cache = seats.by_cache(blocks * size, f"{blocks} KV blocks x {size} tokens", lengths)
    return seats.decide(limit, cache, running=0, waiting=0, ceiling=sequences)


def _only_value(body: Exposition, metric: str) -> int | None:
    """The value that all models share, None when they differ, or it is 0 (not known to the frontend)."""
    values = {sample.value for sample in body.of(metric)}
    value = values.pop() if len(values) == 1 else math.nan
    return int(value) if seats.countable(value) and value >= 1 else None


def _mean(body: Exposition, histogram: str) -> float | None:
    count, total = body.total(f"{histogram}_count"), body.total(f"{histogram}_sum")
    if count is None or total is None or not seats.countable(count) or not seats.countable(total):
        return None
    return total / count if count >= seats.ENOUGH_REQUESTS else None


def never_leaves(body: Exposition, prefix: str) -> bool:
    """Whether streamed requests stay queued until they end, and count no first token, as in 1.4.2.

    Its names are those of 1.2 and newer, with `requests_started_total` and without the `model_ready` of 1.6.
    """
    started = body.live(f"{prefix}requests_started_total")
    if not started or body.live(f"{prefix}model_ready"):
        return False
    queued = body.total(f"{prefix}queued_requests")
    return bool(queued) and queued == body.total(f"{prefix}active_requests")
