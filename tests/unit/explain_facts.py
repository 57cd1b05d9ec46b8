"""Facts of an HPA written short, in the shapes that were seen on a real cluster."""

from __future__ import annotations

from typing import Any

from kubectl_llmhpa.api import Json
from kubectl_llmhpa.explain import Answer, Facts, Scale
from kubectl_llmhpa.hpa.arithmetic import Pod
from tests.unit.hpa_objects import W, average, hpa
from tests.unit.hpa_objects import pods as pods_metric

NOW = "2026-11-24T12:00:00+00:00"
AT_ONCE: Json = {
    "scaleUp": {"policies": [{"type": "Pods", "value": 100, "periodSeconds": 15}]},
    "scaleDown": {"stabilizationWindowSeconds": 0, "policies": [{"type": "Pods", "value": 100, "periodSeconds": 15}]},
}  # fmt: skip
GONE = "unable to fetch metrics from custom metrics API: the server could not find the metric m for pods"


def running(count: int, **phases: str) -> tuple[Pod, ...]:
    """`p0` to `pN`, all ready; `p3="Pending"` for one that is not running."""
    names = [f"p{number}" for number in range(count)]
    return tuple(Pod(name, phases.get(name, "Running"), name not in phases) for name in names)


def by_pod(*values: str | float) -> Answer:
    """A sample of each pod in turn."""
    return Answer("pods", pods={f"p{number}": str(value) for number, value in enumerate(values)})


def in_series(*values: str | float) -> Answer:
    return Answer("values", values=tuple(map(str, values)))


def external(name: str, target: Json) -> Json:
    return {"type": "External", "external": {"metric": {"name": name}, "target": target}}


def of_namespace(name: str, target: Json) -> Json:
    described = {"apiVersion": "v1", "kind": "Namespace", "name": "llm"}
    body = {"metric": {"name": name}, "describedObject": described, "target": target}
    return {"type": "Object", "object": body}


def facts(
    replicas: int,
    *answers: Answer,
    metrics: list[Json] | None = None,
    pods: tuple[Pod, ...] | None = None,
    limits: tuple[int, int] = (1, 6),
    shape: Json | None = None,
    status: int | None = None,
    minor: int | None = 37,
    events: tuple[Json, ...] = (),
    **about: Any,
) -> Facts:
    """Facts of an HPA of so many replicas, one pod each unless `pods` says otherwise; `about` goes to the HPA."""
    obj = hpa(
        metrics=metrics or [pods_metric(W, average("5"))],
        shape=AT_ONCE if shape is None else shape,
        replicas=about.pop("told", (replicas, replicas)),
        **about,
    )
    obj["spec"]["minReplicas"], obj["spec"]["maxReplicas"] = limits
    return Facts(
        hpa=obj,
        now=NOW,
        scale=Scale(replicas, replicas if status is None else status, "app=vllm"),
        pods=running(replicas) if pods is None else pods,
        answers=answers,
        minor=minor,
        events=events,
    )


def rescale(size: int, time: str, reason: str = f"pods metric {W} above target", **more: Any) -> Json:
    return {
        "reason": "SuccessfulRescale",
        "message": f"New size: {size}; reason: {reason}",
        "lastTimestamp": f"2026-11-24T{time}Z",
        "involvedObject": {"kind": "HorizontalPodAutoscaler", "name": "vllm", "namespace": "llm"},
        **more,
    }
