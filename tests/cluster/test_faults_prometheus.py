"""Prometheus is down or empty, or a number is NaN or infinite: the replicas stay, and every command says why."""

from __future__ import annotations

import contextlib
import json
import math
import time
from collections.abc import Callable, Iterator

import pytest

from tests.cluster.conftest import ADAPTER, Kubectl, Plugin, fresh_namespace
from tests.cluster.dump import differences, dump
from tests.cluster.stub_workload import Stub
from tests.cluster.test_migrate import Watched

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(400)]

BACKENDS = {"by-adapter": ADAPTER, "by-keda": ("--backend=keda",)}
#: No patience at all: whatever would let the replicas fall does so within one sync.
LIFE = ("--min=1", "--max=3", "--scale-down-window=0s", "--scrape-interval=2s")
REPLICAS = 2
#: Seconds of broken numbers: several scrapes and syncs.
LONG = 15.0
#: Seconds after which a pod's numbers have been scraped, whichever pod is scraped first.
SCRAPED = 3.0
PROMETHEUS = ("prometheus/kube-prometheus-stack-prometheus", "-n", "monitoring")
OPERATOR = ("deploy/kube-prometheus-stack-operator", "-n", "monitoring")


def until(condition: Callable[[], bool], limit: float, what: str) -> None:
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < limit, f"{what}: not within {limit} s"
        time.sleep(0.5)


@pytest.fixture
def pair(under_load: list[Stub]) -> Iterator[list[Stub]]:
    """The two, whatever a test before has made them show."""
    yield under_load
    for stub in under_load:
        busy(stub)


@pytest.fixture(scope="module")
def under_load(kubectl: Kubectl, llm_hpa: Plugin) -> Iterator[list[Stub]]:
    """A workload of two pods by each backend, under a load that asks for exactly two."""
    with fresh_namespace(kubectl) as namespace:
        stubs = [Stub(kubectl, namespace, name) for name in BACKENDS]
        for wait in (False, True):
            for stub in stubs:
                stub.start(replicas=REPLICAS, wait=wait)
        for stub in stubs:
            busy(stub)
            outcome = llm_hpa("enable", *stub.reference, *BACKENDS[stub.name], *LIFE)
            assert outcome.code == 0, outcome.stderr
        yield stubs
        for stub in stubs:
            outcome = llm_hpa("disable", *stub.reference)
            assert outcome.code == 0, outcome.stderr


def show(stub: Stub, number: float, *, absent: tuple[str, ...] = ()) -> None:
    """The first pod last: its load alone asks for two, so that a sync between the two changes nothing."""
    for pod in reversed(range(REPLICAS)):
        if pod == 0:
            time.sleep(SCRAPED)
        stub.load(pod, absent=absent, running=number, waiting=number, kv=number)


def busy(stub: Stub) -> None:
    """8 requests against a target of 4: two replicas, as the first pod's 5 are for a backend that sees it alone."""
    for pod, running in enumerate((5, 3)):
        if pod > 0:
            time.sleep(SCRAPED)
        stub.load(pod, running=running, waiting=0, kv=0.3)


def said(llm_hpa: Plugin, stub: Stub) -> tuple[str, str]:
    """State and reason, as `status` tells them."""
    (item,) = json.loads(llm_hpa("status", *stub.reference, "-o", "json").stdout)["items"]
    if item["state"].startswith("Broken"):
        assert [one["now"] for one in item["metrics"]] == [None] * len(item["metrics"]), "shown as a number"
    return item["state"], item["why"]


@contextlib.contextmanager
def kept(stubs: list[Stub]) -> Iterator[None]:
    """The replicas never change until the end of the block."""
    with contextlib.ExitStack() as stack:
        watched = [stack.enter_context(Watched(stub)) for stub in stubs]
        yield
    assert [set(one.seen) for one in watched] == [{REPLICAS}] * len(stubs)


def all_say(llm_hpa: Plugin, pair: list[Stub], *states: str) -> bool:
    return all(said(llm_hpa, stub)[0] in states for stub in pair)


NUMBERS = {"nan": math.nan, "inf": math.inf, "minus-inf": -math.inf, "empty": 0.0}


@pytest.mark.parametrize("number", NUMBERS)
def test_no_number_freezes_and_is_said(llm_hpa: Plugin, pair: list[Stub], number: str) -> None:
    with kept(pair):
        for stub in pair:
            show(stub, NUMBERS[number], absent=("running", "waiting", "kv") if number == "empty" else ())
        broken = ("Broken: sample", "Broken: value", "Broken: name")
        until(lambda: all_say(llm_hpa, pair, *broken), 60, "status says it")
        time.sleep(LONG)
        by_adapter, by_keda = pair
        why = said(llm_hpa, by_adapter)[1]
        assert "no pod of the workload has a sample" in why or "does not know" in why
        # which of the four it is an event tells, of which the API server takes no more than one in five minutes
        assert "KEDA cannot compute running" in said(llm_hpa, by_keda)[1]
        for stub in pair:
            busy(stub)
        until(lambda: all_say(llm_hpa, pair, "Steady"), 90, "both scale again")


@pytest.mark.parametrize("backend", BACKENDS)
def test_enable_waits_for_a_number_and_names_the_hop(
    llm_hpa: Plugin, kubectl: Kubectl, namespace: str, backend: str
) -> None:
    stub = Stub(kubectl, namespace)
    stub.start()
    stub.load(running=math.nan, waiting=math.nan, kv=math.nan)
    before = dump(kubectl, namespace)
    outcome = llm_hpa("enable", *stub.reference, *BACKENDS[backend], *LIFE, "--timeout=60s")
    assert outcome.code == 1
    assert "wait for the sample: after" in outcome.stderr
    assert "for no pod yet" in outcome.stderr
    assert differences(before, dump(kubectl, namespace)) == []


@pytest.mark.parametrize("backend", BACKENDS)
def test_prometheus_never_hears_of_the_pods(
    llm_hpa: Plugin, kubectl: Kubectl, namespace: str, backend: str
) -> None:
    """Its operator is down, so that it stays empty."""
    stub = Stub(kubectl, namespace)
    stub.start()
    kubectl.run("scale", *OPERATOR, "--replicas=0")
    try:
        before = dump(kubectl, namespace)
        outcome = llm_hpa("enable", *stub.reference, *BACKENDS[backend], *LIFE, "--timeout=15s")
        assert outcome.code == 1
        assert "wait for the scrape target" in outcome.stderr
        assert "Prometheus has not loaded the PodMonitor yet" in outcome.stderr
        assert differences(before, dump(kubectl, namespace)) == []
    finally:
        kubectl.run("scale", *OPERATOR, "--replicas=1")


def test_prometheus_is_down(llm_hpa: Plugin, kubectl: Kubectl, pair: list[Stub], namespace: str) -> None:
    fresh = Stub(kubectl, namespace)
    fresh.start()
    with kept(pair):
        with without_prometheus(kubectl):
            until(lambda: all_say(llm_hpa, pair, "Broken: value"), 60, "status says it")
            before = dump(kubectl, namespace)
            for flags in BACKENDS.values():
                outcome = llm_hpa("enable", *fresh.reference, *flags, *LIFE)
                assert outcome.code == 1
                assert "ask Prometheus monitoring/kube-prometheus-stack-prometheus" in outcome.stderr
                assert "no endpoints available" in outcome.stderr
                assert differences(before, dump(kubectl, namespace)) == []
            time.sleep(LONG)
        until(lambda: all_say(llm_hpa, pair, "Steady"), 150, "both scale again")


@contextlib.contextmanager
def without_prometheus(kubectl: Kubectl) -> Iterator[None]:
    """No Prometheus runs until the end of the block."""

    def scale(replicas: int) -> None:
        patch = json.dumps({"spec": {"replicas": replicas}})
        kubectl.run("patch", *PROMETHEUS, "--type=merge", "-p", patch)

    scale(0)
    selector = "app.kubernetes.io/name=prometheus"
    kubectl.run("wait", "pod", *PROMETHEUS[1:], "-l", selector, "--for=delete", "--timeout=90s")
    try:
        yield
    finally:
        scale(1)
        kubectl.run("wait", *PROMETHEUS, "--for=condition=Available", "--timeout=120s", timeout=150)
