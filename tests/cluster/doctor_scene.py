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


def objects(place: Place) -> list[Json]:
    """Every chain but those that need more than objects."""
    wrong_label = f'sum({RUNNING}{{namespace="{place.namespace}",model="tiny"}})'
    nobody = "http://nobody.monitoring.svc:9090"
    source = {"sourceLabels": ["__meta_kubernetes_pod_name"]}
    at_once = {"policies": [{"type": "Pods", "value": 100, "periodSeconds": 1}]}
    quick = {"scaleDown": {"stabilizationWindowSeconds": 0}, "scaleUp": at_once}
    static = {"failureThreshold": 1, "replicas": 1}
    kthena = ("workload.serving.volcano.sh/v1alpha1", "ModelServing")
    return [
        place.monitor(SCENE),
        place.workload("whole"), place.hpa("whole"),
        place.workload("whole-keda"), place.keda("whole-keda"),
        place.workload("starting", flags=("--startup-delay", "900s")), place.hpa("starting"),
        place.workload("unselected", scraped=False), place.hpa("unselected"),
        place.monitor("unselected", selected=False),
        place.workload("port-name", scraped=False), place.monitor("port-name", port="metrics"), place.hpa("port-name"),
        place.workload("dropped", scraped=False), place.hpa("dropped"),
        place.monitor("dropped", relabelings=[{**source, "action": "drop", "regex": ".+"}]),
        place.workload("selector-off", scraped=False), place.hpa("selector-off"),
        place.monitor("selector-off", app="other"),
        place.workload("renamed"), place.hpa("renamed", "vllm:gpu_cache_usage_perc", "800m"),
        place.workload("misspelt"), place.hpa("misspelt", "vllm:num_requests_runing"),
        place.workload("silent-zero"), place.keda("silent-zero", wrong_label, silent=True),
        place.workload("empty"), place.keda("empty", wrong_label),
        place.workload("refused"), place.keda("refused", address=f"http://guarded.{place.namespace}.svc:9090"),
        place.workload("unreachable"), place.keda("unreachable", address=nobody),
        place.workload("fallback"), place.keda("fallback", address=nobody, fallback=static),
        place.workload("fought"), place.hpa("fought", behavior=quick),
        place.workload("group", kind="LeaderWorkerSet", scraped=False),
        place.hpa("part", of=("apps/v1", "StatefulSet"), scaled="group"),
        place.hpa("no-selector", of=kthena),
        place.without_scale("no-scale"), place.hpa("no-scale", of=("apps/v1", "DaemonSet")),
        place.workload("two"), place.hpa("two"), place.hpa("two", at="two-more"),
        place.workload("foreign"), place.hpa("foreign"), place.pod("canary", app="foreign"),
        place.workload("reverse"), place.hpa("reverse", WAITING),
        place.workload("forward"), place.hpa("forward", source="External"),
        place.workload("label", scraped=False), place.hpa("label"),
        place.monitor("label", relabelings=[
            {**source, "targetLabel": "kubernetes_pod_name"}, {"action": "labeldrop", "regex": "pod"}]),
        place.workload("silent", replicas=2), place.hpa("silent", least=2),
        place.workload("sum"), place.hpa("sum", source="Object"),
        place.workload("asleep"), place.keda("asleep", least=0),
        place.workload("asleep-too"), place.keda("asleep-too", least=0, silent=True),
        place.workload("nan"), place.hpa("nan"),
        place.workload("constant"), place.keda("constant", f"{wrong_label} or vector(0)"),
        place.workload("ranks", flags=("--body", "vllm-0.10.0-dp2-busy")), place.hpa("ranks", CACHE, "800m"),
        place.workload("elements", replicas=2),
        place.keda("elements", f'{RUNNING}{{namespace="{place.namespace}",pod=~"elements-.*"}}', silent=True),
        place.workload("metrics-off", engine="sglang", metrics=False),
        place.hpa("metrics-off", "sglang:num_running_reqs"),
        place.workload("tls", tls=True, scraped=False), place.monitor("tls"), place.hpa("tls"),
        place.workload("path", scraped=False), place.monitor("path", path="/nothing"), place.hpa("path"),
        place.workload("blocked", scraped=False), place.hpa("blocked"),
        place.monitor("blocked", relabelings=[{"targetLabel": "__address__", "replacement": "10.244.255.254:8000"}]),
        place.workload("everybody"), place.keda("everybody", f"sum({WAITING})"),
        place.pending("pending"), place.hpa("pending", least=2),
        place.workload("ratio"), place.hpa("ratio", CACHE, "5"),
        place.workload("seats"), place.hpa("seats", target="100"),
    ]  # fmt: skip


def crowded(place: Place) -> list[Json]:
    quota = {
        "apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "one", "namespace": place.namespace},
        "spec": {"hard": {"pods": "1"}},
    }  # fmt: skip
    return [quota, place.monitor(SCENE), place.workload("crowded"), place.hpa("crowded", least=2)]
