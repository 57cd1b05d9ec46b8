"""LeaderWorkerSet: groups of a leader pod and its workers, one group a replica; and DisaggregatedSet over several.

Facts: sigs.k8s.io/lws v0.10.0, pkg/controllers/leaderworkerset_controller.go (status.hpaPodSelector is the leaders),
api/disaggregatedset/v1/disaggregatedsetrolescaler_types.go (the scaler of a role, leaders as well, since v0.10.0).
"""

from __future__ import annotations

from kubectl_llmhpa.workloads.families.groups import Adapter, Role, adapter_itself, role_of_group, setting
from kubectl_llmhpa.workloads.kinds import Found, Kind, Lookup, Target, Trail, at, label_of, patch
from kubectl_llmhpa.workloads.model import LEADER_WORKER, REPLICAS, role_word

GROUP = "leaderworkerset.x-k8s.io"
DISAGGREGATED = "disaggregatedset.x-k8s.io"
_SET_LABEL = "disaggregatedset.x-k8s.io/name"
_ROLE_LABEL = "disaggregatedset.x-k8s.io/role"
_SCALER = Adapter(
    f"{DISAGGREGATED}/v1", "DisaggregatedSetRoleScaler",
    absent="the cluster has no DisaggregatedSetRoleScaler, which comes with LeaderWorkerSet 0.10",
    unbound="the DisaggregatedSet controller has not bound it to its role",
)  # fmt: skip


def _set(_: Lookup, trail: Trail) -> Target:
    found = trail[-1]
    size = int(found.at("spec", "leaderWorkerTemplate", "size", default=1))
    return Target(
        found, LEADER_WORKER if size > 1 else REPLICAS, role_word(label_of(trail, "llm-d.ai/role")), size,
        no_selector="the LeaderWorkerSet controller has not written status.hpaPodSelector",
    )  # fmt: skip


def _roles(found: Found) -> list[Role]:
    roles = []
    for index, role in enumerate(found.at("spec", "roles", default=())):
        name = role["name"]
        body = setting("roles", index, name, "scaling", {"mode": "External"})
        roles.append(Role(
            name, f"{found.name}-{name}", patch(found, body, kind="json"),
            switched_on=at(role, "scaling", "mode") == "External",
            pods_per_replica=int(at(role, "spec", "leaderWorkerTemplate", "size", default=1)),
        ))  # fmt: skip
    return roles


def _disaggregated(lookup: Lookup, trail: Trail) -> Target:
    return role_of_group(lookup, trail, _roles(trail[-1]), _SCALER, label_of(trail[:-1], _ROLE_LABEL))


def _scaler(lookup: Lookup, trail: Trail) -> Target:
    found = trail[-1]
    name = found.labels.get(_SET_LABEL, "")
    above = lookup.find(f"{DISAGGREGATED}/v1", "DisaggregatedSet", found.namespace, name) if name else None
    return adapter_itself(found, _roles(above) if above else (), _SCALER)


KINDS = (
    Kind(GROUP, "LeaderWorkerSet", _set),
    Kind(DISAGGREGATED, "DisaggregatedSet", _disaggregated),
    Kind(DISAGGREGATED, "DisaggregatedSetRoleScaler", _scaler, climbs=False),
)
