"""NVIDIA Dynamo, 0.3 to the newest: a frontend, and workers that pass their engine's series through.

Names: `lib/runtime/src/metrics/prometheus_names.rs` (`dynamo/prometheus_names.py` of the 0.6.1 to 1.6.1 wheels), and
bodies of the real frontend and mocker of 0.3.2 to 1.6.1. A frontend is told by the metrics of its HTTP service, whose
prefix can be configured; a worker by `dynamo_component_inflight_requests`, since frontends have other
`dynamo_component_` families from 1.0 on. Frontend series appear with the first request of a model.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from kubectl_llmhpa.engines import commands, dynamo_frontend
from kubectl_llmhpa.engines.dynamo_frontend import (
    DIALECTS,
    FRONTEND_PREFIX,
    NEWEST,
    OLD_PREFIX,
    PLAIN,
    frontend,
    frontend_of,
    never_leaves,
    prefixes,
    seats_behind,
)
from kubectl_llmhpa.engines.exposition import Exposition
from kubectl_llmhpa.engines.model import Clues, Engine, Form, Seats, Signal
from kubectl_llmhpa.engines.sglang import SGLANG
from kubectl_llmhpa.engines.trtllm import TRTLLM
from kubectl_llmhpa.engines.vllm import VLLM
from kubectl_llmhpa.engines.vllm import signals as vllm_signals
from kubectl_llmhpa.findings import Finding, found

COMPONENT_PREFIX = "dynamo_component_"
#: deploy/operator/internal/consts/consts.go
_TYPE_LABEL = "nvidia.com/dynamo-component-type"
_COMMAND = r"\bdynamo\.(frontend|vllm|sglang|trtllm|mocker|llama_cpp)\b|(^|[\s/])dynamo-run\s"
#: Parts that direct requests or replicas.
NO_ENGINE = r"\bdynamo\.(router|planner|global_router|global_planner|thunderagent_router|indexer)\b"

INFLIGHT = "dynamo_component_inflight_requests"
#: A worker also answers on administrative endpoints (`load_metrics`, `clear_kv_blocks`, `worker_kv_query_...`).
_GENERATE = (("dynamo_endpoint", "generate"),)
IN_FLIGHT = Signal(
    "in-flight", (INFLIGHT,), ("worker_id",), where=_GENERATE,
    served_as="dynamo_component_requests_in_flight",
)  # fmt: skip
#: 0..1 in spite of the name; `kvstats` up to 0.8, neither in 0.9.
KV_CACHE = Signal(
    "kv-cache",
    ("dynamo_component_gpu_cache_usage_percent", "dynamo_component_kvstats_gpu_cache_usage_percent"),
)
E2E = Signal(
    "e2e", ("dynamo_component_request_duration_seconds",), where=_GENERATE,
    served_as="dynamo_component_generate_duration_seconds",
)  # fmt: skip

WORKER = Form("worker", COMPONENT_PREFIX, ((INFLIGHT,),), (IN_FLIGHT, KV_CACHE, E2E), model_label="model")
FRONTEND = frontend(FRONTEND_PREFIX)


def _by_colon(name: str) -> tuple[str, ...]:
    """The mocker's, and what 0.6 prefixes TensorRT-LLM's collector with (dynamo/trtllm/main.py `add_prefix`)."""
    return (name.replace("vllm:", "trtllm:"),)


_TRTLLM_BY_COLON = Form(
    "",
    "trtllm:",
    (("trtllm:num_requests_running", "trtllm:e2e_request_latency_seconds"),),
    vllm_signals(_by_colon, ()),
)
#: Engines behind a worker, and what their modules and images are called.
_INNER: tuple[tuple[Engine, str], ...] = (
    (VLLM, r"vllm|mocker"),
    (SGLANG, r"sglang"),
    (TRTLLM, r"trtllm|tensorrtllm"),
)


def forms_of(body: Exposition, clues: Clues) -> tuple[Form, ...]:
    """The forms that this body can have, under the prefixes that it uses."""
    passed = tuple(_worker(inner, body) for _, inner in _passed_through(body, clues))
    if body.live(INFLIGHT) or passed:
        return (*passed, WORKER)
    possible = dict.fromkeys((*prefixes(body, clues), FRONTEND_PREFIX, OLD_PREFIX))
    forms = tuple(frontend_of(body, prefix) for prefix in possible if body.has(prefix))
    # A planner or router has `dynamo_component_` families too, so these alone are no worker.
    return forms or ((WORKER,) if _is_worker(clues) else ())


def _is_worker(clues: Clues) -> bool:
    if re.search(NO_ENGINE, " ".join(clues.words)):
        return False
    kind = clues.labels.get(_TYPE_LABEL, "").lower()
    return re.search(_COMMAND, " ".join(clues.words)) is not None or kind in ("worker", "prefill", "decode")


def _passed_through(body: Exposition, clues: Clues) -> Iterator[tuple[Engine | None, Form]]:
    """The engine whose series this body passes through, and the forms that it can have."""
    known = [(engine, form) for engine, _ in _INNER for form in _forms_behind(engine, body, clues)]
    for engine, form in (*known, (None, _TRTLLM_BY_COLON)):
        if form.prefix and body.has(form.prefix) and (body.has("dynamo_") or _is_labelled(form, body)):
            yield engine, form


def _forms_behind(engine: Engine, body: Exposition, clues: Clues) -> tuple[Form, ...]:
    return engine.forms_of(body, clues) if engine.forms_of else engine.forms


def _is_labelled(form: Form, body: Exposition) -> bool:
    """Whether Dynamo passed these series through, where its own are not at hand (series in Prometheus)."""
    return any("dynamo_component" in sample.labels for name in form.live[0] for sample in body.live(name))


def _worker(inner: Form, body: Exposition) -> Form:
    """The worker whose engine has the form `inner`: its own signals, and Dynamo's where it has none."""
    own = [signal for signal in inner.signals if signal.name != "in-flight"]
    told = {signal.name for signal in own if any(map(body.live, signal.metrics))}
    dynamos = [signal for signal in (IN_FLIGHT, KV_CACHE, E2E) if signal.name not in told]
    kept = [signal for signal in own if signal.name not in {one.name for one in dynamos}]
    return Form(
        "worker",
        inner.prefix,
        (*(((INFLIGHT,),) if body.live(INFLIGHT) else ()), *inner.live),
        (*kept, *dynamos),
        roles=inner.roles,
        role=inner.role,
        absent=inner.absent,
        model_label=inner.model_label,
        signs=(*inner.signs, *(name for signal in inner.signals for name in signal.names)),
    )


def dialect_of(body: Exposition, form: Form) -> str:
    """The range of Dynamo versions that shares these names, and the engine behind a worker with its own range."""
    if form.name == "frontend":
        return dynamo_frontend.dialect_of(body, form.prefix)
    samples = body.of(INFLIGHT)
    if any("worker_id" in sample.labels for sample in samples):
        versions = NEWEST
    elif any(sample.labels.get("dynamo_endpoint") == "load_metrics" for sample in samples):
        versions = "0.4 to 0.5"
    else:
        versions = PLAIN if samples else "any version"
    if form.prefix == _TRTLLM_BY_COLON.prefix:
        return f"{versions} with TensorRT-LLM"
    engine = _engine_of(form)
    return f"{versions} with {engine.title} {_dialect_behind(engine, form, body)}" if engine else versions


def _engine_of(form: Form) -> Engine | None:
    """The engine behind a worker form."""
    return next((engine for engine, _ in _INNER if form.prefix in engine.prefixes), None)


def _dialect_behind(engine: Engine, form: Form, body: Exposition) -> str:
    if engine.dialect_of:
        return engine.dialect_of(body, next(own for own in engine.forms if own.prefix == form.prefix))
    return next((dialect.name for dialect in engine.dialects if dialect.fits(body)), "unlisted")


def role_of(body: Exposition, clues: Clues) -> str:
    """`frontend`, `prefill`, `decode`, or empty: the component of the live worker, the flags, the operator's label.

    The component `backend` serves both decode and aggregated workers (dynamo/vllm/args.py), so it tells nothing.
    """
    components = {
        sample.labels.get("dynamo_component", "")
        for sample in body.of(INFLIGHT)
        if sample.labels.get("dynamo_endpoint") == "generate"
    }
    if role := next(iter(components & {"prefill", "decode"}), ""):
        return role
    words = clues.words
    mode = commands.flag(words, "--disaggregation-mode") or ""
    if mode in ("prefill", "decode"):
        return mode
    for role in ("prefill", "decode"):
        if commands.switch(words, f"--is-{role}-worker"):
            return role
    is_frontend = re.search(r"\bdynamo\.frontend\b|\bdynamo-run\s.*\bin=http\b", " ".join(words))
    if not components and (is_frontend or clues.labels.get(_TYPE_LABEL, "").lower() == "frontend"):
        return "frontend"
    engine = _engine_behind(body, clues)
    return engine.role_of(body, clues) if engine is not None else ""


def _engine_behind(body: Exposition, clues: Clues) -> Engine | None:
    """The engine of a worker: by the series that it passes through, else by its module or image."""
    for passed, _ in _passed_through(body, clues):
        return passed
    text = f"{' '.join(clues.words)} {clues.image}"
    for engine, names in _INNER:
        if re.search(rf"\bdynamo\.({names})\b|/({names})-runtime\b", text):
            return engine
    return None


def seats_of(body: Exposition, clues: Clues) -> Seats | None:
    """A worker's as its engine tells; at a frontend those of one worker, by the configuration of the first to join."""
    form = next(iter(forms_of(body, clues)), WORKER)
    if form.name == "frontend":
        return seats_behind(body, form.prefix)
    if role_of(body, clues) == "frontend":
        return None
    if re.search(r"\bdynamo\.mocker\b", " ".join(clues.words)):
        return VLLM.seats_of(body, clues)  # its flags are vLLM's, whichever engine it mimics
    engine = _engine_behind(body, clues)
    return engine.seats_of(body, clues) if engine is not None else None


def findings_of(body: Exposition, clues: Clues, _dialect: str) -> tuple[Finding, ...]:
    """A frontend whose queue is not one, and workers that could tell more."""
    form = next(iter(forms_of(body, clues)), WORKER)
    if form.name == "frontend":
        seen = f"every request in flight counts in {form.prefix}queued_requests"
        return (found("queued-until-done", "", seen),) if never_leaves(body, form.prefix) else ()
    if engine := _engine_of(form):
        inner = engine.findings_of(body, clues, _dialect_behind(engine, form, body))
        return tuple(one for one in inner if one.code != "no-counts")  # Dynamo counts
    line = " ".join(clues.words)
    for module, flags in _PASSES_WITH:
        if re.search(rf"\bdynamo\.{module}\b", line) and not commands.switch(clues.words, *flags):
            seen = f"dynamo.{module} runs without {flags[0]}"
            return (found("no-engine-series", "", seen, flag=flags[0]),)
    return ()


#: What makes a worker pass its engine's series through, the name that all versions take first; vLLM's always does.
_PASSES_WITH = (
    ("sglang", ("--enable-metrics",)),
    # dynamo/trtllm/backend_args.py of 1.2.1, 1.4.2 and 1.6.1
    ("trtllm", ("--publish-events-and-metrics", "--publish-kv-events", "--publish-metrics")),
)
DYNAMO = Engine(
    name="dynamo",
    title="NVIDIA Dynamo",
    forms=(WORKER, FRONTEND, frontend(OLD_PREFIX, queue=False)),
    dialects=DIALECTS,
    commands=(_COMMAND,),
    images=(r"(^|/)((vllm|sglang|tensorrtllm|trtllm)-runtime|dynamo-frontend)(:|@|$)",),
    versioned=(r"(^|/)((vllm|sglang|tensorrtllm|trtllm)-runtime|dynamo-frontend):",),
    marks=((_TYPE_LABEL, "frontend|worker|prefill|decode"),),
    # Its variables may stand on the command line (`sh -c "DYN_SYSTEM_PORT=9090 python3 -m ..."`).
    # The operator gives workers DYN_SYSTEM_PORT=9090 (component_worker.go); unset or -1 there is no server.
    default_port=9090,
    port_flags=("DYN_SYSTEM_PORT",),
    port_env=("DYN_SYSTEM_PORT",),
    tls_flags=("--tls-cert-path", "--tls-key-path"),
    switch_on=("DYN_SYSTEM_PORT", "DYN_SYSTEM_ENABLED"),
    lazy=True,
    counts_while_generating=(
        *VLLM.counts_while_generating,
        *SGLANG.counts_while_generating,
        f"{FRONTEND_PREFIX}output_tokens_total",
    ),
    forms_of=forms_of,
    dialect_of=dialect_of,
    role_of=role_of,
    seats_of=seats_of,
    findings_of=findings_of,
)
