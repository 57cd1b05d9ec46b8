"""Which objects a Prometheus operator looks after, read from the flags of its Deployment.

Source: prometheus-operator cmd/operator/main.go and pkg/operator/config.go (v0.93). Scrape objects are watched in
`--namespaces` or outside `--deny-namespaces`; Prometheus objects in `--prometheus-instance-namespaces`, else in the
same. An object with another `operator.prometheus.io/controller-id` than the operator's is not its own.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from kubectl_llmhpa.api import DEPLOYMENTS, Json
from kubectl_llmhpa.errors import LlmHpaError
from kubectl_llmhpa.monitoring import selectors
from kubectl_llmhpa.workloads.selectors import label_selector

#: The Deployments of kube-prometheus (and the operator's own bundle) and of kube-prometheus-stack.
_LABELS = ("app.kubernetes.io%2Fname%3Dprometheus-operator", "app%3Dkube-prometheus-stack-operator")
PATHS = tuple(f"{DEPLOYMENTS.path()}?labelSelector={one}" for one in _LABELS)
_CONTROLLER_ID = "operator.prometheus.io/controller-id"
_FLAG = re.compile(r"--?(?P<name>[a-z-]+)=(?P<value>.*)", re.DOTALL)
_VARIABLE = re.compile(r"\$\((\w+)\)")


@dataclass(frozen=True)
class OperatorScope:
    """One operator: `reference` is its Deployment, empty sets are no limit."""

    reference: str
    namespaces: frozenset[str] = frozenset()
    denied: frozenset[str] = frozenset()
    instances: frozenset[str] = frozenset()
    selector: str = ""
    controller: str = ""

    def manages(self, prometheus: Json) -> bool:
        """Whether a Prometheus or PrometheusAgent object is this operator's."""
        metadata = prometheus["metadata"]
        if (metadata.get("annotations") or {}).get(_CONTROLLER_ID, "") != self.controller:
            return False
        if self.selector and not selectors.matches(
            label_selector(self.selector), metadata.get("labels") or {}
        ):
            return False
        if self.instances:
            return metadata["namespace"] in self.instances
        return self.watches(metadata["namespace"])

    def watches(self, namespace: str) -> bool:
        """Whether it looks for scrape objects in a namespace."""
        return namespace in self.namespaces if self.namespaces else namespace not in self.denied

    @property
    def limit(self) -> str:
        """The flag that limits where it looks for scrape objects."""
        flag, values = (
            ("namespaces", self.namespaces) if self.namespaces else ("deny-namespaces", self.denied)
        )
        return f"--{flag}={','.join(sorted(values))} of deployment {self.reference}"


def of(deployment: Json) -> OperatorScope | None:
    """The scope of an operator's Deployment; None where its flags cannot be told from its pod template."""
    metadata = deployment["metadata"]
    containers = deployment["spec"]["template"]["spec"].get("containers") or []
    container = next((one for one in containers if "prometheus-operator" in one.get("image", "")), None)
    if container is None:
        return None
    flags = _flags(container)
    if flags is None:
        return None
    namespaces, denied, instances = (
        frozenset(value for text in flags.get(name, ()) for value in text.split(",") if value)
        for name in ("namespaces", "deny-namespaces", "prometheus-instance-namespaces")
    )
    scope = OperatorScope(
        reference=f"{metadata['namespace']}/{metadata['name']}",
        namespaces=namespaces,
        denied=denied,
        instances=instances,
        selector=flags.get("prometheus-instance-selector", [""])[-1],
        controller=flags.get("controller-id", [""])[-1],
    )
    try:
        label_selector(scope.selector)
    except LlmHpaError:
        return None
    return scope


def _flags(container: Json) -> dict[str, list[str]] | None:
    """Flag to its values, None where one comes from something that is not in the pod template."""
    values = {one["name"]: one.get("value") for one in container.get("env") or []}
    flags: dict[str, list[str]] = {}
    for argument in _joined([*(container.get("command") or []), *(container.get("args") or [])]):
        match = _FLAG.fullmatch(argument)
        if match is None:
            continue
        if any(values.get(name) is None for name in _VARIABLE.findall(match["value"])):
            return None
        flags.setdefault(match["name"], []).append(_filled(match["value"], values))
    return flags


def _filled(text: str, values: Mapping[str, str | None]) -> str:
    return _VARIABLE.sub(lambda found: values[found[1]] or "", text)


def _joined(arguments: Iterable[str]) -> Iterable[str]:
    """`--flag value` as `--flag=value`."""
    waiting = ""
    for argument in arguments:
        if waiting and not argument.startswith("-"):
            yield f"{waiting}={argument}"
            waiting = ""
        elif argument.startswith("-") and "=" not in argument:
            waiting = argument
        else:
            waiting = ""
            yield argument
