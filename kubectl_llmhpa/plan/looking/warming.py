"""One token's worth of work for an engine that exposes no series before its first request."""

from __future__ import annotations

from kubectl_llmhpa.api import PODS, Writer
from kubectl_llmhpa.errors import ApiError, LlmHpaError
from kubectl_llmhpa.plan.looking.sight import EngineSight
from kubectl_llmhpa.workloads import Workload


def warm_up(writer: Writer, workload: Workload, sight: EngineSight) -> None:
    """Send the pod one token's worth of work, so that it exposes its series. Raises LlmHpaError."""
    models = sight.facts.models
    pod = sight.pod["metadata"]["name"]
    namespace = workload.namespace
    root = PODS.path(namespace, f"{pod}:{sight.port}", "proxy")
    try:
        model = models[0] if models else writer.get(f"{root}/v1/models")["data"][0]["id"]
        writer.post(f"{root}/v1/completions", {"model": model, "prompt": "hello", "max_tokens": 1})
    except (ApiError, LookupError, TypeError) as error:
        if isinstance(error, ApiError) and error.forbidden:
            raise
        problem = error.message if isinstance(error, ApiError) else "its list of models is empty"
        raise LlmHpaError(
            f"send one token to pod {pod} in namespace {namespace!r}", problem,
            "send it a request yourself, or leave out --warm: the HPA starts with the first request",
        ) from error  # fmt: skip
