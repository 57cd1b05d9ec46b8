"""The autoscaling/v2 object that we write."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from kubectl_llmhpa import quantities
from kubectl_llmhpa.api import HPAS, Json

if TYPE_CHECKING:
    from kubectl_llmhpa.policy import Target


def render(
    *,
    name: str,
    namespace: str,
    scale_target: Json,
    min_replicas: int,
    max_replicas: int,
    targets: Sequence[Target],
    behavior: Json,
    labels: Mapping[str, str],
    annotations: Mapping[str, str],
    selected_by: Mapping[str, str],
) -> Json:
    """An HPA with one metric of type AverageValue per target.

    A target of one number over all pods becomes an External metric, whose series have the labels `selected_by`.

    `scale_target` has apiVersion, kind and name. The controller reads only `averageValue` of a Pods metric, whatever
    its `type` says (replica_calculator.go); both are written so that they agree.
    """
    return {
        "apiVersion": HPAS.api_version,
        "kind": HPAS.kind,
        "metadata": {
            "name": name,
            "namespace": namespace,
            "labels": dict(labels),
            "annotations": dict(annotations),
        },
        "spec": {
            "scaleTargetRef": {key: scale_target[key] for key in ("apiVersion", "kind", "name")},
            "minReplicas": min_replicas,
            "maxReplicas": max_replicas,
            "metrics": [_metric(one, selected_by) for one in targets],
            "behavior": behavior,
        },
    }


def _metric(target: Target, selected_by: Mapping[str, str]) -> Json:
    asked = {"type": "AverageValue", "averageValue": quantities.show(target.value)}
    metric: Json = {"name": target.served_as}
    if target.peak is None:
        return {"type": "Pods", "pods": {"metric": metric, "target": asked}}
    metric["selector"] = {"matchLabels": dict(selected_by)}
    return {"type": "External", "external": {"metric": metric, "target": asked}}
