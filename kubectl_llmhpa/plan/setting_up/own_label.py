"""The label by which an External metric finds a workload's series, read off those that are live.

An HPA selects them with labels, whose values must be legal in Kubernetes: the job of a PodMonitor (`namespace/name`) is
none. A label that pods of another workload have tomorrow would count those too, so only labels that name a workload are
taken, and `container` is not: all workloads of an engine are apt to have the same.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence

from kubectl_llmhpa.api import Json, Reader
from kubectl_llmhpa.errors import LlmHpaError
from kubectl_llmhpa.monitoring import prometheus
from kubectl_llmhpa.monitoring.model import WORKLOAD
from kubectl_llmhpa.plan.setting_up.scraping import Scrape
from kubectl_llmhpa.workloads import Workload, pod_names

#: Labels that name a workload, the best first: the vendor document's, and those that scrape configurations copy from
#: pods and Services.
_LABELS = (
    WORKLOAD, "workload", "deployment", "app_kubernetes_io_instance", "app_kubernetes_io_name", "app", "service", "job",
)  # fmt: skip
_VALUE = re.compile(r"[A-Za-z0-9](?:[\w.-]{0,61}[A-Za-z0-9])?")


def find(
    reader: Reader,
    server: prometheus.Server | None,
    workload: Workload,
    scrape: Scrape,
    pods: Sequence[Json],
    metrics: Collection[str],
) -> dict[str, str]:
    """The label and its value. `metrics` are names of the engine's series. Raises LlmHpaError where there is none."""
    attempted = (
        f"tell the series of {workload.reference} in namespace {workload.namespace!r} from others by a label"
    )
    if server is None:
        raise LlmHpaError(
            attempted, "the Prometheus that the adapter asks cannot be asked from here", "use --backend keda"
        )
    selector = f'{{__name__=~"{"|".join(sorted(metrics))}",{scrape.namespace_label}="{workload.namespace}"}}'
    series = [one.labels for one in prometheus.query(reader, server, selector)]
    pattern = pod_names.pattern(workload, pods)
    names = {one["metadata"]["name"] for one in pods}
    ours = [
        one
        for one in series
        if (who := one.get(scrape.pod_label, "")) in names or (pattern and re.fullmatch(pattern, who))
    ]
    if not ours:
        raise LlmHpaError(attempted, "Prometheus has no series of its pods now", "try again when it has")
    label = choose(ours, [one for one in series if one not in ours])
    if label is None:
        raise LlmHpaError(
            attempted, f"none of {', '.join(_LABELS)} is the same on all of them and on no others",
            f"let the scrape set one (for a PodMonitor a relabeling with targetLabel: {WORKLOAD} and replacement: "
            f"{workload.name}), or use --backend keda",
        )  # fmt: skip
    return {label: ours[0][label]}


def choose(ours: Sequence[Mapping[str, str]], others: Iterable[Mapping[str, str]]) -> str | None:
    """The first label that all of our series have with one legal value, and none of the others with that one."""
    theirs = list(others)
    for label in _LABELS:
        values = {one.get(label, "") for one in ours}
        value = next(iter(values), "")
        if len(values) == 1 and _VALUE.fullmatch(value) and all(one.get(label) != value for one in theirs):
            return label
    return None
