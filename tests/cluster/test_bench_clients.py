"""Several client pods as one load: started together, merged, and honest about the one that is lost."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator

import pytest

from tests.cluster.conftest import Kubectl, Plugin, assert_one_sentence
from tests.cluster.stub_workload import Stub

pytestmark = pytest.mark.cluster

LABEL = "kubectl-llm-hpa/bench"
CLIENTS = ("--clients", "3", "--concurrency", "7", "--output-len", "16")


@pytest.fixture
def stub(kubectl: Kubectl, namespace: str) -> Iterator[Stub]:
    """One stub pod with four seats, whose Service no HPA is behind."""
    workload = Stub(kubectl, namespace)
    workload.start(seats=4)
    yield workload
    left = kubectl.get("job,configmap,pod", "-n", namespace, "-l", LABEL)["items"]
    assert [f"{one['kind']}/{one['metadata']['name']}" for one in left] == []


def test_three_clients_make_one_load_and_one_that_is_lost_is_named(
    llm_hpa: Plugin, stub: Stub, kubectl: Kubectl
) -> None:
    outcome = llm_hpa("bench", *stub.reference, *CLIENTS, "--duration", "8s", "-o", "json")
    assert outcome.code == 0, outcome.stderr
    report = json.loads(outcome.stdout)
    result = report["result"]
    assert result["failed"] == {}
    assert result["concurrency"] == pytest.approx(7, rel=0.05)  # not 3 times 7, and all at the same time
    [pod] = report["requestsPerPod"]
    assert result["done"] + 3 == pod["requests"]  # each client's first request is not counted

    command = ["kubectl", "llm-hpa", "bench", *stub.reference, *CLIENTS, "--duration", "12s"]
    running = subprocess.Popen(command, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    where = ("-n", stub.namespace, "-l", f"{LABEL},batch.kubernetes.io/job-completion-index=1")
    until = time.monotonic() + 60
    while time.monotonic() < until:
        found = kubectl.get("pods", *where)["items"]
        if found and any(
            "tick" in line for line in _log(kubectl, stub.namespace, found[0]["metadata"]["name"])
        ):
            break
        time.sleep(0.5)
    kubectl.run("delete", "pod", *where, "--grace-period=0", "--force")
    stdout, stderr = running.communicate(timeout=60)
    assert running.returncode == 5, stderr
    assert "client 1: its pod was " in stdout  # deleted, or told to end when it could still say what it had


def test_a_model_that_nobody_serves_and_a_quota_for_two_of_three(
    llm_hpa: Plugin, stub: Stub, kubectl: Kubectl
) -> None:
    outcome = llm_hpa("bench", *stub.reference, *CLIENTS, "--duration", "5s", "--model", "nobody")
    assert outcome.code == 5, outcome.stderr
    assert "no request succeeded" in outcome.stdout
    assert "does not exist" in outcome.stdout
    kubectl.apply({
        "apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "small", "namespace": stub.namespace},
        "spec": {"hard": {"pods": "3"}},
    })  # fmt: skip
    assert_one_sentence(llm_hpa("bench", *stub.reference, *CLIENTS, "--duration", "5s"), "quota", "small")


def _log(kubectl: Kubectl, namespace: str, pod: str) -> list[str]:
    asked = subprocess.run(
        ["kubectl", "logs", "-n", namespace, pod, "--tail", "3"], capture_output=True, text=True, check=False
    )
    return asked.stdout.splitlines()
