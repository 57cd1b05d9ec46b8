"""Each engine and role, scaled 1 -> 3 -> 1 through `enable` by each backend, all side by side; and no trace of it."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import pytest

from tests.cluster.conftest import ADAPTER, Json, Kubectl, Plugin, fresh_namespace
from tests.cluster.dump import differences, dump
from tests.cluster.stub_workload import KINDS, Stub
from tests.cluster.waiting import until
from tests.cluster.workloads import LWS_INDEX

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(600)]

IDLE: dict[str, Any] = {"running": 0.0, "waiting": 0.0, "kv": 0.0}
LIMIT = 90.0


@dataclass(frozen=True)
class Case:
    """A workload, and which metric its HPA is to ask for by which signal."""

    about: dict[str, Any]
    shape: dict[str, Any]
    metrics: dict[str, str]
    #: What its one pod shows so that three are wanted.
    load: tuple[int, int] = (8, 6)


VLLM = {
    "running": "vllm:num_requests_running",
    "waiting": "vllm:num_requests_waiting",
    "kv-cache": "vllm:kv_cache_usage_perc",
}
SGLANG = {
    "running": "sglang:num_running_reqs",
    "waiting": "sglang:num_queue_reqs",
    "kv-cache": "sglang:token_usage",
}
CASES = {
    "vllm": Case({"engine": "vllm"}, {}, VLLM),
    "sglang": Case({"engine": "sglang", "kind": "Deployment"}, {"port_name": None}, SGLANG),
    "sglang-prefill": Case(
        {"engine": "sglang", "role": "prefill", "kind": "Deployment"},
        {"declared": False},
        {"in-flight": "sglang:num_reqs_in_flight"},
        load=(8, 14),
    ),
    "sglang-decode": Case(
        {"engine": "sglang", "role": "decode", "kind": "LeaderWorkerSet"},
        {},
        SGLANG | {"waiting": "sglang:num_decode_waiting_reqs"},
    ),
    "dynamo": Case({"engine": "dynamo", "kind": "Deployment"}, {"port_name": "system"}, VLLM),
    "llamacpp": Case(
        {"engine": "llamacpp"},
        {"sidecar": 9000},
        {"running": "llamacpp:requests_processing", "waiting": "llamacpp:requests_deferred"},
    ),
}
BACKENDS = {"prometheus-adapter": ADAPTER, "keda": ("--backend=keda",)}
LIFE = ("--min=1", "--max=3", "--scale-down-window=5s", "--scrape-interval=2s")


def scaled(stub: Stub, llm_hpa: Plugin, backend: str, load: tuple[int, int]) -> set[str]:
    """The whole life of one workload; what the backend asked for: names of metrics, of KEDA's triggers."""
    enabled = llm_hpa("enable", *BACKENDS[backend], *stub.reference, *LIFE)
    assert enabled.code == 0, enabled.stderr
    asked = asked_for(stub, backend)
    stub.load(0, **IDLE)
    stub.load(0, running=load[0], waiting=load[1], kv=0.1)
    until(lambda: stub.ready() == 3, LIMIT, f"{stub.name}: 1 -> 3")
    if stub.kind == "LeaderWorkerSet":
        until(lambda: workers(stub) == 3, LIMIT, "a worker without metrics beside each leader")
    stub.load(0, **IDLE)
    until(lambda: stub.replicas() == 1, LIMIT, f"{stub.name}: 3 -> 1")
    disabled = llm_hpa("disable", *stub.reference)
    assert disabled.code == 0, disabled.stderr
    return asked


def asked_for(stub: Stub, backend: str) -> set[str]:
    if backend == "keda":
        made = stub.kubectl.get("scaledobject", stub.name, "-n", stub.namespace)
        return {one["name"] for one in made["spec"]["triggers"]}
    return {one["pods"]["metric"]["name"] for one in stub.hpa()["spec"]["metrics"]}


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


@dataclass(frozen=True)
class Loops:
    """The loops of one backend, running."""

    backend: str
    asked: dict[str, Future[set[str]]]


@pytest.fixture(scope="module", params=BACKENDS)
def loops(request: pytest.FixtureRequest, kubectl: Kubectl, llm_hpa: Plugin) -> Iterator[Loops]:
    """All workloads in one namespace; at the end there is no trace of what was done to them."""
    backend: str = request.param
    with fresh_namespace(kubectl) as namespace:
        stubs = {name: Stub(kubectl, namespace, name=name, **case.about) for name, case in CASES.items()}
        for wait in (False, True):
            for name, stub in stubs.items():
                stub.start(wait=wait, **CASES[name].shape)
        before = look(kubectl, namespace)
        with ThreadPoolExecutor(len(CASES)) as pool:
            yield Loops(
                backend,
                {
                    name: pool.submit(scaled, stub, llm_hpa, backend, CASES[name].load)
                    for name, stub in stubs.items()
                },
            )
        assert differences(before, look(kubectl, namespace)) == []


@pytest.mark.parametrize("name", CASES)
def test_scales_from_1_to_3_and_back_to_1(loops: Loops, name: str) -> None:
    metrics = CASES[name].metrics
    asked = set(metrics) if loops.backend == "keda" else set(metrics.values())
    assert loops.asked[name].result() == asked
