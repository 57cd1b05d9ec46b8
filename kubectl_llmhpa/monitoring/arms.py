"""Alibaba Cloud's Managed Service for Prometheus (ARMS): an ordinary PodMonitor with two annotations.

The annotations and relabelings are those of the vendor's document "Configure auto scaling for standalone or
distributed LLM inference services": its dashboards and queries go by these labels. Recognised by the namespace of its
agent, `arms-prom`. Not run against the service itself.

Its series carry `namespace` and `pod` as those of every PodMonitor do, besides the document's own labels: the rules of
the same document for ack-alibaba-cloud-metrics-adapter go by `namespace` and `pod`.
"""

from __future__ import annotations

from kubectl_llmhpa.api import POD_MONITORS, Json
from kubectl_llmhpa.monitoring import prometheus_operator
from kubectl_llmhpa.monitoring.model import Scraper, Wanted, job_of_monitor
from kubectl_llmhpa.monitoring.scene import ARMS_NAMESPACE, Scene

ANNOTATIONS = {"arms.prometheus.io/discovery": "true", "arms.prometheus.io/resource": "arms"}
_META = "__meta_kubernetes_"


def _copied(source: str, target: str, *, where_set: bool = True) -> Json:
    result: Json = {"action": "replace", "sourceLabels": [f"{_META}{source}"]}
    return {**result, **({"regex": "(.+)"} if where_set else {}), "targetLabel": target}


RELABELINGS = (
    _copied("pod_name", "pod_name", where_set=False),
    _copied("namespace", "pod_namespace", where_set=False),
    _copied("pod_label_rolebasedgroup_workloads_x_k8s_io_role", "rbg_role"),
    _copied("pod_label_alibabacloud_com_inference_workload", "workload_name"),
    _copied("pod_label_alibabacloud_com_inference_backend", "backend"),
)


def pod_monitor(wanted: Wanted) -> Json:
    """The PodMonitor of the vendor's document for one workload's pods."""
    result = prometheus_operator.pod_monitor(wanted)
    result["metadata"]["annotations"] |= ANNOTATIONS
    endpoint = result["spec"]["podMetricsEndpoints"][0]
    endpoint["relabelings"] = [*endpoint.get("relabelings", []), *(dict(one) for one in RELABELINGS)]
    return result


def is_arms(monitor: Json) -> bool:
    """Whether a PodMonitor is one for ARMS."""
    return ANNOTATIONS.items() <= (monitor["metadata"].get("annotations") or {}).items()


def _seen(scene: Scene) -> str:
    return f"there is the namespace {ARMS_NAMESPACE}" if ARMS_NAMESPACE in scene.namespaces else ""


SCRAPER = Scraper(
    name="arms",
    title="Managed Service for Prometheus (ARMS)",
    resource=POD_MONITORS,
    seen=_seen,
    render=pod_monitor,
    job=job_of_monitor,
    host=r"(.*\.)?(arms|prometheus|log)\.aliyuncs\.com",
    notes=(
        "custom metrics are billed by the sample there: --scrape-interval 15s takes a third of the default 5s",
    ),
)
