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
) -> Json:
    """An HPA with one Pods metric of type AverageValue per target.

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
            "metrics": [
                {
                    "type": "Pods",
                    "pods": {
                        "metric": {"name": target.metric},
                        "target": {"type": "AverageValue", "averageValue": quantities.show(target.value)},
                    },
                }
                for target in targets
            ],
            "behavior": behavior,
        },
    }
