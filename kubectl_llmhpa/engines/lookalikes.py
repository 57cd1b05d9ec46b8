"""Bodies that are not an engine this version can scale, and what they are instead.

A row that becomes an `Engine` of its own leaves this table. Order matters: a router or a wrapper that passes an
engine's series through comes before that engine.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from kubectl_llmhpa.engines import promql
from kubectl_llmhpa.engines.exposition import Exposition
from kubectl_llmhpa.engines.model import HPA_FORMS, NotAnEngine, Signal, SignalSource

_NOT_YET = "this version cannot scale it yet"


@dataclass(frozen=True)
class Lookalike:
    """`prefixes`: any family that begins so; `label`: (prefix, label) of a telling sample, with a `value` of that
    label as a regular expression; `command`: start line.

    `signals` of a queue upstream of the engines serve External metrics, one series for each `by`.
    """

    title: str
    reason: str
    remedy: str = ""
    prefixes: tuple[str, ...] = ()
    label: tuple[str, str] | None = None
    value: str = ".*"
    command: str = ""
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
        "name the workload of the engines behind it",
        prefixes=("vllm:healthy_pods_total", "vllm:current_qps", "vllm_router_", "vllm_router:"),
        label=("vllm:", "server"),
        command=r"\bvllm[-_]router\b",
    ),
    Lookalike(
        "the SGLang router",
        "it forwards requests and holds none of its own",
        "name the workload of the engines behind it",
        prefixes=("sgl_router_", "smg_"),
        command=r"\bsglang_router\b",
    ),
    Lookalike(
        "an endpoint picker of the Gateway API inference extension",
        "it routes requests and holds none of its own",
        "name the workload of the engines behind it",
        prefixes=(
            "llm_d_epp_",
            "inference_pool_",
            "inference_objective_",
            "inference_model_",
            "inference_extension_",
        ),
    ),
    Lookalike(
        "a Dynamo frontend",
        _NOT_YET,
        prefixes=("dynamo_frontend_", "nv_llm_http_service_"),
        command=r"\bdynamo\.frontend\b",
    ),
    Lookalike(
        "a Dynamo worker",
        f"engine series in it are passed through by Dynamo; {_NOT_YET}",
        prefixes=("dynamo_component_",),
        label=("vllm:", "dynamo_component"),
        command=r"\bdynamo\.(vllm|sglang|trtllm|mocker)\b",
    ),
    Lookalike(
        "SGLang", _NOT_YET, prefixes=("sglang:", "sglang_"), command=r"\bsglang(\.launch_server|\s+serve)\b"
    ),
    Lookalike("LMDeploy", _NOT_YET, prefixes=("lmdeploy:", "lmdeploy_"), command=r"\blmdeploy\s+serve\b"),
    Lookalike("TensorRT-LLM", _NOT_YET, prefixes=("trtllm_", "trtllm:"), command=r"\btrtllm-serve\b"),
    Lookalike("Triton with TensorRT-LLM", _NOT_YET, prefixes=("nv_trt_llm_",), command=r"\btritonserver\b"),
    Lookalike(
        "Ray's metrics agent with a vLLM engine",
        f"its series belong to Ray actors, not to this pod; {_NOT_YET}",
        prefixes=("ray_vllm", "ray_sglang"),
    ),
    Lookalike("llama.cpp", _NOT_YET, prefixes=("llamacpp:", "llamacpp_"), command=r"\bllama-server\b"),
    Lookalike(
        "Text Generation Inference", _NOT_YET, prefixes=("tgi_",), command=r"\btext-generation-launcher\b"
    ),
)


def refusal(row: Lookalike, body: Exposition) -> NotAnEngine:
    """The refusal for a body of this row, with the signals that External metrics can use."""
    upstream = {}
    for signal in row.signals:
        metric, samples = promql.live(signal, body)
        if metric:
            upstream[signal.name] = SignalSource(
                signal.name,
                signal.kind,
                metric,
                promql.value(signal, body),
                len(samples),
                signal,
                promql.per_pod(signal, by=row.by),
                tuple(form for form in HPA_FORMS[signal.kind] if form.startswith("External")),
            )
    return NotAnEngine(f"this is {row.title}: {row.reason}", row.remedy, seen=row.title, upstream=upstream)


def by_body(body: Exposition) -> Lookalike | None:
    """The first row that the body matches."""
    return next((row for row in LOOKALIKES if row.matches(body)), None)


def by_command(line: str) -> Lookalike | None:
    """The first row that the joined command line matches."""
    return next((row for row in LOOKALIKES if row.command and re.search(row.command, line)), None)


def by_metric(metric: str) -> Lookalike | None:
    """The first row that a metric name of an HPA belongs to."""
    return next(
        (row for row in LOOKALIKES if any(metric.startswith(prefix) for prefix in row.prefixes)), None
    )
