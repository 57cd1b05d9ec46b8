"""What is ours and what is somebody else's, decided by a real API server: conflicts, undoing, giving back."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from kubectl_llmhpa.api import DEPLOYMENTS, HPAS, MANAGED_BY, MANAGER
from kubectl_llmhpa.errors import LlmHpaError
from kubectl_llmhpa.kube import Cluster, Connection
from kubectl_llmhpa.plan import disabling, journal
from kubectl_llmhpa.plan.journal import Journal, Owned
from kubectl_llmhpa.plan.objects import OwnObject
from kubectl_llmhpa.workloads import Workload
from tests.cluster.conftest import Json, Kubectl
from tests.cluster.dump import normalised

pytestmark = pytest.mark.control_plane


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    with Cluster(Connection(), read_only=False) as result:
        yield result


def scaler(namespace: str, *, most: int, ours: bool = True) -> Json:
    return {
        "apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "vllm", "namespace": namespace, "labels": {MANAGED_BY: MANAGER} if ours else {}},
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "vllm"},
            "minReplicas": 1, "maxReplicas": most,
            "metrics": [{"type": "Pods", "pods": {
                "metric": {"name": "m"}, "target": {"type": "AverageValue", "averageValue": "1"},
            }}],
        },
    }  # fmt: skip


def live(kubectl: Kubectl, namespace: str) -> Json:
    return normalised(kubectl.get("hpa", "vllm", "-n", namespace, "--show-managed-fields"))


def set_max(kubectl: Kubectl, namespace: str, most: int) -> None:
    patch = json.dumps({"spec": {"maxReplicas": most}})
    kubectl.run("patch", "hpa", "vllm", "-n", namespace, "--type=merge", "-p", patch)


def test_a_field_that_somebody_changed_is_overruled_only_on_request(
    cluster: Cluster, kubectl: Kubectl, namespace: str
) -> None:
    OwnObject(cluster, HPAS, scaler(namespace, most=3)).do()
    set_max(kubectl, namespace, 7)
    before = live(kubectl, namespace)
    with pytest.raises(LlmHpaError, match=r"(?s)maxReplicas.*--adopt"):
        OwnObject(cluster, HPAS, scaler(namespace, most=5)).validate()
    assert live(kubectl, namespace) == before
    OwnObject(cluster, HPAS, scaler(namespace, most=7)).do()
    OwnObject(cluster, HPAS, scaler(namespace, most=5), force=True).do()
    assert live(kubectl, namespace)["spec"]["maxReplicas"] == 5


def test_what_came_after_the_list_is_not_written_over(
    cluster: Cluster, kubectl: Kubectl, namespace: str
) -> None:
    """What was just listed is not read again: the server refuses the fields of whoever was faster."""
    kubectl.apply(scaler(namespace, most=9, ours=False))
    before = live(kubectl, namespace)
    listed = kubectl.get("hpa", "-n", namespace)["items"]
    with pytest.raises(LlmHpaError, match="not made by kubectl-llm-hpa"):
        OwnObject(cluster, HPAS, scaler(namespace, most=5), seen=listed).do()
    with pytest.raises(LlmHpaError, match="maxReplicas"):
        OwnObject(cluster, HPAS, scaler(namespace, most=5), seen=[]).do()
    assert live(kubectl, namespace) == before


def test_an_object_that_was_there_is_undone_to_what_it_was(
    cluster: Cluster, kubectl: Kubectl, namespace: str
) -> None:
    OwnObject(cluster, HPAS, scaler(namespace, most=3)).do()
    kubectl.run("annotate", "hpa", "vllm", "-n", namespace, "team=a")
    before = live(kubectl, namespace)
    step = OwnObject(cluster, HPAS, scaler(namespace, most=5))
    step.do()
    assert live(kubectl, namespace)["spec"]["maxReplicas"] == 5
    step.undo()
    assert live(kubectl, namespace) == before


class TestDisable:
    """Of a workload whose HPA was adopted."""

    @pytest.fixture
    def workload(self, namespace: str) -> Workload:
        return Workload(DEPLOYMENTS, namespace, "vllm", {}, 1, "app=vllm")

    def adopt(self, cluster: Cluster, kubectl: Kubectl, workload: Workload) -> Json:
        """The journal and the HPA as `enable --adopt` leaves them; the HPA as it was."""
        namespace = workload.namespace
        kubectl.apply(scaler(namespace, most=3, ours=False))
        before = cluster.get(HPAS.path(namespace, "vllm"))
        journal.save(cluster, workload, Journal((Owned.of(HPAS, "vllm"),), adopted=before))
        OwnObject(cluster, HPAS, scaler(namespace, most=9), adopt=True).do()
        return normalised(before)

    def disable(self, cluster: Cluster, workload: Workload) -> None:
        assert disabling.disable(cluster, workload, lambda _: None, lambda _: None)
        assert journal.load(cluster, workload) is None

    def test_it_is_given_back(
        self, cluster: Cluster, kubectl: Kubectl, workload: Workload, namespace: str
    ) -> None:
        before = self.adopt(cluster, kubectl, workload)
        self.disable(cluster, workload)
        assert live(kubectl, namespace) == before

    def test_one_that_was_made_anew_by_hand_stays(
        self, cluster: Cluster, kubectl: Kubectl, workload: Workload, namespace: str
    ) -> None:
        self.adopt(cluster, kubectl, workload)
        kubectl.run("delete", "hpa", "vllm", "-n", namespace)
        kubectl.apply(scaler(namespace, most=4, ours=False))
        before = live(kubectl, namespace)
        self.disable(cluster, workload)
        assert live(kubectl, namespace) == before

    def test_one_of_ours_that_took_its_place_goes(
        self, cluster: Cluster, kubectl: Kubectl, workload: Workload, namespace: str
    ) -> None:
        self.adopt(cluster, kubectl, workload)
        kubectl.run("delete", "hpa", "vllm", "-n", namespace)
        OwnObject(cluster, HPAS, scaler(namespace, most=4)).do()
        self.disable(cluster, workload)
        assert kubectl.get("hpa", "-n", namespace)["items"] == []
