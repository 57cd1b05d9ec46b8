"""What is scaled for the kinds of other projects: one class a family, over objects as controllers leave them."""

from __future__ import annotations

from typing import Any

import pytest

from kubectl_llmhpa.api import Json
from tests.unit.cluster_facts import NAMESPACE, found, made, refused, scaled_deployment


class TestRollout:
    ROLLOUT = made("Rollout", "vllm", scale=("app=vllm", 2))

    def test_pods_of_both_sides_belong_to_it(self) -> None:
        canary = made("ReplicaSet", "vllm-2", by=self.ROLLOUT)
        assert (
            found("po/vllm-2-a", self.ROLLOUT, canary, made("Pod", "vllm-2-a", by=canary)).reference
            == "Rollout/vllm"
        )


class TestInferenceService:
    def service(self, **annotations: str) -> Json:
        names = {f"serving.kserve.io/{key}": value for key, value in annotations.items()}
        return made("InferenceService", "llama", annotations=names, spec={"predictor": {}})

    @pytest.mark.parametrize("words", ["isvc/llama", "deploy/llama-predictor"])
    def test_an_external_autoscaler(self, words: str) -> None:
        service = self.service(autoscalerClass="external")
        workload = found(words, service, scaled_deployment("llama-predictor", by=service))
        assert (workload.reference, workload.rival) == ("Deployment/llama-predictor", None)

    @pytest.mark.parametrize(
        ("chosen", "problem"),
        [
            ({}, "makes an HPA of its own"),
            ({"autoscalerClass": "hpa"}, "makes an HPA of its own"),
            ({"autoscalerClass": "keda"}, "makes a ScaledObject of its own"),
            ({"autoscalerClass": "none"}, "sets its replicas to minReplicas"),
        ],
    )
    def test_kserves_own(self, chosen: dict[str, str], problem: str) -> None:
        service = self.service(**chosen)
        rival = found("isvc/llama", service, scaled_deployment("llama-predictor", by=service)).rival
        assert rival is not None
        assert problem in rival.problem
        assert rival.detail == (
            f"kubectl -n {NAMESPACE} patch inferenceservices.v1beta1.serving.kserve.io/llama --type=merge "
            '-p \'{"metadata":{"annotations":{"serving.kserve.io/autoscalerClass":"external"}}}\''
        )

    def test_knative(self) -> None:
        service = self.service(deploymentMode="Serverless")
        revision = made("Revision", "llama-1", by=service)
        deployment = scaled_deployment("llama-1-deployment", by=revision)
        rival = found("deploy/llama-1-deployment", service, revision, deployment).rival
        assert rival is not None
        assert "Knative sets its replicas" in rival.problem
        assert "deploymentMode" in str(refused("isvc/llama", service))

    def test_stopped_or_not_there(self) -> None:
        assert "it is stopped" in str(refused("isvc/llama", self.service(stop="true")))
        assert "Deployment llama-predictor is not there" in str(refused("isvc/llama", self.service()))


class TestLlmInferenceService:
    def service(self, **spec: Any) -> Json:
        return made("LLMInferenceService", "llama", spec=spec)

    def test_replicas_that_the_spec_leaves_open(self) -> None:
        service = self.service(template={})
        workload = found("llmisvc/llama", service, scaled_deployment("llama-kserve", by=service))
        assert (workload.reference, workload.rival) == ("Deployment/llama-kserve", None)

    def test_replicas_that_the_spec_sets(self) -> None:
        service = self.service(replicas=2)
        rival = found("llmisvc/llama", service, scaled_deployment("llama-kserve", by=service)).rival
        assert rival is not None
        assert "spec.scaling" in rival.remedy
        assert rival.detail.endswith('\'{"spec":{"replicas":null}}\'')

    def test_its_own_scaling(self) -> None:
        service = self.service(scaling={"maxReplicas": 3})
        rival = found("deploy/llama-kserve", service, scaled_deployment("llama-kserve", by=service)).rival
        assert rival is not None
        assert rival.problem == "KServe scales it by spec.scaling"

    def test_prefill_and_decode(self) -> None:
        service = self.service(prefill={"replicas": 1})
        parts = [scaled_deployment(f"llama-kserve{part}", by=service) for part in ("", "-prefill")]
        error = refused("llmisvc/llama", service, *parts)
        assert error.detail.splitlines() == [
            f"kubectl llm-hpa enable deployment/llama-kserve -n {NAMESPACE} --max N",
            f"kubectl llm-hpa enable deployment/llama-kserve-prefill -n {NAMESPACE} --max N",
        ]
        prefill = found("deploy/llama-kserve-prefill", service, *parts)
        assert prefill.role == "prefill"
        assert prefill.rival is not None
        assert prefill.rival.detail.endswith('\'{"spec":{"prefill":{"replicas":null}}}\'')
        assert found("deploy/llama-kserve", service, *parts).role == "decode"

    def test_several_nodes(self) -> None:
        service = self.service(worker={})
        lws = made("LeaderWorkerSet", "llama-kserve-mn", by=service, scale=("x=y", 1), spec={
            "leaderWorkerTemplate": {"size": 2},
        })  # fmt: skip
        assert found("lws/llama-kserve-mn", service, lws).pods_per_replica == 2


class TestAibrix:
    def storm(self, *roles: Json) -> Json:
        return made(
            "StormService", "llama", spec={"template": {"spec": {"roles": list(roles)}}},
            scale=("storm-service-name=llama", 1),
        )  # fmt: skip

    def autoscaler(self, kind: str, name: str) -> Json:
        return made("PodAutoscaler", "pa", spec={"scaleTargetRef": {"kind": kind, "name": name}})

    def test_a_storm_service_of_one_role(self) -> None:
        workload = found("stormservice/llama", self.storm({"name": "decode"}))
        assert (workload.role, workload.counted_per_replica, workload.notes) == ("decode", 1, ())

    def test_one_of_several_roles(self) -> None:
        storm = self.storm({"name": "prefill", "replicas": 2}, {"name": "decode"})
        roles = made("RoleSet", "llama-1", by=storm)
        workload = found("po/p", storm, roles, made("Pod", "p", by=roles, labels={"role-name": "prefill"}))
        assert (workload.reference, workload.counted_per_replica) == ("StormService/llama", 3)
        assert any("subTargetSelector.roleName" in note for note in workload.notes)

    def test_its_autoscaler_is_a_rival(self) -> None:
        storm = self.storm({"name": "decode"})
        rival = found("stormservice/llama", storm, self.autoscaler("StormService", "llama")).rival
        assert rival is not None
        assert "PodAutoscaler/pa scales it" in rival.problem

    def test_its_autoscaler_of_a_deployment(self) -> None:
        autoscaler = self.autoscaler("Deployment", "vllm")
        ours = scaled_deployment("vllm", labels={"model.aibrix.ai/name": "llama"})
        assert found("deploy/vllm", ours, autoscaler).rival is not None
        assert found("deploy/vllm", ours, self.autoscaler("Deployment", "other")).rival is None
        assert found("deploy/vllm", ours, without=["PodAutoscaler"]).rival is None


class TestKthena:
    def serving(self, *roles: Json, selector: str = "modelserving.volcano.sh/entry=true") -> Json:
        return made("ModelServing", "llama", spec={"template": {"roles": list(roles)}}, scale=(selector, 1))

    def test_one_pod_of_each_group_is_counted(self) -> None:
        serving = self.serving({"name": "leader", "workerReplicas": 3})
        workload = found("po/p", serving, made("Pod", "p", by=serving))
        assert (workload.reference, workload.topology) == ("ModelServing/llama", "leader-worker")
        assert (workload.pods_per_replica, workload.counted_per_replica) == (4, 1)

    def test_several_roles_are_told(self) -> None:
        (note,) = found("modelserving/llama", self.serving({"name": "prefill"}, {"name": "decode"})).notes
        assert "sees only the pods of prefill" in note

    def test_versions_without_a_selector(self) -> None:
        error = refused("modelserving/llama", self.serving({"name": "decode"}, selector=""))
        assert "status.labelSelector" in str(error)

    @pytest.mark.parametrize(
        "spec",
        [
            {"homogeneousTarget": {"target": {"targetRef": {"name": "llama"}}}},
            {"heterogeneousTarget": {"params": [{"target": {"targetRef": {"name": "llama"}}}]}},
            {"disaggregatedTarget": {"targetRef": {"name": "llama"}}},
        ],
    )
    def test_its_policy_is_a_rival(self, spec: Json) -> None:
        serving = self.serving({"name": "decode"})
        assert (
            found("modelserving/llama", serving, made("AutoscalingPolicy", "p", spec=spec)).rival is not None
        )


class TestRay:
    def test_is_refused_with_serves_own_setting(self) -> None:
        service = made("RayService", "llama")
        cluster = made("RayCluster", "llama-1", by=service)
        pod = made("Pod", "head", by=cluster)
        for words in ("rayservice/llama", "raycluster/llama-1", "po/head"):
            error = refused(words, service, cluster, pod)
            assert "target_ongoing_requests" in str(error)
            assert "autoscaling_config:" in error.detail


class TestNim:
    def test_is_refused_with_the_patch(self) -> None:
        service = made("NIMService", "llama")
        error = refused("nimservice/llama", service)
        assert "spec.scale.hpa" in str(error)
        assert "nimservices.v1alpha1.apps.nvidia.com/llama" in error.detail
        rival = found("deploy/llama", service, scaled_deployment("llama", by=service)).rival
        assert rival is not None
        assert rival.detail == error.detail


class TestKaito:
    SET = made("InferenceSet", "llama", scale=("inferenceset.kaito.sh/created-by=llama", 2))

    def test_a_pod_of_a_set(self) -> None:
        workspace = made("Workspace", "llama-1", by=self.SET)
        labels = {"inferenceset.kaito.sh/created-by": "llama"}
        workload_set = made("StatefulSet", "llama-1", by=workspace, spec={
            "replicas": 2, "selector": {"matchLabels": labels},
        })  # fmt: skip
        pod = made("Pod", "llama-1-0", by=workload_set)
        workload = found("po/llama-1-0", self.SET, workspace, workload_set, pod)
        assert (workload.reference, workload.counted_per_replica) == ("InferenceSet/llama", 2)
        assert found("inferenceset/llama", self.SET, workload_set).counted_per_replica == 2
        assert found("inferenceset/llama", self.SET).counted_per_replica == 1

    def test_a_workspace_of_its_own(self) -> None:
        workspace = made("Workspace", "llama")
        assert "as an InferenceSet" in str(refused("workspace/llama", workspace))
        owned = made("StatefulSet", "llama", by=workspace, scale=("x=y", 1))
        assert found("sts/llama", workspace, owned).rival is not None
