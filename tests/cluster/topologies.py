"""Workloads of every topology, as their projects' controllers leave them: objects, status, and the pods below.

The objects go through the projects' own schemas. The controllers of other projects do not run; Kubernetes' own do, so
most pods come from real Deployments and StatefulSets. They stay pending: there is no node.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tests.cluster.conftest import Json

#: Our label of pods: those that the HPA must count, and those that it must not.
COUNTED = "counted"
#: The pod spec of all templates; nothing can run it.
POD: Json = {"containers": [{"name": "main", "image": "none.invalid/engine"}]}
_LWS = "leaderworkerset.sigs.k8s.io"
_RBG = "rbg.workloads.x-k8s.io"
_OLD_RBG = "rolebasedgroup.workloads.x-k8s.io"
_KTHENA = "modelserving.volcano.sh"


@dataclass(frozen=True)
class Topology:
    """One case: objects from the top down, what is scaled for them, and words that all lead to it."""

    objects: tuple[Json, ...]
    scaled: str
    asked: tuple[str, ...]
    role: str = ""
    pods_per_replica: int = 1
    counted_per_replica: int = 1


def made(
    api_version: str, kind: str, name: str, *, by: str = "", labels: Json | None = None, **parts: Any
) -> Json:
    """An object; `by` is `Kind/name` of its controller (taken out before it is created)."""
    metadata = {"name": name, "labels": labels or {}, "annotations": parts.pop("annotations", {})}
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, "by": by, **parts}


def template(labels: Json, *, counted: bool = True) -> Json:
    return {"metadata": {"labels": {**labels, COUNTED: "yes" if counted else "no"}}, "spec": POD}


def run(kind: str, name: str, labels: Json, *, by: str = "", counted: bool = True) -> Json:
    """A Deployment, ReplicaSet or StatefulSet of one pod with `labels`."""
    own = {**labels, "set": name}
    spec: Json = {"replicas": 1, "selector": {"matchLabels": own}, "template": template(own, counted=counted)}
    more: Json = {"serviceName": name} if kind == "StatefulSet" else {}
    return made("apps/v1", kind, name, by=by, labels=labels, spec=spec | more)


def pod(name: str, labels: Json, *, by: str, counted: bool = True) -> Json:
    """A pod that a controller of another project makes itself."""
    marked = {**labels, COUNTED: "yes" if counted else "no"}
    return made("v1", "Pod", name, by=by, labels=marked, spec=POD)


def _graph(name: str, *components: Json) -> Json:
    return made("nvidia.com/v1beta1", "DynamoGraphDeployment", name, spec={"components": list(components)})


def _graph_adapter(graph: str, component: str) -> Json:
    labels = f"nvidia.com/dynamo-component={component},nvidia.com/dynamo-graph-deployment-name={graph}"
    return made(
        "nvidia.com/v1beta1", "DynamoGraphDeploymentScalingAdapter", f"{graph}-{component.lower()}",
        spec={"replicas": 1, "dgdRef": {"name": graph, "componentName": component}},
        status={"replicas": 1, "selector": labels},
    )  # fmt: skip


def _component_labels(graph: str, component: str) -> Json:
    return {"nvidia.com/dynamo-graph-deployment-name": graph, "nvidia.com/dynamo-component": component}


def _role_adapter(version: str, group: str, role: str, selector: str) -> Json:
    return made(
        f"workloads.x-k8s.io/{version}", "RoleBasedGroupScalingAdapter", f"{group}-{role}",
        spec={"replicas": 1, "scaleTargetRef": {"name": group, "role": role}},
        status={"phase": "Bound", "replicas": 1, "selector": selector},
    )  # fmt: skip


EXTERNAL = {"serving.kserve.io/autoscalerClass": "external", "serving.kserve.io/deploymentMode": "Standard"}
_ENABLED = {"scalingAdapter": {"enable": True}}
_CLIQUES = [
    {"name": "ldr", "spec": {"roleName": "ldr", "replicas": 1, "podSpec": POD}},
    {"name": "wkr", "spec": {"roleName": "wkr", "replicas": 1, "podSpec": POD}},
    {"name": "prefill", "spec": {"roleName": "prefill", "replicas": 1, "podSpec": POD}},
]


def _grove(
    name: str, group: str, *, by: str = "", labels: Json | None = None, counted: bool = True
) -> tuple[Json, ...]:
    """A PodCliqueSet with a scaling group of a leader and a worker clique, and their pods."""
    own = {"app.kubernetes.io/managed-by": "grove-operator", "app.kubernetes.io/part-of": name}
    full = f"{name}-0-{group}"
    members = {**own, **(labels or {}), "grove.io/podcliquescalinggroup": full}
    selector = f"app.kubernetes.io/managed-by=grove-operator,app.kubernetes.io/part-of={name}"
    config = {"name": group, "replicas": 1, "cliqueNames": ["ldr", "wkr"]}
    spec = {"replicas": 1, "template": {"cliques": _CLIQUES, "podCliqueScalingGroups": [config]}}
    objects = [
        made("grove.io/v1alpha1", "PodCliqueSet", name, by=by, spec=spec, status={"hpaPodSelector": selector}),
        made(
            "grove.io/v1alpha1", "PodCliqueScalingGroup", full, by=f"PodCliqueSet/{name}",
            spec={"replicas": 1, "cliqueNames": ["ldr", "wkr"]},
            status={"replicas": 1, "selector": f"{selector},grove.io/podcliquescalinggroup={full}"},
        ),
    ]  # fmt: skip
    for clique in ("ldr", "wkr"):
        owner = f"PodCliqueScalingGroup/{full}"
        objects.append(made("grove.io/v1alpha1", "PodClique", f"{full}-0-{clique}", by=owner, spec={
            "roleName": clique, "replicas": 1,
        }))  # fmt: skip
        objects.append(
            pod(f"{full}-0-{clique}-x", members, by=f"PodClique/{full}-0-{clique}", counted=counted)
        )
    return tuple(objects)


TOPOLOGIES: dict[str, Topology] = {
    "Deployment": Topology(
        (run("Deployment", "plain", {"app": "plain"}),), "Deployment/plain", ("deploy/plain",),
    ),
    "StatefulSet": Topology(
        (run("StatefulSet", "sts", {"app": "sts"}),),
        "StatefulSet/sts", ("sts/sts", "po/sts-0"),
    ),
    "Argo Rollout": Topology(
        (
            made("argoproj.io/v1alpha1", "Rollout", "roll", status={"selector": "app=roll", "HPAReplicas": 1}, spec={
                "replicas": 1, "selector": {"matchLabels": {"app": "roll"}}, "template": template({"app": "roll"}),
            }),
            run("ReplicaSet", "roll-1", {"app": "roll"}, by="Rollout/roll"),
        ),
        "Rollout/roll", ("rollout/roll", "ro/roll", "rs/roll-1"),
    ),
    "LeaderWorkerSet": Topology(
        (
            made("leaderworkerset.x-k8s.io/v1", "LeaderWorkerSet", "lws", spec={
                "replicas": 1, "leaderWorkerTemplate": {"size": 2, "workerTemplate": {"spec": POD}},
            }, status={"replicas": 1, "hpaPodSelector": f"{_LWS}/name=lws,{_LWS}/worker-index=0"}),
            run("StatefulSet", "lws", {f"{_LWS}/name": "lws", f"{_LWS}/worker-index": "0"}, by="LeaderWorkerSet/lws"),
            run("StatefulSet", "lws-0", {f"{_LWS}/name": "lws", f"{_LWS}/worker-index": "1"}, by="Pod/lws-0",
                counted=False),
        ),
        "LeaderWorkerSet/lws",
        ("lws/lws", "leaderworkersets.leaderworkerset.x-k8s.io/lws", "sts/lws", "po/lws-0", "sts/lws-0", "po/lws-0-0"),
        pods_per_replica=2,
    ),
    "DisaggregatedSet": Topology(
        (
            made("disaggregatedset.x-k8s.io/v1", "DisaggregatedSet", "ds", spec={"roles": [
                {"name": "prefill", "scaling": {"mode": "External"}}, {"name": "decode"},
            ]}),
            made("disaggregatedset.x-k8s.io/v1", "DisaggregatedSetRoleScaler", "ds-prefill", by="DisaggregatedSet/ds",
                 labels={"disaggregatedset.x-k8s.io/name": "ds", "disaggregatedset.x-k8s.io/role": "prefill"},
                 spec={"replicas": 1}, status={"replicas": 1, "selector": "disaggregatedset.x-k8s.io/name=ds,"
                       f"disaggregatedset.x-k8s.io/role=prefill,{_LWS}/worker-index=0"}),
            made("leaderworkerset.x-k8s.io/v1", "LeaderWorkerSet", "ds-prefill-1", by="DisaggregatedSet/ds",
                 labels={"disaggregatedset.x-k8s.io/role": "prefill"}, spec={
                     "replicas": 1, "leaderWorkerTemplate": {"size": 1, "workerTemplate": {"spec": POD}}}),
            run("StatefulSet", "ds-prefill-1", {
                "disaggregatedset.x-k8s.io/name": "ds", "disaggregatedset.x-k8s.io/role": "prefill",
                f"{_LWS}/worker-index": "0",
            }, by="LeaderWorkerSet/ds-prefill-1"),
        ),
        "DisaggregatedSetRoleScaler/ds-prefill", ("dsrs/ds-prefill", "lws/ds-prefill-1", "po/ds-prefill-1-0"),
        role="prefill",
    ),
    "RoleBasedGroup": Topology(
        (
            made("workloads.x-k8s.io/v1alpha2", "RoleBasedGroup", "rbg", spec={"roles": [
                {"name": "router"}, {"name": "prefill", **_ENABLED},
                {"name": "decode", **_ENABLED, "leaderWorkerPattern": {"size": 2}},
            ]}),
            _role_adapter("v1alpha2", "rbg", "prefill", f"{_RBG}/group-name=rbg,{_RBG}/role-name=prefill"),
            _role_adapter("v1alpha2", "rbg", "decode",
                          f"{_RBG}/group-name=rbg,{_RBG}/role-name=decode,{_RBG}/component-index=0"),
            run("StatefulSet", "rbg-decode", {f"{_RBG}/group-name": "rbg", f"{_RBG}/role-name": "decode",
                f"{_RBG}/component-index": "0"}, by="RoleBasedGroup/rbg"),
            run("StatefulSet", "rbg-decode-w", {f"{_RBG}/group-name": "rbg", f"{_RBG}/role-name": "decode",
                f"{_RBG}/component-index": "1"}, by="RoleBasedGroup/rbg", counted=False),
        ),
        "RoleBasedGroupScalingAdapter/rbg-decode",
        ("rbgsa/rbg-decode", "sts/rbg-decode", "po/rbg-decode-0", "po/rbg-decode-w-0"),
        role="decode", pods_per_replica=2,
    ),
    "RoleBasedGroup of the first generation": Topology(
        (
            made("workloads.x-k8s.io/v1alpha1", "RoleBasedGroup", "old", spec={"roles": [
                {"name": "scheduler"}, {"name": "decode", **_ENABLED, "leaderWorkerSet": {"size": 2}},
            ]}),
            _role_adapter("v1alpha1", "old", "decode", f"{_LWS}/name=old-decode,{_LWS}/worker-index=0"),
            run("StatefulSet", "old-decode", {f"{_OLD_RBG}/name": "old", f"{_OLD_RBG}/role": "decode",
                f"{_LWS}/name": "old-decode", f"{_LWS}/worker-index": "0"}, by="RoleBasedGroup/old"),
        ),
        "RoleBasedGroupScalingAdapter/old-decode", ("rbg/old", "po/old-decode-0", "rbgsa/old-decode"),
        role="decode", pods_per_replica=2,
    ),
    "DynamoGraphDeployment": Topology(
        (
            _graph("dyn", {"name": "Frontend", "type": "frontend"},
                   {"name": "VllmDecode", "type": "decode", "scalingAdapter": {}}),
            _graph_adapter("dyn", "VllmDecode"),
            made("nvidia.com/v1beta1", "DynamoComponentDeployment", "dyn-vllmdecode", by="DynamoGraphDeployment/dyn",
                 spec={"name": "VllmDecode"}),
            run("Deployment", "dyn-vllmdecode", _component_labels("dyn", "VllmDecode"),
                by="DynamoComponentDeployment/dyn-vllmdecode"),
        ),
        "DynamoGraphDeploymentScalingAdapter/dyn-vllmdecode",
        ("dgd/dyn", "dgdsa/dyn-vllmdecode", "dcd/dyn-vllmdecode", "deploy/dyn-vllmdecode"),
        role="decode",
    ),
    "DynamoGraphDeployment on several nodes": Topology(
        (
            _graph("big", {"name": "worker", "type": "worker", "scalingAdapter": {}, "multinode": {"nodeCount": 2}}),
            _graph_adapter("big", "worker"),
            *_grove("big", "worker", by="DynamoGraphDeployment/big", labels=_component_labels("big", "worker")),
        ),
        "DynamoGraphDeploymentScalingAdapter/big-worker", ("dgd/big", "po/big-0-worker-0-wkr-x"),
        role="worker", pods_per_replica=2, counted_per_replica=2,
    ),
    "Grove scaling group": Topology(
        _grove("grove", "decode"),
        "PodCliqueScalingGroup/grove-0-decode",
        ("pcsg/grove-0-decode", "pclq/grove-0-decode-0-ldr", "po/grove-0-decode-0-wkr-x"),
        pods_per_replica=2, counted_per_replica=2,
    ),
    "Grove clique": Topology(
        (
            made("grove.io/v1alpha1", "PodClique", "grove-0-prefill", by="PodCliqueSet/grove", spec={
                "roleName": "prefill", "replicas": 1,
            }, status={"replicas": 1, "hpaPodSelector": "grove.io/podclique=grove-0-prefill"}),
            pod("grove-0-prefill-x", {"grove.io/podclique": "grove-0-prefill"}, by="PodClique/grove-0-prefill"),
        ),
        "PodClique/grove-0-prefill", ("pclq/grove-0-prefill", "po/grove-0-prefill-x"),
        role="prefill",
    ),
    "KServe InferenceService": Topology(
        (
            made("serving.kserve.io/v1beta1", "InferenceService", "ks", annotations=EXTERNAL, spec={"predictor": {}}),
            run("Deployment", "ks-predictor", {"app": "isvc.ks-predictor"}, by="InferenceService/ks"),
        ),
        "Deployment/ks-predictor", ("isvc/ks", "deploy/ks-predictor"),
    ),
    "KServe LLMInferenceService": Topology(
        (
            made("serving.kserve.io/v1alpha2", "LLMInferenceService", "llm", spec={"model": {"uri": "hf://x/y"}}),
            run("Deployment", "llm-kserve", {"app.kubernetes.io/name": "llm"}, by="LLMInferenceService/llm"),
        ),
        "Deployment/llm-kserve", ("llmisvc/llm", "deploy/llm-kserve"),
    ),
    "AIBrix StormService": Topology(
        (
            made("orchestration.aibrix.ai/v1alpha1", "StormService", "storm", spec={
                "replicas": 1, "selector": {"matchLabels": {"app": "storm"}},
                "template": {"spec": {"roles": [{"name": "decode", "replicas": 1, "template": template({})}]}},
            }, status={"replicas": 1, "scalingTargetSelector": "storm-service-name=storm"}),
            made("orchestration.aibrix.ai/v1alpha1", "RoleSet", "storm-r", by="StormService/storm", spec={"roles": []}),
            pod("storm-r-x", {"storm-service-name": "storm", "role-name": "decode"}, by="RoleSet/storm-r"),
        ),
        "StormService/storm", ("stormservice/storm", "po/storm-r-x"),
        role="decode",
    ),
    "kthena ModelServing": Topology(
        (
            made("workload.serving.volcano.sh/v1alpha1", "ModelServing", "kth", spec={"replicas": 1, "template": {
                "roles": [{"name": "decode", "replicas": 1, "entryTemplate": {"spec": POD}, "workerReplicas": 1,
                           "workerTemplate": {"spec": POD}}],
            }}, status={"replicas": 1, "labelSelector": f"{_KTHENA}/entry=true,{_KTHENA}/name=kth"}),
            pod("kth-0", {f"{_KTHENA}/name": "kth", f"{_KTHENA}/entry": "true"}, by="ModelServing/kth"),
            pod("kth-1", {f"{_KTHENA}/name": "kth"}, by="ModelServing/kth", counted=False),
        ),
        "ModelServing/kth", ("modelserving/kth", "po/kth-0", "po/kth-1"),
        role="decode", pods_per_replica=2,
    ),
    "KAITO InferenceSet": Topology(
        (
            made("kaito.sh/v1beta1", "InferenceSet", "ka", spec={"replicas": 1}, status={
                "replicas": 1, "selector": "inferenceset.kaito.sh/created-by=ka",
            }),
            made("kaito.sh/v1beta1", "Workspace", "ka-1", by="InferenceSet/ka"),
            run("StatefulSet", "ka-1", {"inferenceset.kaito.sh/created-by": "ka"}, by="Workspace/ka-1"),
        ),
        "InferenceSet/ka", ("inferenceset/ka", "isets/ka", "workspace/ka-1", "po/ka-1-0"),
    ),
    "any other kind": Topology(
        (
            made("llm-hpa.example/v1", "Widget", "any", spec={"replicas": 1}, status={
                "replicas": 1, "selector": "app in (any),!worker",
            }),
            run("Deployment", "any", {"app": "any"}, by="Widget/any"),
            run("Deployment", "any-worker", {"app": "any", "worker": "yes"}, by="Widget/any", counted=False),
        ),
        "Widget/any", ("widget/any", "widgets.llm-hpa.example/any", "deploy/any"),
    ),
}  # fmt: skip
