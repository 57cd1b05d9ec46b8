"""Every topology on the real API server: what the plugin resolves, and what the real HPA controller reads of it.

The custom resource definitions are the projects' own where their modules are served (the part `crds` of the test
cluster), so names, schemas and scale paths are what a user's cluster has.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator

import pytest

from kubectl_llmhpa.api import PODS
from kubectl_llmhpa.errors import LlmHpaError
from kubectl_llmhpa.kube import Cluster, Connection
from kubectl_llmhpa.workloads import Workload, identify, owners_of, resolve
from kubectl_llmhpa.workloads.discovery import Types
from tests.cluster import topologies
from tests.cluster.conftest import Json, Kubectl, Plugin, fresh_namespace
from tests.cluster.stage import Stage
from tests.cluster.topologies import COUNTED, TOPOLOGIES, Topology, made, run

pytestmark = pytest.mark.control_plane

WIDGETS = {
    "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
    "metadata": {"name": "widgets.llm-hpa.example"},
    "spec": {
        "group": "llm-hpa.example", "scope": "Namespaced",
        "names": {"kind": "Widget", "listKind": "WidgetList", "plural": "widgets", "singular": "widget"},
        "versions": [{
            "name": "v1", "served": True, "storage": True,
            "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}},
            "subresources": {"status": {}, "scale": {
                "specReplicasPath": ".spec.replicas", "statusReplicasPath": ".status.replicas",
                "labelSelectorPath": ".status.selector",
            }},
        }],
    },
}  # fmt: skip
#: Two Deployments that select the pods that must be counted, and those that must not.
PROBES = tuple(run("Deployment", f"probe-{mark}", {}) for mark in ("yes", "no"))
#: A controller manager that was up before the definitions learns of them within its mapper's period of 30 s.
LEARNS_KINDS_S = 90.0


def slug(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.lower())


def autoscaler(name: str, reference: Json) -> Json:
    metric = {"metric": {"name": "waiting"}, "target": {"type": "AverageValue", "averageValue": "5"}}
    return made("autoscaling/v2", "HorizontalPodAutoscaler", name, spec={
        "scaleTargetRef": reference, "maxReplicas": 3, "metrics": [{"type": "Pods", "pods": metric}],
    })  # fmt: skip


@pytest.fixture(scope="module")
def stage(kubectl: Kubectl) -> Iterator[Stage]:
    """All topologies and an HPA on each, beside each other."""
    kubectl.run("apply", "-f", "-", stdin=json.dumps(WIDGETS))
    kubectl.run("wait", "--for=condition=Established", "crd/widgets.llm-hpa.example")
    with fresh_namespace(kubectl) as namespace:
        stage = Stage(kubectl, namespace)
        for probe in PROBES:
            mark = {COUNTED: probe["metadata"]["name"].removeprefix("probe-")}
            probe["spec"] |= {"selector": {"matchLabels": mark}, "template": topologies.template(mark)}
            probe["spec"]["template"]["metadata"]["labels"] = mark
        stage.put(*PROBES, *(one for topology in TOPOLOGIES.values() for one in topology.objects))
        stage.put(*(
            autoscaler(one["metadata"]["name"], {
                "apiVersion": "apps/v1", "kind": "Deployment", "name": one["metadata"]["name"],
            })
            for one in PROBES
        ))  # fmt: skip
        with Cluster(Connection(), read_only=True) as cluster:
            stage.put(*(
                autoscaler(slug(name), resolve(cluster, topology.asked[0], namespace).scale_target)
                for name, topology in TOPOLOGIES.items()
            ))  # fmt: skip
        yield stage
    kubectl.run("delete", "crd", "widgets.llm-hpa.example", "--wait=false")


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with Cluster(Connection(), read_only=True) as found:
        yield found


def settled(cluster: Cluster, namespace: str, words: str) -> Workload:
    """What is resolved, once pods that Kubernetes' controllers make are there."""
    until = time.monotonic() + 30
    while True:
        try:
            return resolve(cluster, words, namespace)
        except LlmHpaError as error:
            if "there is none of that name" not in str(error) or time.monotonic() > until:
                raise
            time.sleep(0.5)


@pytest.mark.parametrize(
    ("topology", "words"),
    [
        pytest.param(topology, words, id=f"{name}: {words}")
        for name, topology in TOPOLOGIES.items()
        for words in topology.asked
    ],
)
def test_what_is_scaled(stage: Stage, cluster: Cluster, topology: Topology, words: str) -> None:
    found = settled(cluster, stage.namespace, words)
    assert found.reference == topology.scaled
    assert (found.replicas, found.role) == (1, topology.role)
    assert (found.pods_per_replica, found.counted_per_replica) == (
        topology.pods_per_replica,
        topology.counted_per_replica,
    )
    assert found.rival is None
    assert identify(cluster, words, stage.namespace).reference == found.reference


@pytest.mark.parametrize("name", TOPOLOGIES)
def test_the_hpa_controller_reads_its_scale_and_counts_its_pods(
    stage: Stage, kubectl: Kubectl, name: str
) -> None:
    """The probes show which pods it finds by the selector: it names every HPA that selects one of them."""
    until = time.monotonic() + LEARNS_KINDS_S
    while True:
        status = kubectl.get("hpa", slug(name), "-n", stage.namespace).get("status") or {}
        conditions = {one["type"]: one for one in status.get("conditions") or ()}
        able, active = conditions.get("AbleToScale", {}), conditions.get("ScalingActive", {})
        if active.get("reason") == "AmbiguousSelector" or time.monotonic() > until:
            break
        time.sleep(1)
    assert (able["status"], able["reason"]) == ("True", "SucceededGetScale"), able["message"]
    assert status["currentReplicas"] == 1
    assert active["reason"] == "AmbiguousSelector", active["message"]
    assert f"{stage.namespace}/probe-yes" in active["message"].replace(" ", "/").replace("{", "").replace(
        "}", ""
    ) or ("probe-yes" in active["message"])
    assert "probe-no" not in active["message"]


def test_pods_of_a_replica_set(stage: Stage, cluster: Cluster, kubectl: Kubectl) -> None:
    (found,) = kubectl.get("rs", "-n", stage.namespace, "-l", "set=plain")["items"]
    (pod,) = kubectl.get("pods", "-n", stage.namespace, "-l", "set=plain")["items"]
    for words in (("rs", found["metadata"]["name"]), ("pod", pod["metadata"]["name"])):
        workload = resolve(cluster, words, stage.namespace)
        assert (workload.reference, workload.asked) == ("Deployment/plain", f"{_kind(words[0])}/{words[1]}")


def _kind(word: str) -> str:
    return {"rs": "ReplicaSet", "pod": "Pod"}[word]


@pytest.mark.parametrize("words", ["lws/lws", "po/lws-0-0", "sts/lws"])
def test_status_and_disable_take_the_same_words(llm_hpa: Plugin, stage: Stage, words: str) -> None:
    shown = llm_hpa("status", words, "-n", stage.namespace)
    assert (shown.code, "LeaderWorkerSet/lws" in shown.stdout) == (0, True), shown.stderr
    outcome = llm_hpa("disable", words, "-n", stage.namespace)
    assert (outcome.code, outcome.stdout) == (0, ""), outcome.stderr
    assert "nothing to remove: LeaderWorkerSet/lws was not enabled" in outcome.stderr


def test_the_owners_of_all_pods(stage: Stage, cluster: Cluster) -> None:
    pods = cluster.get(PODS.path(stage.namespace))["items"]
    found = owners_of(cluster, pods)
    references = {one.reference for one in found if isinstance(one, Workload)}
    probes = {f"Deployment/{one['metadata']['name']}" for one in PROBES}
    assert references - probes == {topology.scaled for topology in TOPOLOGIES.values()}
    assert [one for one in found if not isinstance(one, Workload)] == []


def test_types_without_aggregated_discovery(cluster: Cluster, stage: Stage) -> None:
    """As a connection through `kubectl get --raw` sees them, which cannot ask for it."""

    class Plain:
        namespace = cluster.namespace
        get_text, get_many, watch = cluster.get_text, cluster.get_many, cluster.watch
        may, account_may = cluster.may, cluster.account_may

        def get(self, path: str, *, accept: str = "application/json") -> Json:
            del accept
            return cluster.get(path)

    assert set(Types(Plain()).served()) == set(Types(cluster).served())
