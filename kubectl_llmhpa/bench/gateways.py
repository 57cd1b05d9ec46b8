"""A Gateway as the way to the workload's pods: which route leads to them, and at which URL. Pure but for `look`.

Types: Gateway and HTTPRoute of the Gateway API (`gateway.networking.k8s.io/v1`), InferencePool as a route's backend
(its inference extension). A route counts where every backend of one of its rules that gets requests is ours.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from kubectl_llmhpa.api import Json, Reader, Resource
from kubectl_llmhpa.errors import ApiError, LlmHpaError
from kubectl_llmhpa.workloads import inference_pools

GROUP = "gateway.networking.k8s.io"
GATEWAYS = Resource(f"{GROUP}/v1", "gateways", "Gateway")
HTTP_ROUTES = Resource(f"{GROUP}/v1", "httproutes", "HTTPRoute")
_ASKED = "/v1/completions"  # of the engine


@dataclass(frozen=True)
class Way:
    """`url` is the base URL, `host` the name that the route is found by (empty: any), `route` for a person."""

    url: str
    host: str
    route: str


def look(reader: Reader, namespace: str, name: str, own: set[str], selected: Mapping[str, set[str]]) -> Way:
    """The way through `gateway/name` of the namespace; see `choose`. Raises LlmHpaError, and ApiError."""
    gateway = reader.get(GATEWAYS.path(namespace, name))
    routes = reader.get(HTTP_ROUTES.path(namespace)).get("items") or []
    return choose(gateway, routes, own, selected)


def pools(reader: Reader, namespace: str) -> list[inference_pools.InferencePool]:
    """Those of the namespace; none where nobody serves their group."""
    lists = reader.get_many([kind.path(namespace) for kind in inference_pools.KINDS])
    found = [item for one in lists if not isinstance(one, ApiError) for item in one.get("items") or []]
    return inference_pools.read(found)


def choose(gateway: Json, routes: Iterable[Json], own: set[str], selected: Mapping[str, set[str]]) -> Way:
    """The first rule of a route of the gateway that leads to the workload's pods and to no others.

    `own` are the names of the workload's pods, `selected` those behind `Service/NAME` and `InferencePool/NAME`.
    Raises LlmHpaError that says why no rule does.
    """
    name, namespace = gateway["metadata"]["name"], gateway["metadata"].get("namespace", "")
    attempted = f"send the load through gateway/{name}"
    addresses = [one["value"] for one in gateway.get("status", {}).get("addresses") or []]
    if not addresses:
        raise LlmHpaError(attempted, "it has no address yet", "see: kubectl get gateway")
    reasons: list[str] = []
    for route in routes:
        for listener in _listeners(gateway, route, name, namespace):
            for rule in route["spec"].get("rules") or [{}]:
                why, path = _judge(route, rule, own, selected)
                if not why:
                    host = _host(route, listener)
                    address = f"[{addresses[0]}]" if ":" in addresses[0] else addresses[0]
                    scheme = "https" if listener["protocol"] == "HTTPS" else "http"
                    url = f"{scheme}://{address}:{listener['port']}{path}"
                    return Way(url, host, f"httproute/{route['metadata']['name']}")
                reasons.append(f"httproute/{route['metadata']['name']} {why}")
    problem = "; ".join(dict.fromkeys(reasons)) or "no HTTPRoute of this namespace is attached to it"
    raise LlmHpaError(attempted, problem, "name the target with --url http://HOST:PORT")


def _listeners(gateway: Json, route: Json, name: str, namespace: str) -> list[Json]:
    """Those of the gateway that the route is attached to, plain HTTP first."""
    here = route["metadata"].get("namespace", "")
    found = []
    for parent in route["spec"].get("parentRefs") or []:
        if parent.get("kind", "Gateway") != "Gateway" or parent["name"] != name:
            continue
        if parent.get("namespace", here) != namespace:
            continue
        for listener in gateway["spec"]["listeners"]:
            fits = parent.get("sectionName", listener["name"]) == listener["name"]
            if fits and parent.get("port", listener["port"]) == listener["port"]:
                found.append(listener)
    usable = [one for one in found if one["protocol"] in ("HTTP", "HTTPS")]
    return sorted(usable, key=lambda one: str(one["protocol"]))


def _judge(route: Json, rule: Json, own: set[str], selected: Mapping[str, set[str]]) -> tuple[str, str]:
    """(why this rule is not the way, the path that it wants before the API's own)."""
    behind: set[str] = set()
    here = route["metadata"].get("namespace", "")
    for backend in rule.get("backendRefs") or []:
        what = f"{backend.get('kind', 'Service')}/{backend['name']}"
        if backend.get("weight", 1) == 0:
            continue
        if backend.get("namespace", here) != here or what not in selected:
            return f"leads to {what}, whose pods are not known", ""
        behind |= selected[what]
    if not behind & own:
        return "does not lead to the workload's pods", ""
    if behind - own:
        return f"also leads to {', '.join(sorted(behind - own)[:3])}", ""
    paths = [path for match in rule.get("matches") or [{}] if (path := _path(match)) is not None]
    if not paths:
        return "asks for headers or another path than the API's", ""
    return "", paths[0]


def _path(match: Json) -> str | None:
    """What comes before `/v1/completions` for this match to hold; None where nothing makes it hold."""
    if match.get("headers") or match.get("queryParams") or match.get("method", "POST") != "POST":
        return None
    path = match.get("path") or {}
    kind, value = path.get("type", "PathPrefix"), str(path.get("value", "/"))
    if kind == "PathPrefix":
        prefix = value.rstrip("/")
        return "" if not prefix or f"{_ASKED}/".startswith(f"{prefix}/") else prefix
    if kind == "Exact" and value.endswith(_ASKED):
        return value[: -len(_ASKED)]
    return None


def _host(route: Json, listener: Json) -> str:
    """A name that the route is found by: its first, else the listener's; any name serves for a wildcard."""
    names: Sequence[str] = route["spec"].get("hostnames") or [listener.get("hostname") or ""]
    return names[0].replace("*", "bench")
