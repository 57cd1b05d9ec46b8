"""Objects of ours that are written and taken back, as by a run whose later step fails."""

from __future__ import annotations

import functools

import pytest

from kubectl_llmhpa.api import (
    HPAS,
    MANAGED_BY,
    MANAGER,
    POD_MONITORS,
    SCALED_OBJECTS,
    TRIGGER_AUTHENTICATIONS,
    Resource,
)
from kubectl_llmhpa.errors import LlmHpaError
from kubectl_llmhpa.kube import Cluster
from kubectl_llmhpa.plan import objects, steps
from kubectl_llmhpa.plan.steps import Change
from tests.cluster.conftest import Json
from tests.cluster.waiting import until


class Fails:
    """A step that fails, so that those before it are undone."""

    def changes(self) -> list[Change]:
        return []

    def validate(self) -> None:
        """It is acceptable."""

    def do(self) -> list[Change]:
        raise LlmHpaError("do it", "it fails")

    def undo(self) -> None:
        """Nothing was done."""


def hpa_of(most: int) -> Json:
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "nobody"}
    return {"spec": {"scaleTargetRef": target, "maxReplicas": most}}


def monitor_of(path: str) -> Json:
    return {"spec": {"selector": {"matchLabels": {"app": "nobody"}}, "podMetricsEndpoints": [{"path": path}]}}


def scaled_object_of(most: int) -> Json:
    query = {"serverAddress": "http://nowhere", "query": "vector(1)", "threshold": "1"}
    triggers = [{"type": "prometheus", "metadata": query}]
    return {"spec": {"scaleTargetRef": {"name": "other"}, "maxReplicaCount": most, "triggers": triggers}}


def login_of(key: str) -> Json:
    return {"spec": {"secretTargetRef": [{"parameter": "bearerToken", "name": "nobody", "key": key}]}}


#: Two states of an object that is about nobody, by its kind.
EXAMPLES = {
    HPAS.kind: (hpa_of(2), hpa_of(3)),
    POD_MONITORS.kind: (monitor_of("/a"), monitor_of("/b")),
    SCALED_OBJECTS.kind: (scaled_object_of(2), scaled_object_of(3)),
    TRIGGER_AUTHENTICATIONS.kind: (login_of("a"), login_of("b")),
}


def undone(cluster: Cluster, *resources: Resource) -> None:
    """What a failure makes of objects of ours: a new one goes away, a changed one becomes what it was."""
    metadata = {"name": "undone", "namespace": cluster.namespace, "labels": {MANAGED_BY: MANAGER}}
    for resource in resources:
        head = {"apiVersion": resource.api_version, "kind": resource.kind, "metadata": metadata}
        first, second = (
            objects.OwnObject(cluster, resource, {**head, **spec}) for spec in EXAMPLES[resource.kind]
        )
        for before, step in (((), first), ((first,), second)):
            for one in before:
                one.do()
            with pytest.raises(LlmHpaError, match="it fails") as caught:
                steps.run([step, Fails()], lambda _: None)
            assert not isinstance(caught.value, steps.UndoError), caught.value
            if step is first:  # KEDA's finalizer holds a ScaledObject for a moment
                until(functools.partial(_gone, cluster, resource), 30, f"{resource.kind} is gone")
        cluster.delete(resource, cluster.namespace, "undone")


def _gone(cluster: Cluster, resource: Resource) -> bool:
    return objects.read(cluster, resource, cluster.namespace, "undone") is None
