"""`enable` on every topology, with engines in the pods: the API server takes what it would write.

Where the real controller of a kind runs here (LeaderWorkerSet), `test_loops.py` goes all the way instead.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator

import pytest
import yaml

from tests.cluster.conftest import (
    ADAPTER,
    Json,
    Kubectl,
    Plugin,
    assert_one_sentence,
    fresh_namespace,
    load_image,
)
from tests.cluster.ground.engine_images import STUB_IMAGE
from tests.cluster.stage import Stage
from tests.cluster.topologies import COUNTED, POD, TOPOLOGIES
from tests.cluster.workloads import REQUESTS, command_line

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(600)]


def runs_here(name: str) -> bool:
    """Whether a real controller (LeaderWorkerSet) would act on the objects."""
    return "leaderworkerset." in json.dumps(TOPOLOGIES[name].objects)


STAGED = {
    name: topology
    for name, topology in TOPOLOGIES.items()
    if not runs_here(name) and not topology.scaled.startswith("Widget/")
}
#: Those that one HPA can scale: its controller counts one pod a replica.
CASES = {name: topology for name, topology in STAGED.items() if topology.counted_per_replica == 1}
REFUSED = STAGED.keys() - CASES.keys()


def engine_pod(*, counted: bool) -> Json:
    """A pod of a stub engine; one that the HPA must not count has none."""
    container: Json = {
        "name": "main",
        "image": STUB_IMAGE,
        "imagePullPolicy": "IfNotPresent",
        "command": command_line("vllm") if counted else ["sleep", "infinity"],
        "ports": [{"containerPort": 8000, "name": "http"}],
        "resources": REQUESTS,
    }
    return {"terminationGracePeriodSeconds": 1, "containers": [container]}


def with_engines(part: Json, *, counted: bool = True) -> Json:
    """The object with every empty pod spec in it filled; what was shared stays as it is."""
    result = copy.copy(part)
    labels = part.get("metadata", {}).get("labels", {}) if isinstance(part.get("metadata"), dict) else {}
    counted = labels.get(COUNTED, "yes" if counted else "no") == "yes"
    for key, value in part.items():
        if value == POD:
            result[key] = engine_pod(counted=counted)
        elif isinstance(value, dict):
            result[key] = with_engines(value, counted=counted)
        elif isinstance(value, list):
            result[key] = [
                with_engines(one, counted=counted) if isinstance(one, dict) else one for one in value
            ]
    return result


@pytest.fixture(scope="module")
def stage(kubectl: Kubectl) -> Iterator[Stage]:
    load_image("stub-engine")
    with fresh_namespace(kubectl) as namespace:
        stage = Stage(kubectl, namespace)
        stage.put(*(with_engines(one) for topology in STAGED.values() for one in topology.objects))
        kubectl.run(
            "wait", "--for=condition=Ready", "pod", "-n", namespace, "-l", f"{COUNTED}=yes",
            "--timeout=180s", timeout=200,
        )  # fmt: skip
        yield stage


@pytest.mark.parametrize("name", CASES)
def test_what_would_be_written(stage: Stage, llm_hpa: Plugin, name: str) -> None:
    topology = CASES[name]
    outcome = llm_hpa(
        "enable",
        *ADAPTER,
        topology.asked[-1],
        "-n",
        stage.namespace,
        "--max",
        "3",
        "--dry-run=server",
        "-o",
        "yaml",
    )
    assert outcome.code == 0, outcome.stderr
    written = {one["kind"]: one for one in yaml.safe_load_all(outcome.stdout)}
    reference = written["HorizontalPodAutoscaler"]["spec"]["scaleTargetRef"]
    assert f"{reference['kind']}/{reference['name']}" == topology.scaled
    assert written["HorizontalPodAutoscaler"]["spec"]["metrics"]
    assert "PodMonitor" in written


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_a_selector_that_counts_a_replica_twice_is_refused(stage: Stage, llm_hpa: Plugin, name: str) -> None:
    outcome = llm_hpa(
        "enable", *ADAPTER, STAGED[name].asked[-1], "-n", stage.namespace, "--max", "3", "--dry-run=server"
    )
    assert_one_sentence(outcome, "pods a replica")


def test_an_hpa_moves_what_another_projects_controller_would_follow(
    stage: Stage, llm_hpa: Plugin, kubectl: Kubectl
) -> None:
    """The real HPA writes the replicas of a Rollout through its scale subresource."""
    (pod,) = kubectl.get("pods", "-n", stage.namespace, "-l", "app=roll")["items"]
    target = ("rollout/roll", "-n", stage.namespace)
    enabled = llm_hpa("enable", *ADAPTER, *target, "--max", "2", "--timeout", "120s")
    assert enabled.code == 0, enabled.stderr
    path = f"/api/v1/namespaces/{stage.namespace}/pods/{pod['metadata']['name']}:8000/proxy/admin/load"
    kubectl.run("create", "--raw", path, "-f", "-", stdin='{"running": 8, "waiting": 4}')
    kubectl.run(
        "wait", "rollout.argoproj.io/roll", "-n", stage.namespace, "--for=jsonpath={.spec.replicas}=2",
        "--timeout=60s",
    )  # fmt: skip
    assert llm_hpa("disable", *target).code == 0
