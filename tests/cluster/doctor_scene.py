"""Objects of a namespace in which many chains stand side by side, each with its own fault.

Every workload is a Deployment of stub engines. PodMonitor SCENE scrapes those with the label `scene`; the others have
a PodMonitor of their own name. HPAs and ScaledObjects have the name of their workload.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tests.cluster.conftest import Json
from tests.cluster.workloads import Engine, Kind, stub_engine

SCENE = "scene"
PROMETHEUS = "http://kube-prometheus-stack-prometheus.monitoring.svc:9090"
RUNNING, WAITING, CACHE = (
    "vllm:num_requests_running",
    "vllm:num_requests_waiting",
    "vllm:kv_cache_usage_perc",
)
_RELEASE = {"release": "kube-prometheus-stack"}
_NOWHERE = {"kubernetes.io/hostname": "none"}


@dataclass(frozen=True)
class Place:
    """The namespace in which objects are made."""

    namespace: str

    def workload(
        self,
        name: str,
        *,
        replicas: int = 1,
        kind: Kind = "Deployment",
        engine: Engine = "vllm",
        scraped: bool = True,
        labels: Json | None = None,
        pod: Json | None = None,
        **shape: Any,
    ) -> Json:
        """Stub engines; `labels` and `pod` are added to the pod template, `shape` is what `stub_engine` takes."""
        text = stub_engine(
            kind=kind, engine=engine, name=name, namespace=self.namespace, replicas=replicas, **shape
        )
        made: Json = json.loads(text.partition("---\n")[0])
        spec = made["spec"]
        template = (
            spec["leaderWorkerTemplate"]["leaderTemplate"] if kind == "LeaderWorkerSet" else spec["template"]
        )
        template["metadata"]["labels"] |= {**({SCENE: "yes"} if scraped else {}), **(labels or {})}
        template["spec"] |= pod or {}
        return made

    def pending(self, name: str) -> Json:
        """A workload of which one node can run one pod only."""
        term = {"labelSelector": {"matchLabels": {"app": name}}, "topologyKey": "kubernetes.io/hostname"}
        apart = {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}
        return self.workload(name, pod={"affinity": apart})

    def without_scale(self, name: str) -> Json:
        """A DaemonSet on no node: it has no scale subresource."""
        made = self.workload(name, pod={"nodeSelector": _NOWHERE})
        del made["spec"]["replicas"]
        return made | {"kind": "DaemonSet"}

    def pod(self, name: str, **labels: str) -> Json:
        """A pod of nobody that runs nothing."""
        template = self.workload(name)["spec"]["template"]
        return {
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": name, "namespace": self.namespace, "labels": labels},
            "spec": template["spec"] | {"nodeSelector": _NOWHERE},
        }  # fmt: skip

    def monitor(
        self,
        name: str,
        *,
        app: str = "",
        selected: bool = True,
        relabelings: Sequence[Json] = (),
        **endpoint: Any,
    ) -> Json:
        """A PodMonitor; `endpoint` is added to its one endpoint."""
        labels = {SCENE: "yes"} if name == SCENE else {"app": app or name}
        one = {"port": "http", "interval": "2s", "scrapeTimeout": "2s", **endpoint}
        if relabelings:
            one["relabelings"] = list(relabelings)
        return {
            "apiVersion": "monitoring.coreos.com/v1", "kind": "PodMonitor",
            "metadata": {"name": name, "namespace": self.namespace, "labels": _RELEASE if selected else {}},
            "spec": {"selector": {"matchLabels": labels}, "podMetricsEndpoints": [one]},
        }  # fmt: skip

    def hpa(
        self,
        name: str,
        metric: str = RUNNING,
        target: str = "4",
        *,
        source: str = "Pods",
        at: str = "",
        least: int = 1,
        of: tuple[str, str] = ("apps/v1", "Deployment"),
        scaled: str = "",
        behavior: Json | None = None,
    ) -> Json:
        """An HPA by one metric. `source` is Pods, Object (of the namespace, under Value) or External."""
        form = {"type": "AverageValue", "averageValue": target}
        entry: Json = {"metric": {"name": metric}, "target": form}
        if source == "Object":
            entry |= {
                "target": {"type": "Value", "value": target},
                "describedObject": {"apiVersion": "v1", "kind": "Namespace", "name": self.namespace},
            }
        spec = {
            "scaleTargetRef": {"apiVersion": of[0], "kind": of[1], "name": scaled or name},
            "minReplicas": least, "maxReplicas": 3, "metrics": [{"type": source, source.lower(): entry}],
            "behavior": behavior or {"scaleDown": {"stabilizationWindowSeconds": 0}},
        }  # fmt: skip
        return {
            "apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler",
            "metadata": {"name": at or name, "namespace": self.namespace}, "spec": spec,
        }  # fmt: skip

    def keda(
        self,
        name: str,
        query: str = "",
        *,
        address: str = PROMETHEUS,
        silent: bool = False,
        least: int = 1,
        fallback: Json | None = None,
        **given: str,
    ) -> Json:
        """A ScaledObject by one query, the workload's running requests where it has none. `silent`: empty is 0."""
        query = query or f'sum({RUNNING}{{namespace="{self.namespace}",pod=~"{name}-.*"}})'
        metadata = {
            "serverAddress": address,
            "query": query,
            "threshold": "4",
            "ignoreNullValues": "true" if silent else "false",
            **given,
        }
        trigger = {"type": "prometheus", "metricType": "AverageValue", "metadata": metadata}
        spec: Json = {
            "scaleTargetRef": {"name": name}, "minReplicaCount": least, "maxReplicaCount": 3, "pollingInterval": 2,
            "cooldownPeriod": 1, "triggers": [trigger],
        }  # fmt: skip
        if fallback:
            spec["fallback"] = fallback
        return {
            "apiVersion": "keda.sh/v1alpha1", "kind": "ScaledObject",
            "metadata": {"name": name, "namespace": self.namespace}, "spec": spec,
        }  # fmt: skip


def rule(metric: str, *, query: str = "sum(<<.Series>>{<<.LabelMatchers>>}) by (<<.GroupBy>>)") -> Json:
    """A rule of prometheus-adapter that serves one metric under its own name."""
    return {
        "seriesQuery": f'{metric}{{namespace!="",pod!=""}}',
        "resources": {"overrides": {"namespace": {"resource": "namespace"}, "pod": {"resource": "pod"}}},
        "metricsQuery": query,
    }
