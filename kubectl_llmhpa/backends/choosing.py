"""Which backend serves a workload's numbers, and why."""

from __future__ import annotations

from collections.abc import Collection

from kubectl_llmhpa.backends.keda import Keda
from kubectl_llmhpa.backends.model import KEDA, PROMETHEUS_ADAPTER, Choice
from kubectl_llmhpa.backends.prometheus_adapter import Adapter
from kubectl_llmhpa.errors import LlmHpaError

AUTO = "auto"


def choose(
    wanted: str,
    needed: Collection[str],
    served: Collection[str],
    *,
    live: str = "",
    adapter: Adapter | None,
    adapter_problem: LlmHpaError | None = None,
    keda: Keda | None,
    pods: str = "",
    register: bool = False,
) -> Choice:
    """The backend for metrics of these names.

    `wanted` is a backend or `auto`; `served` what the custom metrics API lists (`pods/NAME`); `live` the backend that
    serves the workload already; `pods` why metrics of pods cannot serve it, so that External ones must; `register`
    that the adapter is to get the custom metrics API. What changes nothing that others share comes first: names that
    are served already, then KEDA, then rules in the adapter's file. Raises LlmHpaError when nothing can serve, with
    what would.
    """
    usable = keda is not None and not keda.problem
    if wanted != AUTO:
        return _asked(wanted, adapter=adapter, adapter_problem=adapter_problem, keda=keda, pods=pods)
    if live:
        stopped = f", and does not work now: {keda.problem}" if live == KEDA and keda and keda.problem else ""
        return Choice(live, f"it serves this workload already{stopped}")
    names = {f"pods/{name}" for name in needed}
    if adapter is not None and not pods and names and names <= set(served):
        return Choice(adapter.kind, f"{adapter.namespace}/{adapter.name} serves every metric already")
    if adapter is not None and register and not pods:
        return Choice(adapter.kind, f"{adapter.namespace}/{adapter.name} is to serve custom metrics")
    if keda is not None and usable:
        other = ", so no rule has to be added to the adapter that the whole cluster shares" if adapter else ""
        return Choice(KEDA, f"KEDA {keda.version} runs here{other}".replace("  ", " "))
    if adapter is not None and not pods and adapter.custom:
        return Choice(adapter.kind, f"{adapter.namespace}/{adapter.name} serves pod metrics here")
    raise _nothing(adapter, adapter_problem, keda, pods)


def _asked(
    wanted: str,
    *,
    adapter: Adapter | None,
    adapter_problem: LlmHpaError | None,
    keda: Keda | None,
    pods: str,
) -> Choice:
    attempted = f"use the backend {wanted}"
    if wanted == KEDA:
        if keda is None:
            raise LlmHpaError(
                attempted, "KEDA is not installed in this cluster", "install it, or leave out --backend"
            )
        if keda.problem:
            raise LlmHpaError(attempted, keda.problem, "repair it first, or choose another --backend")
        return Choice(KEDA, "asked for")
    if pods:
        raise LlmHpaError(attempted, pods, "use --backend keda")
    if adapter is None:
        raise adapter_problem or LlmHpaError(
            attempted, "no adapter serves custom metrics here", "install one"
        )
    if adapter.kind != wanted:
        raise LlmHpaError(
            attempted,
            f"custom metrics are served by {adapter.namespace}/{adapter.name}, which is "
            f"{'prometheus-adapter' if adapter.kind == PROMETHEUS_ADAPTER else 'the ACK adapter'}",
            f"use {adapter.kind}",
        )
    return Choice(wanted, "asked for")


def _nothing(
    adapter: Adapter | None, adapter_problem: LlmHpaError | None, keda: Keda | None, pods: str
) -> LlmHpaError:
    attempted = "choose who hands the numbers to the HPA"
    broken = f"KEDA is here and does not work ({keda.problem})" if keda is not None else ""
    if pods:
        problem = f"{pods}, and {broken or 'KEDA, which could, is not installed'}"
        return LlmHpaError(attempted, problem, "repair KEDA" if keda else "install KEDA")
    if adapter is not None:
        problem = (
            f"{adapter.namespace}/{adapter.name} serves CPU and memory only (its file has resourceRules, and no "
            "APIService leads custom.metrics.k8s.io to it)"
        )
        remedy = "let --install-custom-metrics-api register the API for this adapter, or install KEDA"
        return LlmHpaError(attempted, f"{problem}; {broken}" if broken else problem, remedy)
    if broken:
        return LlmHpaError(attempted, f"{broken}, and there is no adapter", "repair KEDA")
    return adapter_problem or LlmHpaError(attempted, "there is no adapter and no KEDA", "install one of them")
