"""What no HPA can scale is refused, and what is printed instead is taken by the real API server."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from typing import NamedTuple

import pytest

from kubectl_llmhpa.errors import LlmHpaError
from kubectl_llmhpa.kube import Cluster, Connection
from kubectl_llmhpa.workloads import Rival, resolve
from tests.cluster.conftest import Json, Kubectl, Plugin, assert_one_sentence, fresh_namespace
from tests.cluster.stage import Stage
from tests.cluster.topologies import made, pod, run, template

pytestmark = pytest.mark.control_plane

_POD: Json = template({})["spec"]
_STORM = {"kind": "StormService", "name": "storm", "apiVersion": "orchestration.aibrix.ai/v1alpha1"}
_POLICY = {
    "metrics": [{"name": "waiting", "targetValue": "5"}],
    "homogeneousTarget": {
        "minReplicas": 1, "maxReplicas": 3, "target": {"targetRef": {"kind": "ModelServing", "name": "kth"}},
    },
}  # fmt: skip


def group(name: str, *roles: str) -> Json:
    spec = {"roles": [{"name": role} for role in roles]}
    return made("workloads.x-k8s.io/v1alpha2", "RoleBasedGroup", name, spec=spec)


def storm(name: str) -> Json:
    roles = [{"name": "decode", "replicas": 1, "template": template({})}]
    return made("orchestration.aibrix.ai/v1alpha1", "StormService", name, spec={
        "replicas": 1, "selector": {"matchLabels": {"app": name}}, "template": {"spec": {"roles": roles}},
    }, status={"replicas": 1, "scalingTargetSelector": f"storm-service-name={name}"})  # fmt: skip


def serving(name: str, selector: str) -> Json:
    roles = [{"name": "decode", "replicas": 1, "entryTemplate": {"spec": _POD}, "workerReplicas": 0}]
    return made("workload.serving.volcano.sh/v1alpha1", "ModelServing", name, spec={
        "replicas": 1, "template": {"roles": roles},
    }, status={"replicas": 1, "labelSelector": selector})  # fmt: skip


OBJECTS = (
    group("rbg", "router", "decode"),
    group("pd", "prefill", "decode"),
    made("nvidia.com/v1beta1", "DynamoGraphDeployment", "dyn", spec={
        "components": [{"name": "Frontend", "type": "frontend"}, {"name": "Worker", "type": "worker"}],
    }),
    made("disaggregatedset.x-k8s.io/v1", "DisaggregatedSet", "ds", spec={
        "roles": [{"name": "prefill"}, {"name": "decode"}],
    }),
    made("leaderworkerset.x-k8s.io/v1", "LeaderWorkerSet", "ds-decode", by="DisaggregatedSet/ds",
         labels={"disaggregatedset.x-k8s.io/role": "decode"}, spec={
             "replicas": 1, "leaderWorkerTemplate": {"size": 1, "workerTemplate": {"spec": _POD}}}),
    made("apps.nvidia.com/v1alpha1", "NIMService", "nim", spec={"replicas": 1}),
    run("Deployment", "nim", {"app": "nim"}, by="NIMService/nim"),
    made("ray.io/v1", "RayCluster", "ray", spec={
        "headGroupSpec": {"rayStartParams": {}, "template": {"spec": _POD}},
    }),
    pod("ray-head", {"ray.io/cluster": "ray"}, by="RayCluster/ray"),
    made("kaito.sh/v1beta1", "Workspace", "ka"),
    made("serving.kserve.io/v1beta1", "InferenceService", "ks", spec={"predictor": {}}),
    run("Deployment", "ks-predictor", {"app": "isvc.ks-predictor"}, by="InferenceService/ks"),
    made("serving.kserve.io/v1alpha2", "LLMInferenceService", "llm", spec={
        "model": {"uri": "hf://x/y"}, "replicas": 2, "prefill": {"replicas": 1},
    }),
    run("Deployment", "llm-kserve", {"app": "llm"}, by="LLMInferenceService/llm"),
    run("Deployment", "llm-kserve-prefill", {"app": "llm-prefill"}, by="LLMInferenceService/llm"),
    storm("storm"),
    made("autoscaling.aibrix.ai/v1alpha1", "PodAutoscaler", "storm", spec={
        "scaleTargetRef": _STORM, "maxReplicas": 3, "scalingStrategy": "KPA",
    }),
    serving("kth", "modelserving.volcano.sh/name=kth"),
    serving("kth-old", ""),
    made("workload.serving.volcano.sh/v1alpha1", "AutoscalingPolicy", "kth", spec=_POLICY),
)  # fmt: skip


@pytest.fixture(scope="module")
def namespace(kubectl: Kubectl) -> Iterator[str]:
    with fresh_namespace(kubectl) as name:
        Stage(kubectl, name).put(*OBJECTS)
        yield name


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with Cluster(Connection(), read_only=True) as found:
        yield found


def try_out(kubectl: Kubectl, command: str) -> Json:
    """What the server would store if the user ran the patch that was printed."""
    program, *words = shlex.split(command)
    assert program == "kubectl"
    stored: Json = json.loads(kubectl.run(*words, "--dry-run=server", "-o", "json").stdout)
    return stored


class Case(NamedTuple):
    words: str
    reason: str


@pytest.mark.parametrize(
    "case",
    [
        Case("raycluster/ray", "target_ongoing_requests"),
        Case("po/ray-head", "target_ongoing_requests"),
        Case("nimservice/nim", "spec.scale.hpa"),
        Case("workspace/ka", "InferenceSet"),
        Case("rbg/pd", "each needs an HPA of its own"),
        Case("rbg/rbg", "role decode is not open to an autoscaler"),
        Case("dgd/dyn", "role Worker is not open to an autoscaler"),
        Case("lws/ds-decode", "role decode is not open to an autoscaler"),
        Case("llmisvc/llm", "a prefill and a decode part"),
        Case("modelserving/kth-old", "names no selector"),
        Case("unicorn/x", "no resource of that type"),
        Case("lws/none", "there is none of that name"),
    ],
    ids=lambda case: case.words,
)
def test_the_command_says_why(llm_hpa: Plugin, namespace: str, case: Case) -> None:
    assert_one_sentence(llm_hpa("enable", case.words, "-n", namespace, "--max", "3"), case.reason)


@pytest.mark.parametrize(
    ("words", "path"),
    [
        ("rbg/rbg", ("spec", "roles", 1, "scalingAdapter", "enable")),
        ("dgd/dyn", ("spec", "components", 1, "scalingAdapter")),
        ("lws/ds-decode", ("spec", "roles", 1, "scaling", "mode")),
        ("nimservice/nim", ("spec", "scale", "hpa", "maxReplicas")),
    ],
)
def test_the_printed_patch_of_a_refusal(
    cluster: Cluster, kubectl: Kubectl, namespace: str, words: str, path: tuple[str | int, ...]
) -> None:
    with pytest.raises(LlmHpaError) as caught:
        resolve(cluster, words, namespace)
    stored = try_out(kubectl, caught.value.detail.replace('"maxReplicas":N', '"maxReplicas":3'))
    value: object = stored
    for step in path:
        value = value[step]  # type: ignore[index]
    assert value in (True, {}, "External", 3)


def test_every_role_gets_its_own_patch(cluster: Cluster, kubectl: Kubectl, namespace: str) -> None:
    with pytest.raises(LlmHpaError) as caught:
        resolve(cluster, "rbg/pd", namespace)
    for index, line in enumerate(caught.value.detail.splitlines()):
        patch, _, enable = line.partition(" && ")
        assert try_out(kubectl, patch)["spec"]["roles"][index]["scalingAdapter"]["enable"] is True
        role = ("prefill", "decode")[index]
        assert (
            enable == f"kubectl llm-hpa enable rolebasedgroupscalingadapter/pd-{role} -n {namespace} --max N"
        )


def rival(cluster: Cluster, words: str, namespace: str) -> Rival:
    found = resolve(cluster, words, namespace).rival
    assert found is not None
    return found


def test_kserve_makes_an_hpa_of_its_own(cluster: Cluster, kubectl: Kubectl, namespace: str) -> None:
    found = rival(cluster, "deploy/ks-predictor", namespace)
    annotations = try_out(kubectl, found.detail)["metadata"]["annotations"]
    assert annotations["serving.kserve.io/autoscalerClass"] == "external"


def test_kserve_sets_the_replicas(cluster: Cluster, kubectl: Kubectl, namespace: str) -> None:
    spec = try_out(kubectl, rival(cluster, "deploy/llm-kserve", namespace).detail)["spec"]
    assert "replicas" not in spec
    prefill = try_out(kubectl, rival(cluster, "deploy/llm-kserve-prefill", namespace).detail)["spec"][
        "prefill"
    ]
    assert "replicas" not in prefill


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        ("deploy/nim", "NIMService/nim sets its replicas"),
        ("stormservice/storm", "AIBrix's PodAutoscaler/storm scales it"),
        ("modelserving/kth", "kthena's AutoscalingPolicy/kth scales it"),
    ],
)
def test_what_others_scale_is_told(cluster: Cluster, namespace: str, words: str, problem: str) -> None:
    assert problem in rival(cluster, words, namespace).problem
