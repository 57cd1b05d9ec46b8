"""The address of a Prometheus inside the cluster: a Service that leads to it and to no other.

All Prometheis of a namespace stand behind the operator's own Service `prometheus-operated`
(pkg/prometheus/server/statefulset.go of prometheus-operator), so a query there is answered by any of them. Their root
is `routePrefix`; the operator always sets that flag, so the path of `externalUrl` moves nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from kubectl_llmhpa.api import Json
from kubectl_llmhpa.errors import LlmHpaError
from kubectl_llmhpa.monitoring.prometheus import Server
from kubectl_llmhpa.monitoring.prometheus_operator import Selection

#: The port in Prometheus' pods, and how its port is called unless `portName` says otherwise.
CONTAINER_PORT = 9090
_PORT_NAMES = ("web", "http-web", "https-web", "http")
_REMEDY = "give its address with --prometheus-url"


def of(selection: Selection, services: Sequence[Json], prometheuses: Sequence[Json]) -> Server:
    """The Service for a Prometheus among the `services`; `prometheuses` are all Prometheus objects.

    Raises LlmHpaError when no Service leads to it alone, and where one answer would not hold all samples.
    """
    attempted = f"find the address of Prometheus {selection.reference}"
    here = [one for one in prometheuses if one["metadata"]["namespace"] == selection.namespace]
    own = next((one for one in here if one["metadata"]["name"] == selection.name), None)
    spec: Json = (own or {}).get("spec") or {}
    if selection.agent:
        problem = "it is a PrometheusAgent, which sends its samples on and cannot be asked"
        raise LlmHpaError(attempted, problem, "give the address of what receives them with --prometheus-url")
    if (shards := int(spec.get("shards") or 1)) > 1:
        problem = f"it is split into {shards} shards, each of which has a part of the samples"
        raise LlmHpaError(attempted, problem, "give the address of what joins them with --prometheus-url")
    if spec.get("listenLocal"):
        raise LlmHpaError(attempted, "it listens inside its own pod only (listenLocal)", _REMEDY)
    others = [_pod_labels(one) for one in here if one is not own]
    found: list[tuple[Json, int]] = []
    shared: list[str] = []
    for service in services:
        selector = _selector(service, selection.namespace)
        port = _port(service, str(spec.get("portName") or "web"))
        if not selector or port is None or not selector.items() <= selection.pod_labels.items():
            continue
        if any(selector.items() <= labels.items() for labels in others):
            shared.append(service["metadata"]["name"])
        else:
            found.append((service, port))
    if not found:
        problem = "no Service leads to it"
        if shared:
            problem = f"Service {', '.join(shared)} leads to every Prometheus of the namespace"
        raise LlmHpaError(attempted, problem, f"make a Service for it alone, or {_REMEDY}")
    service, port = min(found, key=lambda one: _rank(one[0]))
    scheme = "https" if (spec.get("web") or {}).get("tlsConfig") else "http"
    prefix = str(spec.get("routePrefix") or "").rstrip("/")
    return Server(selection.namespace, service["metadata"]["name"], port, prefix, scheme)


def _selector(service: Json, namespace: str) -> Mapping[str, str]:
    """What it selects; nothing for a Service of another namespace, or one that is a name for something outside."""
    if service["metadata"]["namespace"] != namespace or service["spec"].get("type") == "ExternalName":
        return {}
    found: Mapping[str, str] = service["spec"].get("selector") or {}
    return found


def _port(service: Json, name: str) -> int | None:
    """Its port that ends in Prometheus' own: by where it leads, then by its name."""
    ports = service["spec"].get("ports") or []
    for one in ports:
        if one.get("targetPort", one["port"]) in (name, CONTAINER_PORT):
            return int(one["port"])
    return next((int(one["port"]) for one in ports if one.get("name") in (name, *_PORT_NAMES)), None)


def _rank(service: Json) -> tuple[bool, int, str]:
    """One with an address of its own before a headless one, a closer selector before a wider one."""
    spec = service["spec"]
    return spec.get("clusterIP") == "None", -len(spec["selector"]), str(service["metadata"]["name"])


def _pod_labels(prometheus: Json) -> dict[str, str]:
    """The labels of another Prometheus' pods, as far as Services select by them."""
    name = prometheus["metadata"]["name"]
    given = ((prometheus.get("spec") or {}).get("podMetadata") or {}).get("labels") or {}
    return {
        "app.kubernetes.io/name": "prometheus",
        "app.kubernetes.io/instance": name,
        "app.kubernetes.io/managed-by": "prometheus-operator",
        "operator.prometheus.io/name": name,
        "prometheus": name,
        **given,
    }
