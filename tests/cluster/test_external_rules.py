"""`anticipate` through prometheus-adapter: its rule for External metrics, the API for it, and the way back."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from tests.cluster.conftest import ADAPTER, Json, Kubectl, Plugin
from tests.cluster.dump import differences, dump
from tests.cluster.plain_adapter import api_service_away
from tests.cluster.stub_workload import Stub
from tests.cluster.waiting import until

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(300)]

#: What the loop itself changes.
SCALED = "apps/v1 StatefulSet"
PEAK = "vllm:num_requests_running_peak_5m"


@pytest.fixture(autouse=True)
def nobodys_external_metrics(kubectl: Kubectl) -> Iterator[None]:
    """KEDA, which has the API for External metrics here, is without it."""
    with api_service_away(kubectl, "v1beta1.external.metrics.k8s.io"):
        yield


def external(stub: Stub) -> list[Json]:
    return [one["external"] for one in stub.hpa()["spec"]["metrics"] if one["type"] == "External"]


def test_the_peak_closes_the_loop_and_leaves_no_trace(
    llm_hpa: Plugin, stub: Stub, kubectl: Kubectl, namespace: str
) -> None:
    before = dump(kubectl, namespace)
    wanted = ("enable", *ADAPTER, *stub.reference, "--policy", "anticipate", "--max", "3")
    refused = llm_hpa(*wanted)
    assert refused.code == 1
    assert "--install-custom-metrics-api" in refused.stderr
    outcome = llm_hpa(*wanted, "--install-custom-metrics-api", "--scale-down-window", "5s")
    assert outcome.code == 0, outcome.stderr
    (metric,) = external(stub)
    selected = {"matchLabels": {"workload_name": "StatefulSet.vllm-inference"}}
    assert metric["metric"] == {"name": PEAK, "selector": selected}
    assert metric["target"] == {"type": "AverageValue", "averageValue": "4600m"}
    stub.load(running=8)
    until(lambda: stub.replicas() == 2, 60, "scale from 1 to 2 by the number now")
    assert llm_hpa("disable", *stub.reference).code == 0
    left = differences(before, dump(kubectl, namespace))
    assert [one for one in left if not one.startswith(SCALED)] == []


@pytest.mark.full
@pytest.mark.timeout(600)
def test_the_peak_is_forgotten_after_five_minutes(llm_hpa: Plugin, stub: Stub) -> None:
    flags = ("--policy=anticipate", "--max=3", "--install-custom-metrics-api", "--scale-down-window=5s")
    assert llm_hpa("enable", *ADAPTER, *stub.reference, *flags).code == 0
    stub.load(running=8)
    until(lambda: stub.replicas() == 2, 60, "scale from 1 to 2")
    time.sleep(40)  # the query looks every 15 s
    stub.load()
    time.sleep(60)
    assert stub.replicas() == 2, "the load may come again"
    until(lambda: stub.replicas() == 1, 400, "scale from 2 to 1")
