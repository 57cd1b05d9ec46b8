"""kthena: ModelServing, groups of roles, each of entry pods and their workers; and AutoscalingPolicy.

Facts: volcano-sh/kthena v1.0.0, pkg/model-serving-controller/controller/model_serving_controller.go (the selector
takes one pod of each group: the entry pod of the first role's first replica), pkg/apis/workload/v1alpha1/
servinggroup_types.go, autoscalingpolicy_types.go.
"""

from __future__ import annotations

from kubectl_llmhpa.api import Json
from kubectl_llmhpa.workloads.kinds import Found, Kind, Lookup, Target, Trail, at
from kubectl_llmhpa.workloads.model import GROUP, LEADER_WORKER, REPLICAS, Rival, role_word

API = "workload.serving.volcano.sh"


def _pods(role: Json) -> int:
    return int(role.get("replicas", 1)) * (1 + int(role.get("workerReplicas") or 0))


def _serving(_: Lookup, trail: Trail) -> Target:
    found = trail[-1]
    roles = found.at("spec", "template", "roles", default=())
    pods = sum(map(_pods, roles))
    first = str(at(roles, 0, "name", default=""))
    notes = (
        (
            f"an HPA scales all {len(roles)} roles of {found.reference} together and sees only the pods of {first}",
        )
        if len(roles) > 1
        else ()
    )
    topology = GROUP if len(roles) > 1 else LEADER_WORKER if pods > 1 else REPLICAS
    return Target(
        found, topology, role_word(first), pods, notes=notes,
        no_selector="kthena has not written status.labelSelector; versions before 1.0 never do",
    )  # fmt: skip


def rival(lookup: Lookup, found: Found) -> Rival | None:
    """The AutoscalingPolicy of a ModelServing."""
    if found.resource.group != API:
        return None
    for one in lookup.all(f"{API}/v1alpha1", "AutoscalingPolicy", found.namespace):
        spec = one.at("spec", default={})
        targets = [at(spec, "homogeneousTarget", "target"), at(spec, "disaggregatedTarget")]
        targets += [at(each, "target") for each in at(spec, "heterogeneousTarget", "params", default=())]
        if found.name in [at(each, "targetRef", "name") for each in targets]:
            return Rival(
                f"kthena's {one.reference} scales it, and two autoscalers on one workload stop each other",
                f"delete it first: kubectl -n {found.namespace} delete autoscalingpolicy {one.name}",
            )
    return None


KINDS = (Kind(API, "ModelServing", _serving),)
