"""Objects of the API server cut down to what is judged: nothing else of them is kept or recorded.

Labels stay where selectors are judged; of annotations only KEDA's own stay, of a trigger's settings only those that
hold no credentials.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from kubectl_llmhpa.api import Json
from kubectl_llmhpa.doctor.facts import PodFacts, Writer
from kubectl_llmhpa.workloads import is_ready, template_hash

_KEDAS = "autoscaling.keda.sh/"
#: Which operator a Prometheus belongs to.
_CONTROLLER = "operator.prometheus.io/controller-id"
_METADATA = ("name", "namespace", "uid", "creationTimestamp", "generation", "deletionTimestamp")
_TRIGGER = (
    "query", "threshold", "activationThreshold", "serverAddress", "ignoreNullValues", "unsafeSsl", "authModes",
)  # fmt: skip
_PROMETHEUS = (
    "podMonitorSelector", "podMonitorNamespaceSelector", "serviceMonitorSelector", "probeSelector",
    "scrapeConfigSelector", "serviceAccountName", "paused", "routePrefix", "podMetadata", "scrapeInterval",
)  # fmt: skip
_ENDPOINT = (
    "port", "portNumber", "targetPort", "path", "scheme", "interval", "scrapeTimeout", "honorLabels", "relabelings",
    "metricRelabelings",
)  # fmt: skip


def hpa(found: Json) -> Json:
    """An HPA with its spec and status."""
    return {"metadata": metadata(found), "spec": found.get("spec") or {}, "status": found.get("status") or {}}


def scaled_object(found: Json) -> Json:
    """A ScaledObject without what could hold credentials."""
    spec = found.get("spec") or {}
    triggers = []
    for one in spec.get("triggers") or []:
        kept = {key: one[key] for key in ("type", "name", "metricType", "useCachedMetrics") if key in one}
        given = one.get("metadata") or {}
        kept["metadata"] = {key: given[key] for key in _TRIGGER if key in given}
        if one.get("authenticationRef"):
            kept["authenticationRef"] = {"name": one["authenticationRef"].get("name", "")}
        triggers.append(kept)
    head = metadata(found)
    marks = (found.get("metadata") or {}).get("annotations") or {}
    head["annotations"] = {key: text for key, text in marks.items() if key.startswith(_KEDAS)}
    return {"metadata": head, "spec": {**spec, "triggers": triggers}, "status": found.get("status") or {}}


def monitor(found: Json) -> Json:
    """A PodMonitor: its labels, selectors and endpoints."""
    spec = found.get("spec") or {}
    head = metadata(found)
    head["labels"] = (found.get("metadata") or {}).get("labels") or {}
    endpoints = [
        {key: one[key] for key in _ENDPOINT if key in one} for one in spec.get("podMetricsEndpoints") or []
    ]
    kept = {key: spec[key] for key in ("selector", "namespaceSelector") if key in spec}
    return {"metadata": head, "spec": {**kept, "podMetricsEndpoints": endpoints}}


def prometheus(found: Json) -> Json:
    """A Prometheus object: what it selects, and as whom it scrapes."""
    spec = found.get("spec") or {}
    kept = {key: spec[key] for key in _PROMETHEUS if key in spec}
    status = {"status": {"present": True}} if found.get("status") else {}
    head, whole = metadata(found), found.get("metadata") or {}
    head["labels"] = whole.get("labels") or {}
    head["annotations"] = {
        key: text for key, text in (whole.get("annotations") or {}).items() if key == _CONTROLLER
    }
    return {"kind": found.get("kind", "Prometheus"), "metadata": head, "spec": kept, **status}


def event(found: Json) -> Json:
    """An event: about what, why, when, how often."""
    about = found.get("involvedObject") or found.get("regarding") or {}
    series = found.get("series") or {}
    return {
        "type": found.get("type", ""),
        "reason": found.get("reason", ""),
        "message": found.get("message") or found.get("note") or "",
        "count": int(found.get("count") or series.get("count") or 1),
        "lastTimestamp": found.get("lastTimestamp") or series.get("lastObservedTime") or found.get("eventTime")
        or (found.get("metadata") or {}).get("creationTimestamp") or "",
        "involvedObject": {key: about.get(key, "") for key in ("kind", "namespace", "name")},
    }  # fmt: skip


def pod(found: Json) -> PodFacts:
    """A pod without its spec."""
    head, status = found["metadata"], found.get("status") or {}
    owners = head.get("ownerReferences") or []
    owner = next((f"{one['kind']}/{one['name']}" for one in owners if one.get("controller")), "")
    states = [one.get("state") or {} for one in status.get("containerStatuses") or []]
    waiting = [str((one["waiting"] or {}).get("reason", "")) for one in states if "waiting" in one]
    conditions: Iterable[Mapping[str, str]] = status.get("conditions") or []
    unschedulable = next(
        (
            str(one.get("message", ""))
            for one in conditions
            if one.get("type") == "PodScheduled" and one.get("reason") == "Unschedulable"
        ),
        "",
    )
    ports = [
        (str(port.get("name") or ""), int(port["containerPort"]))
        for container in found["spec"].get("containers") or []
        for port in container.get("ports") or []
    ]
    return PodFacts(
        str(head["name"]), str(status.get("phase", "")), is_ready(found), str(head.get("creationTimestamp", "")),
        owner, str(status.get("podIP") or ""), template_hash(found), next(filter(None, waiting), ""), unschedulable,
        tuple(ports), dict(head.get("labels") or {}),
    )  # fmt: skip


def writers(found: Json) -> tuple[Writer, ...]:
    """Who owns `spec.replicas` by the managed fields."""
    result = []
    for one in (found.get("metadata") or {}).get("managedFields") or []:
        if "f:replicas" in ((one.get("fieldsV1") or {}).get("f:spec") or {}):
            words = (one.get("manager"), one.get("operation"), one.get("subresource"), one.get("time"))
            result.append(Writer(*(str(word or "") for word in words)))
    return tuple(sorted(result, key=lambda one: one.time))


def metadata(found: Json) -> Json:
    """Name, times and owners."""
    head = found.get("metadata") or {}
    kept = {key: head[key] for key in _METADATA if key in head}
    if owners := head.get("ownerReferences"):
        kept["ownerReferences"] = [
            {key: one.get(key) for key in ("kind", "name", "uid", "controller")} for one in owners
        ]
    return kept


def changed(config_map: Json) -> str:
    """When the data of a ConfigMap was last written, as far as its managed fields tell."""
    head = config_map.get("metadata") or {}
    times = [
        str(one.get("time", ""))
        for one in head.get("managedFields") or []
        if "f:data" in (one.get("fieldsV1") or {})
    ]
    return max(times, default=str(head.get("creationTimestamp", "")))
