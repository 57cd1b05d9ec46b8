"""`bench` on the whole stack: it makes the HPA rescale, says so, and leaves nothing behind, however it ends."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from collections.abc import Iterator

import pytest

from tests.cluster.conftest import ADAPTER, Json, Kubectl, Plugin, assert_one_sentence, listen
from tests.cluster.stub_workload import Stub

pytestmark = pytest.mark.cluster

MADE = "job,configmap,pod"
LABEL = "kubectl-llm-hpa/bench"


@pytest.fixture
def stub(kubectl: Kubectl, namespace: str, llm_hpa: Plugin) -> Iterator[Stub]:
    """One stub pod with four seats, and no trace of the plugin afterwards."""
    workload = Stub(kubectl, namespace)
    workload.start(seats=4)
    yield workload
    llm_hpa("disable", *workload.reference)


def hand_made_hpa(stub: Stub, metric: str, target: str) -> Json:
    return {
        "apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": stub.name, "namespace": stub.namespace},
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "StatefulSet", "name": stub.name},
            "minReplicas": 1, "maxReplicas": 3,
            "metrics": [{"type": "Pods", "pods": {
                "metric": {"name": metric}, "target": {"type": "AverageValue", "averageValue": target},
            }}],
        },
    }  # fmt: skip


def left_over(kubectl: Kubectl, namespace: str) -> list[str]:
    found = kubectl.get(MADE, "-n", namespace, "-l", LABEL)["items"]
    return [f"{one['kind']}/{one['metadata']['name']}" for one in found]


@pytest.mark.parametrize(("backend", "seconds"), [(ADAPTER, 40), ((), 25)], ids=["adapter", "keda"])
def test_the_load_makes_the_hpa_rescale(
    llm_hpa: Plugin, stub: Stub, kubectl: Kubectl, backend: tuple[str, ...], seconds: int
) -> None:
    assert llm_hpa("enable", *backend, *stub.reference, "--max", "3").code == 0
    outcome = llm_hpa("bench", *stub.reference, "--duration", f"{seconds}s", "-o", "json")
    assert outcome.code == 0, outcome.stderr
    report = json.loads(outcome.stdout)
    assert report["kind"] == "Bench"
    assert report["context"] == kubectl.run("config", "current-context").stdout.strip()
    assert report["load"]["mustRescale"] is True
    assert "1.5 x" in report["load"]["reason"]
    assert 0 < report["firstRescaleSeconds"] < seconds
    assert report["result"]["failed"] == {}
    assert report["result"]["done"] > 20
    assert report["result"]["latencies"]["ttft"]["p99"] > 0
    texts = [entry["text"] for entry in report["timeline"]]
    signals = {*report["hpa"]["signals"].values()}
    assert signals >= {"running", "waiting"}
    reasons = [text.partition("; reason: ")[2] for text in texts if text.startswith("SuccessfulRescale")]
    assert {*reasons} & {f"{signal} above target" for signal in signals}, texts
    assert len(report["requestsPerPod"]) > 1
    assert all(share["requests"] > 0 for share in report["requestsPerPod"]), report["requestsPerPod"]
    assert "desired replicas 1 -> " in outcome.stderr
    assert left_over(kubectl, stub.namespace) == []


def test_a_load_without_effect_is_told_by_the_exit_code(
    llm_hpa: Plugin, stub: Stub, kubectl: Kubectl
) -> None:
    kubectl.apply(hand_made_hpa(stub, "vllm:num_requests_running", "2"))  # and nobody who serves the metric
    outcome = llm_hpa("bench", *stub.reference, "--duration", "10s")
    assert outcome.code == 4, outcome.stderr
    assert "no rescale within 10 s of load" in outcome.stdout.splitlines()[-1]
    assert left_over(kubectl, stub.namespace) == []


def test_without_an_hpa_it_measures(llm_hpa: Plugin, stub: Stub, kubectl: Kubectl) -> None:
    outcome = llm_hpa("bench", *stub.reference, "--num-prompts", "12", "--output-len", "16")
    assert outcome.code == 0, outcome.stderr
    assert "12 sent, 12 succeeded, 0 failed" in outcome.stdout
    assert "no HPA scales it" in outcome.stderr
    assert left_over(kubectl, stub.namespace) == []


def test_an_engine_that_refuses_makes_the_measurement_invalid(
    llm_hpa: Plugin, stub: Stub, kubectl: Kubectl
) -> None:
    outcome = llm_hpa("bench", *stub.reference, "--model", "nobody", "--duration", "5s")
    assert outcome.code == 5, outcome.stderr
    assert "no request succeeded" in outcome.stdout
    assert "does not exist" in outcome.stdout
    assert left_over(kubectl, stub.namespace) == []


def interruptible(command: list[str], stream: int | None = None) -> subprocess.Popen[str]:
    """A process that Ctrl-C reaches even where the tests run in the background, with SIGINT ignored."""
    return subprocess.Popen(command, text=True, preexec_fn=listen, stdout=stream, stderr=stream)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["Ctrl-C", "SIGTERM"])
def test_interrupted_it_leaves_nothing(stub: Stub, kubectl: Kubectl, number: signal.Signals) -> None:
    command = ["kubectl", "llm-hpa", "bench", *stub.reference, "--duration", "120s"]
    running = interruptible(command, subprocess.PIPE)
    until = time.monotonic() + 60
    while time.monotonic() < until and not left_over(kubectl, stub.namespace):
        time.sleep(0.5)
    time.sleep(3)
    running.send_signal(number)
    _, stderr = running.communicate(timeout=60)
    assert running.returncode == 130, stderr
    assert "removing job/" in stderr
    assert left_over(kubectl, stub.namespace) == []


@pytest.mark.parametrize(
    ("image", "words"),
    [
        ("registry.invalid/none:1", ("cannot be pulled", "--image")),
        ("registry.k8s.io/pause:3.6", ("no Python", "--image")),
    ],
    ids=["no such image", "no Python in it"],
)
def test_an_image_that_does_not_do(
    llm_hpa: Plugin, stub: Stub, kubectl: Kubectl, image: str, words: tuple[str, ...]
) -> None:
    assert_one_sentence(llm_hpa("bench", *stub.reference, "--duration", "5s", "--image", image), *words)
    assert left_over(kubectl, stub.namespace) == []


def test_a_quota_that_forbids_the_pod_is_named(llm_hpa: Plugin, stub: Stub, kubectl: Kubectl) -> None:
    kubectl.apply({
        "apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "small", "namespace": stub.namespace},
        "spec": {"hard": {"requests.memory": "64Mi"}},
    })  # fmt: skip
    outcome = llm_hpa("bench", *stub.reference, "--duration", "5s")
    assert_one_sentence(outcome, "quota", "small")
    assert left_over(kubectl, stub.namespace) == []


def test_a_second_benchmark_is_refused(llm_hpa: Plugin, stub: Stub, kubectl: Kubectl) -> None:
    first = interruptible(["kubectl", "llm-hpa", "bench", *stub.reference, "--duration", "60s"])
    until = time.monotonic() + 30
    while time.monotonic() < until and not left_over(kubectl, stub.namespace):
        time.sleep(0.5)
    assert_one_sentence(llm_hpa("bench", *stub.reference), "another benchmark", "job/llm-hpa-bench-")
    first.send_signal(signal.SIGINT)
    assert first.wait(timeout=60) == 130
