"""The expression for a workload's pods: it takes theirs, and nobody else's."""

from __future__ import annotations

import re

import pytest

from kubectl_llmhpa.api import DEPLOYMENTS, STATEFUL_SETS, Json, Resource
from kubectl_llmhpa.workloads import Workload
from kubectl_llmhpa.workloads.pod_names import pattern

LWS = Resource("leaderworkerset.x-k8s.io/v1", "leaderworkersets", "LeaderWorkerSet")
ROLLOUT = Resource("argoproj.io/v1alpha1", "rollouts", "Rollout")
RBG = Resource("workloads.x-k8s.io/v1alpha2", "x", "RoleBasedGroupScalingAdapter")
CLIQUE = Resource("grove.io/v1alpha1", "podcliques", "PodClique")


def workload(resource: Resource, name: str = "vllm", pods: int = 1) -> Workload:
    return Workload(resource, "llm", name, {}, 1, "app=vllm", pods_per_replica=pods)


def pod(name: str, owner: str, kind: str, **labels: str) -> Json:
    labels = {key.replace("_", "-"): value for key, value in labels.items()}
    owners = [{"kind": kind, "name": owner, "controller": True}]
    return {"metadata": {"name": name, "ownerReferences": owners, "labels": labels}}


@pytest.mark.parametrize(
    ("resource", "name", "theirs", "others"),
    [
        (
            STATEFUL_SETS,
            "vllm",
            ("vllm-0", "vllm-12"),
            ("vllm-0-1", "vllm-a-0", "xvllm-0", "vllm-7d5f-bcdfg"),
        ),
        (STATEFUL_SETS, "v.llm", ("v.llm-0",), ("v-llm-0", "vxllm-0")),
        (
            DEPLOYMENTS,
            "vllm",
            ("vllm-6b47bd5c4d-x2x7q",),
            ("vllm-0", "vllm-b-6b47bd5c4d-x2x7q", "vllm-6b47bd5c4d-0"),
        ),
        (LWS, "vllm", ("vllm-0", "vllm-3"), ("vllm-0-1",)),
    ],
)
def test_names_of_built_in_kinds(
    resource: Resource, name: str, theirs: tuple[str, ...], others: tuple[str, ...]
) -> None:
    made = pattern(workload(resource, name), [])
    assert made is not None
    assert all(re.fullmatch(made, one) for one in theirs)
    assert not any(re.fullmatch(made, one) for one in others)


def test_a_name_that_is_cut_off_tells_nothing() -> None:
    assert pattern(workload(DEPLOYMENTS, "d" * 46), [])
    assert pattern(workload(DEPLOYMENTS, "d" * 47), []) is None


def test_other_kinds_by_the_controllers_of_their_pods() -> None:
    pods = [
        pod(f"vllm-{one}-x2x7q", f"vllm-{one}", "ReplicaSet", rollouts_pod_template_hash=one)
        for one in ("6b47bd5c4d", "7c9f")
    ]
    made = pattern(workload(ROLLOUT), pods)
    assert made is not None
    assert re.fullmatch(made, "vllm-cccc-zzzzz")
    assert pattern(workload(ROLLOUT), [*pods, pod("x-0", "x", "StatefulSet")]) is None
    assert pattern(workload(ROLLOUT), []) is None


def test_a_role_by_the_leader_worker_set_behind_it() -> None:
    label = {"leaderworkerset.sigs.k8s.io/name": "group-decode"}
    leader = pod("group-decode-0", "group-decode", "StatefulSet", **label)
    assert pattern(workload(RBG, "group-decode", 2), [leader]) == "group-decode-[0-9]+"
    worker = pod("group-decode-0-1", "group-decode-0", "StatefulSet", **label)
    assert pattern(workload(RBG, "group-decode", 2), [worker]) is None


def test_a_controller_that_names_as_it_likes() -> None:
    assert pattern(workload(CLIQUE), [pod("clique-x2x7q", "clique", "PodClique")]) is None
    # one group's own set: the next group has another
    assert pattern(workload(CLIQUE, pods=2), [pod("a-0-0", "a-0", "StatefulSet")]) is None
