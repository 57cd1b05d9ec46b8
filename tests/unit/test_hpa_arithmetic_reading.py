"""What the arithmetic of the HPA reads: quantities, and objects as the API server writes them."""

from __future__ import annotations

from typing import Any

import pytest

from kubectl_llmhpa.errors import LlmHpaError
from kubectl_llmhpa.hpa import go
from kubectl_llmhpa.hpa.arithmetic import Pod, ScalingPolicy, ScalingRules, reading

Json = dict[str, Any]
NAN = "-9223372036854775808m"


@pytest.mark.parametrize(
    ("text", "milli"),
    [
        ("5", 5000),
        ("700m", 700),
        ("0.0004", 1),
        ("-0.0004", -1),
        ("1.5k", 1500000),
        ("2Ki", 2048000),
        (NAN, 0),
        ("10P", 0),
    ],
)
def test_thousandths(text: str, milli: int) -> None:
    assert go.milli(text) == milli


@pytest.mark.parametrize("text", ["", "five", "5 m", "0x5", "NaN", "1e", "1e3k", "."])
def test_no_quantity(text: str) -> None:
    with pytest.raises(ValueError, match="not a quantity"):
        go.milli(text)


def test_cpu_is_not_calculated() -> None:
    entry = {"type": "Resource", "resource": {"name": "cpu", "target": {"averageUtilization": 80}}}
    with pytest.raises(LlmHpaError, match="Resource"):
        reading.spec({"spec": {"maxReplicas": 3, "metrics": [entry]}})


def test_objects_are_read_as_the_api_server_writes_them() -> None:
    written: Json = {
        "metadata": {"name": "p0", "deletionTimestamp": "2026-11-24T11:00:00Z"},
        "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]},
    }
    assert reading.pods([written, {"metadata": {"name": "p1"}, "status": {"phase": "Pending"}}]) == (
        Pod("p0", deleting=True),
        Pod("p1", "Pending", ready=False),
    )


def test_a_file_gets_the_defaults_of_the_api_server() -> None:
    spec = reading.spec({"spec": {"maxReplicas": 3, "metrics": [], "behavior": {}}})
    assert spec.up == ScalingRules(
        0, "Max", (ScalingPolicy("Pods", 4, 15), ScalingPolicy("Percent", 100, 15))
    )
    assert spec.down == ScalingRules(300, "Max", (ScalingPolicy("Percent", 100, 15),))
    assert (spec.min_replicas, spec.max_replicas) == (1, 3)
