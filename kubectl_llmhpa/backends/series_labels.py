"""Which labels of a series name its pod and the pod's namespace: read off live series, never assumed.

prometheus-operator adds `namespace` and `pod`; Alibaba's document on LLM autoscaling relabels into `pod_namespace` and
`pod_name`, older pages of it and the annotation jobs of many charts into `kubernetes_namespace` and
`kubernetes_pod_name`. `exported_pod` is what an exporter itself called `pod`, moved aside by a scrape without
honorLabels: it names the pod only where `pod` is the exporter's and not the engine's.

A rule of the adapter knows one label for pods: of two that mean the same it takes one at random
(pkg/naming/resource_converter.go), and of two rules with one API name the last hides the other. So one signal has one
rule with one pair of labels, and that pair is `namespace` and `pod` wherever the series have it, which is also where
ARMS series carry the vendor's labels besides. A workload whose series have only another pair cannot share the cluster
with one that has only this pair; it is refused, since a second rule would take the first one's metric away.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple


class SeriesLabels(NamedTuple):
    """The names of the two labels."""

    namespace: str
    pod: str


DEFAULT = SeriesLabels("namespace", "pod")
#: The pairs that are known, the best first.
PAIRS = (
    DEFAULT,
    SeriesLabels("pod_namespace", "pod_name"),
    SeriesLabels("namespace", "pod_name"),
    SeriesLabels("kubernetes_namespace", "kubernetes_pod_name"),
    SeriesLabels("namespace", "kubernetes_pod_name"),
    SeriesLabels("exported_namespace", "exported_pod"),
    SeriesLabels("namespace", "exported_pod"),
)


def labels_of(
    series: Iterable[Mapping[str, str]], *, namespace: str = "", pods: Collection[str] = ()
) -> SeriesLabels | None:
    """The pair that names most pods, the best of equal ones; None when the series have none of the known ones.

    Where the workload's `namespace` and the names of its `pods` are given, a pair counts only for series in which it
    names one of them: so `pod` of an exporter is not taken for the engine's.
    """
    found: dict[SeriesLabels, set[str]] = {}
    for one in series:
        pair = next((pair for pair in PAIRS if _names(one, pair, namespace, pods)), None)
        if pair is not None:
            found.setdefault(pair, set()).add(one[pair.pod])
    return max(found, key=lambda pair: (len(found[pair]), -PAIRS.index(pair)), default=None)


def _names(labels: Mapping[str, str], pair: SeriesLabels, namespace: str, pods: Collection[str]) -> bool:
    where, who = labels.get(pair.namespace, ""), labels.get(pair.pod, "")
    if not where or not who:
        return False
    return (not namespace or where == namespace) and (not pods or who in pods)
