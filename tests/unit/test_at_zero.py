"""What keeps a plain HPA from leaving zero, as staged on a real controller."""

from __future__ import annotations

from typing import Any

import pytest

from kubectl_llmhpa.api import Json
from kubectl_llmhpa.hpa.at_zero import traps

EXTERNAL: Json = {
    "type": "External",
    "external": {"metric": {"name": "queue"}, "target": {"type": "AverageValue", "averageValue": "5"}},
}
PODS: Json = {
    "type": "Pods",
    "pods": {"metric": {"name": "running"}, "target": {"type": "AverageValue", "averageValue": "5"}},
}
PERCENT: Json = {"type": "Percent", "value": 100, "periodSeconds": 15}
NUMBER: Json = {"type": "Pods", "value": 4, "periodSeconds": 15}
DISABLED: Json = {"type": "ScalingActive", "status": "False", "reason": "ScalingDisabled"}
ITSELF: Json = {"type": "ScaledToZero", "status": "True", "reason": "ScaledToZero"}


def codes(
    *, low: int = 0, metrics: tuple[Json, ...] = (EXTERNAL,), up: Json | None = None, conditions: tuple[Json, ...] = ()
) -> list[str]:  # fmt: skip
    spec: dict[str, Any] = {"minReplicas": low, "maxReplicas": 3, "metrics": list(metrics)}
    if up is not None:
        spec["behavior"] = {"scaleUp": up}
    metadata = {"name": "x", "namespace": "ml"}
    return [
        one.code
        for one in traps({"metadata": metadata, "spec": spec, "status": {"conditions": list(conditions)}})
    ]


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({}, []),
        ({"low": 1, "metrics": (PODS,)}, []),
        ({"metrics": (PODS, EXTERNAL)}, []),
        ({"metrics": (PODS,)}, ["nobody-counts-at-zero"]),
        ({"up": {"policies": [PERCENT]}}, ["stuck-policy"]),
        ({"up": {"policies": [PERCENT, NUMBER]}}, []),
        ({"up": {"policies": [PERCENT, NUMBER], "selectPolicy": "Min"}}, ["stuck-policy"]),
        ({"up": {"selectPolicy": "Min"}}, ["stuck-policy"]),
        ({"up": {"policies": [NUMBER], "selectPolicy": "Min"}}, []),
        ({"up": {"selectPolicy": "Disabled"}}, ["stuck-policy"]),
        ({"conditions": (DISABLED,)}, ["forgotten-zero"]),
        ({"conditions": (DISABLED, ITSELF)}, []),
    ],
)
def test_traps(changed: dict[str, Any], expected: list[str]) -> None:
    assert codes(**changed) == expected


def test_kedas_hpa_is_no_matter_of_this() -> None:
    owned = {
        "metadata": {"ownerReferences": [{"kind": "ScaledObject", "name": "x"}]},
        "spec": {"minReplicas": 0, "metrics": [PODS]},
    }
    assert traps(owned) == ()
