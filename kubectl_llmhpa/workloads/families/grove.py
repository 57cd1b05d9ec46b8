"""Grove: a PodClique is a set of pods of one role, a PodCliqueScalingGroup scales several cliques together.

Facts: ai-dynamo/grove operator/internal/controller/{podclique,podcliquescalinggroup,podcliqueset}/reconcilestatus.go
(a clique in a scaling group has no selector; the selectors of a scaling group and of a set take all their pods),
api/common/namegen.go (`<set>-<replica>-<clique or group>`).
"""

from __future__ import annotations

from kubectl_llmhpa.api import Json
from kubectl_llmhpa.workloads.kinds import Found, Kind, Lookup, Target, Trail, at, enable_command, refusal
from kubectl_llmhpa.workloads.model import FRONTEND, GROUP, REPLICAS, role_word

API = "grove.io"


def _clique(found: Found) -> Target:
    return Target(
        found, REPLICAS, role_word(found.at("spec", "roleName", default="")),
        no_selector="Grove has not written status.hpaPodSelector",
    )  # fmt: skip


def _scaling_group(found: Found, pods: int) -> Target:
    names = found.at("spec", "cliqueNames", default=())
    roles = {word for name in names if (word := role_word(name))}
    return Target(
        found, GROUP, roles.pop() if len(roles) == 1 else "", pods, pods,
        no_selector="Grove has not written status.selector",
    )  # fmt: skip


def _pods(group: Json, cliques: list[Json]) -> int:
    """The pods of one replica of a scaling group, of its configuration in a set."""
    return sum(
        int(at(one, "spec", "replicas", default=1)) for one in cliques if one["name"] in group["cliqueNames"]
    )


def _parts(found: Found) -> tuple[list[Json], list[Json]]:
    """The cliques and the scaling groups that a set is made of."""
    template = found.at("spec", "template", default={})
    return list(template.get("cliques") or ()), list(template.get("podCliqueScalingGroups") or ())


def _set(lookup: Lookup, trail: Trail) -> Target:
    """What is scaled in a set: the highest part of it in the trail, else the only part that runs an engine."""
    top = trail[-1]
    cliques, groups = _parts(top)
    below = next((one for one in reversed(trail[:-1]) if one.resource.group == API), None)
    if below is None:
        below = _only_part(lookup, top, cliques, groups)
    if below.resource.kind == "PodClique":
        return _clique(below)
    mine = next((one for one in groups if below.name.endswith(f"-{one['name']}")), None)
    return _scaling_group(below, _pods(mine, cliques) if mine else 1)


def _only_part(lookup: Lookup, top: Found, cliques: list[Json], groups: list[Json]) -> Found:
    grouped = {name for one in groups for name in one["cliqueNames"]}
    parts = [("PodCliqueScalingGroup", one["name"]) for one in groups]
    parts += [("PodClique", one["name"]) for one in cliques if one["name"] not in grouped]
    engines = [one for one in parts if role_word(one[1]) != FRONTEND] or parts
    copies = int(top.at("spec", "replicas", default=1))
    named = [(kind, f"{top.name}-{copy}-{name}") for copy in range(copies) for kind, name in engines]
    if len(named) == 1:
        kind, name = named[0]
        found = lookup.find(f"{API}/v1alpha1", kind, top.namespace, name)
        if found is None:
            raise refusal(top, f"its {kind} {name} is not there yet", "see whether Grove's operator runs")
        return found
    raise refusal(
        top, f"it has {len(named)} parts that scale apart, and each needs an HPA of its own",
        "choose a part and its limits",
        "\n".join(enable_command(top.namespace, kind, name) for kind, name in named),
    )  # fmt: skip


def _alone(_: Lookup, trail: Trail) -> Target:
    """A clique or a scaling group whose set is not there."""
    found = trail[-1]
    return _clique(found) if found.resource.kind == "PodClique" else _scaling_group(found, 1)


KINDS = (
    Kind(API, "PodCliqueSet", _set),
    Kind(API, "PodCliqueScalingGroup", _alone),
    Kind(API, "PodClique", _alone),
)
