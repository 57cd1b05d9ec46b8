"""`explain` beside the real controller, on both backends: it agrees, and what it foretells comes true."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from tests.cluster.conftest import ADAPTER, Json, Kubectl, Plugin, assert_one_sentence, fresh_namespace
from tests.cluster.stub_workload import Stub
from tests.cluster.waiting import until

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(400)]

BACKENDS = {"adapter": ADAPTER, "keda": ("--backend=keda",)}
LIFE = ("--min=1", "--max=3", "--signal=waiting=5", "--scale-down-window=15s", "--scrape-interval=2s")
LIMIT = 60.0


def explained(stub: Stub, llm_hpa: Plugin, *more: str) -> Json:
    outcome = llm_hpa("explain", *stub.reference, "-o", "json", *more)
    assert outcome.code == 0, outcome.stderr
    (item,) = json.loads(outcome.stdout)["items"]
    found: Json = item
    return found


def settled(stub: Stub, llm_hpa: Plugin, total: str, replicas: int) -> Json:
    """The explanation once the load and the replicas are there, and the controller has seen both."""
    found: Json = {}

    def same() -> bool:
        nonlocal found
        found = explained(stub, llm_hpa)
        (metric,) = found["metrics"]
        seen = metric["total"] == total and metric["lastSeen"] == metric["usage"]
        size = found["scale"]["replicas"] == found["scale"]["statusReplicas"] == replicas
        return bool(seen and size and not metric["missing"] and found["controller"]["agrees"])

    until(same, LIMIT, f"{total} waiting and {replicas} replicas, as the controller sees it")
    return found


def change(found: Json, kind: str) -> Json:
    (one,) = [change for change in found["changes"] if change["kind"] == kind]
    return dict(one)


def foretold(stub: Stub, llm_hpa: Plugin, backend: str) -> list[str]:
    """Up and down again by nothing but what `explain` says; the sentences."""
    enabled = llm_hpa("enable", *stub.reference, *BACKENDS[backend], *LIFE)
    assert enabled.code == 0, enabled.stderr
    stub.load(0, running=1, waiting=3, kv=0.1)
    more = change(settled(stub, llm_hpa, "3", 1), "more")
    stub.load(0, running=1, waiting=int(more["level"]) - 1, kv=0.1)
    short = settled(stub, llm_hpa, str(int(more["level"]) - 1), 1)
    assert short["result"]["replicas"] == 1
    stub.load(0, running=1, waiting=int(more["level"]), kv=0.1)
    until(lambda: stub.replicas() == more["replicas"], LIMIT, more["sentence"])
    found = settled(stub, llm_hpa, more["level"], more["replicas"])
    less = change(found, "less")
    stub.load(0, running=1, waiting=int(less["level"]), kv=0.1)
    until(lambda: stub.replicas() == less["replicas"], LIMIT, less["sentence"])
    assert_what_if(stub, llm_hpa)
    return [more["sentence"], less["sentence"]]


def assert_what_if(stub: Stub, llm_hpa: Plugin) -> None:
    """Other numbers give another result, and nothing of it is in the cluster."""
    before = stub.replicas()
    assert (
        explained(stub, llm_hpa, "--what-if", "waiting=40,max=10,replicas=1")["settled"] == 3
    )  # 2 pods at a time
    assert explained(stub, llm_hpa, "--what-if", "target.waiting=1000,replicas=1")["settled"] == 1
    assert stub.replicas() == before


@pytest.fixture(scope="module")
def stubs(kubectl: Kubectl) -> Iterator[dict[str, Stub]]:
    """A workload for each backend."""
    with fresh_namespace(kubectl) as namespace:
        found = {name: Stub(kubectl, namespace, name=name) for name in BACKENDS}
        for wait in (False, True):
            for stub in found.values():
                stub.start(wait=wait)
        yield found


Loops = dict[str, Future[list[str]]]


@pytest.fixture(scope="module")
def loops(stubs: dict[str, Stub], llm_hpa: Plugin) -> Iterator[Loops]:
    """Both running side by side; the plugin takes away what it added."""
    with ThreadPoolExecutor(len(stubs)) as pool:
        yield {name: pool.submit(foretold, stub, llm_hpa, name) for name, stub in stubs.items()}
    for stub in stubs.values():
        llm_hpa("disable", *stub.reference)


@pytest.mark.parametrize("backend", BACKENDS)
def test_what_is_foretold_comes_true(loops: Loops, backend: str) -> None:
    assert loops[backend].result()[0] == "3 more waiting (6 in all) would give 2"


def test_the_text_names_what_the_controller_says(
    loops: Loops, stubs: dict[str, Stub], llm_hpa: Plugin
) -> None:
    loops["keda"].result()
    stub = stubs["keda"]
    for words in (stub.reference[0], "scaledobject/keda", "hpa/keda"):
        outcome = llm_hpa("explain", words, "-n", stub.namespace)
        assert outcome.code == 0, outcome.stderr
        assert "Made by:     KEDA, from ScaledObject keda" in outcome.stdout
        assert "waiting  (s0-prometheus, External AverageValue, target 5)" in outcome.stdout
        assert "AbleToScale" in outcome.stdout


def test_nothing_to_explain(stubs: dict[str, Stub], llm_hpa: Plugin, kubectl: Kubectl) -> None:
    stub = next(iter(stubs.values()))
    kubectl.run("create", "deployment", "bare", "--image=x", "--replicas=0", "-n", stub.namespace)
    outcome = llm_hpa("explain", "deploy/bare", "-n", stub.namespace)
    assert_one_sentence(outcome, "no HPA or ScaledObject scales it", "kubectl llm-hpa enable deploy/bare")
