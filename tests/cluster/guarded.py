"""The cluster's Prometheus behind a proxy that wants a bearer token, as some clouds serve theirs."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from dataclasses import dataclass

from tests.cluster.conftest import Json, Kubectl, load_image
from tests.cluster.ground.engine_images import STUB_IMAGE
from tests.cluster.workloads import REQUESTS

NAME = "guarded"
PROMETHEUS = "http://kube-prometheus-stack-prometheus.monitoring.svc:9090"
TOKEN = "s3cr3t-t0ken"
#: The key of the Secret NAME that holds the token.
KEY = "token"
_PORT = 9090


@dataclass(frozen=True)
class Guarded:
    """It runs. The Secret `secret` beside it has the token under `key`."""

    namespace: str
    secret: str = NAME
    key: str = KEY

    @property
    def url(self) -> str:
        """Where pods reach it."""
        return f"http://{NAME}.{self.namespace}.svc:{_PORT}"


@contextlib.contextmanager
def guarded_prometheus(
    kubectl: Kubectl, namespace: str, *, prometheus: str = PROMETHEUS
) -> Iterator[Guarded]:
    """A server in `namespace` until the end of the block that answers as Prometheus does, or 401 without the token."""
    load_image("stub-engine")
    objects = _objects(namespace, prometheus)
    try:
        kubectl.apply(*objects)
        kubectl.run("rollout", "status", f"deploy/{NAME}", "-n", namespace, "--timeout=60s")
        yield Guarded(namespace)
    finally:
        listed = json.dumps({"apiVersion": "v1", "kind": "List", "items": objects})
        kubectl.run("delete", "--ignore-not-found", "-f", "-", stdin=listed)


def _objects(namespace: str, prometheus: str) -> list[Json]:
    meta = {"name": NAME, "namespace": namespace}
    labels = {"app": NAME}
    command = ["stub-engine", "--proxy-to", prometheus, "--token", "$(TOKEN)", "--port", str(_PORT)]
    container = {
        "name": "proxy", "image": STUB_IMAGE, "imagePullPolicy": "IfNotPresent", "command": command,
        "env": [{"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": NAME, "key": KEY}}}],
        "readinessProbe": {"tcpSocket": {"port": _PORT}, "periodSeconds": 1}, "resources": REQUESTS,
    }  # fmt: skip
    pod = {
        "metadata": {"labels": labels},
        "spec": {"terminationGracePeriodSeconds": 1, "containers": [container]},
    }
    return [
        {"apiVersion": "v1", "kind": "Secret", "metadata": meta, "stringData": {KEY: TOKEN}},
        {"apiVersion": "v1", "kind": "Service", "metadata": meta, "spec": {
            "selector": labels, "ports": [{"name": "http-web", "port": _PORT, "targetPort": _PORT}]}},
        {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": meta, "spec": {
            "selector": {"matchLabels": labels}, "template": pod}},
    ]  # fmt: skip
