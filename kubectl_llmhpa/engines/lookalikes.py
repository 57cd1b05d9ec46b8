"""Bodies that are not an engine this version can scale, and what they are instead.

A row that becomes an `Engine` of its own leaves this table. Order matters: a router or a wrapper that passes an
engine's series through comes before that engine.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from kubectl_llmhpa.engines import commands, endpoint_picker, promql
from kubectl_llmhpa.engines.dynamo import NO_ENGINE
from kubectl_llmhpa.engines.exposition import Exposition
from kubectl_llmhpa.engines.model import Clues, NotAnEngine, Signal, SignalSource
from kubectl_llmhpa.engines.rows import ENGINES

_FORWARDS = "it forwards requests and holds none of its own"
_BEHIND = "name the workload of the engines behind it"


@dataclass(frozen=True)
class Lookalike:
    """`prefixes`: any family that begins so; `label`: (prefix, label) of a telling sample, with a `value` of that
    label as a regular expression; `command`: start line without the values of its flags, which tells nothing where a
    variable of `unless` is set; `images`: regular expressions.

    `signals` of a queue upstream of the engines serve External metrics, one series for each `by`; of several with one
    name the first that is live counts.
    """

    title: str
    reason: str
    remedy: str = ""
    prefixes: tuple[str, ...] = ()
    label: tuple[str, str] | None = None
    value: str = ".*"
    command: str = ""
    unless: tuple[str, ...] = ()
    images: tuple[str, ...] = ()
    signals: tuple[Signal, ...] = ()
    by: str = "namespace, pod"

    def matches(self, body: Exposition) -> bool:
        if any(body.has(prefix) for prefix in self.prefixes):
            return True
        if self.label is None:
            return False
        prefix, label = self.label
        return any(
            label in sample.labels and re.fullmatch(self.value, sample.labels[label])
            for name, samples in body.samples.items()
            if name.startswith(prefix)
            for sample in samples
        )


LOOKALIKES = (
    Lookalike(
        "the vLLM production-stack router",
        "it re-exports the numbers of other pods with a `server` label and holds no request of its own",
        _BEHIND,
        prefixes=("vllm:healthy_pods_total", "vllm:current_qps"),
        label=("vllm:", "server"),
        command=r"\bvllm_router\.app\b",
        images=(r"(^|/)lmstack-router(:|@|$)", r"(^|/)production-stack/router(:|@|$)"),
    ),
    Lookalike(
        "a vLLM router",
        _FORWARDS,
        _BEHIND,
        prefixes=("vllm_router_", "vllm_router:"),
        command=r"(?:^|\s)(?:[\w./-]*/)?vllm-router(?=\s|$)|\bvllm_router\.\w",
        images=(r"(^|/)vllm-router(:|@|$)",),
    ),
    Lookalike(
        "the SGLang router",
        _FORWARDS,
        _BEHIND,
        prefixes=("sgl_router_", "smg_"),
        command=r"(?:^|\s)(?:[\w./-]*/)?(?:sglang-router|sgl-model-gateway|smg)(?=\s|$)|\bsglang_router\.\w",
        images=(r"(^|/)(sglang-router|sgl-router|sgl-model-gateway|smg)(:|@|$)",),
    ),
    Lookalike(
        "an endpoint picker of the Gateway API inference extension",
        "it picks an engine for each request and counts those of all engines",
        f"{_BEHIND}, or scale that by an External metric of the picker's queue",
        prefixes=endpoint_picker.PREFIXES,
        command=endpoint_picker.COMMAND,
        images=endpoint_picker.IMAGES,
        signals=endpoint_picker.SIGNALS,
    ),
    Lookalike(
        "the prefill/decode sidecar of llm-d",
        "it forwards the requests of the engine beside it",
        "name the container and the port of the engine (8001 under KServe, 8200 in llm-d's chart)",
        command=r"(?:^|\s)(?:[\w./-]*/)?pd-sidecar(?=\s|$)",
        images=(r"(^|/)llm-d-(routing|router-disagg)-sidecar(:|@|$)", r"(^|/)pd-sidecar(:|@|$)"),
    ),
    Lookalike(
        "llama.cpp without a model, as a router of several",
        "each model is a process of its own, and /metrics answers for one of them only (/metrics?model=NAME)",
        "serve one model per workload, or scrape with that parameter by a scrape object of your own",
        command=r"\bllama-server\b(?!.*\s(--[\w.-]+-default(?=\s|$)|(-m|--model|-mu|--model-url|-hf|-hfr|--hf-repo|-dr|--docker-repo)[\s=]))",
        unless=("LLAMA_ARG_MODEL", "LLAMA_ARG_MODEL_URL", "LLAMA_ARG_HF_REPO", "LLAMA_ARG_DOCKER_REPO"),
    ),
    Lookalike(
        "a router or planner of NVIDIA Dynamo",
        "it directs requests or replicas and runs no engine",
        "name the workload of the workers",
        prefixes=("dynamo_planner_", "dynamo_kvindexer_"),
        label=("dynamo_component_inflight_requests", "dynamo_component"),
        value=r"(?i)(global_?)?(router|planner)",
        command=NO_ENGINE,
        images=(r"(^|/)dynamo-planner(:|@|$)",),
    ),
    Lookalike(
        "an encoder server of SGLang",
        "it encodes images for the engines and generates nothing",
        "name the workload of the engines; scale the encoders by another system's metric",
        prefixes=("sglang:encoder_", "ray_sglang_encoder_"),
        command=r"\bsglang\b.*\s--encoder[-_]only\b",
    ),
)


def refusal(row: Lookalike, body: Exposition) -> NotAnEngine:
    """The refusal for a body of this row, with the signals that External metrics can use."""
    upstream: dict[str, SignalSource] = {}
    for signal in row.signals:
        metric, samples = promql.live(signal, body)
        if metric and signal.name not in upstream:
            upstream[signal.name] = promql.source(
                signal, metric, promql.value(signal, body), len(samples), external_only=True, by=row.by
            )
    return NotAnEngine(f"this is {row.title}: {row.reason}", row.remedy, seen=row.title, upstream=upstream)


def by_body(body: Exposition) -> Lookalike | None:
    """The first row that the body matches."""
    return next((row for row in LOOKALIKES if row.matches(body)), None)


def by_clues(clues: Clues) -> Lookalike | None:
    """The first row that the command line matches, else the first that the image does.

    What follows the start of an engine is an argument of that, and whoever starts an engine has no router's image.
    """
    line = commands.without_values(clues.words)
    starts = (re.search(pattern, line) for engine in ENGINES for pattern in engine.commands)
    engine = min((start.start() for start in starts if start), default=None)
    for row in LOOKALIKES:
        match = re.search(row.command, line) if row.command else None
        if match and not any(map(clues.env.get, row.unless)) and (engine is None or match.start() <= engine):
            return row
    if engine is not None:
        return None
    return next((row for row in LOOKALIKES for image in row.images if re.search(image, clues.image)), None)


def by_metric(metric: str) -> Lookalike | None:
    """The first row that a metric name of an HPA belongs to."""
    return next(
        (row for row in LOOKALIKES if any(metric.startswith(prefix) for prefix in row.prefixes)), None
    )
