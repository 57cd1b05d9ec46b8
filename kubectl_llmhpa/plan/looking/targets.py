"""Which scrape targets the pods of a workload are already, as the Prometheus that is asked knows them.

A target counts as the engine's when series of the engine carry the pod's name, or, for an engine that shows no series
before its first request, when it is up under the pod's address and the engine's port.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from kubectl_llmhpa.api import Json, Reader
from kubectl_llmhpa.backends.series_labels import DEFAULT, PAIRS, SeriesLabels
from kubectl_llmhpa.monitoring import prometheus
from kubectl_llmhpa.monitoring.expressions import quoted

#: Pods that are asked about: enough to see who scrapes, and no more than a URL may hold.
_PODS = 20


@dataclass(frozen=True, order=True)
class Target:
    """One target: its pod, the labels `job` and `instance`, and which labels name pod and namespace."""

    pod: str
    job: str
    instance: str
    labels: SeriesLabels = DEFAULT


def question(pods: Sequence[Json], port: int, metric: str) -> str:
    """PromQL for the targets of these pods."""
    some = pods[:_PODS]
    addresses = [re.escape(address) for one in some if (address := _address(one, port))]
    names = "|".join(re.escape(one["metadata"]["name"]) for one in some)
    labels = list(dict.fromkeys(label for pair in PAIRS for label in (pair.pod, pair.namespace)))
    series = [
        f'{{__name__="{metric}",{label}=~"{quoted(names)}"}}' for label in dict.fromkeys(p.pod for p in PAIRS)
    ]
    if addresses:
        series.append(f'up{{instance=~"{quoted("|".join(addresses))}"}} == 1')
    return f"group by (job, instance, {', '.join(labels)}) ({' or '.join(series)})"


def found(
    reader: Reader, server: prometheus.Server, pods: Sequence[Json], port: int, metric: str
) -> list[Target]:
    """The targets. Raises ApiError or LlmHpaError when Prometheus does not answer."""
    if not pods:
        return []
    return of(prometheus.query(reader, server, question(pods, port, metric)), pods, port)


def of(samples: Iterable[prometheus.Sample], pods: Sequence[Json], port: int) -> list[Target]:
    """The targets in the answer to `question`, each once."""
    at = {address: one["metadata"] for one in pods if (address := _address(one, port))}
    there = {(one["metadata"].get("namespace", ""), one["metadata"]["name"]) for one in pods}
    targets: dict[tuple[str, str, str], Target] = {}
    for sample in samples:
        labels = sample.labels
        job, instance = labels.get("job", ""), labels.get("instance", "")
        pair = next((p for p in PAIRS if (labels.get(p.namespace, ""), labels.get(p.pod, "")) in there), None)
        pod = labels[pair.pod] if pair else at.get(instance, {}).get("name", "")
        if pod:
            targets.setdefault((pod, job, instance), Target(pod, job, instance, pair or DEFAULT))
    return sorted(targets.values())


def twice(targets: Iterable[Target]) -> dict[str, list[str]]:
    """Pods that several jobs scrape, and those jobs."""
    jobs: dict[str, set[str]] = {}
    for one in targets:
        jobs.setdefault(one.pod, set()).add(one.job)
    return {pod: sorted(each) for pod, each in sorted(jobs.items()) if len(each) > 1}


def _address(pod: Json, port: int) -> str:
    address = str((pod.get("status") or {}).get("podIP") or "")
    if not address:
        return ""
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
