"""RoleBasedGroup: one workload a role, scaled through the role's RoleBasedGroupScalingAdapter.

Facts: sigs.k8s.io/rbgs, api/workloads/v1alpha1 and v1alpha2 (a role's shape), internal/controller/workloads/
rolebasedgroupscalingadapter_controller.go (status.selector is copied from the role's workload; for groups of a leader
and workers it is the leaders; a Deployment or StatefulSet has no such field, so it stays empty).
"""

from __future__ import annotations

from kubectl_llmhpa.api import Json
from kubectl_llmhpa.workloads.families.groups import Adapter, Role, adapter_itself, role_of_group, setting
from kubectl_llmhpa.workloads.kinds import Found, Kind, Lookup, Target, Trail, at, label_of, patch

GROUP = "workloads.x-k8s.io"
#: The label of the role's pods and workloads: since v0.7, and before.
ROLE_LABELS = ("rbg.workloads.x-k8s.io/role-name", "rolebasedgroup.workloads.x-k8s.io/role")
_ADAPTER = Adapter(
    f"{GROUP}/v1alpha2", "RoleBasedGroupScalingAdapter",
    absent="the cluster has no RoleBasedGroupScalingAdapter, which comes with the RoleBasedGroup controller",
    unbound="its controller finds one only for a role that runs as a LeaderWorkerSet, InstanceSet or RoleInstanceSet",
)  # fmt: skip


def _pods(role: Json) -> int:
    """The pods of one replica of a role, in either version's words."""
    components = at(role, "customComponentsPattern", "components") or role.get("components")
    if components:
        return sum(int(one.get("size") or 1) for one in components)
    size = at(role, "leaderWorkerPattern", "size") or at(role, "leaderWorkerSet", "size")
    return int(size or 1)


def _roles(found: Found) -> list[Role]:
    roles = []
    for index, role in enumerate(found.at("spec", "roles", default=())):
        name = role["name"]
        body = setting("roles", index, name, "scalingAdapter", {"enable": True})
        roles.append(Role(
            name, f"{found.name}-{name}", patch(found, body, kind="json"),
            switched_on=bool(at(role, "scalingAdapter", "enable")), pods_per_replica=_pods(role),
        ))  # fmt: skip
    return roles


def _group(lookup: Lookup, trail: Trail) -> Target:
    return role_of_group(lookup, trail, _roles(trail[-1]), _ADAPTER, label_of(trail[:-1], *ROLE_LABELS))


def _adapter(lookup: Lookup, trail: Trail) -> Target:
    found = trail[-1]
    name = found.at("spec", "scaleTargetRef", "name", default="")
    group = lookup.find(f"{GROUP}/v1alpha2", "RoleBasedGroup", found.namespace, name)
    return adapter_itself(found, _roles(group) if group else (), _ADAPTER)


KINDS = (
    Kind(GROUP, "RoleBasedGroup", _group, climbs=False),
    Kind(GROUP, "RoleBasedGroupScalingAdapter", _adapter, climbs=False),
)
