"""Where the load goes: the Service in front of the workload's pods, its port, and the model's name."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from kubectl_llmhpa.api import PODS, SERVICES, Json, Reader
from kubectl_llmhpa.engines import commands
from kubectl_llmhpa.errors import ApiError, LlmHpaError


@dataclass(frozen=True)
class Endpoint:
    """`url` is the base URL as a pod in the cluster reaches it, `what` names it for a person."""

    url: str
    what: str


@dataclass(frozen=True)
class Model:
    """`name` is what requests carry, `root` the path or hub name that a tokenizer is found by (may be empty)."""

    name: str
    root: str


def find(reader: Reader, namespace: str, own: Sequence[Json], port: int, *, url: str = "") -> Endpoint:
    """The Service that spreads requests over the workload's pods, or `url` as given.

    `own` are the pods of the workload, `port` the container port of the engine. Raises LlmHpaError when no Service
    selects them, or each one that does sends requests to other pods too.
    """
    if url:
        return Endpoint(_checked(url), url)
    services = reader.get(SERVICES.path(namespace)).get("items") or []
    everything = reader.get(PODS.path(namespace)).get("items") or []
    return choose(services, everything, own, port)


def choose(services: Iterable[Json], everything: Iterable[Json], own: Sequence[Json], port: int) -> Endpoint:
    """See `find`; pure. A ClusterIP is preferred to a headless Service."""
    names = {pod["metadata"]["name"] for pod in own}
    labels = [pod["metadata"].get("labels") or {} for pod in own]
    attempted = "find the Service to send the load through"
    fitting: list[tuple[bool, str, Json, Json]] = []
    mixed: list[str] = []
    wrong_port: list[str] = []
    alive = [pod for pod in everything if pod.get("status", {}).get("phase") not in ("Succeeded", "Failed")]
    for service in services:
        selector = service["spec"].get("selector") or {}
        name = service["metadata"]["name"]
        if not selector or not all(_selects(selector, each) for each in labels):
            continue
        foreign = [
            pod["metadata"]["name"]
            for pod in alive
            if pod["metadata"]["name"] not in names and _selects(selector, pod["metadata"].get("labels") or {})
            and "deletionTimestamp" not in pod["metadata"]
        ]  # fmt: skip
        if foreign:
            mixed.append(f"{name} also selects {', '.join(sorted(foreign)[:3])}")
            continue
        entry = _port(service, own, port)
        if entry is None:
            wrong_port.append(name)
            continue
        fitting.append((service["spec"].get("clusterIP") == "None", name, service, entry))
    if not fitting:
        if mixed:
            problem = f"every Service of these pods serves other pods too ({'; '.join(sorted(mixed))})"
            raise LlmHpaError(
                attempted, problem, "give one of its own to the workload, or name the target with --url"
            )
        if wrong_port:
            problem = f"no port of {', '.join(sorted(wrong_port))} leads to the engine's port {port}"
            raise LlmHpaError(attempted, problem, "name the target with --url")
        raise LlmHpaError(
            attempted, "no Service selects the workload's pods", "make one, or name the target with --url"
        )
    headless, name, service, entry = min(fitting, key=lambda each: each[:2])
    number = port if headless else int(entry["port"])
    namespace = service["metadata"].get("namespace", "")
    scheme = "https" if entry.get("appProtocol") == "https" else "http"
    return Endpoint(f"{scheme}://{name}.{namespace}.svc:{number}", f"service/{name} port {number}")


def model(reader: Reader, pod: Json, port: int, container: Json, *, wanted: str = "") -> Model:
    """The model's name from the engine's /v1/models (through the pod proxy), else from its command line.

    `wanted` is the user's own. Raises LlmHpaError when nobody can say.
    """
    name = pod["metadata"]["name"]
    flat = commands.words([*(container.get("command") or []), *(container.get("args") or [])])
    by_command = _model_of_command(flat)
    try:
        path = PODS.path(pod["metadata"]["namespace"], f"{name}:{port}", "proxy/v1/models")
        listed = models_in(reader.get_text(path))
    except ApiError as error:
        if wanted or by_command:
            served = commands.flag(flat, "--served-model-name")
            return Model(wanted or served or by_command, by_command)
        raise LlmHpaError(
            "read the model's name",
            f"/v1/models of pod {name} answered: {error.message}",
            "name it with --model",
        ) from error
    if wanted:
        root = next((one.root for one in listed if one.name == wanted), "")
        return Model(wanted, root or by_command)
    if not listed:
        raise LlmHpaError(
            "read the model's name", f"/v1/models of pod {name} lists none", "name it with --model"
        )
    return Model(listed[0].name, listed[0].root or by_command)


def models_in(text: str) -> list[Model]:
    """The models of a /v1/models answer, in its order; none where it is something else."""
    try:
        entries = json.loads(text)["data"]
        return [Model(str(one["id"]), str(one.get("root") or "")) for one in entries]
    except (ValueError, KeyError, TypeError, AttributeError):
        return []


def _model_of_command(flat: Sequence[str]) -> str:
    """`--model X` or `vllm serve X`."""
    given = commands.flag(flat, "--model", "--model-path")
    if given:
        return given
    for position, word in enumerate(flat[:-1]):
        if word == "serve" and not flat[position + 1].startswith("-"):
            return flat[position + 1]
    return ""


def _selects(selector: Mapping[str, str], labels: Mapping[str, str]) -> bool:
    return all(labels.get(key) == value for key, value in selector.items())


def _port(service: Json, own: Sequence[Json], port: int) -> Json | None:
    """The Service port whose target is the engine's port."""
    named = {
        each.get("name")
        for pod in own
        for container in pod["spec"]["containers"]
        for each in container.get("ports") or []
        if each["containerPort"] == port
    }
    for entry in service["spec"].get("ports") or []:
        target = entry.get("targetPort", entry["port"])
        if target == port or (target in named and target is not None):
            found: Json = entry
            return found
    return None


def _checked(url: str) -> str:
    """A base URL of a scheme, a host and perhaps a path; raises LlmHpaError for anything else."""
    try:
        parts = urlsplit(url)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        good = False
    if not good or parts.query or parts.username:
        raise LlmHpaError(
            f"read --url {url!r}", "it is not of the form http://HOST:PORT", "see: kubectl get svc"
        )
    return url.rstrip("/")
