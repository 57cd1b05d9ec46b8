"""Prometheus is down or empty, or a number is NaN or infinite: the replicas stay, and every command says why."""

from __future__ import annotations

import contextlib
import json
import math
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.cluster.conftest import ADAPTER, Json, Kubectl, Outcome, Plugin
from tests.cluster.dump import differences, dump
from tests.cluster.stub_workload import Stub
from tests.cluster.test_migrate import Watched
from tests.cluster.waiting import until

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(400)]

BACKENDS = {"by-adapter": ADAPTER, "by-keda": ("--backend=keda",)}
#: What the pods of a workload show instead of their load.
NUMBERS = {"nan": math.nan, "inf": math.inf, "minus-inf": -math.inf, "empty": 0.0}
#: No patience at all: whatever would let the replicas fall does so within one sync.
LIFE = ("--min=1", "--max=3", "--scale-down-window=0s", "--scrape-interval=2s")
REPLICAS = 2
#: Requests in each pod, against a target of 4. Two replicas are right for one pod's as for both's, within the
#: tolerance, so that it does not matter which pod is scraped first.
RUNNING = 4.3
#: Seconds of broken numbers: several scrapes and syncs.
LONG = 15.0
PROMETHEUS = ("prometheus/kube-prometheus-stack-prometheus", "-n", "monitoring")
OPERATOR = ("deploy/kube-prometheus-stack-operator", "-n", "monitoring")


@contextlib.contextmanager
def under_load(kubectl: Kubectl, llm_hpa: Plugin, namespace: str, *numbers: str) -> Iterator[list[Stub]]:
    """A workload of two pods for each backend and each number, under a load that asks for exactly two."""
    made = {
        backend: [Stub(kubectl, namespace, f"{number}-{backend}") for number in numbers]
        for backend in BACKENDS
    }
    every = [stub for stubs in made.values() for stub in stubs]
    for stub in every:
        stub.start(replicas=REPLICAS, wait=False)
    for stub in every:
        kubectl.run("rollout", "status", f"sts/{stub.name}", "-n", namespace, "--timeout=120s")
        busy(stub)
    for outcome in enable(llm_hpa, {backend: chosen(stubs) for backend, stubs in made.items()}):
        assert outcome.code == 0, outcome.stderr
    yield every
    outcome = llm_hpa("disable", *chosen(every))
    assert outcome.code == 0, outcome.stderr


def chosen(stubs: list[Stub]) -> tuple[str, ...]:
    """These workloads, as the plugin's commands take several."""
    return "-l", f"app in ({','.join(one.name for one in stubs)})", "-n", stubs[0].namespace


def busy(stub: Stub) -> None:
    for pod in range(REPLICAS):
        stub.load(pod, running=RUNNING, waiting=0, kv=0.3)


def broken(stub: Stub) -> None:
    """The number that its name begins with."""
    number = next(one for one in NUMBERS if stub.name.startswith(one))
    absent = ("running", "waiting", "kv") if number == "empty" else ()
    shown = NUMBERS[number]
    for pod in range(REPLICAS):
        stub.load(pod, absent=absent, running=shown, waiting=shown, kv=shown)


def enable(llm_hpa: Plugin, wanted: Mapping[str, tuple[str, ...]], *flags: str) -> list[Outcome]:
    """`enable` of what is wanted by each backend, side by side."""

    def run(backend: str) -> Outcome:
        return llm_hpa("enable", *wanted[backend], *BACKENDS[backend], *LIFE, *flags)

    with ThreadPoolExecutor() as pool:
        return list(pool.map(run, wanted))


def said(llm_hpa: Plugin, stubs: list[Stub]) -> list[Json]:
    """What `status` tells of each."""
    found: list[Json] = json.loads(llm_hpa("status", "-n", stubs[0].namespace, "-o", "json").stdout)["items"]
    assert len(found) == len(stubs)
    return found


@contextlib.contextmanager
def kept(stubs: list[Stub]) -> Iterator[None]:
    """The replicas never change until the end of the block."""
    with contextlib.ExitStack() as stack:
        watched = [stack.enter_context(Watched(stub)) for stub in stubs]
        yield
    assert {stub.name: set(one.seen) for stub, one in zip(stubs, watched, strict=True)} == {
        stub.name: {REPLICAS} for stub in stubs
    }


def all_say(llm_hpa: Plugin, stubs: list[Stub], *states: str) -> bool:
    return all(one["state"] in states for one in said(llm_hpa, stubs))


def test_no_number_freezes_and_is_said(llm_hpa: Plugin, kubectl: Kubectl, namespace: str) -> None:
    with under_load(kubectl, llm_hpa, namespace, *NUMBERS) as stubs, kept(stubs):
        for stub in stubs:
            broken(stub)
        states = ("Broken: sample", "Broken: value", "Broken: name")
        until(lambda: all_say(llm_hpa, stubs, *states), 60, "status says it")
        time.sleep(LONG)
        for one in said(llm_hpa, stubs):
            assert {metric["now"] for metric in one["metrics"]} == {None}, "shown as a number"
            if one["name"].endswith("by-keda"):
                # which of the four it is an event tells, of which the API server takes no more than one in five minutes
                assert "KEDA cannot compute running" in one["why"]
            else:
                assert "no pod of the workload has a sample" in one["why"] or "does not know" in one["why"]
        for stub in stubs:
            busy(stub)
        until(lambda: all_say(llm_hpa, stubs, "Steady"), 90, "all scale again")


def refused(llm_hpa: Plugin, kubectl: Kubectl, namespace: str, *flags: str) -> list[Outcome]:
    """What `enable` by each backend says of a workload without a number; nothing is left of it."""
    stubs = {backend: Stub(kubectl, namespace, backend) for backend in BACKENDS}
    for stub in stubs.values():
        stub.start()
        stub.load(running=math.nan, waiting=math.nan, kv=math.nan)
    before = dump(kubectl, namespace)
    outcomes = enable(llm_hpa, {backend: stub.reference for backend, stub in stubs.items()}, *flags)
    assert [one.code for one in outcomes] == [1, 1]
    assert differences(before, dump(kubectl, namespace)) == []
    return outcomes


def test_enable_waits_for_a_number_and_names_the_hop(
    llm_hpa: Plugin, kubectl: Kubectl, namespace: str
) -> None:
    for outcome in refused(llm_hpa, kubectl, namespace, "--timeout=30s"):
        assert "wait for the sample: after" in outcome.stderr
        assert "for no pod yet" in outcome.stderr


def test_prometheus_never_hears_of_the_pods(llm_hpa: Plugin, kubectl: Kubectl, namespace: str) -> None:
    """Its operator is down, so that it stays empty."""
    kubectl.run("scale", *OPERATOR, "--replicas=0")
    try:
        for outcome in refused(llm_hpa, kubectl, namespace, "--timeout=15s"):
            assert "wait for the scrape target" in outcome.stderr
            assert "Prometheus has not loaded the PodMonitor yet" in outcome.stderr
    finally:
        kubectl.run("scale", *OPERATOR, "--replicas=1")


def test_prometheus_is_down(llm_hpa: Plugin, kubectl: Kubectl, namespace: str) -> None:
    fresh = Stub(kubectl, namespace)
    fresh.start()
    with under_load(kubectl, llm_hpa, namespace, "no") as stubs, kept(stubs):
        with without_prometheus(kubectl):
            until(lambda: all_say(llm_hpa, stubs, "Broken: value"), 60, "status says it")
            before = dump(kubectl, namespace)
            for outcome in enable(llm_hpa, dict.fromkeys(BACKENDS, fresh.reference)):
                assert outcome.code == 1
                assert "ask Prometheus monitoring/kube-prometheus-stack-prometheus" in outcome.stderr
                assert "no endpoints available" in outcome.stderr
            assert differences(before, dump(kubectl, namespace)) == []
            time.sleep(LONG)
        until(lambda: all_say(llm_hpa, stubs, "Steady"), 150, "both scale again")


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
