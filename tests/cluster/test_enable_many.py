"""`enable -l SEL`: every workload of a team in one run, with one change and one restart of the adapter."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.cluster.conftest import ADAPTER, Kubectl, Plugin
from tests.cluster.dump import differences, dump
from tests.cluster.stub_workload import Stub

pytestmark = pytest.mark.cluster

NAMES = ("vllm-a", "vllm-b", "vllm-c")


@pytest.fixture
def stubs(kubectl: Kubectl, namespace: str, llm_hpa: Plugin) -> Iterator[list[Stub]]:
    workloads = [Stub(kubectl, namespace, name=name, kind="Deployment") for name in NAMES]
    for one in workloads:
        one.start()
        template = '{"spec":{"template":{"metadata":{"labels":{"team":"search"}}}}}'
        kubectl.run("patch", "deploy", one.name, "-n", namespace, "--type=merge", "-p", template)
        kubectl.run("rollout", "status", f"deploy/{one.name}", "-n", namespace, "--timeout=120s", timeout=150)
    yield workloads
    for one in workloads:
        llm_hpa("disable", *one.reference)


def generation(kubectl: Kubectl) -> int:
    found = kubectl.get("deployment", "prometheus-adapter", "-n", "monitoring")
    return int(found["metadata"]["generation"])


def test_the_adapter_restarts_once(llm_hpa: Plugin, kubectl: Kubectl, stubs: list[Stub]) -> None:
    namespace = stubs[0].namespace
    before = dump(kubectl, namespace)
    restarts = generation(kubectl)
    outcome = llm_hpa("enable", *ADAPTER, "-l", "team=search", "-n", namespace, "--max", "3")
    assert outcome.code == 0, outcome.stderr
    assert generation(kubectl) == restarts + 1
    lines = outcome.stdout.splitlines()
    assert [line for line in lines if line.startswith("horizontalpodautoscaler")] == [
        f"horizontalpodautoscaler.autoscaling/{name} created" for name in NAMES
    ]
    assert lines.count("configmap/prometheus-adapter configured") == 1
    for name in NAMES:
        assert f"Deployment/{name} scales between 1 and 3 replicas" in outcome.stderr
    again = llm_hpa("enable", *ADAPTER, "-l", "team=search", "-n", namespace, "--max", "3")
    assert all(line.endswith("unchanged") for line in again.stdout.splitlines()), again.stdout
    gone = llm_hpa("disable", "-l", "team=search", "-n", namespace)
    assert gone.code == 0, gone.stderr
    assert differences(before, dump(kubectl, namespace)) == []


def test_one_that_is_refused_leaves_the_others(llm_hpa: Plugin, kubectl: Kubectl, stubs: list[Stub]) -> None:
    """An HPA by hand on one of them: it is named, the others are enabled, the exit code is 1."""
    namespace = stubs[0].namespace
    kubectl.run("autoscale", "deploy", NAMES[1], "-n", namespace, "--max=2", "--cpu=80%")
    outcome = llm_hpa("enable", "-l", "team=search", "-n", namespace, "--max", "3", "--backend", "keda")
    assert outcome.code == 1
    assert f"error: Deployment/{NAMES[1]}" in outcome.stderr
    made = kubectl.get("scaledobject", "-n", namespace)["items"]
    assert [one["metadata"]["name"] for one in made] == [NAMES[0], NAMES[2]]
