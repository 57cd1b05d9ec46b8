"""What ends a benchmark from outside: what was measured is told, what is not valid says why, and nothing is left."""

from __future__ import annotations

import json
import subprocess

import pytest

from tests.cluster.conftest import Kubectl, Plugin, assert_one_sentence
from tests.cluster.stub_workload import Stub
from tests.cluster.test_bench import LABEL, hand_made_hpa, interruptible, left_over

pytestmark = pytest.mark.cluster


@pytest.fixture
def stub(kubectl: Kubectl, namespace: str) -> Stub:
    """One stub pod and an HPA that stays where it is, as nobody serves its metric."""
    workload = Stub(kubectl, namespace)
    workload.start()
    kubectl.apply(hand_made_hpa(workload, "vllm:num_requests_running", "2"))
    return workload


def test_a_client_that_is_evicted_leaves_what_it_measured(stub: Stub, kubectl: Kubectl) -> None:
    before = stub.hpa()["spec"]
    command = ["kubectl", "llm-hpa", "bench", *stub.reference, "--duration", "120s", "-o", "json"]
    running = interruptible(command, subprocess.PIPE)
    assert running.stderr is not None
    while " done " not in (line := running.stderr.readline()):
        assert line, "the load did not start"
    [pod] = kubectl.get("pods", "-n", stub.namespace, "-l", LABEL)["items"]
    name = pod["metadata"]["name"]
    eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name}}
    path = f"/api/v1/namespaces/{stub.namespace}/pods/{name}/eviction"
    kubectl.run("create", "--raw", path, "-f", "-", stdin=json.dumps(eviction))
    stdout, stderr = running.communicate(timeout=60)
    assert running.returncode == 5, stderr
    report = json.loads(stdout)
    assert report["result"]["done"] > 0
    assert report["result"]["latencies"]["ttft"]["p50"] > 0  # from its own summary, not from the last second
    assert "EvictionByEvictionAPI" in report["verdict"]["text"]
    assert (stub.hpa()["spec"], stub.replicas()) == (before, 1)
    assert left_over(kubectl, stub.namespace) == []


def test_a_client_that_no_node_takes_is_told_in_time(llm_hpa: Plugin, stub: Stub, kubectl: Kubectl) -> None:
    before = stub.hpa()["spec"]
    nodes = [one["metadata"]["name"] for one in kubectl.get("nodes")["items"]]
    kubectl.run("cordon", *nodes)
    try:
        outcome = llm_hpa("bench", *stub.reference, "--timeout", "5s")
    finally:
        kubectl.run("uncordon", *nodes)
    assert_one_sentence(outcome, "did not start within 5 s", "FailedScheduling", "unschedulable", "--timeout")
    assert (stub.hpa()["spec"], stub.replicas()) == (before, 1)
    assert left_over(kubectl, stub.namespace) == []
