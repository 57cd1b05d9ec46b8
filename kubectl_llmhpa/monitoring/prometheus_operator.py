"""The Prometheus operator: which Prometheus will select our PodMonitor, and the PodMonitor itself.

Selection: prometheus-operator pkg/prometheus/resource_selector.go and pkg/operator/operator.go. A selector that is
null selects nothing, `{}` everything; a null namespace selector means the Prometheus' own namespace only.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from kubectl_llmhpa.api import NAMESPACE_NAME, POD_MONITORS, PROMETHEUS_AGENTS, Json
from kubectl_llmhpa.errors import LlmHpaError
from kubectl_llmhpa.monitoring import durations, expressions, scrape_rights, selectors
from kubectl_llmhpa.monitoring.model import WORKLOAD, MetricsPort, Scraper, Wanted, job_of_monitor, referred
from kubectl_llmhpa.monitoring.operator_scope import OperatorScope
from kubectl_llmhpa.monitoring.scene import Scene

_MONITOR_SELECTORS = ("serviceMonitorSelector", "podMonitorSelector", "probeSelector", "scrapeConfigSelector")


@dataclass(frozen=True)
class Selection:
    """A Prometheus that will select a PodMonitor in our namespace if it carries `labels`.

    `agent`: a PrometheusAgent, which scrapes and sends on, and cannot be asked. `account` is its ServiceAccount,
    `namespace/name`.
    """

    namespace: str
    name: str
    labels: Mapping[str, str]
    pod_labels: Mapping[str, str]
    agent: bool = False
    account: str = ""
    remote_write: tuple[str, ...] = ()
    """The hosts that it sends samples to."""

    @property
    def reference(self) -> str:
        """`namespace/name`."""
        return f"{self.namespace}/{self.name}"


@dataclass(frozen=True)
class _Refusal:
    why: str
    remedy: str = ""


def choose(
    prometheuses: Iterable[Json],
    namespace: str,
    namespace_labels: Mapping[str, str],
    *,
    wanted: str = "",
    serving: Mapping[str, str] | None = None,
    serving_namespace: str = "",
    agents: Iterable[Json] = (),
    operators: Sequence[OperatorScope] = (),
    own: Mapping[str, str] | None = None,
) -> Selection:
    """The Prometheus for a PodMonitor in `namespace` that has the labels `own` whatever is asked of it.

    `wanted` is the user's `namespace/name`; `serving` the pod selector of the Service that the metric
    adapter asks: of several candidates the one behind it is taken, since only its samples reach the HPA. An agent is
    taken where no Prometheus selects. Raises LlmHpaError when none selects the namespace, or when several do and
    nothing decides.
    """
    attempted = f"choose the Prometheus that scrapes namespace {namespace!r}"
    found: list[Selection] = []
    refusals: dict[str, _Refusal] = {}
    for prometheus in (*prometheuses, *agents):
        reference = referred([prometheus])
        if wanted and reference != wanted:
            continue
        candidate = _candidate(prometheus, namespace, namespace_labels, operators, own or {})
        if isinstance(candidate, _Refusal):
            refusals[reference] = candidate
        else:
            found.append(candidate)
    if not found:
        raise _none(attempted, refusals, wanted)
    found = [one for one in found if not one.agent] or found
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


def _none(attempted: str, refusals: Mapping[str, _Refusal], wanted: str) -> LlmHpaError:
    detail = "; ".join(f"{reference}: {one.why}" for reference, one in refusals.items()) or (
        "there is no such object" if wanted else "there is no Prometheus object"
    )
    remedies = [one.remedy for one in refusals.values() if one.remedy]
    first = remedies[0] if remedies else "widen its podMonitorSelector or podMonitorNamespaceSelector"
    another = "" if wanted and remedies else ", or name another with --prometheus"
    return LlmHpaError(attempted, f"no Prometheus selects PodMonitors there ({detail})", f"{first}{another}")


def _candidate(
    prometheus: Json,
    namespace: str,
    namespace_labels: Mapping[str, str],
    operators: Sequence[OperatorScope],
    own: Mapping[str, str],
) -> Selection | _Refusal:
    """The selection, or why this Prometheus will not select a PodMonitor of ours."""
    spec = prometheus.get("spec") or {}
    home, name = prometheus["metadata"]["namespace"], prometheus["metadata"]["name"]
    agent = prometheus.get("kind") == PROMETHEUS_AGENTS.kind
    refusal = _unmanaged(spec, agent) or _out_of_scope(prometheus, namespace, operators)
    refusal = refusal or _other_namespace(spec, home, namespace, namespace_labels)
    if refusal:
        return refusal
    which = spec.get("podMonitorSelector")
    if which is None:
        return _Refusal("its podMonitorSelector is not set, so it selects no PodMonitor")
    if invalid := selectors.problem(which):
        return _Refusal(f"its podMonitorSelector is not valid ({invalid})", "correct that selector")
    labels = selectors.required_labels(which)
    missing = selectors.unmet(which, {**labels, **own})
    if missing:
        return _Refusal(f"its podMonitorSelector cannot be met ({', '.join(missing)})")
    pod_labels = {
        "app.kubernetes.io/name": "prometheus-agent" if agent else "prometheus",
        "app.kubernetes.io/instance": name,
        "app.kubernetes.io/managed-by": "prometheus-operator",
        "operator.prometheus.io/name": name,
        **({} if agent else {"prometheus": name}),
        **((spec.get("podMetadata") or {}).get("labels") or {}),
    }
    hosts = [
        str(one.get("url", "")).partition("://")[2].partition("/")[0] for one in spec.get("remoteWrite") or []
    ]
    return Selection(
        home, name, labels, pod_labels, agent, scrape_rights.account_of(prometheus),
        tuple(host.rpartition("@")[2] for host in hosts),
    )  # fmt: skip


def _unmanaged(spec: Json, agent: bool) -> _Refusal | None:
    if spec.get("paused"):
        return _Refusal(
            "it is paused, so the operator does not bring it new PodMonitors", "set spec.paused: false"
        )
    if not agent and all(spec.get(one) is None for one in _MONITOR_SELECTORS):
        return _Refusal(
            "none of its monitor selectors is set, so its configuration is written by hand",
            "set its podMonitorSelector (which ends the configuration by hand)",
        )
    return None


def _out_of_scope(prometheus: Json, namespace: str, operators: Sequence[OperatorScope]) -> _Refusal | None:
    """Where none of the known operators manages it, an unknown one may, which leaves a status on it."""
    managing = [one for one in operators if one.manages(prometheus)]
    if not operators or any(one.watches(namespace) for one in managing):
        return None
    if not managing:
        if prometheus.get("status"):
            return None
        names = ", ".join(one.reference for one in operators)
        return _Refusal(f"no operator looks after it (deployment {names} is limited to others by its flags)")
    return _Refusal(
        f"the operator does not look into namespace {namespace} ({managing[0].limit})", "widen that flag"
    )


def _other_namespace(spec: Json, home: str, namespace: str, labels: Mapping[str, str]) -> _Refusal | None:
    where = spec.get("podMonitorNamespaceSelector")
    if where is None:
        if namespace == home:
            return None
        return _Refusal(
            "its podMonitorNamespaceSelector is not set, so it looks in its own namespace only",
            "set its podMonitorNamespaceSelector ({} is every namespace)",
        )
    if invalid := selectors.problem(where):
        return _Refusal(f"its podMonitorNamespaceSelector is not valid ({invalid})", "correct that selector")
    missing = selectors.unmet(where, labels)
    if not missing:
        return None
    asked = f"its podMonitorNamespaceSelector asks for {', '.join(missing)} on the namespace"
    return _Refusal(asked, _relabelled(where, namespace, labels))


def _relabelled(where: Json, namespace: str, labels: Mapping[str, str]) -> str:
    """The command that gives a namespace the labels that a selector asks for; "" where labels cannot help."""
    needed = {
        key: value for key, value in selectors.required_labels(where).items() if labels.get(key) != value
    }
    unwanted = [
        one["key"]
        for one in where.get("matchExpressions") or []
        if one["operator"] in ("DoesNotExist", "NotIn")
        and selectors.unmet({"matchExpressions": [one]}, labels)
    ]
    after = {key: value for key, value in {**labels, **needed}.items() if key not in unwanted}
    if NAMESPACE_NAME in (*needed, *unwanted) or selectors.unmet(where, after):
        return ""
    words = [*(f"{key}={value}" for key, value in needed.items()), *(f"{key}-" for key in unwanted)]
    overwrite = " --overwrite" if needed.keys() & labels.keys() else ""
    return f"kubectl label namespace {namespace} {' '.join(words)}{overwrite}"


def endpoint(port: MetricsPort, interval: str, timeout: str = "") -> Json:
    """The endpoint of a PodMonitor; `interval` and `timeout` are durations as Prometheus writes them (`5s`).

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
    if timeout:
        result["scrapeTimeout"] = timeout
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


def is_redirection(relabeling: Json) -> bool:
    """Whether a relabeling is of those that `endpoint` writes for a port that is not declared."""
    sources = relabeling.get("sourceLabels") or []
    return relabeling.get("targetLabel") == "__address__" or (
        relabeling.get("action") == "keep" and sources == _one_target(_NO_PORT)[0]["sourceLabels"]
    )


def names_workload(relabeling: Json) -> bool:
    """Whether a relabeling is the one that `pod_monitor` writes to name the workload."""
    return relabeling.get("targetLabel") == WORKLOAD and not relabeling.get("sourceLabels")


_NO_PORT = MetricsPort(0, "", "http", None, "", None)


def pod_monitor(wanted: Wanted) -> Json:
    """A PodMonitor for the pods that a label selector matches."""
    made = endpoint(wanted.port, wanted.interval, wanted.timeout)
    if wanted.workload:
        name = {"action": "replace", "targetLabel": WORKLOAD, "replacement": wanted.workload}
        made["relabelings"] = [*made.get("relabelings", []), name]
    return {
        "apiVersion": POD_MONITORS.api_version,
        "kind": POD_MONITORS.kind,
        "metadata": wanted.metadata,
        "spec": {
            "selector": wanted.selector,
            "podMetricsEndpoints": [made],
        },
    }


def rejected(monitor: Json) -> str:
    """Why the operator skips a PodMonitor that it selects, "" when nothing that is in it says so.

    Source: checkPodMonitor in pkg/prometheus/resource_selector.go, pkg/prometheus/validation.
    """
    if invalid := selectors.problem(monitor["spec"].get("selector") or {}):
        return f"its selector is not valid ({invalid})"
    for one in monitor["spec"].get("podMetricsEndpoints") or []:
        interval, timeout = one.get("interval"), one.get("scrapeTimeout")
        if interval and timeout and durations.seconds(timeout) > durations.seconds(interval):
            return f"its scrapeTimeout {timeout} is longer than its interval {interval}"
        for relabeling in [*(one.get("relabelings") or []), *(one.get("metricRelabelings") or [])]:
            if invalid := expressions.problem(str(relabeling.get("regex", ""))):
                return f"the regex {relabeling['regex']!r} of a relabeling is not valid ({invalid})"
    return ""


def scrapes(monitor: Json, port: MetricsPort) -> bool:
    """Whether an endpoint of a PodMonitor is the engine's port and path."""
    for one in monitor["spec"].get("podMetricsEndpoints") or []:
        named = one.get("port") or one.get("portNumber") or one.get("targetPort")
        if (
            named is not None
            and named in (port.declared, port.number)
            and one.get("path", "/metrics") == port.path
        ):
            return True
    return False


def selects(monitor: Json, pod_labels: Mapping[str, str]) -> bool:
    """Whether a PodMonitor's selector matches a pod of its own namespace."""
    return selectors.matches(monitor["spec"].get("selector"), pod_labels)


def selected_by(prometheus: Json, labels: Mapping[str, str]) -> bool:
    """Whether a Prometheus' podMonitorSelector matches the labels of a PodMonitor."""
    return selectors.matches((prometheus.get("spec") or {}).get("podMonitorSelector"), labels)


def _seen(scene: Scene) -> str:
    if scene.prometheuses:
        return "there is a Prometheus object"
    return "there is a PrometheusAgent object" if scene.agents else ""


SCRAPER = Scraper(
    name="prometheus-operator",
    title="the Prometheus operator",
    resource=POD_MONITORS,
    seen=_seen,
    render=pod_monitor,
    job=job_of_monitor,
)
