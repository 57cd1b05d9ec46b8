"""Rules about what is scaled and by whom: can it be, who else does, and does its manifest say a number too."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePath

from kubectl_llmhpa.api import Json
from kubectl_llmhpa.backends.scaled_object import TRANSFER
from kubectl_llmhpa.hpa import scaled_objects
from kubectl_llmhpa.lint.documents import Document
from kubectl_llmhpa.lint.model import HPA, SCALED_OBJECT, Bundle, Check, Located, located, made_by_keda

POD_AUTOSCALER = "PodAutoscaler"
#: Built-in kinds that have replicas, and the version that serves them.
_BUILT_IN = {
    "Deployment": "apps/v1",
    "StatefulSet": "apps/v1",
    "ReplicaSet": "apps/v1",
    "ReplicationController": "v1",
}
_DEPLOYMENT_BELOW = "scale the Deployment that it makes"
#: Kinds whose resource has no scale subresource, and what can be scaled instead (their CRDs; docs/workloads.md).
_WITHOUT_SCALE = {
    ("apps", "DaemonSet"): "run the engine as a Deployment",
    ("batch", "Job"): "run the engine as a Deployment",
    ("batch", "CronJob"): "run the engine as a Deployment",
    ("", "Pod"): "scale the Deployment that makes the pod",
    ("", "Service"): "scale the Deployment behind the Service",
    ("serving.kserve.io", "InferenceService"): f"{_DEPLOYMENT_BELOW} (NAME-predictor), with the annotation "
    "serving.kserve.io/autoscalerClass: external on the InferenceService",
    ("serving.kserve.io", "LLMInferenceService"): f"{_DEPLOYMENT_BELOW} (NAME-kserve), and set no spec.replicas",
    ("workloads.x-k8s.io", "RoleBasedGroup"): "scale the RoleBasedGroupScalingAdapter of the role",
    ("nvidia.com", "DynamoGraphDeployment"): "scale the DynamoGraphDeploymentScalingAdapter of the component",
    ("nvidia.com", "DynamoComponentDeployment"): "scale the DynamoGraphDeploymentScalingAdapter of the component",
    ("disaggregatedset.x-k8s.io", "DisaggregatedSet"): "scale the DisaggregatedSetRoleScaler of the role",
    ("orchestration.aibrix.ai", "RoleSet"): "scale the StormService",
    ("ray.io", "RayService"): "let Ray Serve scale its replicas (autoscaling_config)",
    ("ray.io", "RayCluster"): "let Ray's own autoscaler add workers (enableInTreeAutoscaling)",
    ("apps.nvidia.com", "NIMService"): "set spec.scale.hpa of the NIMService, or scale the Deployment that it makes",
    ("kaito.sh", "Workspace"): "run it as an InferenceSet, which can be scaled",
}  # fmt: skip


def judge(bundle: Bundle, scaler: Document) -> Iterator[Located]:
    """The rules for one HPA or ScaledObject."""
    yield from _scalable(bundle, scaler)
    yield from _alone(bundle, scaler)
    if scaler.kind != POD_AUTOSCALER:
        yield from _replicas(bundle, scaler)


def _scalable(bundle: Bundle, scaler: Document) -> Iterator[Located]:
    reference = bundle.scale_target(scaler)
    kind, version = str(reference.get("kind") or ""), str(reference.get("apiVersion") or "")
    group = version.rpartition("/")[0]
    path = ("spec", "scaleTargetRef")
    remedy = _WITHOUT_SCALE.get((group, kind))
    if remedy is None and kind not in _BUILT_IN and not _scale_of_crd(bundle, group, kind):
        remedy = "scale the Deployment or StatefulSet below it"
    if remedy is not None:
        seen = f"{kind}/{reference.get('name', '')} of {version or 'the core group'} is the scale target"
        yield located(scaler, path, "no-scale-subresource", seen, remedy=remedy)
    elif kind in _BUILT_IN and group != _BUILT_IN[kind].rpartition("/")[0]:
        seen = f"{kind} is looked up in {version or 'the core group, since no apiVersion is given'}"
        yield located(scaler, path, "scale-target-kind", seen, version=_BUILT_IN[kind])


def _scale_of_crd(bundle: Bundle, group: str, kind: str) -> bool:
    """False only where the definition of the kind is among the documents and no version of it has `scale`."""
    for crd in bundle.of_kind("CustomResourceDefinition"):
        if crd.at("spec", "group") == group and crd.at("spec", "names", "kind") == kind:
            versions = [version for _, version in crd.items("spec", "versions")]
            return any("scale" in (version.get("subresources") or {}) for version in versions)
    return True


def _alone(bundle: Bundle, scaler: Document) -> Iterator[Located]:
    """Whether another autoscaler of the run has the same target, in the same namespace (or folder, where none is
    named): overlays name the same object again, which is no second one."""
    if made_by_keda(scaler) or not bundle.scale_target(scaler).get("name"):
        return
    rivals = bundle.keep("by target", lambda: _by_target(bundle))
    for other in rivals[_key(bundle.scale_target(scaler))]:
        same = (other.kind, other.name) == (scaler.kind, scaler.name)
        if same or made_by_keda(other) or other.namespace != scaler.namespace:
            continue
        if not scaler.namespace and PurePath(other.path).parent != PurePath(scaler.path).parent:
            continue
        if _takes_over(scaler, other) or _takes_over(other, scaler):
            continue
        place = f" ({other.path}:{other.line})" if other.line else ""
        target = bundle.scale_target(scaler)
        seen = f"{other.reference}{place} scales {target.get('kind')}/{target.get('name')} too"
        yield located(scaler, ("spec", "scaleTargetRef"), "two-scalers", seen)
        return


def _by_target(bundle: Bundle) -> dict[tuple[str, str, str], list[Document]]:
    """Every autoscaler of the run by what it scales."""
    found: dict[tuple[str, str, str], list[Document]] = {}
    for one in bundle.of_kind(HPA, SCALED_OBJECT, POD_AUTOSCALER):
        found.setdefault(_key(bundle.scale_target(one)), []).append(one)
    return found


def _key(reference: Json) -> tuple[str, str, str]:
    group = str(reference.get("apiVersion") or "").rpartition("/")[0]
    return group, str(reference.get("kind")), str(reference.get("name"))


def _takes_over(scaled: Document, hpa: Document) -> bool:
    """Whether a ScaledObject takes over the very HPA."""
    return (
        scaled.kind == SCALED_OBJECT
        and hpa.kind == HPA
        and str(scaled.annotations.get(TRANSFER)) == "true"
        and scaled_objects.hpa_name(scaled.object) == hpa.name
    )


def _replicas(bundle: Bundle, scaler: Document) -> Iterator[Located]:
    """A number of replicas in the manifest of what is scaled; every live object has one."""
    workload = bundle.workload(scaler)
    if workload is None or workload.live or workload.at("spec", "replicas") is None:
        return
    seen = f"spec.replicas is {workload.at('spec', 'replicas')}, and {scaler.reference} scales it"
    yield located(workload, ("spec", "replicas"), "replicas-in-manifest", seen)


CHECKS = (Check((HPA, SCALED_OBJECT, POD_AUTOSCALER), judge),)
