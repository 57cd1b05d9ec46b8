"""Each engine and role, scaled 1 -> 3 -> 1 by the real KEDA through `enable`, all side by side; and no trace of it."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.cluster.conftest import Kubectl, Plugin, fresh_namespace
from tests.cluster.dump import differences
from tests.cluster.stub_workload import Stub
from tests.cluster.test_enable import until
from tests.cluster.test_engines import CASES, LIMIT, Loops, look

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(600)]

#: The load of its one pod that needs three.
LOADS: dict[str, dict[str, float]] = {
    "vllm": {"running": 8, "waiting": 6},
    "sglang": {"running": 8, "waiting": 6},
    "sglang-decode": {"running": 8, "waiting": 6},
}
SIGNALS = {
    "vllm": {"running", "waiting", "kv-cache"},
    "sglang": {"running", "waiting", "kv-cache"},
    "sglang-decode": {"running", "waiting", "kv-cache"},
}
LIFE = ("--backend=keda", "--min=1", "--max=3", "--scale-down-window=15s", "--scrape-interval=2s")


def scaled(stub: Stub, llm_hpa: Plugin, load: dict[str, float]) -> set[str]:
    """The whole life of one workload; the signals that KEDA asked for."""
    enabled = llm_hpa("enable", *stub.reference, *LIFE)
    assert enabled.code == 0, enabled.stderr
    (made,) = [
        one
        for one in stub.kubectl.get("scaledobject", "-n", stub.namespace)["items"]
        if one["metadata"]["name"] == stub.name
    ]
    stub.load(0, running=load["running"], waiting=load["waiting"], kv=0.1)
    until(lambda: stub.replicas() == 3, LIMIT, "1 -> 3")
    stub.load(0, running=0, waiting=0, kv=0)
    until(lambda: stub.replicas() == 1, LIMIT, "3 -> 1")
    disabled = llm_hpa("disable", *stub.reference)
    assert disabled.code == 0, disabled.stderr
    return {one["name"] for one in made["spec"]["triggers"]}


@pytest.fixture(scope="module")
def loops(kubectl: Kubectl, llm_hpa: Plugin) -> Iterator[Loops]:
    """All workloads in one namespace, their loops running; at the end there is no trace of them."""
    with fresh_namespace(kubectl) as namespace:
        stubs = {name: Stub(kubectl, namespace, name=name, **CASES[name].about) for name in LOADS}
        for wait in (False, True):
            for name, stub in stubs.items():
                stub.start(wait=wait, **CASES[name].shape)
        before = look(kubectl, namespace)
        with ThreadPoolExecutor(len(LOADS)) as pool:
            yield {name: pool.submit(scaled, stub, llm_hpa, LOADS[name]) for name, stub in stubs.items()}
        assert differences(before, look(kubectl, namespace)) == []


@pytest.mark.parametrize("name", LOADS)
def test_scales_up_and_down_again(loops: Loops, name: str) -> None:
    assert loops[name].result() == SIGNALS[name]
