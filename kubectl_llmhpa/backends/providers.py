"""Who serves an aggregated metrics API: APIServices, the Deployment behind one, and which program that is.

An HPA asks one version of a group only, the preferred one: the highest `versionPriority`, then the newest version
(kube-aggregator pkg/apis/apiregistration/v1/helper, SortedByGroupAndVersion); where that one is down it falls back to
another after a few seconds (seen on 1.37). So every version matters, not only v1beta1.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from kubectl_llmhpa.api import DEPLOYMENTS, SERVICES, Json, Reader
from kubectl_llmhpa.backends.model import ACK, KEDA, PROMETHEUS_ADAPTER
from kubectl_llmhpa.errors import ApiError, LlmHpaError

#: Google's adapter: read, never written to.
STACKDRIVER = "custom-metrics-stackdriver-adapter"
#: Words in an image or a command line, and the program that they tell; the first that is found counts.
_SIGNS = (
    ("alibaba-cloud-metrics-adapter", ACK),
    ("custom-metrics-stackdriver-adapter", STACKDRIVER),
    ("keda-operator-metrics-apiserver", KEDA),
    ("keda-metrics-apiserver", KEDA),
    ("keda-adapter", KEDA),
    ("prometheus-adapter", PROMETHEUS_ADAPTER),
    ("--prometheus-url", PROMETHEUS_ADAPTER),
)
_VERSION = re.compile(r"^v(\d+)(?:(alpha|beta)(\d+))?$")


@dataclass(frozen=True)
class Provider:
    """One APIService of a group: its name and version, the Service behind it, and whether it is available."""

    name: str
    version: str
    namespace: str
    service: str
    port: int
    available: bool
    message: str
    trust: Json
    """How the API server checks its certificate: `caBundle` or `insecureSkipTLSVerify`."""

    @property
    def place(self) -> str:
        """`namespace/service`."""
        return f"{self.namespace}/{self.service}"


def of_group(api_services: Iterable[Json], group: str) -> list[Provider]:
    """The providers of an API group, the one that an HPA asks first."""
    found = [one for one in api_services if one["spec"].get("group") == group and one["spec"].get("service")]
    found.sort(key=_rank)
    return [_provider(one) for one in found]


def _rank(api_service: Json) -> tuple[bool, int, tuple[int, ...]]:
    spec = api_service["spec"]
    available = _condition(api_service).get("status") == "True"
    return not available, -int(spec.get("versionPriority", 0)), _age(str(spec.get("version", "")))


def _age(version: str) -> tuple[int, ...]:
    """Sorts as apimachinery does: stable before beta before alpha, higher numbers first, other words last."""
    match = _VERSION.match(version)
    if match is None:
        return (3, 0, 0)
    stage = {None: 0, "beta": 1, "alpha": 2}[match[2]]
    return stage, -int(match[1]), -int(match[3] or 0)


def _condition(api_service: Json) -> Json:
    conditions = (api_service.get("status") or {}).get("conditions") or []
    found: Json = next((one for one in conditions if one["type"] == "Available"), {})
    return found


def _provider(api_service: Json) -> Provider:
    spec, condition = api_service["spec"], _condition(api_service)
    service = spec["service"]
    return Provider(
        name=api_service["metadata"]["name"],
        version=spec["version"],
        namespace=service["namespace"],
        service=service["name"],
        port=int(service.get("port") or 443),
        available=condition.get("status") == "True",
        message=str(condition.get("message", "no condition")),
        trust={key: spec[key] for key in ("caBundle", "insecureSkipTLSVerify") if spec.get(key)},
    )


def deployment_behind(reader: Reader, provider: Provider, attempted: str) -> Json:
    """The Deployment whose pods the provider's Service selects. Raises LlmHpaError when there is none."""
    namespace, name = provider.namespace, provider.service
    try:
        service = reader.get(SERVICES.path(namespace, name))
    except ApiError as error:
        if error.not_found:
            raise LlmHpaError(
                attempted, f"APIService {provider.name} points at service {namespace}/{name}, which does not exist",
                "reinstall the adapter",
            ) from error  # fmt: skip
        raise
    selector: dict[str, str] = service["spec"].get("selector") or {}
    for deployment in reader.get(DEPLOYMENTS.path(namespace)).get("items") or []:
        labels = deployment["spec"]["template"]["metadata"].get("labels") or {}
        if selector and selector.items() <= labels.items():
            return {"apiVersion": DEPLOYMENTS.api_version, "kind": DEPLOYMENTS.kind, **deployment}
    raise LlmHpaError(
        attempted, f"no Deployment stands behind service {namespace}/{name}", "reinstall the adapter"
    )


def program(deployment: Json) -> tuple[str, Json]:
    """Which program a Deployment runs (`ACK`, `PROMETHEUS_ADAPTER`, ..., empty: unknown), and its container."""
    containers: list[Json] = deployment["spec"]["template"]["spec"]["containers"]
    for sign, kind in _SIGNS:
        for container in containers:
            if sign in " ".join([str(container.get("image", "")), *words(container)]):
                return kind, container
    return "", containers[0]


def words(container: Json) -> list[str]:
    """The command line of a container as its pod spec has it."""
    return [str(word) for word in (*(container.get("command") or []), *(container.get("args") or []))]


def flags(container: Json) -> dict[str, str]:
    """The `--name=value` and `--name value` flags of a command line; the last of a name counts."""
    found: dict[str, str] = {}
    line = words(container)
    for position, word in enumerate(line):
        if word.startswith("--"):
            name, equals, value = word[2:].partition("=")
            if not equals and position + 1 < len(line) and not line[position + 1].startswith("-"):
                value = line[position + 1]
            found[name] = value
    return found
