"""prometheus-adapter: found from its APIService, its configuration from its own arguments and mounts.

Source: kubernetes-sigs/prometheus-adapter cmd/adapter/adapter.go (flags and their defaults; the
configuration is read once at start, so a changed file needs a restart).
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from kubectl_llmhpa.api import API_SERVICES, CONFIG_MAPS, DEPLOYMENTS, SERVICES, Json, Reader
from kubectl_llmhpa.errors import ApiError, LlmHpaError

GROUP = "custom.metrics.k8s.io"
_ATTEMPT = "find the adapter that serves custom metrics"
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


@dataclass(frozen=True)
class Adapter:
    """A running prometheus-adapter and where its rules are. Times are in seconds."""

    version: str
    deployment: Json
    config_map: str
    key: str
    prometheus_url: str
    relist: float
    max_age: float

    @property
    def namespace(self) -> str:
        """The namespace of its Deployment and ConfigMap."""
        return str(self.deployment["metadata"]["namespace"])

    @property
    def name(self) -> str:
        """The name of its Deployment."""
        return str(self.deployment["metadata"]["name"])

    @property
    def root(self) -> str:
        """The API path of its metric list."""
        return f"/apis/{GROUP}/{self.version}"

    @property
    def config_path(self) -> str:
        """The API path of its ConfigMap."""
        return CONFIG_MAPS.path(self.namespace, self.config_map)


def find(reader: Reader, *, even_down: bool = False) -> Adapter:
    """The adapter behind `custom.metrics.k8s.io`.

    Raises LlmHpaError when there is none, when it is down (unless `even_down`), or when it is another program.
    """
    services = reader.get(API_SERVICES.path()).get("items") or []
    serving = [one for one in services if one["spec"].get("group") == GROUP and one["spec"].get("service")]
    if not serving:
        raise LlmHpaError(
            _ATTEMPT, f"no APIService serves {GROUP}, so an HPA cannot read pod metrics",
            "install prometheus-adapter with at least one rule",
        )  # fmt: skip
    service = max(serving, key=lambda one: int(one["spec"].get("versionPriority", 0)))
    reference = service["spec"]["service"]
    deployment = _deployment_behind(reader, reference["namespace"], reference["name"])
    adapter = _read(service["spec"]["version"], deployment)
    condition: Json = next(
        (one for one in service["status"].get("conditions") or [] if one["type"] == "Available"), {}
    )
    if condition.get("status") != "True" and not even_down:
        raise LlmHpaError(
            f"reach the custom metrics API ({adapter.namespace}/{adapter.name})",
            f"APIService {service['metadata']['name']} is not available: {condition.get('message', 'no condition')}",
            f"see: kubectl -n {adapter.namespace} logs deploy/{adapter.name}",
        )
    return adapter


def listed(reader: Reader, adapter: Adapter) -> set[str]:
    """The names it serves now, as `pods/vllm:num_requests_waiting`. Raises ApiError."""
    return {str(one["name"]) for one in reader.get(adapter.root).get("resources") or []}


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


def _deployment_behind(reader: Reader, namespace: str, name: str) -> Json:
    try:
        service = reader.get(SERVICES.path(namespace, name))
    except ApiError as error:
        if error.not_found:
            raise LlmHpaError(
                _ATTEMPT, f"the APIService points at service {namespace}/{name}, which does not exist",
                "reinstall prometheus-adapter",
            ) from error  # fmt: skip
        raise
    selector: dict[str, str] = service["spec"].get("selector") or {}
    for deployment in reader.get(DEPLOYMENTS.path(namespace)).get("items") or []:
        labels = deployment["spec"]["template"]["metadata"].get("labels") or {}
        if selector and selector.items() <= labels.items():
            deployment.setdefault("apiVersion", DEPLOYMENTS.api_version)
            deployment.setdefault("kind", DEPLOYMENTS.kind)
            found: Json = deployment
            return found
    raise LlmHpaError(
        _ATTEMPT, f"no Deployment stands behind service {namespace}/{name}", "reinstall the adapter"
    )


def _read(version: str, deployment: Json) -> Adapter:
    """The adapter's settings, from whichever container has a `--config` under a mounted ConfigMap."""
    name = f"{deployment['metadata']['namespace']}/{deployment['metadata']['name']}"
    spec = deployment["spec"]["template"]["spec"]
    for container in spec["containers"]:
        words = [*(container.get("command") or []), *(container.get("args") or [])]
        flags = _flags(words)
        text = " ".join([container.get("image", ""), *words])
        if "prometheus-adapter" not in text and "prometheus-url" not in flags:
            continue
        where = flags.get("config", "")
        for mount in container.get("volumeMounts") or []:
            if posixpath.dirname(where) != mount["mountPath"].rstrip("/"):
                continue
            volume = next(one for one in spec.get("volumes") or [] if one["name"] == mount["name"])
            if "configMap" not in volume:
                continue
            file = posixpath.basename(where)
            items = {one["path"]: one["key"] for one in volume["configMap"].get("items") or []}
            relist = _seconds(flags.get("metrics-relist-interval", "10m"))
            return Adapter(
                version, deployment, volume["configMap"]["name"], items.get(file, file),
                flags.get("prometheus-url", "https://localhost"), relist,
                _seconds(flags["metrics-max-age"]) if "metrics-max-age" in flags else relist,
            )  # fmt: skip
        raise LlmHpaError(
            f"read the configuration of {name}", f"--config={where} is not in a mounted ConfigMap",
            "add the rules by hand",
        )  # fmt: skip
    raise LlmHpaError(
        _ATTEMPT, f"deployment {name} serves it and is not prometheus-adapter",
        "this version writes rules for prometheus-adapter only",
    )  # fmt: skip


def _flags(words: list[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for position, word in enumerate(words):
        if word.startswith("--"):
            name, equals, value = word[2:].partition("=")
            if not equals and position + 1 < len(words) and not words[position + 1].startswith("-"):
                value = words[position + 1]
            found[name] = value
    return found


def _seconds(text: str) -> float:
    """A Go duration in seconds."""
    return sum(float(number) * _UNITS[unit] for number, unit in re.findall(r"([\d.]+)(ms|s|m|h)", text))
