"""Recorded objects as an `api.Reader`, and the objects of a namespace written short."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from kubectl_llmhpa.api import Json, Resource, WatchEvent
from kubectl_llmhpa.errors import ApiError, LlmHpaError
from kubectl_llmhpa.workloads import Workload, resolve

NAMESPACE = "llm"

#: Kinds of other projects: api version, plural, short name, whether they scale. As their CRDs have it.
SERVED: dict[str, tuple[str, str, str, bool]] = {
    "LeaderWorkerSet": ("leaderworkerset.x-k8s.io/v1", "leaderworkersets", "lws", True),
    "DisaggregatedSet": ("disaggregatedset.x-k8s.io/v1", "disaggregatedsets", "", False),
    "DisaggregatedSetRoleScaler": (
        "disaggregatedset.x-k8s.io/v1",
        "disaggregatedsetrolescalers",
        "dsrs",
        True,
    ),
    "Rollout": ("argoproj.io/v1alpha1", "rollouts", "ro", True),
    "RoleBasedGroup": ("workloads.x-k8s.io/v1alpha2", "rolebasedgroups", "rbg", False),
    "RoleBasedGroupScalingAdapter": (
        "workloads.x-k8s.io/v1alpha2",
        "rolebasedgroupscalingadapters",
        "rbgsa",
        True,
    ),
    "DynamoGraphDeployment": ("nvidia.com/v1beta1", "dynamographdeployments", "dgd", False),
    "DynamoComponentDeployment": ("nvidia.com/v1beta1", "dynamocomponentdeployments", "dcd", False),
    "DynamoGraphDeploymentScalingAdapter": (
        "nvidia.com/v1beta1",
        "dynamographdeploymentscalingadapters",
        "dgdsa",
        True,
    ),
    "PodClique": ("grove.io/v1alpha1", "podcliques", "pclq", True),
    "PodCliqueScalingGroup": ("grove.io/v1alpha1", "podcliquescalinggroups", "pcsg", True),
    "PodCliqueSet": ("grove.io/v1alpha1", "podcliquesets", "pcs", True),
    "InferenceService": ("serving.kserve.io/v1beta1", "inferenceservices", "isvc", False),
    "LLMInferenceService": ("serving.kserve.io/v1alpha2", "llminferenceservices", "llmisvc", False),
    "Revision": ("serving.knative.dev/v1", "revisions", "rev", False),
    "StormService": ("orchestration.aibrix.ai/v1alpha1", "stormservices", "", True),
    "RoleSet": ("orchestration.aibrix.ai/v1alpha1", "rolesets", "", False),
    "PodAutoscaler": ("autoscaling.aibrix.ai/v1alpha1", "podautoscalers", "", False),
    "ModelServing": ("workload.serving.volcano.sh/v1alpha1", "modelservings", "", True),
    "AutoscalingPolicy": ("workload.serving.volcano.sh/v1alpha1", "autoscalingpolicies", "", False),
    "RayService": ("ray.io/v1", "rayservices", "", False),
    "RayCluster": ("ray.io/v1", "rayclusters", "", False),
    "NIMService": ("apps.nvidia.com/v1alpha1", "nimservices", "", False),
    "InferenceSet": ("kaito.sh/v1beta1", "inferencesets", "is", True),
    "Workspace": ("kaito.sh/v1beta1", "workspaces", "wk", False),
    "Widget": ("example.com/v1", "widgets", "", True),
    "Gadget": ("example.com/v1", "gadgets", "", False),
}
_BUILTIN = {
    "Pod": ("v1", "pods"), "Service": ("v1", "services"), "Deployment": ("apps/v1", "deployments"),
    "StatefulSet": ("apps/v1", "statefulsets"), "ReplicaSet": ("apps/v1", "replicasets"),
    "DaemonSet": ("apps/v1", "daemonsets"), "Job": ("batch/v1", "jobs"), "Namespace": ("v1", "namespaces"),
}  # fmt: skip


def made(kind: str, name: str, *, by: Json | None = None, api_version: str = "", **fields: Any) -> Json:
    """An object; `by` is its controller; `labels` and `annotations` go into its metadata, the rest beside it."""
    version = api_version or (SERVED[kind][0] if kind in SERVED else _BUILTIN[kind][0])
    metadata: Json = {"name": name, "namespace": NAMESPACE, "uid": f"uid-{kind}-{name}"}
    metadata |= {
        key: fields.pop(key) for key in ("labels", "annotations", "deletionTimestamp") if key in fields
    }
    if by is not None:
        metadata["ownerReferences"] = [{
            "apiVersion": by["apiVersion"], "kind": by["kind"], "name": by["metadata"]["name"],
            "uid": by["metadata"]["uid"], "controller": True,
        }]  # fmt: skip
    return {"apiVersion": version, "kind": kind, "metadata": metadata, **fields}


class Facts:
    """An `api.Reader` over objects. The scale subresource of one is its key `scale`: selector and replicas."""

    namespace = NAMESPACE

    def __init__(self, *objects: Json, without: Sequence[str] = (), forbidden: Sequence[str] = ()) -> None:
        """`without` are kinds that are not installed, `forbidden` kinds that may not be read."""
        self.asked: list[str] = []
        self._forbidden = forbidden
        self._served = {kind: one for kind, one in SERVED.items() if kind not in without}
        self._bodies: dict[str, Json] = {f"/api/v1/namespaces/{NAMESPACE}": made("Namespace", NAMESPACE)}
        for one in objects:
            kind, version = one["kind"], one["apiVersion"]
            plural = SERVED[kind][1] if kind in SERVED else _BUILTIN[kind][1]
            path = Resource(version, plural, kind).path(NAMESPACE, one["metadata"]["name"])
            self._bodies[path] = {key: value for key, value in one.items() if key != "scale"}
            if "scale" in one:
                selector, replicas = one["scale"]
                self._bodies[f"{path}/scale"] = {
                    "spec": {"replicas": replicas},
                    "status": {"selector": selector},
                }

    def get(self, path: str, *, accept: str = "application/json") -> Json:
        self.asked.append(path)
        if path == "/apis":
            assert "APIGroupDiscoveryList" in accept
            return self._discovery()
        if any(f"/{SERVED[kind][1]}/" in path for kind in self._forbidden):
            raise ApiError(f"read {path}", 403, "Forbidden", "you may not read it")
        plurals = [one[1] for one in self._served.values()] + [plural for _, plural in _BUILTIN.values()]
        if path.rpartition("/")[2] in plurals and path.endswith(
            f"/namespaces/{NAMESPACE}/{path.rpartition('/')[2]}"
        ):
            return {
                "items": [
                    self._bodies[each] for each in sorted(self._bodies) if each.rpartition("/")[0] == path
                ]
            }
        if path not in self._bodies:
            raise ApiError(f"read {path}", 404, "NotFound", "not found")
        return self._bodies[path]

    def get_many(self, paths: Sequence[str]) -> list[Json | ApiError]:
        found: list[Json | ApiError] = []
        for path in paths:
            try:
                found.append(self.get(path))
            except ApiError as error:
                found.append(error)
        return found

    def get_text(self, path: str, *, timeout: float | None = None) -> str:
        raise AssertionError(path)

    def may(
        self, verb: str, group: str, resource: str, subresource: str = "", namespace: str = "", name: str = ""
    ) -> bool:
        raise AssertionError(resource)

    def account_may(self, account: str, verb: str, group: str, resource: str, namespace: str) -> bool:
        raise AssertionError(account)

    def watch(self, resource: Resource, namespace: str, **_: Any) -> Iterator[WatchEvent]:
        raise AssertionError(resource)

    def _discovery(self) -> Json:
        groups: dict[str, dict[str, list[Json]]] = {}
        for kind, (version, plural, short, scalable) in self._served.items():
            group, _, name = version.partition("/")
            groups.setdefault(group, {}).setdefault(name, []).append({
                "resource": plural, "responseKind": {"kind": kind}, "scope": "Namespaced",
                "singularResource": kind.lower(), "shortNames": [short] if short else [],
                "subresources": [{"subresource": "scale"}] if scalable else [],
            })  # fmt: skip
        items = [
            {
                "metadata": {"name": group},
                "versions": [{"version": v, "resources": r} for v, r in versions.items()],
            }
            for group, versions in groups.items()
        ]
        return {"kind": "APIGroupDiscoveryList", "items": items}


def found(words: str, *objects: Json, **facts: Any) -> Workload:
    """What is scaled for `words` among objects."""
    return resolve(Facts(*objects, **facts), words, NAMESPACE)


def refused(words: str, *objects: Json, **facts: Any) -> LlmHpaError:
    """Why nothing can be."""
    with pytest.raises(LlmHpaError) as caught:
        resolve(Facts(*objects, **facts), words, NAMESPACE)
    assert "\n" not in str(caught.value)
    return caught.value


def scaled_deployment(name: str, *, by: Json | None = None, **fields: Any) -> Json:
    """A Deployment with a scale subresource."""
    return made("Deployment", name, by=by, scale=(f"app={name}", 1), **fields)
