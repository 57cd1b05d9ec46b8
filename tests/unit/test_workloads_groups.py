"""Groups whose roles scale apart: over objects as their controllers leave them."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest

from kubectl_llmhpa.api import Json
from tests.unit.cluster_facts import NAMESPACE, found, made, refused, scaled_deployment


class TestDisaggregatedSet:
    def group(self, **scaling: str) -> Json:
        roles: list[Json] = [
            {
                "name": name,
                "spec": {"leaderWorkerTemplate": {"size": 2}},
                "scaling": {"mode": scaling.get(name, "Static")},
            }
            for name in ("prefill", "decode")
        ]
        return made("DisaggregatedSet", "llama", spec={"roles": roles})

    def scaler(self, role: str) -> Json:
        return made(
            "DisaggregatedSetRoleScaler", f"llama-{role}",
            labels={"disaggregatedset.x-k8s.io/name": "llama", "disaggregatedset.x-k8s.io/role": role},
            scale=(f"disaggregatedset.x-k8s.io/role={role},leaderworkerset.sigs.k8s.io/worker-index=0", 2),
        )  # fmt: skip

    def lws(self, group: Json, role: str) -> Json:
        return made("LeaderWorkerSet", f"llama-{role}", by=group, labels={"disaggregatedset.x-k8s.io/role": role},
                    scale=("x=y", 1))  # fmt: skip

    def test_a_role_is_scaled_through_its_scaler(self) -> None:
        group = self.group(decode="External")
        workload = found("lws/llama-decode", group, self.lws(group, "decode"), self.scaler("decode"))
        assert workload.reference == "DisaggregatedSetRoleScaler/llama-decode"
        assert (workload.role, workload.topology, workload.pods_per_replica) == ("decode", "role", 2)
        assert found("dsrs/llama-decode", group, self.scaler("decode")).pods_per_replica == 2

    def test_a_static_role_is_refused_with_the_patch(self) -> None:
        group = self.group()
        error = refused("lws/llama-prefill", group, self.lws(group, "prefill"))
        assert "/spec/roles/0/scaling" in error.detail
        assert "disaggregatedsets.v1.disaggregatedset.x-k8s.io/llama" in error.detail

    def test_before_there_were_scalers(self) -> None:
        error = refused("disaggregatedset/llama", self.group(), without=["DisaggregatedSetRoleScaler"])
        assert "LeaderWorkerSet 0.10" in str(error)


class TestRoleBasedGroup:
    PREFILL: ClassVar[Json] = {"name": "prefill", "scalingAdapter": {"enable": True}}
    DECODE: ClassVar[Json] = {"name": "decode", "leaderWorkerPattern": {"size": 2}}
    ROUTER: ClassVar[Json] = {"name": "router"}

    def group(self, *roles: Json) -> Json:
        return made("RoleBasedGroup", "llama", spec={"roles": list(roles)})

    def adapter(self, role: str, selector: str = "x=y", **fields: Any) -> Json:
        return made(
            "RoleBasedGroupScalingAdapter", f"llama-{role}", scale=(selector, 1),
            spec={"scaleTargetRef": {"name": "llama", "role": role}}, status={"selector": selector}, **fields,
        )  # fmt: skip

    def test_the_only_role_that_runs_an_engine(self) -> None:
        workload = found("rbg/llama", self.group(self.ROUTER, self.PREFILL), self.adapter("prefill"))
        assert (workload.reference, workload.role) == (
            "RoleBasedGroupScalingAdapter/llama-prefill",
            "prefill",
        )
        assert workload.asked == "RoleBasedGroup/llama"

    @pytest.mark.parametrize(
        "label", ["rbg.workloads.x-k8s.io/role-name", "rolebasedgroup.workloads.x-k8s.io/role"]
    )
    def test_a_pod_tells_its_role_in_both_generations_of_labels(self, label: str) -> None:
        group = self.group(self.PREFILL, self.DECODE)
        workloads = made("StatefulSet", "llama-prefill", by=group)
        pod = made("Pod", "llama-prefill-0", by=workloads, labels={label: "prefill"})
        workload = found("po/llama-prefill-0", group, workloads, pod, self.adapter("prefill"))
        assert workload.name == "llama-prefill"

    def test_an_adapter_is_what_is_scaled(self) -> None:
        group = self.group(self.PREFILL, self.DECODE)
        leaders = "rbg.workloads.x-k8s.io/group-name=llama,rbg.workloads.x-k8s.io/component-index=0"
        workload = found("rbgsa/llama-decode", group, self.adapter("decode", leaders, by=group))
        assert workload.asked == ""
        assert (workload.role, workload.pods_per_replica, workload.counted_per_replica) == ("decode", 2, 1)

    def test_all_pods_of_a_replica_counted(self) -> None:
        """Before v0.6 the selector of a leader and its workers took the workers as well."""
        group = self.group(self.DECODE)
        workload = found("rbgsa/llama-decode", group, self.adapter("decode", "role=decode"))
        assert workload.counted_per_replica == 2
        assert "matches 2 pods a replica" in workload.notes[0]

    def test_several_roles_are_refused_with_a_command_for_each(self) -> None:
        error = refused(
            "rbg/llama", self.group(self.ROUTER, self.PREFILL, self.DECODE), self.adapter("prefill")
        )
        first, second = error.detail.splitlines()
        assert (
            first
            == f"kubectl llm-hpa enable rolebasedgroupscalingadapter/llama-prefill -n {NAMESPACE} --max N"
        )
        assert second.startswith(
            f"kubectl -n {NAMESPACE} patch rolebasedgroups.v1alpha2.workloads.x-k8s.io/llama --type=json -p "
            '\'[{"op":"test","path":"/spec/roles/2/name","value":"decode"},'
            '{"op":"add","path":"/spec/roles/2/scalingAdapter","value":{"enable":true}}]\' && '
        )

    def test_a_role_without_an_adapter(self) -> None:
        assert "scalingAdapter" in refused("rbg/llama", self.group(self.DECODE)).detail
        assert "not there yet" in str(refused("rbg/llama", self.group(self.PREFILL)))

    def test_a_role_without_a_selector(self) -> None:
        error = refused("rbg/llama", self.group(self.PREFILL), self.adapter("prefill", ""))
        assert "LeaderWorkerSet, InstanceSet or RoleInstanceSet" in str(error)


class TestDynamo:
    V1ALPHA1: ClassVar[Json] = {
        "services": {
            "Frontend": {"componentType": "frontend"},
            "VllmPrefillWorker": {"componentType": "worker", "scalingAdapter": {"enabled": True}},
            "VllmDecodeWorker": {"componentType": "worker", "subComponentType": "decode"},
        }
    }
    V1BETA1: ClassVar[Json] = {
        "components": [
            {"name": "Frontend", "type": "frontend"},
            {"name": "VllmWorker", "type": "worker", "scalingAdapter": {}, "multinode": {"nodeCount": 2}},
        ]
    }

    def adapter(self, component: str) -> Json:
        return made(
            "DynamoGraphDeploymentScalingAdapter", f"llama-{component.lower()}",
            spec={"dgdRef": {"name": "llama", "componentName": component}}, status={"selector": "x=y"},
            scale=("x=y", 1),
        )  # fmt: skip

    def test_a_pod_of_the_operators_deployment(self) -> None:
        graph = made("DynamoGraphDeployment", "llama", spec=self.V1ALPHA1)
        component = made("DynamoComponentDeployment", "llama-vllmprefillworker", by=graph, spec={
            "serviceName": "VllmPrefillWorker",
        })  # fmt: skip
        deployment = scaled_deployment("llama-vllmprefillworker", by=component)
        workload = found(
            "deploy/llama-vllmprefillworker", graph, component, deployment, self.adapter("VllmPrefillWorker")
        )
        assert workload.reference == "DynamoGraphDeploymentScalingAdapter/llama-vllmprefillworker"
        assert workload.role == "prefill"

    def test_a_pod_of_grove(self) -> None:
        graph = made("DynamoGraphDeployment", "llama", spec=self.V1BETA1)
        cliques = made("PodCliqueSet", "llama", by=graph, spec={}, scale=("x=y", 1))
        group = made("PodCliqueScalingGroup", "llama-0-vllmworker", by=cliques, spec={}, scale=("x=y", 1))
        clique = made("PodClique", "llama-0-vllmworker-0-ldr", by=group, spec={}, scale=("", 1))
        pod = made("Pod", "p", by=clique, labels={"nvidia.com/dynamo-component": "VllmWorker"})
        workload = found("po/p", graph, cliques, group, clique, pod, self.adapter("VllmWorker"))
        assert workload.reference == "DynamoGraphDeploymentScalingAdapter/llama-vllmworker"
        assert (workload.pods_per_replica, workload.counted_per_replica) == (2, 2)

    def test_the_graph_with_one_engine(self) -> None:
        graph = made("DynamoGraphDeployment", "llama", spec=self.V1BETA1)
        assert found("dgd/llama", graph, self.adapter("VllmWorker")).role == "worker"

    def test_the_graph_with_two(self) -> None:
        graph = made("DynamoGraphDeployment", "llama", spec=self.V1ALPHA1)
        error = refused("dgd/llama", graph, self.adapter("VllmPrefillWorker"))
        assert [line.rpartition("enable ")[2] for line in error.detail.splitlines()] == [
            f"dynamographdeploymentscalingadapter/llama-vllmprefillworker -n {NAMESPACE} --max N",
            f"dynamographdeploymentscalingadapter/llama-vllmdecodeworker -n {NAMESPACE} --max N",
        ]
        assert (
            '{"spec":{"services":{"VllmDecodeWorker":{"scalingAdapter":{"enabled":true}}}}}' in error.detail
        )

    def test_a_component_that_is_not_open(self) -> None:
        spec = {"components": [{"name": "decode", "type": "decode"}]}
        error = refused("dgd/llama", made("DynamoGraphDeployment", "llama", spec=spec))
        assert '"path":"/spec/components/0/scalingAdapter","value":{}' in error.detail

    def test_an_adapter_of_an_older_operator(self) -> None:
        """It made one for every service, without a field that asks for it."""
        spec = {"services": {"decode": {"componentType": "worker"}}}
        graph = made("DynamoGraphDeployment", "llama", spec=spec)
        assert found("dgd/llama", graph, self.adapter("decode")).name == "llama-decode"


class TestGrove:
    TEMPLATE: ClassVar[Json] = {
        "cliques": [
            {"name": "router", "spec": {"roleName": "router", "replicas": 1}},
            {"name": "leader", "spec": {"roleName": "leader", "replicas": 1}},
            {"name": "worker", "spec": {"roleName": "worker", "replicas": 3}},
            {"name": "prefill", "spec": {"roleName": "prefill", "replicas": 2}},
        ],
        "podCliqueScalingGroups": [{"name": "decode", "cliqueNames": ["leader", "worker"]}],
    }
    SET = made(
        "PodCliqueSet", "llama", spec={"replicas": 1, "template": TEMPLATE}, scale=("part-of=llama", 1)
    )
    GROUP = made(
        "PodCliqueScalingGroup",
        "llama-0-decode",
        by=SET,
        spec={"cliqueNames": ["leader", "worker"]},
        scale=("x=y", 1),
    )
    MEMBER = made(
        "PodClique", "llama-0-decode-0-leader", by=GROUP, spec={"roleName": "leader"}, scale=("", 1)
    )
    CLIQUE = made("PodClique", "llama-0-prefill", by=SET, spec={"roleName": "prefill"}, scale=("x=y", 2))

    def test_a_pod_of_a_scaling_group(self) -> None:
        pod = made("Pod", "p", by=self.MEMBER)
        workload = found("po/p", self.SET, self.GROUP, self.MEMBER, pod)
        assert workload.reference == "PodCliqueScalingGroup/llama-0-decode"
        assert (workload.topology, workload.pods_per_replica, workload.counted_per_replica) == ("group", 4, 4)

    def test_a_pod_of_a_clique_of_its_own(self) -> None:
        workload = found("po/p", self.SET, self.CLIQUE, made("Pod", "p", by=self.CLIQUE))
        assert (workload.reference, workload.role) == ("PodClique/llama-0-prefill", "prefill")

    def test_the_set_with_several_parts(self) -> None:
        error = refused("pcs/llama", self.SET, self.GROUP, self.CLIQUE)
        assert [line.rpartition("enable ")[2] for line in error.detail.splitlines()] == [
            f"podcliquescalinggroup/llama-0-decode -n {NAMESPACE} --max N",
            f"podclique/llama-0-prefill -n {NAMESPACE} --max N",
        ]
