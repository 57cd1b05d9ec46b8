"""`simulate` on a real API server: the HPA that is there, and what its workload says."""

from __future__ import annotations

import json

import pytest

from tests.cluster.conftest import Json, Kubectl, Plugin, assert_one_sentence

pytestmark = pytest.mark.control_plane

LOAD = ("--load", "step:low=1,high=4,at=1m,for=2m,duration=5m", "-o", "json")


def stateful_set(namespace: str) -> Json:
    """A StatefulSet of two GPUs a pod, which no node takes."""
    limits = {"nvidia.com/gpu": "2"}
    container = {"name": "main", "image": "vllm/vllm-openai:v0.20.2", "resources": {"limits": limits}}
    labels = {"app": "vllm"}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [container]}}
    return {
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": {"name": "vllm", "namespace": namespace},
        "spec": {
            "replicas": 1,
            "serviceName": "vllm",
            "selector": {"matchLabels": labels},
            "template": template,
        },
    }


def hpa(namespace: str) -> Json:
    metric = {
        "metric": {"name": "vllm:num_requests_running"},
        "target": {"type": "AverageValue", "averageValue": "7"},
    }
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "mine", "namespace": namespace},
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "vllm"},
            "minReplicas": 1,
            "maxReplicas": 3,
            "metrics": [{"type": "Pods", "pods": metric}],
        },
    }


def apply(kubectl: Kubectl, *objects: Json) -> None:
    for one in objects:
        kubectl.run("apply", "-f", "-", stdin=json.dumps(one))


def test_the_autoscaler_that_is_there(kubectl: Kubectl, llm_hpa: Plugin, namespace: str) -> None:
    apply(kubectl, stateful_set(namespace), hpa(namespace))
    kubectl.run("wait", "--for=create", "pod/vllm-0", "-n", namespace, "--timeout=60s")
    outcome = llm_hpa("simulate", "sts/vllm", "-n", namespace, *LOAD)
    assert outcome.code == 0, outcome.stderr
    found = json.loads(outcome.stdout)
    named = llm_hpa("simulate", "hpa/mine", "-n", namespace, *LOAD)
    assert json.loads(named.stdout)["items"] == found["items"], named.stderr
    first = found["items"][0]
    assert (first["name"], first["asks"], first["maxReplicas"]) == ("hpa/mine", "running 7", 3)
    assert found["gpusPerPod"] == 2
    assert found["world"]["ordered"], "its pods start one after the other"
    assert any("seats are not read from a pod" in note for note in found["notes"]), "none is ready"


def test_without_an_autoscaler(kubectl: Kubectl, llm_hpa: Plugin, namespace: str) -> None:
    apply(kubectl, stateful_set(namespace))
    outcome = llm_hpa("simulate", "sts/vllm", "-n", namespace, *LOAD, "--tune", "--goal=50", "--start-up=10s")
    assert outcome.code == 0, outcome.stderr
    found = json.loads(outcome.stdout)
    assert [one["name"] for one in found["items"] if not one["fixed"]] == ["load", "vendor", "tuned"]
    assert found["notes"][0] == "no HPA or ScaledObject scales StatefulSet/vllm: policies are compared only"
    assert found["command"].startswith(f"kubectl llm-hpa enable StatefulSet/vllm -n {namespace} --policy ")
    assert found["command"].endswith(" --min 1 --max 10")
    outcome = llm_hpa("simulate", "hpa/none", "-n", namespace, *LOAD)
    assert_one_sentence(outcome, "find horizontalpodautoscaler none", "there is none of that name")
