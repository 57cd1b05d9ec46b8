"""Where the load goes: the Service or Gateway in front of the workload's pods, and the model's name."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from kubectl_llmhpa.api import PODS, SERVICES, Json, Reader
from kubectl_llmhpa.bench import gateways
from kubectl_llmhpa.engines import commands
from kubectl_llmhpa.errors import ApiError, LlmHpaError

#: How a way to the pods is named, as kubectl names its type.
_NAMED = {
    "service": "Service", "services": "Service", "svc": "Service",
    "gateway": "Gateway", "gateways": "Gateway", "gtw": "Gateway",
}  # fmt: skip


@dataclass(frozen=True)
class Endpoint:
    """`url` is the base URL as a pod in the cluster reaches it, `what` names it for a person.

    `host` is the name that requests carry where it is not the URL's own: routes of a Gateway are found by it.
    """

    url: str
    what: str
    host: str = ""


@dataclass(frozen=True)
class Model:
    """`name` is what requests carry, `root` the path or hub name that a tokenizer is found by (may be empty).

    `parent` is the base model's name where this is a LoRA adapter.
    """

    name: str
    root: str
    parent: str = ""


def find(reader: Reader, namespace: str, own: Sequence[Json], port: int, *, url: str = "") -> Endpoint:
    """The Service that spreads requests over the workload's pods, or `url`: service/NAME, gateway/NAME or a base URL.

    `own` are the pods of the workload, `port` the container port of the engine. Raises LlmHpaError when no Service
    selects them, or each one that does sends requests to other pods too. A base URL is taken as given.
    """
    kind, _, name = url.partition("/")
    if url and kind not in _NAMED:
        return Endpoint(_checked(url), url)
    services = reader.get(SERVICES.path(namespace)).get("items") or []
    everything = reader.get(PODS.path(namespace)).get("items") or []
    if not url:
        return choose(services, everything, own, port)
    if _NAMED[kind] == "Service":
        named = [one for one in services if one["metadata"]["name"] == name]
        if not named:
            raise LlmHpaError(f"read --url {url}", "there is no such Service", "see: kubectl get svc")
        return choose(named, everything, own, port)
    selected = {f"Service/{one['metadata']['name']}": _behind(one, everything) for one in services}
    for pool in gateways.pools(reader, namespace):
        selected[f"InferencePool/{pool.name}"] = {
            _name(pod) for pod in _alive(everything) if pool.selects(pod)
        }
    way = gateways.look(reader, namespace, name, {_name(pod) for pod in own}, selected)
    return Endpoint(way.url, f"gateway/{name} ({way.route})", way.host)


def choose(services: Iterable[Json], everything: Iterable[Json], own: Sequence[Json], port: int) -> Endpoint:
    """See `find`; pure. A ClusterIP is preferred to a headless Service."""
    names = {_name(pod) for pod in own}
    labels = [pod["metadata"].get("labels") or {} for pod in own]
    attempted = "find the Service to send the load through"
    fitting: list[tuple[bool, str, Json, Json]] = []
    mixed: list[str] = []
    wrong_port: list[str] = []
    everything = list(everything)
    for service in services:
        selector = service["spec"].get("selector") or {}
        name = service["metadata"]["name"]
        if not selector or not all(_selects(selector, each) for each in labels):
            continue
        foreign = _behind(service, everything) - names
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


def model(
    reader: Reader, pod: Json, port: int, container: Json, *, wanted: str = "", own: Sequence[Json] = ()
) -> Model:
    """The model's name from the engine's /v1/models (through the pod proxy), else from its command line.

    `wanted` is the user's own: a model, or a LoRA adapter of it. Raises LlmHpaError when nobody can say, and when one
    of the workload's pods, `own`, serves another model.
    """
    name = _name(pod)
    flat = commands.words([*(container.get("command") or []), *(container.get("args") or [])])
    by_command = _model_of_command(flat)
    attempted = "read the model's name"
    try:
        listed = _listed(reader, pod, port)
    except ApiError as error:
        if wanted or by_command:
            served = commands.flag(flat, "--served-model-name")
            return Model(wanted or served or by_command, by_command)
        problem = f"/v1/models of pod {name} answered: {error.message}"
        raise LlmHpaError(attempted, problem, "name it with --model") from error
    found = _chosen(listed, wanted)
    if found is None:
        models = ", ".join(one.name for one in bases(listed))
        problem = f"/v1/models of pod {name} lists " + (f"several models: {models}" if models else "none")
        raise LlmHpaError(attempted, problem, "name it with --model")
    base = found.parent or found.name
    for other in own if found in listed else ():
        if _name(other) != name:
            _refuse_another(reader, other, port, base)
    root = next((one.root for one in listed if one.name == base), "")
    return Model(found.name, root or by_command, found.parent)


def bases(listed: Sequence[Model]) -> list[Model]:
    """The models of a list that are no adapters; names of one model (vLLM serves it under several) count once."""
    found: list[Model] = []
    for one in listed:
        if not one.parent and not any(one.root and one.root == other.root for other in found):
            found.append(one)
    return found


def _chosen(listed: Sequence[Model], wanted: str) -> Model | None:
    """The one to ask for; None where the list leaves it open. One that is not listed may be loaded on demand."""
    if wanted:
        return next((one for one in listed if one.name == wanted), Model(wanted, ""))
    found = bases(listed)
    return found[0] if len(found) == 1 else None


def _refuse_another(reader: Reader, pod: Json, port: int, base: str) -> None:
    """Raises where a pod of the workload serves another base model than the one that is asked for."""
    try:
        found = _listed(reader, pod, port)
    except ApiError:
        return  # not ready, or not to be read: nothing is known against it
    if found and base not in (one.name for one in found):
        names = ", ".join(one.name for one in found[:3])
        problem = f"pod {_name(pod)} serves {names} and not {base}"
        raise LlmHpaError(
            "find one model in all pods of the workload", problem, "wait until all pods serve the same"
        )


def _listed(reader: Reader, pod: Json, port: int) -> list[Model]:
    """What /v1/models of a pod lists, through the pod proxy; raises ApiError."""
    path = PODS.path(pod["metadata"]["namespace"], f"{_name(pod)}:{port}", "proxy/v1/models")
    return models_in(reader.get_text(path))


def models_in(text: str) -> list[Model]:
    """The models of a /v1/models answer, in its order; none where it is something else."""
    try:
        entries = json.loads(text)["data"]
        return [
            Model(str(one["id"]), str(one.get("root") or ""), str(one.get("parent") or "")) for one in entries
        ]
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


def _name(pod: Json) -> str:
    name: str = pod["metadata"]["name"]
    return name


def _alive(pods: Iterable[Json]) -> list[Json]:
    """Those that a Service may send requests to."""
    return [
        pod for pod in pods
        if pod.get("status", {}).get("phase") not in ("Succeeded", "Failed")
        and "deletionTimestamp" not in pod["metadata"]
    ]  # fmt: skip


def _behind(service: Json, pods: Iterable[Json]) -> set[str]:
    """The names of the pods that a Service selects; none for one without a selector."""
    selector = service["spec"].get("selector") or {}
    return {
        _name(pod)
        for pod in _alive(pods)
        if selector and _selects(selector, pod["metadata"].get("labels") or {})
    }


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
            f"read --url {url!r}",
            "it is not of the form http://HOST:PORT, service/NAME or gateway/NAME",
            "see: kubectl get svc",
        )
    return url.rstrip("/")
