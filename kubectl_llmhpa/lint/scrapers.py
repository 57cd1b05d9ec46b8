"""Rules on PodMonitors and ServiceMonitors beside the workloads, Services and Prometheis of the run.

Facts: prometheus-operator pkg/prometheus (promcfg.go: `port` is a name, `portNumber` a number, and pods are discovered
by their declared ports; resource_selector.go: what a Prometheus selects).
"""

from __future__ import annotations

from collections.abc import Iterator

from kubectl_llmhpa import engines
from kubectl_llmhpa.api import Json
from kubectl_llmhpa.engines import ENGINES, Engine
from kubectl_llmhpa.lint.documents import Document, FieldPath
from kubectl_llmhpa.lint.model import Bundle, Check, Located, PodEngine, located
from kubectl_llmhpa.lint.scraped import MONITORS, endpoints, pod_labels, scene, seconds
from kubectl_llmhpa.monitoring import selectors

_SLOWEST = 30.0
_SELECTORS = {"PodMonitor": "podMonitor", "ServiceMonitor": "serviceMonitor"}
_BY_NAME = {engine.name: engine for engine in ENGINES}


def judge(bundle: Bundle, monitor: Document) -> Iterator[Located]:
    """All rules over a PodMonitor or ServiceMonitor."""
    scraped = scene(bundle).scraped(monitor)
    for workload in scraped:
        if not _looks_into(monitor, workload):
            yield from _other_namespace(monitor, workload)
    seen = [one for one in scraped if _looks_into(monitor, one)]
    yield from _nothing(bundle, monitor, scraped)
    yield from _not_selected(bundle, monitor)
    running = [engine for one in seen if (engine := bundle.engine(one))]
    for path, endpoint in endpoints(monitor):
        for workload in seen:
            yield from _port(bundle, monitor, path, endpoint, workload)
        if running:
            yield from _interval(monitor, path, endpoint)
            yield from _path(monitor, path, endpoint, running[0])
    yield from _twice(bundle, monitor, seen)


def _looks_into(monitor: Document, workload: Document) -> bool:
    """Whether the object looks into a workload's namespace; one that is left out in a manifest may be any."""
    chosen = monitor.mapping("spec", "namespaceSelector")
    if chosen.get("any") is True or not workload.namespace:
        return True
    named = chosen.get("matchNames") or []
    return workload.namespace in named if named else monitor.namespace in ("", workload.namespace)


def _other_namespace(monitor: Document, workload: Document) -> Iterator[Located]:
    path: FieldPath = ("spec", "namespaceSelector" if monitor.at("spec", "namespaceSelector") else "selector")
    yield located(
        monitor, path, "monitor-namespace", f"{workload.reference} is in {workload.namespace}",
        own=monitor.namespace or "that of the object", wanted=workload.namespace,
    )  # fmt: skip


def _nothing(bundle: Bundle, monitor: Document, scraped: list[Document]) -> Iterator[Located]:
    """A selector that matches nothing, while an engine of the same namespace is scraped by no object of the run."""
    if scraped:
        return
    selector = monitor.mapping("spec", "selector")
    if monitor.kind == "ServiceMonitor" and not bundle.of_kind("Service"):
        return
    for workload in scene(bundle).workloads:
        if not bundle.engine(workload) or not _looks_into(monitor, workload):
            continue
        if scene(bundle).scrapers(workload):
            continue
        labels = _labels_to_match(bundle, monitor, workload)
        if labels is None:
            continue
        unmet = selectors.unmet(selector, labels)
        if not unmet:
            continue
        better = ", ".join(f"{key}: {value}" for key, value in sorted(labels.items())[:3]) or "(it has none)"
        yield located(
            monitor, ("spec", "selector"), "monitor-matches-nothing", f"no pods of {workload.reference}",
            unmet=", ".join(unmet), workload=workload.reference, better=better,
        )  # fmt: skip
        return


def _labels_to_match(bundle: Bundle, monitor: Document, workload: Document) -> Json | None:
    """The labels that a selector would have to match: those of the pods, or of a Service in front of them."""
    if monitor.kind == "PodMonitor":
        return next(iter(pod_labels(bundle, workload)), None)
    services = scene(bundle).in_front(workload)
    return services[0].mapping("metadata", "labels") if services else None


def _not_selected(bundle: Bundle, monitor: Document) -> Iterator[Located]:
    """No Prometheus of the run selects the object by its labels, though one does select objects of its kind."""
    field = f"{_SELECTORS[monitor.kind]}Selector"
    prometheuses = [
        one
        for one in bundle.of_kind("Prometheus", "PrometheusAgent")
        if isinstance(one.at("spec", field), dict)
    ]
    labels = monitor.mapping("metadata", "labels")
    refusals = [(one, selectors.unmet(one.mapping("spec", field), labels)) for one in prometheuses]
    if not refusals or any(not unmet for _, unmet in refusals):
        return
    prometheus, unmet = refusals[0]
    wanted = selectors.required_labels(prometheus.mapping("spec", field))
    better = ", ".join(f"{key}: {value}" for key, value in sorted(wanted.items()) if labels.get(key) != value)
    yield located(
        monitor, ("metadata", "labels"), "monitor-not-selected", f"it has {_shown(labels)}",
        prometheus=prometheus.reference, unmet=", ".join(unmet), better=better,
    )  # fmt: skip


def _shown(labels: Json) -> str:
    return ", ".join(f"{key}={value}" for key, value in sorted(labels.items())) or "no labels"


def _port(
    bundle: Bundle, monitor: Document, path: FieldPath, endpoint: Json, workload: Document
) -> Iterator[Located]:
    """Whether the port that an endpoint names is there."""
    declared = _declared(bundle, workload)
    if monitor.kind == "ServiceMonitor":
        yield from _service_port(bundle, monitor, path, endpoint, workload)
        return
    names = {str(one["name"]) for one in declared if one.get("name")}
    numbers = {one["containerPort"] for one in declared if isinstance(one.get("containerPort"), int)}
    known = ", ".join(
        f"{one.get('name') or 'no name'} ({one.get('containerPort')})" for one in declared
    ) or "no port"  # fmt: skip
    port, number = endpoint.get("port"), endpoint.get("portNumber")
    target = endpoint.get("targetPort")
    seen = f"{workload.reference} declares {known}"
    if port is not None and str(port) not in names:
        if str(port).isdigit():
            fix = f"write portNumber: {port}" + ("" if int(port) in numbers else ", and declare it")
        else:
            fix = f"write port: {min(names)}" if names else f"give a container port the name {port}"
        yield located(monitor, (*path, "port"), "monitor-port", f"port {port!r}; {seen}", fix=fix)
    if isinstance(number, int) and number not in numbers and not endpoint.get("relabelings"):
        fix = f"declare containerPort: {number} in the pod template"
        yield located(monitor, (*path, "portNumber"), "monitor-port", f"portNumber {number}; {seen}", fix=fix)
    if port is None and number is None and target is not None and target not in names | numbers:
        fix = f"declare the port {target} in the pod template"
        yield located(monitor, (*path, "targetPort"), "monitor-port", f"targetPort {target}; {seen}", fix=fix)


def _service_port(
    bundle: Bundle, monitor: Document, path: FieldPath, endpoint: Json, workload: Document
) -> Iterator[Located]:
    """The `port` of a ServiceMonitor is the name of a port of the Service."""
    port = endpoint.get("port")
    if port is None:
        return
    for service in scene(bundle).services(monitor):
        if not any(one is workload for one in scene(bundle).behind(service)):
            continue
        names = [str(one["name"]) for _, one in service.items("spec", "ports") if one.get("name")]
        if str(port) in names:
            continue
        numbers = [one for _, one in service.items("spec", "ports") if str(one.get("port")) == str(port)]
        fix = f"write port: {names[0]}" if names else f"give a port of {service.reference} the name {port}"
        if numbers and numbers[0].get("name"):
            fix = f"write port: {numbers[0]['name']}"
        seen = f"port {port!r}; {service.reference} has {', '.join(names) or 'no named port'}"
        yield located(monitor, (*path, "port"), "monitor-port", seen, fix=fix)


def _declared(bundle: Bundle, workload: Document) -> list[Json]:
    """The ports that the pods of a workload declare, side containers that go on running included."""
    found: list[Json] = []
    for _, template in bundle.templates(workload):
        for key in ("containers", "initContainers"):
            for container in template["spec"].get(key) or []:
                found += [one for one in container.get("ports") or [] if isinstance(one, dict)]
    return found


def _interval(monitor: Document, path: FieldPath, endpoint: Json) -> Iterator[Located]:
    interval = endpoint.get("interval")
    if seconds(interval) > _SLOWEST:
        seen = f"interval {interval}"
        yield located(monitor, (*path, "interval"), "monitor-interval", seen, interval=interval)


def _path(monitor: Document, path: FieldPath, endpoint: Json, running: PodEngine) -> Iterator[Located]:
    """The path of the engine that the pods run; another port of the pod may be another program's."""
    engine: Engine = _BY_NAME[running.facts.engine]
    asked = str(endpoint.get("path") or "/metrics")
    where: FieldPath = (*path, "path") if endpoint.get("path") else path
    if asked in engine.never_ask:
        yield located(monitor, where, "json-metrics", f"path {asked}")
        return
    expected = engines.listening(running.clues)
    if not expected or asked == expected[0].path or not _is_port_of(endpoint, running, expected[0].port):
        return
    yield located(
        monitor, where, "monitor-path", f"path {asked}", engine=engine.title, better=expected[0].path,
    )  # fmt: skip


def _is_port_of(endpoint: Json, running: PodEngine, number: int) -> bool:
    """Whether an endpoint is the port on which the engine serves its metrics."""
    named = endpoint.get("portNumber") or endpoint.get("targetPort") or endpoint.get("port")
    ports = [one for one in running.container.get("ports") or [] if isinstance(one, dict)]
    return any(one.get("containerPort") == number and named in (number, one.get("name")) for one in ports)


def _twice(bundle: Bundle, monitor: Document, scraped: list[Document]) -> Iterator[Located]:
    """Another object that scrapes the same port of the same engine; reported once, at the later one."""
    for workload in scraped:
        if not bundle.engine(workload):
            continue
        for other in scene(bundle).scrapers(workload):
            if other is monitor:
                break
            if not _looks_into(other, workload):
                continue
            if _targets(bundle, monitor, workload) & _targets(bundle, other, workload):
                seen = f"{other.reference} scrapes {workload.reference} too"
                yield located(monitor, ("spec", "selector"), "two-targets", seen)
                return


def _targets(bundle: Bundle, monitor: Document, workload: Document) -> set[tuple[object, str]]:
    """Port numbers and paths that an object scrapes of a workload, as far as they can be told."""
    declared = _declared(bundle, workload)
    by_name = {one.get("name"): one.get("containerPort") for one in declared}
    found = set()
    for _, endpoint in endpoints(monitor):
        named = endpoint.get("portNumber") or endpoint.get("targetPort") or endpoint.get("port")
        if monitor.kind == "ServiceMonitor" and endpoint.get("port"):
            named = _behind(bundle, monitor, str(endpoint["port"]))
        found.add((by_name.get(named, named), str(endpoint.get("path") or "/metrics")))
    return found


def _behind(bundle: Bundle, monitor: Document, port: str) -> object:
    """What a named port of the Service leads to: a port's name or number of the pod."""
    for service in scene(bundle).services(monitor):
        for _, one in service.items("spec", "ports"):
            if one.get("name") == port:
                return one.get("targetPort") or one.get("port")
    return port


CHECKS = (Check(MONITORS, judge),)
