"""Each engine and role, scaled 1 -> 2 -> 1 by the real HPA that `enable` made; all of them side by side."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import pytest

from tests.cluster.conftest import ADAPTER, Json, Kubectl, Plugin, fresh_namespace
from tests.cluster.dump import differences, dump
from tests.cluster.stub_workload import KINDS, Stub
from tests.cluster.test_enable import until
from tests.cluster.workloads import LWS_INDEX

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(600)]

IDLE: dict[str, Any] = {"running": 0.0, "waiting": 0.0, "kv": 0.0}
LIMIT = 90.0


@dataclass(frozen=True)
class Case:
    """A workload, the load of its one pod that needs two, and what its HPA is to ask for."""

    about: dict[str, Any]
    shape: dict[str, Any]
    load: dict[str, float]
    metrics: set[str]


SGLANG = {"sglang:num_running_reqs", "sglang:num_queue_reqs", "sglang:token_usage"}
CASES = {
    "vllm": Case(
        {"engine": "vllm"},
        {},
        {"running": 8, "waiting": 2},
        {"vllm:num_requests_running", "vllm:num_requests_waiting", "vllm:kv_cache_usage_perc"},
    ),
    "sglang": Case(
        {"engine": "sglang", "kind": "Deployment"}, {"port_name": None}, {"running": 8, "waiting": 2}, SGLANG
    ),
    "sglang-prefill": Case(
        {"engine": "sglang", "role": "prefill", "kind": "Deployment"},
        {"declared": False},
        {"running": 4, "waiting": 5},
        {"sglang:num_reqs_in_flight"},
    ),
    "sglang-decode": Case(
        {"engine": "sglang", "role": "decode", "kind": "LeaderWorkerSet"},
        {},
        {"running": 8, "waiting": 1},
        SGLANG - {"sglang:num_queue_reqs"} | {"sglang:num_decode_waiting_reqs"},
    ),
    "llamacpp": Case(
        {"engine": "llamacpp"},
        {"sidecar": 9000},
        {"running": 8, "waiting": 2},
        {"llamacpp:requests_processing", "llamacpp:requests_deferred"},
    ),
}
LIFE = ("--min", "1", "--max", "2", "--scale-down-window", "0s", "--scrape-interval", "2s")


def scaled(stub: Stub, llm_hpa: Plugin, load: dict[str, Any]) -> set[str]:
    """The whole life of one workload; the metrics that its HPA asked for."""
    enabled = llm_hpa("enable", *ADAPTER, *stub.reference, *LIFE)
    assert enabled.code == 0, enabled.stderr
    metrics = {one["pods"]["metric"]["name"] for one in stub.hpa()["spec"]["metrics"]}
    stub.load(0, **IDLE)
    stub.load(0, **load)
    until(lambda: stub.replicas() == 2, LIMIT, "1 -> 2")
    if stub.kind == "LeaderWorkerSet":
        until(lambda: workers(stub) == 2, LIMIT, "a worker without metrics beside each leader")
    stub.load(0, **IDLE)
    until(lambda: stub.replicas() == 1, LIMIT, "2 -> 1")
    disabled = llm_hpa("disable", *stub.reference)
    assert disabled.code == 0, disabled.stderr
    return metrics


def workers(stub: Stub) -> int:
    """Running pods of a LeaderWorkerSet that have no metrics, and must not keep the HPA from scaling down."""
    selector = f"leaderworkerset.sigs.k8s.io/name={stub.name},{LWS_INDEX}=1"
    found = stub.kubectl.get("pods", "-n", stub.namespace, "-l", selector)["items"]
    return sum(pod["status"]["phase"] == "Running" for pod in found)


def look(kubectl: Kubectl, namespace: str) -> dict[str, Json]:
    """The cluster without whose fields the workloads' are: scaling gives `replicas` to the HPA controller."""
    found = dump(kubectl, namespace)
    for one in found.values():
        if one["kind"] in KINDS and one["metadata"]["namespace"] == namespace:
            one["metadata"].pop("managedFields")
    return found


Loops = dict[str, "Future[set[str]]"]


@pytest.fixture(scope="module")
def loops(kubectl: Kubectl, llm_hpa: Plugin) -> Iterator[Loops]:
    """All workloads in one namespace, their loops running; at the end there is no trace of them."""
    with fresh_namespace(kubectl) as namespace:
        stubs = {name: Stub(kubectl, namespace, name=name, **case.about) for name, case in CASES.items()}
        for wait in (False, True):
            for name, stub in stubs.items():
                stub.start(wait=wait, **CASES[name].shape)
        before = look(kubectl, namespace)
        with ThreadPoolExecutor(len(CASES)) as pool:
            yield {name: pool.submit(scaled, stub, llm_hpa, CASES[name].load) for name, stub in stubs.items()}
        assert differences(before, look(kubectl, namespace)) == []


@pytest.mark.parametrize("name", CASES)
def test_scales_up_and_down_again(loops: Loops, name: str) -> None:
    assert loops[name].result() == CASES[name].metrics
