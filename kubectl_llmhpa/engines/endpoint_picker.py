"""The endpoint picker (EPP) of the Gateway API inference extension, which moved to llm-d's router.

Names: `pkg/epp/metrics/metrics.go` of gateway-api-inference-extension v0.3.0 to v1.6.0 (`inference_model_*` up to 1.0,
`inference_objective_*` from 1.1, `inference_extension_flow_control_*` from 1.2 behind the flowControl gate) and
`llm_d_router_metrics.go` of llm-d-router v0.9.0, which has `llm_d_epp_*` and keeps the older names beside them. It
holds the queue of all engines behind it, so its numbers serve External metrics for those and never Pods metrics. The
averages over a pool are left out: they are neither a sum, which AverageValue divides, nor do they count unready pods.

Scale to zero: with flow control a picker holds requests while its pool has no pod, from 1.3 on (director.go of v1.3.0
admits before it looks for pods, that of v1.2.1 answers 503 first). The same version gave the queue its label
`inference_pool`, so a queue with that label is one that holds. Its series begin with the first request; how full the
pool is (1.5) and how many pods it has are told from the start.
"""

from __future__ import annotations

from kubectl_llmhpa.engines import promql
from kubectl_llmhpa.engines.model import Signal

PREFIXES = (
    "llm_d_epp_",
    "llm_d_inference_scheduler_",
    "inference_pool_average_",
    "inference_pool_per_pod_queue_size",
    "inference_pool_ready_pods",
    "inference_objective_request_",
    "inference_objective_running_requests",
    "inference_model_request_",
    "inference_model_running_requests",
    "inference_extension_flow_control_",
    "inference_extension_scheduler_",
    "inference_extension_info",
)
COMMAND = r"(?:^|\s)(?:[\w./-]*/)?epp(?=\s|$)"
IMAGES = (
    r"(^|/)epp(:|@|$)",
    r"(^|/)llm-d-inference-scheduler(:|@|$)",
    r"(^|/)llm-d-router-endpoint-picker(:|@|$)",
)

_MODEL = ("model_name", "target_model_name", "fairness_id", "priority")
_FLOW = (*_MODEL, "inference_pool")


def _generations(name: str, *metrics: str) -> tuple[Signal, ...]:
    """A signal under each name, newest first. Labels grew, so two live names of one pod would add up in one query."""
    return tuple(Signal(name, (metric,), _MODEL) for metric in metrics)


#: The first of each name that is live counts.
SIGNALS = (
    Signal(
        "waiting",
        ("llm_d_epp_flow_control_queue_size", "inference_extension_flow_control_queue_size"),
        _FLOW,
    ),
    *_generations(
        "in-flight",
        "llm_d_epp_request_running",
        "inference_objective_running_requests",
        "inference_model_running_requests",
    ),
    *_generations("ttft", "llm_d_epp_request_ttft_seconds"),
    *_generations("itl", "llm_d_epp_request_streaming_itl_seconds"),
    *_generations(
        "e2e",
        "llm_d_epp_request_duration_seconds",
        "inference_objective_request_duration_seconds",
        "inference_model_request_duration_seconds",
    ),
)

#: Told from the start where flow control is on.
SATURATION = ("llm_d_epp_flow_control_pool_saturation", "inference_extension_flow_control_pool_saturation")
#: How many pods the pool has; the label `name` is the pool.
READY = ("llm_d_epp_ready_endpoints", "inference_pool_ready_pods")
POOL_LABEL = "inference_pool"


def signs(namespace: str) -> str:
    """A query for what the pickers of a namespace tell of themselves: names of series, with both labels of a pool."""
    names = "|".join((*SIGNALS[0].metrics, *SATURATION, *READY))
    return f'count by (__name__, {POOL_LABEL}, name) ({{__name__=~"{names}",namespace="{namespace}"}})'


def held(namespace: str, pool: str) -> str:
    """The requests that wait in the queue of a pool's picker: one element as long as the picker is scraped."""
    matchers = f'namespace="{namespace}",{POOL_LABEL}="{pool}"'
    return f"{promql.over_all(SIGNALS[0], matchers=matchers)} or ({_ready(namespace, pool)} * 0)"


def empty(namespace: str, pool: str) -> str:
    """0 while the picker says that its pool has no pod, else no element."""
    return f"({_ready(namespace, pool)} == 0)"


def _ready(namespace: str, pool: str) -> str:
    names = " or ".join(f'{name}{{namespace="{namespace}",name="{pool}"}}' for name in READY)
    return f"max({names})"
