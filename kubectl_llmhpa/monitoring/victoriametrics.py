"""The VictoriaMetrics operator: which VMAgent will select our VMPodScrape, and the VMPodScrape itself. Not run.

Source: VictoriaMetrics/operator internal/controller/operator/factory/k8stools/selectors.go and vmscrapes/podscrape.go.
Its operator also converts every PodMonitor into a VMPodScrape and leaves that behind when the PodMonitor goes, so a
VMPodScrape is written, which nothing converts; `converted` tells the leftover of a PodMonitor of ours.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from kubectl_llmhpa.api import MANAGED_BY, MANAGER, VM_POD_SCRAPES, VM_SINGLES, Json
from kubectl_llmhpa.errors import LlmHpaError
from kubectl_llmhpa.monitoring import prometheus_operator, selectors
from kubectl_llmhpa.monitoring.model import Scraper, Wanted, job_of_monitor, referred
from kubectl_llmhpa.monitoring.scene import Scene


@dataclass(frozen=True)
class VMSelection:
    """A VMAgent or VMSingle (`by`: its kind, namespace and name) that selects a VMPodScrape with `labels`."""

    by: str
    labels: Mapping[str, str]


def choose(
    agents: Sequence[Json], namespace: str, namespace_labels: Mapping[str, str], own: Mapping[str, str]
) -> VMSelection:
    """The VMAgent or VMSingle for a VMPodScrape in `namespace` that has the labels `own` whatever is asked of it.

    Raises LlmHpaError when none selects it. Several that do are as good as one: they write into the same storage or
    each into its own, and the first is named.
    """
    refusals: list[str] = []
    for agent in agents:
        labels = _required(agent, namespace, namespace_labels, own)
        name = f"{agent['kind'].lower()} {referred([agent])}"
        if not isinstance(labels, str):
            return VMSelection(name, labels)
        refusals.append(f"{name}: {labels}")
    raise LlmHpaError(
        f"choose the VMAgent that scrapes namespace {namespace!r}",
        f"none selects VMPodScrapes there ({'; '.join(refusals) or 'there is no VMAgent'})",
        "set its podScrapeNamespaceSelector, or selectAllByDefault: true",
    )


def _required(
    agent: Json, namespace: str, namespace_labels: Mapping[str, str], own: Mapping[str, str]
) -> Mapping[str, str] | str:
    """The labels that make it select ours, or why it does not."""
    spec = agent.get("spec") or {}
    which, where = spec.get("podScrapeSelector"), spec.get("podScrapeNamespaceSelector")
    if spec.get("ingestOnlyMode", agent["kind"] == VM_SINGLES.kind):
        return "it only takes samples in (ingestOnlyMode)"
    if which is None and where is None:
        if spec.get("selectAllByDefault"):
            return {}
        return (
            "both its podScrape selectors are unset and selectAllByDefault is not true, so it selects nothing"
        )
    if where is None and namespace != agent["metadata"]["namespace"]:
        return "its podScrapeNamespaceSelector is not set, so it looks in its own namespace only"
    if where is not None and (missing := selectors.unmet(where, namespace_labels)):
        return f"its podScrapeNamespaceSelector asks for {', '.join(missing)} on the namespace"
    labels = selectors.required_labels(which or {})
    missing = selectors.unmet(which or {}, {**labels, **own})
    return f"its podScrapeSelector cannot be met ({', '.join(missing)})" if missing else labels


def pod_scrape(wanted: Wanted) -> Json:
    """A VMPodScrape for the pods that a label selector matches."""
    endpoint = prometheus_operator.endpoint(wanted.port, wanted.interval, wanted.timeout)
    if relabelings := endpoint.pop("relabelings", None):
        endpoint["relabelConfigs"] = relabelings
    return {
        "apiVersion": VM_POD_SCRAPES.api_version,
        "kind": VM_POD_SCRAPES.kind,
        "metadata": wanted.metadata,
        "spec": {"selector": wanted.selector, "podMetricsEndpoints": [endpoint]},
    }


def converted(pod_scrape: Json) -> bool:
    """Whether a VMPodScrape was made by the operator from a PodMonitor of ours and will outlive it.

    Labels are copied, field managers are not; with converter ownership on, the garbage collector takes it.
    """
    metadata = pod_scrape["metadata"]
    writers = {one.get("manager") for one in metadata.get("managedFields") or []}
    copied = (metadata.get("labels") or {}).get(MANAGED_BY) == MANAGER
    return copied and MANAGER not in writers and not metadata.get("ownerReferences")


def _seen(scene: Scene) -> str:
    return f"there is the {scene.vm_agents[0]['kind']} {referred(scene.vm_agents)}" if scene.vm_agents else ""


SCRAPER = Scraper(
    name="victoriametrics",
    title="VictoriaMetrics",
    resource=VM_POD_SCRAPES,
    seen=_seen,
    render=pod_scrape,
    job=job_of_monitor,
    host=r"vm(single|select|auth|cluster)-.*",
    relabelings="relabelConfigs",
)
