"""Types by name, label selectors, and what a workload is called. What needs an API server is in tests/cluster."""

from __future__ import annotations

import re

import pytest

from kubectl_llmhpa.api import DEPLOYMENTS, Json, Resource, type_and_name
from kubectl_llmhpa.errors import LlmHpaError
from kubectl_llmhpa.workloads import Workload
from kubectl_llmhpa.workloads.discovery import BUILTIN, choose, types_of_groups
from kubectl_llmhpa.workloads.model import role_word
from kubectl_llmhpa.workloads.registry import KINDS
from kubectl_llmhpa.workloads.selectors import label_selector
from tests import loading

ADAPTERS = Resource(
    "nvidia.com/v1beta1", "dynamographdeploymentscalingadapters", "DynamoGraphDeploymentScalingAdapter"
)


def workload(resource: Resource, name: str, selector: str = "app=x") -> Workload:
    return Workload(resource, "ns", name, {}, 1, selector)


class TestSelector:
    @pytest.mark.parametrize(
        ("text", "selector"),
        [
            ("", {}),
            ("app=vllm", {"matchLabels": {"app": "vllm"}}),
            ("app=vllm,role=", {"matchLabels": {"app": "vllm", "role": ""}}),
            (
                "leaderworkerset.sigs.k8s.io/name=llama,leaderworkerset.sigs.k8s.io/worker-index=0",
                {
                    "matchLabels": {
                        "leaderworkerset.sigs.k8s.io/name": "llama",
                        "leaderworkerset.sigs.k8s.io/worker-index": "0",
                    }
                },
            ),
            ("a==b", {"matchLabels": {"a": "b"}}),
            ("a!=b", {"matchExpressions": [{"key": "a", "operator": "NotIn", "values": ["b"]}]}),
            (
                "a in (b, c),d=e,f notin (g)",
                {
                    "matchLabels": {"d": "e"},
                    "matchExpressions": [
                        {"key": "a", "operator": "In", "values": ["b", "c"]},
                        {"key": "f", "operator": "NotIn", "values": ["g"]},
                    ],
                },
            ),
            (
                "example.com/a,!b",
                {
                    "matchExpressions": [
                        {"key": "example.com/a", "operator": "Exists"},
                        {"key": "b", "operator": "DoesNotExist"},
                    ]
                },
            ),
        ],
    )
    def test_as_a_label_selector(self, text: str, selector: Json) -> None:
        assert label_selector(text) == selector
        assert workload(DEPLOYMENTS, "x", text).pod_selector == selector

    @pytest.mark.parametrize("text", ["a>1", "a<1", "a b", "a in b"])
    def test_what_it_cannot_be(self, text: str) -> None:
        with pytest.raises(LlmHpaError, match="cannot be said"):
            label_selector(text)


class TestLabel:
    def test_short(self) -> None:
        assert workload(DEPLOYMENTS, "vllm").label == "Deployment.vllm"

    def test_long_ones_stay_apart_and_are_label_values(self) -> None:
        labels = {
            workload(ADAPTERS, f"llama-3-3-70b-instruct-disaggregated-vllm{role}worker").label
            for role in ("prefill", "decode")
        }
        assert len(labels) == 2
        assert {len(label) for label in labels} == {63}


@pytest.mark.parametrize(
    ("name", "role"),
    [
        ("VllmPrefillWorker", "prefill"), ("decode", "decode"), ("VllmDecodeWorker", "decode"),
        ("Frontend", "frontend"), ("router", "frontend"), ("Planner", "frontend"),
        ("vllm-worker", "worker"), ("backend", "worker"), ("llama", ""),
    ],
)  # fmt: skip
def test_role_words(name: str, role: str) -> None:
    assert role_word(name) == role


@pytest.mark.parametrize("words", [("sts/vllm",), ("sts", "vllm"), "sts/vllm"])
def test_both_spellings(words: tuple[str, ...] | str) -> None:
    assert type_and_name(words) == ("sts", "vllm")


@pytest.mark.parametrize("words", [("vllm",), ("sts", "a", "b"), "sts/", "/x", "a/b/c", ("sts/a", "b")])
def test_no_workload(words: tuple[str, ...] | str) -> None:
    with pytest.raises(LlmHpaError, match="write for example sts/vllm"):
        type_and_name(words)


def group(name: str, *versions: tuple[str, list[Json]]) -> Json:
    return {
        "metadata": {"name": name},
        "versions": [{"version": version, "resources": resources} for version, resources in versions],
    }


def resource(plural: str, kind: str, *short: str, scale: bool = False) -> Json:
    found: Json = {
        "resource": plural, "responseKind": {"kind": kind}, "scope": "Namespaced", "singularResource": kind.lower(),
    }  # fmt: skip
    below = ["status", *(["scale"] if scale else [])]
    return found | {"shortNames": list(short), "subresources": [{"subresource": one} for one in below]}


#: As kube-apiserver 1.37 answers, cut down to what is read.
DISCOVERY: Json = {
    "kind": "APIGroupDiscoveryList",
    "items": [
        group("image.openshift.io", ("v1", [resource("imagestreams", "ImageStream", "is")])),
        group(
            "kaito.sh", ("v1beta1", [resource("inferencesets", "InferenceSet", "is", "isets", scale=True)])
        ),
        group(
            "leaderworkerset.x-k8s.io",
            ("v1", [resource("leaderworkersets", "LeaderWorkerSet", "lws", scale=True)]),
        ),
        group(
            "workloads.x-k8s.io",
            ("v1alpha2", [resource("rolebasedgroups", "RoleBasedGroup", "rbg")]),
            (
                "v1alpha1",
                [
                    resource("rolebasedgroups", "RoleBasedGroup", "rbg"),
                    resource("instancesets", "InstanceSet"),
                ],
            ),
        ),
        group("apps.example.com", ("v1", [resource("deployments", "Deployment")])),
    ],
}
TYPES = (*BUILTIN, *types_of_groups(DISCOVERY))


class TestTypes:
    @pytest.mark.parametrize(
        ("word", "plural", "api_version"),
        [
            ("deploy", "deployments", "apps/v1"),
            ("Deployment", "deployments", "apps/v1"),
            ("deployments.apps", "deployments", "apps/v1"),
            ("deployments.v1.apps", "deployments", "apps/v1"),
            ("deployments.apps.example.com", "deployments", "apps.example.com/v1"),
            ("po", "pods", "v1"),
            ("lws", "leaderworkersets", "leaderworkerset.x-k8s.io/v1"),
            ("leaderworkersets.leaderworkerset.x-k8s.io", "leaderworkersets", "leaderworkerset.x-k8s.io/v1"),
            (
                "LeaderWorkerSet.v1.leaderworkerset.x-k8s.io",
                "leaderworkersets",
                "leaderworkerset.x-k8s.io/v1",
            ),
            ("lws.leaderworkerset", "leaderworkersets", "leaderworkerset.x-k8s.io/v1"),
            ("rbg", "rolebasedgroups", "workloads.x-k8s.io/v1alpha2"),
            ("instancesets", "instancesets", "workloads.x-k8s.io/v1alpha1"),
            ("is", "imagestreams", "image.openshift.io/v1"),
            ("is.kaito.sh", "inferencesets", "kaito.sh/v1beta1"),
        ],
    )
    def test_as_kubectl_takes_them(self, word: str, plural: str, api_version: str) -> None:
        found = choose(TYPES, word)
        assert found is not None
        assert (found.resource.plural, found.resource.api_version) == (plural, api_version)

    @pytest.mark.parametrize("word", ["unicorn", "deployments.batch", "lws.apps", "deployments.v2.apps"])
    def test_unknown(self, word: str) -> None:
        assert choose(TYPES, word) is None

    def test_which_scale(self) -> None:
        scalable = {one.resource.kind for one in TYPES if one.scalable}
        assert {"Deployment", "StatefulSet", "ReplicaSet", "LeaderWorkerSet", "InferenceSet"} <= scalable
        assert not scalable & {"Pod", "RoleBasedGroup", "ImageStream"}


def test_every_declared_kind_is_documented() -> None:
    page = (loading.ROOT / "docs" / "workloads.md").read_text()
    assert {kind for _, kind in KINDS if not re.search(rf"\b{kind}\b", page)} == set()
