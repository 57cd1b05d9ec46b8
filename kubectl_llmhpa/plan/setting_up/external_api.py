"""Whether External metrics can reach an HPA through an adapter's rules.

The HPA controller asks one version of external.metrics.k8s.io only, so one program serves all External metrics of a
cluster: KEDA's, where it is installed.
"""

from __future__ import annotations

from kubectl_llmhpa.backends.model import ACK
from kubectl_llmhpa.backends.prometheus_adapter import EXTERNAL_GROUP, Adapter
from kubectl_llmhpa.errors import LlmHpaError
from kubectl_llmhpa.policy import ONE_NUMBER


def problem(adapter: Adapter | None, *, register: bool) -> LlmHpaError | None:
    """Why they cannot, None where they can. `register`: the adapter is to get the API if nobody has it."""
    attempted = "have the adapter serve a number of all pods"
    if adapter is None:
        return LlmHpaError(attempted, f"{ONE_NUMBER}, and there is no adapter", "use KEDA: --backend keda")
    name = f"{adapter.namespace}/{adapter.name}"
    if adapter.kind == ACK:
        return LlmHpaError(
            attempted, f"{name} is the ACK adapter, whose External metrics are its own and take no rules",
            "use KEDA: --backend keda, or another --policy",
        )  # fmt: skip
    if adapter.external or (register and not adapter.external_at):
        return None
    if adapter.external_at:
        return LlmHpaError(
            attempted, f"{EXTERNAL_GROUP} leads to {adapter.external_at} and not to {name}, and only one can have it",
            "use KEDA if that is what is there: --backend keda; or another --policy",
        )  # fmt: skip
    return LlmHpaError(
        attempted, f"{ONE_NUMBER}, and no APIService leads {EXTERNAL_GROUP} to {name}",
        "let --install-custom-metrics-api register that one too, or use another --policy",
    )  # fmt: skip
