"""stand-in"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from kubectl_llmhpa import quantities
from kubectl_llmhpa.api import Json
from kubectl_llmhpa.engines import SignalSource, per_pod


@dataclass(frozen=True)
class Trigger:
    signal: str
    query: str
    threshold: Decimal
    metric_type: str


@dataclass(frozen=True)
class Fallback:
    replicas: int
    failures: int = 3
    behavior: str = "currentReplicasIfHigher"


def trigger(signal: str, value: Decimal, source: SignalSource, matchers: str) -> Trigger:
    return Trigger(signal, f"sum({per_pod(source.spec, matchers=matchers)})", value, "AverageValue")


def render(
    *,
    name: str,
    namespace: str,
    scale_target: Json,
    min_replicas: int,
    max_replicas: int,
    triggers: Any,
    behavior: Json,
    address: str,
    labels: Any,
    annotations: Any,
    hpa_name: str,
    fallback: Fallback | None = None,
    authentication: str = "",
    unsafe_ssl: bool = False,
    transfer: bool = False,
) -> Json:
    marks = dict(annotations)
    if transfer:
        marks["scaledobject.keda.sh/transfer-hpa-ownership"] = "true"
    return {
        "apiVersion": "keda.sh/v1alpha1",
        "kind": "ScaledObject",
        "metadata": {"name": name, "namespace": namespace, "labels": dict(labels), "annotations": marks},
        "spec": {
            "scaleTargetRef": {k: scale_target[k] for k in ("apiVersion", "kind", "name")},
            "minReplicaCount": min_replicas,
            "maxReplicaCount": max_replicas,
            "advanced": {"horizontalPodAutoscalerConfig": {"name": hpa_name, "behavior": behavior}},
            "triggers": [
                {
                    "type": "prometheus",
                    "name": t.signal,
                    "metricType": t.metric_type,
                    "metadata": {
                        "serverAddress": address,
                        "query": t.query,
                        "threshold": quantities.show(t.threshold)
                        if t.threshold == int(t.threshold)
                        else f"{t.threshold:f}",
                        "ignoreNullValues": "false",
                    },
                }
                for t in triggers
            ],
        },
    }


def trigger_authentication(
    *, name: str, namespace: str, secret: str, key: str, labels: Any, annotations: Any
) -> Json:
    return {
        "apiVersion": "keda.sh/v1alpha1",
        "kind": "TriggerAuthentication",
        "metadata": {
            "name": name,
            "namespace": namespace,
            "labels": dict(labels),
            "annotations": dict(annotations),
        },
        "spec": {"secretTargetRef": [{"parameter": "bearerToken", "name": secret, "key": key}]},
    }
