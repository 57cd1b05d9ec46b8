"""Whom KEDA asks, and for which series: Prometheus' address, the workload's series in it, and what is in the way."""

from __future__ import annotations

from collections.abc import Sequence

from kubectl_llmhpa.api import Json
from kubectl_llmhpa.errors import LlmHpaError
from kubectl_llmhpa.findings import Finding
from kubectl_llmhpa.monitoring import address, network_policies, prometheus
from kubectl_llmhpa.plan.looking.look import Surroundings
from kubectl_llmhpa.plan.setting_up.scalers import Question
from kubectl_llmhpa.plan.setting_up.scraping import Scrape
from kubectl_llmhpa.plan.wishes import Wishes
from kubectl_llmhpa.workloads import Workload, pod_names


def question(
    workload: Workload,
    around: Surroundings,
    wishes: Wishes,
    scrape: Scrape,
    pods: Sequence[Json],
    live: str = "",
) -> Question:
    """The address and the matchers of the workload's queries; `live` is an address that stays if no flag says another.

    Our own scrape job brings the series of the workload's pods and of nothing else; those of others are told apart
    by the names of pods. Raises LlmHpaError where neither is known.
    """
    if scrape.object is not None:
        matchers = f'{scrape.namespace_label}="{workload.namespace}",job="{scrape.job}"'
    else:
        pattern = pod_names.pattern(workload, pods)
        if pattern is None:
            raise LlmHpaError(
                f"tell the series of {workload.reference} from those of other workloads",
                f"they are scraped already by {scrape.by}, and the names of its pods do not tell what they belong to",
                "remove that scrape object, so that one for this workload alone can be written, or use "
                "--backend prometheus-adapter",
            )
        matchers = f'{scrape.namespace_label}="{workload.namespace}",{scrape.pod_label}=~"{pattern}"'
    by = f"{scrape.namespace_label}, {scrape.pod_label}"
    stays = "" if wishes.prometheus else live
    return Question(wishes.prometheus_url or stays or _address(around, wishes, scrape), matchers, by)


def kept(asked: Question, around: Surroundings, wishes: Wishes, scrape: Scrape) -> list[str]:
    """A note where the live address stays that would be another today."""
    try:
        fresh = wishes.prometheus_url or _address(around, wishes, scrape)
    except LlmHpaError:
        return []
    if fresh == asked.address:
        return []
    return [
        f"kept the address that KEDA asks ({asked.address}); today's is {fresh}: --reset-defaults applies it"
    ]


def server(asked: Question, around: Surroundings) -> prometheus.Server | None:
    """The Service behind the address that KEDA asks, None where it is outside the cluster."""
    return prometheus.server_of(asked.address, around.keda.namespace if around.keda else "")


def blocked(around: Surroundings, scrape: Scrape, target: prometheus.Server | None) -> tuple[Finding, ...]:
    """A NetworkPolicy that keeps KEDA from Prometheus."""
    if around.keda is None or scrape.selection is None or target is None:
        return ()
    return network_policies.blocking(around.network_policies, scrape.selection, around.keda)


def _address(around: Surroundings, wishes: Wishes, scrape: Scrape) -> str:
    """The Prometheus that scrapes, else the one that the adapter asks. Raises LlmHpaError where neither is known."""
    if scrape.selection is not None:
        try:
            return address.of(scrape.selection, around.services, around.prometheuses).url
        except LlmHpaError:
            if wishes.prometheus or around.adapter is None:
                raise  # else the adapter may ask what has its samples: the shards joined, a Service out of sight
    if around.server is not None:
        return around.server.url
    if around.adapter is not None:
        return around.adapter.prometheus_url
    raise LlmHpaError(
        "tell KEDA where Prometheus is",
        f"the pods are scraped by {scrape.by}, and nothing says which Prometheus has their samples",
        "give --prometheus NAMESPACE/NAME or --prometheus-url URL",
    )
