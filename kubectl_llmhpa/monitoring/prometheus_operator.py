"""The Prometheus operator: which Prometheus will select our PodMonitor, and the PodMonitor itself.

Selection: prometheus-operator pkg/prometheus/resource_selector.go. A selector that is null selects
nothing, `{}` everything; a null namespace selector means the Prometheus' own namespace only.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from kubectl_llmhpa.api import POD_MONITORS, Json
from kubectl_llmhpa.errors import LlmHpaError
from kubectl_llmhpa.monitoring import selectors


@dataclass(frozen=True)
class Selection:
    """A Prometheus that will select a PodMonitor in our namespace if it carries `labels`."""

    namespace: str
    name: str
    labels: Mapping[str, str]
    pod_labels: Mapping[str, str]

    @property
    def reference(self) -> str:
        """`namespace/name`."""
        return f"{self.namespace}/{self.name}"


def choose(
    prometheuses: Iterable[Json],
    namespace: str,
    namespace_labels: Mapping[str, str],
    *,
    wanted: str = "",
    serving: Mapping[str, str] | None = None,
    serving_namespace: str = "",
) -> Selection:
    """The Prometheus for a PodMonitor in `namespace`.

    `wanted` is the user's `namespace/name`; `serving` the pod selector of the Service that the metric
    adapter asks: of several candidates the one behind it is taken, since only its samples reach the HPA.
    Raises LlmHpaError when none selects the namespace, or when several do and nothing decides.
    """
    attempted = f"choose the Prometheus that scrapes namespace {namespace!r}"
    found: list[Selection] = []
    refusals: list[str] = []
    for prometheus in prometheuses:
        candidate = _candidate(prometheus, namespace, namespace_labels)
        reference = f"{prometheus['metadata']['namespace']}/{prometheus['metadata']['name']}"
        if wanted and reference != wanted:
            continue
        if isinstance(candidate, str):
            refusals.append(f"{reference}: {candidate}")
        else:
            found.append(candidate)
    if not found:
        detail = "; ".join(refusals) or (
            "there is no such object" if wanted else "there is no Prometheus object"
        )
        raise LlmHpaError(
            attempted, f"no Prometheus selects PodMonitors there ({detail})",
            "widen its podMonitorSelector or podMonitorNamespaceSelector, or name another with --prometheus",
        )  # fmt: skip
    if len(found) > 1 and serving:
        behind = [
            one
            for one in found
            if one.namespace == serving_namespace and serving.items() <= one.pod_labels.items()
        ]
        found = behind or found
    if len(found) > 1:
        names = ", ".join(one.reference for one in found)
        raise LlmHpaError(
            attempted, f"several Prometheus objects select it ({names})", "name one with --prometheus"
        )
    return found[0]


def _candidate(prometheus: Json, namespace: str, namespace_labels: Mapping[str, str]) -> Selection | str:
    """The selection, or why this Prometheus will not select a PodMonitor of ours."""
    spec = prometheus.get("spec") or {}
    own_namespace = prometheus["metadata"]["namespace"]
    name = prometheus["metadata"]["name"]
    where = spec.get("podMonitorNamespaceSelector")
    if where is None and namespace != own_namespace:
        return "its podMonitorNamespaceSelector is not set, so it looks in its own namespace only"
    if where is not None and not selectors.matches(where, namespace_labels):
        return (
            f"its podMonitorNamespaceSelector asks for {', '.join(selectors.unmet(where, namespace_labels))}"
        )
    which = spec.get("podMonitorSelector")
    if which is None:
        return "its podMonitorSelector is not set, so it selects no PodMonitor"
    labels = selectors.required_labels(which)
    missing = selectors.unmet(which, labels)
    if missing:
        return f"its podMonitorSelector cannot be met ({', '.join(missing)})"
    pod_labels = {
        "app.kubernetes.io/name": "prometheus",
        "app.kubernetes.io/instance": name,
        "app.kubernetes.io/managed-by": "prometheus-operator",
        "operator.prometheus.io/name": name,
        "prometheus": name,
        **((spec.get("podMetadata") or {}).get("labels") or {}),
    }
    return Selection(own_namespace, name, labels, pod_labels)


@dataclass(frozen=True)
class MetricsPort:
    """Where an engine container answers.

    `declared` is how a PodMonitor names its port: the name, the number where it has none, or None for a port that
    the pod does not declare. `first` is the first port that the container does declare, if any.
    """

    number: int
    path: str
    scheme: str
    declared: str | int | None
    container: str
    first: int | None


def endpoint(port: MetricsPort, interval: str) -> Json:
    """The endpoint of a PodMonitor. An interval below 10 s gets a time limit of one second less.

    `portNumber` needs operator 0.79 or newer. A port that is not declared is no target of its own: one of the pod's
    targets (its container's first port, or the container itself where it declares none) is kept and sent there.
    """
    result: Json = {"path": port.path, "interval": interval}
    if isinstance(port.declared, int):
        result = {"portNumber": port.declared, **result}
    elif port.declared:
        result = {"port": port.declared, **result}
    else:
        result["relabelings"] = _one_target(port)
    if port.scheme == "https":
        # an engine's certificate is its own: nothing in the cluster could vouch for a pod's address
        result |= {"scheme": "https", "tlsConfig": {"insecureSkipVerify": True}}
    seconds = interval[:-1]
    if interval.endswith("s") and seconds.isdigit() and 1 < int(seconds) < 10:
        result["scrapeTimeout"] = f"{int(seconds) - 1}s"
    return result


#: What `endpoint` may set, apart from the timing.
ENDPOINT_KEYS = ("port", "portNumber", "path", "scheme", "tlsConfig", "relabelings")


def _one_target(port: MetricsPort) -> list[Json]:
    kept = f"{re.escape(port.container)};{port.first or ''}"
    return [
        {
            "action": "keep",
            "sourceLabels": [
                "__meta_kubernetes_pod_container_name",
                "__meta_kubernetes_pod_container_port_number",
            ],
            "regex": kept,
        },
        _address("([^:]+)", f"$1:{port.number}"),
        _address("(.*:.*)", f"[$1]:{port.number}"),
    ]


def _address(pattern: str, replacement: str) -> Json:
    return {
        "sourceLabels": ["__meta_kubernetes_pod_ip"],
        "regex": pattern,
        "targetLabel": "__address__",
        "replacement": replacement,
    }


def pod_monitor(
    *,
    name: str,
    namespace: str,
    selector: Json,
    endpoint: Json,
    labels: Mapping[str, str],
    annotations: Mapping[str, str],
) -> Json:
    """A PodMonitor for the pods that a label selector matches."""
    return {
        "apiVersion": POD_MONITORS.api_version,
        "kind": POD_MONITORS.kind,
        "metadata": {
            "name": name, "namespace": namespace, "labels": dict(labels), "annotations": dict(annotations),
        },
        "spec": {"selector": selector, "podMetricsEndpoints": [endpoint]},
    }  # fmt: skip


def selects(monitor: Json, pod_labels: Mapping[str, str]) -> bool:
    """Whether a PodMonitor's selector matches a pod of its own namespace."""
    return selectors.matches(monitor["spec"].get("selector"), pod_labels)
