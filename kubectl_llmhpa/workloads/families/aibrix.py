"""AIBrix: StormService, its Ray fleet, and the PodAutoscaler, a second autoscaler.

Facts: vllm-project/aibrix v0.7.0, pkg/controller/stormservice/sync.go (the selector takes all pods of all roles, while
replicas count RoleSets), api/autoscaling/v1alpha1/podautoscaler_types.go, pkg/controller/podautoscaler/
workload_scale.go (one role of a StormService is scaled by a PodAutoscaler only).
"""

from __future__ import annotations

from kubectl_llmhpa.workloads.kinds import Found, Kind, Lookup, Target, Trail
from kubectl_llmhpa.workloads.model import GROUP, REPLICAS, Rival, role_word

API = "orchestration.aibrix.ai"
_MODEL_LABEL = "model.aibrix.ai/name"


def _storm_service(_: Lookup, trail: Trail) -> Target:
    found = trail[-1]
    roles = found.at("spec", "template", "spec", "roles", default=())
    pods = sum(int(one.get("replicas", 1)) * int(one.get("podGroupSize") or 1) for one in roles)
    alone = len(roles) == 1
    notes = () if alone else (
        f"an HPA scales all roles of {found.reference} together; to scale one, AIBrix has its PodAutoscaler with "
        "spec.subTargetSelector.roleName and annotation autoscaling.aibrix.ai/storm-service-mode: pool",
    )  # fmt: skip
    return Target(
        found, REPLICAS if pods == 1 else GROUP, role_word(roles[0].get("name", "")) if alone else "", pods, pods,
        notes=notes, no_selector="AIBrix has not written status.scalingTargetSelector",
    )  # fmt: skip


def _fleet(_: Lookup, trail: Trail) -> Target:
    return Target(trail[-1], GROUP, no_selector="AIBrix has not written status.scalingTargetSelector")


def rival(lookup: Lookup, found: Found) -> Rival | None:
    """The PodAutoscaler of an object that AIBrix knows by its label or its kind."""
    labels = {**found.labels, **found.at("spec", "template", "metadata", "labels", default={})}
    if _MODEL_LABEL not in labels and found.resource.group != API:
        return None
    for one in lookup.all("autoscaling.aibrix.ai/v1alpha1", "PodAutoscaler", found.namespace):
        target = one.at("spec", "scaleTargetRef", default={})
        if (target.get("kind"), target.get("name")) == (found.resource.kind, found.name):
            return Rival(
                f"AIBrix's {one.reference} scales it, and two autoscalers on one workload stop each other",
                f"delete it first: kubectl -n {found.namespace} delete podautoscaler {one.name}",
            )
    return None


KINDS = (
    Kind(API, "StormService", _storm_service),
    Kind(API, "RayClusterFleet", _fleet),
)
