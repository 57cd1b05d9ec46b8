"""HPA objects for tests, as the API server of Kubernetes 1.37 hands them out."""

from __future__ import annotations

from typing import Any

from kubectl_llmhpa.api import Json
from kubectl_llmhpa.policy import behavior

W = "vllm:num_requests_waiting"
KV = "vllm:kv_cache_usage_perc"
ABLE = {
    "type": "AbleToScale",
    "status": "True",
    "reason": "ReadyForNewScale",
    "message": "recommended size matches current size",
}
ACTIVE = {
    "type": "ScalingActive", "status": "True", "reason": "ValidMetricFound",
    "message": f"the HPA was able to successfully calculate a replica count from pods metric {W}",
}  # fmt: skip
RANGE = {
    "type": "ScalingLimited",
    "status": "False",
    "reason": "DesiredWithinRange",
    "message": "the desired count is within the acceptable range",
}


def pods(name: str, target: Json) -> Json:
    return {"type": "Pods", "pods": {"metric": {"name": name}, "target": target}}


def average(value: str, kind: str = "AverageValue") -> Json:
    return {"type": kind, "averageValue": value}


def reported(name: str, value: str) -> Json:
    return {"type": "Pods", "pods": {"metric": {"name": name}, "current": {"averageValue": value}}}


def hpa(
    *,
    metrics: list[Json] | None = None,
    current_metrics: list[Json] | None = None,
    conditions: list[Json] | None = None,
    replicas: tuple[int, int] = (3, 3),
    shape: Json | None = None,
    last: str | None = "2026-11-24T11:00:00Z",
    **metadata: Any,
) -> Json:
    """An HPA of `StatefulSet/vllm`, 1 to 6 replicas; `replicas` are current and desired."""
    return {
        "metadata": {
            "name": "vllm",
            "namespace": "llm",
            "uid": "u1",
            "creationTimestamp": "2026-11-24T10:00:00Z",
            **metadata,
        },
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "vllm"},
            "minReplicas": 1,
            "maxReplicas": 6,
            "metrics": [pods(W, average("5"))] if metrics is None else metrics,
            "behavior": behavior() if shape is None else shape,
        },
        "status": {
            "currentReplicas": replicas[0],
            "desiredReplicas": replicas[1],
            "lastScaleTime": last,
            "currentMetrics": current_metrics,
            "conditions": [ABLE, ACTIVE, RANGE] if conditions is None else conditions,
        },
    }


def inactive(reason: str, message: str) -> list[Json]:
    return [ABLE, {"type": "ScalingActive", "status": "False", "reason": reason, "message": message}]


def failed(inner: str) -> list[Json]:
    return inactive(
        "FailedGetPodsMetric",
        f"the HPA was unable to compute the replica count: unable to get metric {W}: {inner}",
    )


def limited(reason: str) -> list[Json]:
    return [ABLE, ACTIVE, {"type": "ScalingLimited", "status": "True", "reason": reason, "message": ""}]


def held(reason: str) -> list[Json]:
    return [{"type": "AbleToScale", "status": "True", "reason": reason, "message": ""}, ACTIVE, RANGE]
