"""Where in a pod an engine may answer, and what its containers give away besides."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from kubectl_llmhpa import engines
from kubectl_llmhpa.api import PODS, Json
from kubectl_llmhpa.engines import Endpoint, Source
from kubectl_llmhpa.engines.model import Clues
from kubectl_llmhpa.workloads import engine_container

#: No port is known.
NOWHERE = Endpoint(0, "/metrics")
#: Annotations that say where metrics are: the custom of Prometheus' example configuration, and KServe's runtimes.
_ANNOTATIONS = ("prometheus.io", "prometheus.kserve.io")


@dataclass(frozen=True)
class Place:
    """One container's clues and one endpoint at which it may answer; `hint` is the user's word as far as it counts."""

    container: Json
    clues: Clues
    endpoint: Endpoint
    hint: str = ""


def proxied(namespace: str, name: str, endpoint: Endpoint) -> str:
    """The API path of a pod's endpoint."""
    secure = "https:" if endpoint.scheme == "https" else ""
    return PODS.path(namespace, f"{secure}{name}:{endpoint.port}", f"proxy{endpoint.path}")


def hinted(clues: Clues, hint: str) -> str:
    """The user's `vllm@0.20` where it does not contradict stronger evidence, else nothing.

    Raises LlmHpaError when it names no engine.
    """
    if not hint:
        return ""
    engines.expect(clues, hint)
    own = engines.expect(clues)
    return hint if own is None or own.engine.name == hint.partition("@")[0] else ""


def clues_of(pod: Json) -> list[tuple[Json, Clues]]:
    """Each container with its clues, the one most likely to be the engine's first.

    A variable whose value comes from elsewhere (`valueFrom`) is left out: it is not known, and not empty.
    """
    labels = pod["metadata"].get("labels") or {}
    preferred = engine_container(pod)["name"]
    found = []
    for container in pod["spec"]["containers"]:
        command = [*(container.get("command") or []), *(container.get("args") or [])]
        environment = {
            one["name"]: str(one.get("value", ""))
            for one in container.get("env") or []
            if "valueFrom" not in one
        }
        image = str(container.get("image", ""))
        found.append((container, engines.clues(command, image=image, labels=labels, env=environment)))

    def rank(pair: tuple[Json, Clues]) -> tuple[bool, bool]:
        expected = engines.expect(pair[1])
        own = expected is not None and expected.source in (Source.COMMAND, Source.IMAGE)
        return not own, pair[0]["name"] != preferred

    return sorted(found, key=rank)


def of(pod: Json, hint: str = "") -> list[Place]:
    """Where a pod's metrics may be, most likely first, each endpoint once; at least one, if only NOWHERE.

    The command line's port, then what annotations say, then the declared ports. Where an engine keeps its metrics
    away from /metrics, /metrics is never asked: reading the one of trtllm-serve takes statistics out of its queue.
    """
    containers = [(container, clues, hinted(clues, hint)) for container, clues in clues_of(pod)]
    listening = [engines.listening(clues, word) for _, clues, word in containers]
    found = []
    for (container, clues, word), endpoints in zip(containers, listening, strict=True):
        found += [Place(container, clues, endpoint, word) for endpoint in endpoints]
    first, first_clues, first_word = containers[0]
    for endpoint in _annotated(pod["metadata"].get("annotations") or {}):
        found.append(Place(first, first_clues, endpoint, first_word))
    for (container, clues, word), endpoints in zip(containers, listening, strict=True):
        like = endpoints[0] if endpoints else NOWHERE
        for port in container.get("ports") or []:
            if port.get("protocol", "TCP") == "TCP":
                found.append(Place(container, clues, like._replace(port=int(port["containerPort"])), word))
    strict = any(endpoint.path != "/metrics" for endpoints in listening for endpoint in endpoints)
    unique: dict[Endpoint, Place] = {}
    for place in found:
        if not (strict and place.endpoint.path == "/metrics"):
            unique.setdefault(place.endpoint, place)
    return list(unique.values()) or [Place(first, first_clues, NOWHERE, first_word)]


def _annotated(annotations: Mapping[str, str]) -> list[Endpoint]:
    found = []
    for prefix in _ANNOTATIONS:
        port = annotations.get(f"{prefix}/port", "")
        if port.isdigit():
            path = annotations.get(f"{prefix}/path") or "/metrics"
            scheme = "https" if annotations.get(f"{prefix}/scheme") == "https" else "http"
            found.append(Endpoint(int(port), path if path.startswith("/") else f"/{path}", scheme))
    return found
