"""Another team's HPA on another team's metric, and whether it ever stopped working while a test did something."""

from __future__ import annotations

import contextlib
import json
import subprocess
import threading
import time
from collections.abc import Iterator
from typing import Literal

from tests.cluster.conftest import Json, Kubectl, load_image
from tests.cluster.workloads import stub_engine

NAME = "bystander"
#: What the other team's rule serves (ground/manifests/adapter-values.yaml), or their ScaledObject asks for.
METRIC = "theirs_up"
Backend = Literal["prometheus-adapter", "keda"]
_PROMETHEUS = "http://kube-prometheus-stack-prometheus.monitoring.svc:9090"
_WORKS_WITHIN_S = 150


class Bystander:
    """An HPA that is watched from the moment on that it works."""

    def __init__(self, kubectl: Kubectl, namespace: str, name: str = NAME) -> None:
        self._kubectl = kubectl
        self._place = (name, "-n", namespace)
        self._until_it_works()
        self._began = time.monotonic()
        self._lost: list[str] = []
        self._ended = False
        self._process: subprocess.Popen[str] | None = None
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    @property
    def lost(self) -> list[str]:
        """`+12.3 s FailedGetPodsMetric: ...` for each time that the controller could not scale it, or said why anew."""
        return list(self._lost)

    def works(self) -> bool:
        """Whether the controller's last look at the metric went well."""
        found = self._kubectl.run("get", "hpa", *self._place, "-o", "json", "--ignore-not-found").stdout
        return bool(found) and _scaling(json.loads(found)).get("status") == "True"

    def end(self) -> None:
        """Watch no longer."""
        self._ended = True
        if self._process:
            self._process.terminate()
        self._thread.join(timeout=10)

    def _until_it_works(self) -> None:
        until = time.monotonic() + _WORKS_WITHIN_S
        while not self.works():
            assert time.monotonic() < until, self._kubectl.run("describe", "hpa", *self._place).stdout
            time.sleep(1)

    def _watch(self) -> None:
        """Note every condition that is not True; a watch that the server ends begins again where it is."""
        last: Json = {}
        while not self._ended:
            command = ["kubectl", "get", "hpa", *self._place, "--watch", "-o", "json"]
            with subprocess.Popen(
                command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
            ) as process:
                self._process = process
                for obj in _documents(process):
                    now = _scaling(obj)
                    if now.get("status") != "True" and now != last:
                        at = time.monotonic() - self._began
                        self._lost.append(f"+{at:.1f} s {now.get('reason')}: {now.get('message')}")
                    last = now


@contextlib.contextmanager
def bystander(
    kubectl: Kubectl, namespace: str, backend: Backend = "prometheus-adapter"
) -> Iterator[Bystander]:
    """A Deployment, its PodMonitor and its autoscaler in `namespace` until the end of the block, working at its start.

    `namespace` is to be one of their own (`fresh_namespace`). At the end of a test: `assert theirs.lost == []`.
    """
    load_image("stub-engine")
    manifest = stub_engine(kind="Deployment", name=NAME, namespace=namespace, service=NAME)
    scaler = _hpa(namespace) if backend == "prometheus-adapter" else _scaled_object(namespace)
    objects = [_pod_monitor(namespace), scaler]
    try:
        kubectl.run("apply", "-f", "-", stdin=manifest)
        kubectl.apply(*objects)
        theirs = Bystander(kubectl, namespace)
        try:
            yield theirs
        finally:
            theirs.end()
    finally:
        listed = json.dumps({"apiVersion": "v1", "kind": "List", "items": objects})
        kubectl.run("delete", "--ignore-not-found", "-f", "-", stdin=listed)
        kubectl.run("delete", "deploy,svc", NAME, "-n", namespace, "--ignore-not-found")


def _documents(process: subprocess.Popen[str]) -> Iterator[Json]:
    """The objects that `kubectl get --watch -o json` prints one after the other."""
    assert process.stdout is not None
    lines: list[str] = []
    for line in process.stdout:
        lines.append(line)
        if line == "}\n":
            yield json.loads("".join(lines))
            lines.clear()


def _scaling(hpa: Json) -> Json:
    conditions = (hpa.get("status") or {}).get("conditions") or []
    found: Json = next((one for one in conditions if one["type"] == "ScalingActive"), {})
    return found


def _pod_monitor(namespace: str) -> Json:
    return {
        "apiVersion": "monitoring.coreos.com/v1", "kind": "PodMonitor",
        "metadata": {"name": NAME, "namespace": namespace, "labels": {"release": "kube-prometheus-stack"}},
        "spec": {
            "selector": {"matchLabels": {"app": NAME}},
            "podMetricsEndpoints": [{"port": "http", "interval": "2s"}],
        },
    }  # fmt: skip


def _hpa(namespace: str) -> Json:
    metric = {"metric": {"name": METRIC}, "target": {"type": "AverageValue", "averageValue": "1"}}
    return {
        "apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": NAME, "namespace": namespace},
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": NAME},
            "minReplicas": 1, "maxReplicas": 3, "metrics": [{"type": "Pods", "pods": metric}],
        },
    }  # fmt: skip


def _scaled_object(namespace: str) -> Json:
    trigger = {
        "type": "prometheus", "metricType": "AverageValue",
        "metadata": {
            "serverAddress": _PROMETHEUS, "threshold": "1", "ignoreNullValues": "false",
            "query": f'sum(up{{namespace="{namespace}"}})',
        },
    }  # fmt: skip
    return {
        "apiVersion": "keda.sh/v1alpha1", "kind": "ScaledObject", "metadata": {"name": NAME, "namespace": namespace},
        "spec": {
            "scaleTargetRef": {"name": NAME}, "minReplicaCount": 1, "maxReplicaCount": 3, "triggers": [trigger],
            "advanced": {"horizontalPodAutoscalerConfig": {"name": NAME}},
        },
    }  # fmt: skip
