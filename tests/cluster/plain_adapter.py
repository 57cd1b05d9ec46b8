"""prometheus-adapter by its own plain manifests, the ones that kube-prometheus applies: CPU and memory only.

Its file has `resourceRules` and nothing else, and no APIService leads `custom.metrics.k8s.io` to it.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from dataclasses import dataclass

import yaml

from tests.cluster.conftest import Json, Kubectl
from tests.cluster.ground.programs import module_folder

NAME = "prometheus-adapter"
CUSTOM = "v1beta1.custom.metrics.k8s.io"
RESOURCE = "v1beta1.metrics.k8s.io"
PROMETHEUS = "http://kube-prometheus-stack-prometheus.monitoring.svc:9090/"
_MODULE = ("prometheus-adapter", "sigs.k8s.io/prometheus-adapter")
#: It binds a role of custom metrics, which belongs to another layout.
_LEFT_OUT = "cluster-role-binding-hpa-custom-metrics.yaml"


@dataclass(frozen=True)
class Plain:
    """It runs, as the only adapter of the cluster."""

    kubectl: Kubectl
    namespace: str
    name: str = NAME
    config_map: str = "adapter-config"


@contextlib.contextmanager
def plain_adapter(
    kubectl: Kubectl, namespace: str, *, probe: bool = True, prometheus: str = PROMETHEUS
) -> Iterator[Plain]:
    """The adapter in `namespace` until the end of the block, serving `metrics.k8s.io`; without `probe` it has none.

    The cluster's own adapter keeps running, but nothing leads to it: its APIService is away for that time.
    """
    objects = list(_manifests(namespace, probe, prometheus))
    with api_service_away(kubectl, CUSTOM):
        try:
            kubectl.apply(*objects)
            kubectl.run("rollout", "status", f"deploy/{NAME}", "-n", namespace, "--timeout=90s")
            kubectl.run("wait", f"apiservice/{RESOURCE}", "--for=condition=Available", "--timeout=60s")
            yield Plain(kubectl, namespace)
        finally:
            listed = json.dumps({"apiVersion": "v1", "kind": "List", "items": objects})
            kubectl.run("delete", "--ignore-not-found", "-f", "-", stdin=listed)


@contextlib.contextmanager
def api_service_away(kubectl: Kubectl, name: str) -> Iterator[Json]:
    """An APIService is deleted for the block and put back as it was, available, at its end."""
    found = kubectl.get("apiservice", name)
    try:
        kubectl.run("delete", "apiservice", name)
        yield found
    finally:
        put_back(kubectl, found)


def put_back(kubectl: Kubectl, api_service: Json) -> None:
    """Make an APIService what it was, whatever is there now, and wait until it is available."""
    name = api_service["metadata"]["name"]
    kubectl.run("delete", "apiservice", name, "--ignore-not-found")
    kept = {
        key: value
        for key, value in api_service["metadata"].items()
        if key in ("name", "labels", "annotations")
    }
    body = {
        "apiVersion": api_service["apiVersion"],
        "kind": "APIService",
        "metadata": kept,
        "spec": api_service["spec"],
    }
    kubectl.run("create", "-f", "-", stdin=json.dumps(body))
    kubectl.run("wait", f"apiservice/{name}", "--for=condition=Available", "--timeout=60s")


def _manifests(namespace: str, probe: bool, prometheus: str) -> Iterator[Json]:
    """The project's own manifests, for another namespace, with our Prometheus and less patience."""
    folder = module_folder(*_MODULE) / "deploy" / "manifests"
    for path in sorted(folder.glob("*.yaml")):
        if path.name == _LEFT_OUT:
            continue
        # One object a file; the namespace stands in metadata, subjects, the APIService and a URL.
        obj: Json = yaml.safe_load(
            path.read_text().replace("namespace: monitoring", f"namespace: {namespace}")
        )
        if obj["kind"] == "Deployment":
            _ours(obj["spec"], probe, prometheus)
        yield obj


def _ours(spec: Json, probe: bool, prometheus: str) -> None:
    spec["replicas"] = 1
    (container,) = spec["template"]["spec"]["containers"]
    container |= {
        "imagePullPolicy": "IfNotPresent", "resources": {"requests": {"cpu": "10m", "memory": "50Mi"}},
        "args": [
            f"--prometheus-url={prometheus}" if one.startswith("--prometheus-url=") else one
            for one in container["args"]
            if not one.startswith("--tls-cipher-suites=")
        ],
    }  # fmt: skip
    for kind in ("livenessProbe", "readinessProbe"):
        container[kind] |= {"initialDelaySeconds": 1, "periodSeconds": 1}
        if not probe:
            del container[kind]
