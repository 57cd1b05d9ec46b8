"""Where in a pod an engine may answer, and what its containers give away besides."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from kubectl_llmhpa import engines
from kubectl_llmhpa.api import PODS, Json
from kubectl_llmhpa.engines import Endpoint, Source, lookalikes
from kubectl_llmhpa.engines.model import Clues
from kubectl_llmhpa.workloads import engine_container

_USUAL = "/metrics"
#: No port is known.
NOWHERE = Endpoint(0, _USUAL)
#: Paths of engines whose /metrics must not be read.
_SPARING = tuple(dict.fromkeys(engine.path for engine in engines.ENGINES if _USUAL in engine.never_ask))
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

    The command line's port, then what annotations say, then the declared ports. What an engine must not be asked is
    left out: reading the /metrics of trtllm-serve takes statistics out of its queue. So where nothing tells what a pod
    runs, its path comes first, which costs others a 404.
    """
    containers = [(container, clues, hinted(clues, hint)) for container, clues in clues_of(pod)]
    expected = [engines.expect(clues, word) for _, clues, word in containers]
    nobody = not any(expected) and not any(lookalikes.by_clues(clues) for _, clues, _ in containers)
    unknown = _SPARING if nobody else ()
    found, known = [], []
    for (container, clues, word), one in zip(containers, expected, strict=True):
        paths = tuple(dict.fromkeys((one.engine.path, _USUAL))) if one else (*unknown, _USUAL)
        listening = engines.listening(clues, word)
        known.append((container, clues, word, paths, listening[0] if listening else NOWHERE))
        for endpoint in listening:
            found += [Place(container, clues, endpoint._replace(path=path), word) for path in paths]
    first, first_clues, first_word = containers[0]
    for endpoint in _annotated(pod["metadata"].get("annotations") or {}):
        found.append(Place(first, first_clues, endpoint, first_word))
    for container, clues, word, paths, like in known:
        for port in container.get("ports") or []:
            if port.get("protocol", "TCP") == "TCP":
                number = int(port["containerPort"])
                found += [
                    Place(container, clues, like._replace(port=number, path=path), word) for path in paths
                ]
    never = {path for one in expected if one for path in one.engine.never_ask}
    unique: dict[Endpoint, Place] = {}
    for place in found:
        if place.endpoint.path not in never:
            unique.setdefault(place.endpoint, place)
    return list(unique.values()) or [Place(first, first_clues, NOWHERE, first_word)]


def _annotated(annotations: Mapping[str, str]) -> list[Endpoint]:
    found = []
    for prefix in _ANNOTATIONS:
        port = annotations.get(f"{prefix}/port", "")
        if re.fullmatch("[0-9]{1,5}", port) and 0 < int(port) < 65536:
            path = annotations.get(f"{prefix}/path") or _USUAL
            scheme = "https" if annotations.get(f"{prefix}/scheme") == "https" else "http"
            found.append(Endpoint(int(port), path if path.startswith("/") else f"/{path}", scheme))
    return found
