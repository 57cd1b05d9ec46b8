"""When KEDA's HPA is that of its ScaledObject, and no longer that of the one before."""

from __future__ import annotations

import time

import pytest

from kubectl_llmhpa import hpa
from kubectl_llmhpa.api import STATEFUL_SETS
from kubectl_llmhpa.errors import LlmHpaError
from kubectl_llmhpa.plan.setting_up import hops, keda_hops
from kubectl_llmhpa.workloads import Workload
from tests.unit.test_keda_status import kedas, scaled
from tests.unit.test_status import Recorded


@pytest.mark.parametrize(
    ("queries", "threshold", "expected"),
    [
        (2, "5", True),
        (2, "5.0004", True),
        (2, "4", False),
        (1, "5", False),
        (3, "5", False),
    ],
)
def test_an_hpa_has_the_targets_of_its_scaled_object(queries: int, threshold: str, expected: bool) -> None:
    found = scaled(signals=("in-flight", "waiting", "running")[:queries])
    found["spec"]["triggers"][0]["metadata"]["threshold"] = threshold
    assert keda_hops.made_of(hpa.view(kedas("1", "1")), found) is expected


def test_a_formula_of_kedas_is_one_metric_of_another_name() -> None:
    found = scaled()
    found["spec"]["advanced"]["scalingModifiers"] = {"formula": "a + b", "target": "4"}
    assert keda_hops.made_of(hpa.view(kedas("1", "1")), found)


def test_what_somebody_deleted_is_not_waited_for() -> None:
    workload = Workload(STATEFUL_SETS, "llm", "vllm", {}, 1, "app=vllm")
    for hop in (keda_hops.ready, keda_hops.scaling_active, hops.scaling_active):
        with pytest.raises(LlmHpaError, match=r"vllm in namespace 'llm': somebody deleted it meanwhile"):
            hops.wait(hop(Recorded(), workload, "vllm"), time.monotonic(), 60, lambda *_: None)
