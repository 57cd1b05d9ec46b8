"""The adapter that serves custom metrics: found from its APIService, its configuration from its arguments and mounts.

Two programs are known whose rules can be written: prometheus-adapter, and Alibaba's, which has prometheus-adapter's
code inside. Source: kubernetes-sigs/prometheus-adapter cmd/adapter/adapter.go (flags and their defaults; the
configuration is read once at start, so a changed file needs a restart; without `rules` it serves no custom metrics).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import quote

from kubectl_llmhpa.api import API_SERVICES, CONFIG_MAPS, Json, Reader
from kubectl_llmhpa.backends import ack_adapter, mounted_file, providers
from kubectl_llmhpa.backends.model import ACK, PROMETHEUS_ADAPTER
from kubectl_llmhpa.backends.providers import Provider
from kubectl_llmhpa.errors import ApiError, LlmHpaError
from kubectl_llmhpa.findings import Finding, found

GROUP = "custom.metrics.k8s.io"
RESOURCE_GROUP = "metrics.k8s.io"
EXTERNAL_GROUP = "external.metrics.k8s.io"
#: The version that is registered for an adapter which has none.
DEFAULT_VERSION = "v1beta1"
#: The API path of the list of External metrics.
EXTERNAL_ROOT = f"/apis/{EXTERNAL_GROUP}/{DEFAULT_VERSION}"
_ATTEMPT = "find the adapter that serves custom metrics"
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_DEFAULTS = {"prometheus-url": "https://localhost", "metrics-relist-interval": "10m"}


@dataclass(frozen=True)
class Adapter:
    """A running adapter and where its rules are. Times are in seconds."""

    version: str
    deployment: Json
    config_map: str
    key: str
    prometheus_url: str
    relist: float
    max_age: float
    kind: str = PROMETHEUS_ADAPTER
    reloads: bool = False
    """A sidecar makes it read a changed file: the process exits and starts again."""
    custom: bool = True
    """False: no APIService leads custom.metrics.k8s.io here; it serves the metrics of `kubectl top`."""
    provider: Provider | None = None
    """The APIService that it was found by."""
    others: tuple[str, ...] = ()
    """APIServices of the same group that lead to another program."""
    external_at: str = ""
    """Where the external metrics API leads (`namespace/service`), empty: it is not registered."""

    @property
    def namespace(self) -> str:
        """The namespace of its Deployment and ConfigMap."""
        return str(self.deployment["metadata"]["namespace"])

    @property
    def name(self) -> str:
        """The name of its Deployment."""
        return str(self.deployment["metadata"]["name"])

    @property
    def external(self) -> bool:
        """Whether the external metrics API leads here."""
        return self.provider is not None and self.external_at == self.provider.place

    def lists(self, name: str) -> bool:
        """Whether the API leads here that would list a name (`pods/NAME`, `external/NAME`)."""
        return self.external if name.startswith("external/") else self.custom

    @property
    def registered(self) -> Adapter:
        """As it is once both metrics APIs lead here."""
        return replace(self, custom=True, external_at=self.provider.place if self.provider else "")

    @property
    def root(self) -> str:
        """The API path of its metric list."""
        return f"/apis/{GROUP}/{self.version}"

    @property
    def config_path(self) -> str:
        """The API path of its ConfigMap."""
        return CONFIG_MAPS.path(self.namespace, self.config_map)

    @property
    def gap(self) -> str:
        """Why its API is away for a moment while it restarts, empty where the old pod serves until the new one does.

        Without a readiness probe a new pod gets requests before it serves: 0.5 to 1.1 s of 503 were seen.
        """
        spec = self.deployment.get("spec") or {}
        if (spec.get("strategy") or {}).get("type") == "Recreate":
            return "its pods are replaced all at once"
        if int(spec.get("replicas", 1)) == 1 and _unavailable(spec) >= 1:
            return "its only pod goes before the new one is ready"
        if spec and "readinessProbe" not in providers.program(self.deployment)[1]:
            return "it has no readiness probe"
        return ""


def find(reader: Reader, *, even_down: bool = False, api_services: Sequence[Json] | None = None) -> Adapter:
    """The adapter behind `custom.metrics.k8s.io`, or one that could serve it (`Adapter.custom` False).

    `api_services` are those of the cluster, where they are known already. Raises LlmHpaError when there is none, when
    it is down (unless `even_down`), or when it is a program whose rules are not written here.
    """
    if api_services is None:
        api_services = reader.get(API_SERVICES.path()).get("items") or []
    serving = providers.of_group(api_services, GROUP)
    external = [
        one.place
        for one in providers.of_group(api_services, EXTERNAL_GROUP)
        if one.version == DEFAULT_VERSION
    ]
    if not serving:
        adapter = _unregistered(reader, api_services)
    else:
        adapter = _adapter(reader, serving[0], others=_others(reader, serving))
    return _up(replace(adapter, external_at=external[0] if external else ""), even_down)


def findings(adapter: Adapter) -> list[Finding]:
    """What is wrong around it."""
    about = f"Deployment/{adapter.namespace}/{adapter.name}"
    if not adapter.others or adapter.provider is None:
        return []
    seen = f"{', '.join((adapter.provider.name, *adapter.others))} lead to different programs"
    return [found("two-metric-providers", about, seen, asked=adapter.provider.name, other=adapter.others[0])]


def listed(reader: Reader, adapter: Adapter) -> set[str]:
    """The names it serves now, as `pods/vllm:num_requests_waiting`, or `external/NAME`. Raises ApiError."""
    names = {str(one["name"]) for one in reader.get(adapter.root).get("resources") or []}
    return names | listed_external(reader, adapter)


def listed_external(reader: Reader, adapter: Adapter) -> set[str]:
    """The External metrics that it serves now, as `external/NAME`: none while it has no rule. Raises ApiError."""
    if not adapter.external:
        return set()
    try:
        found = reader.get(EXTERNAL_ROOT).get("resources") or []
    except ApiError as error:
        if error.not_found or error.unavailable:
            return set()
        raise
    return {f"external/{one['name']}" for one in found}


def pod_values(
    reader: Reader, adapter: Adapter, namespace: str, metric: str, selector: str
) -> dict[str, str]:
    """Pod name to quantity, by the very request that the HPA controller makes. Raises ApiError."""
    path = f"{adapter.root}/namespaces/{namespace}/pods/*/{metric}?labelSelector={quote(selector)}"
    return {one["describedObject"]["name"]: one["value"] for one in reader.get(path).get("items") or []}


def rolled_out(deployment: Mapping[str, Any]) -> bool:
    """Whether every pod of a Deployment is of its newest template and available."""
    spec, status = deployment["spec"], deployment.get("status") or {}
    wanted = spec.get("replicas", 1)
    return bool(
        status.get("observedGeneration", 0) >= deployment["metadata"]["generation"]
        and status.get("updatedReplicas", 0) == wanted
        and status.get("replicas", 0) == wanted
        and status.get("availableReplicas", 0) == wanted
    )


def _unregistered(reader: Reader, api_services: Sequence[Json]) -> Adapter:
    """A prometheus-adapter that serves `kubectl top` only (kube-prometheus' layout), or why there is nothing."""
    for provider in providers.of_group(api_services, RESOURCE_GROUP)[:1]:
        if _program_behind(reader, provider) == PROMETHEUS_ADAPTER:
            return _adapter(reader, provider, custom=False)
    for provider in providers.of_group(api_services, EXTERNAL_GROUP)[:1]:
        if _program_behind(reader, provider) == ACK:
            raise _ack_switched_off(providers.deployment_behind(reader, provider, _ATTEMPT))
    raise LlmHpaError(
        _ATTEMPT, f"no APIService serves {GROUP}, so an HPA cannot read pod metrics",
        "install prometheus-adapter with at least one rule, or KEDA",
    )  # fmt: skip


def _program_behind(reader: Reader, provider: Provider) -> str:
    """The program behind an APIService of another group; unknown where that may not be looked at."""
    try:
        return providers.program(providers.deployment_behind(reader, provider, _ATTEMPT))[0]
    except LlmHpaError:
        return ""


def _others(reader: Reader, serving: Sequence[Provider]) -> tuple[str, ...]:
    """The APIServices that do not lead where the first one leads; one program may serve several versions."""
    elsewhere = [one for one in serving[1:] if one.place != serving[0].place]
    if not elsewhere:
        return ()
    first = providers.deployment_behind(reader, serving[0], _ATTEMPT)["metadata"]
    result = []
    for one in elsewhere:
        try:
            other = providers.deployment_behind(reader, one, _ATTEMPT)["metadata"]
        except LlmHpaError:
            other = {"namespace": one.namespace, "name": one.service}
        if (other["namespace"], other["name"]) != (first["namespace"], first["name"]):
            result.append(one.name)
    return tuple(result)


def _up(adapter: Adapter, even_down: bool) -> Adapter:
    provider = adapter.provider
    if provider is None or provider.available or even_down:
        return adapter
    api = GROUP if adapter.custom else RESOURCE_GROUP
    raise LlmHpaError(
        f"reach {'the custom metrics API' if adapter.custom else api} ({adapter.namespace}/{adapter.name})",
        f"APIService {provider.name} is not available: {provider.message}",
        f"see: kubectl -n {adapter.namespace} logs deploy/{adapter.name}",
    )


def _adapter(
    reader: Reader, provider: Provider, *, custom: bool = True, others: tuple[str, ...] = ()
) -> Adapter:
    """The adapter behind an APIService, its settings read from its Deployment. Raises LlmHpaError."""
    deployment = providers.deployment_behind(reader, provider, _ATTEMPT)
    kind, container = providers.program(deployment)
    name = f"{provider.namespace}/{deployment['metadata']['name']}"
    if kind not in (PROMETHEUS_ADAPTER, ACK):
        raise _foreign(kind, name, container)
    flags = {**(ack_adapter.DEFAULTS if kind == ACK else _DEFAULTS), **providers.flags(container)}
    spec = deployment["spec"]["template"]["spec"]
    if kind == ACK and not flags.get("config"):
        raise _ack_switched_off(deployment)
    source = mounted_file.existing(
        reader, provider.namespace, mounted_file.sources(spec, container, flags.get("config", ""))
    )
    if source is None:
        raise LlmHpaError(
            f"read the configuration of {name}", f"--config={flags.get('config', '')} is not in a mounted ConfigMap",
            "add the rules by hand",
        )  # fmt: skip
    relist = flags["metrics-relist-interval"]
    return Adapter(
        version=provider.version if custom else DEFAULT_VERSION,
        deployment=deployment,
        config_map=source.config_map,
        key=source.key,
        prometheus_url=flags["prometheus-url"],
        relist=_seconds(relist),
        max_age=_seconds(flags.get("metrics-max-age", relist)),
        kind=kind,
        reloads=kind == ACK and ack_adapter.reloads(spec),
        custom=custom,
        provider=provider,
        others=others,
    )


def _foreign(kind: str, name: str, container: Json) -> LlmHpaError:
    if kind == providers.STACKDRIVER:
        return LlmHpaError(
            _ATTEMPT, f"deployment {name} is {kind}, which serves what Cloud Monitoring has and takes no rules",
            "use a metric that it lists already, or install KEDA",
        )  # fmt: skip
    return LlmHpaError(
        _ATTEMPT,
        f"deployment {name} serves it and is not prometheus-adapter (image {container.get('image', '')}), "
        "so nothing of it is changed",
        "use a metric that it lists already, or install KEDA",
    )


def _ack_switched_off(deployment: Json) -> LlmHpaError:
    metadata = deployment["metadata"]
    path = ".".join(ack_adapter.VALUES)
    return LlmHpaError(
        _ATTEMPT,
        f"deployment {metadata['namespace']}/{metadata['name']} (the ACK adapter) runs without its Prometheus part",
        f"set {path}.enabled to true and {path}.url in the values of its Helm release",
    )


def _unavailable(spec: Json) -> int:
    """How many pods a rolling update may take down at first; percentages are rounded down (25% unless given)."""
    value = ((spec.get("strategy") or {}).get("rollingUpdate") or {}).get("maxUnavailable", "25%")
    if isinstance(value, str) and value.endswith("%"):
        return int(spec.get("replicas", 1)) * int(value[:-1]) // 100
    return int(value)


def _seconds(text: str) -> float:
    """A Go duration in seconds."""
    return sum(float(number) * _UNITS[unit] for number, unit in re.findall(r"([\d.]+)(ms|s|m|h)", text))
