"""KAITO: an InferenceSet is a number of Workspaces, each with its own StatefulSet on its own nodes.

Facts: kaito-project/kaito pkg/inferenceset/inferenceset_controller.go (the selector takes all pods of all workspaces),
pkg/workspace/manifests/manifests.go (a StatefulSet of one pod a node; the label reaches the pods).
"""

from __future__ import annotations

from kubectl_llmhpa.workloads.kinds import Kind, Lookup, Target, Trail, owned_by
from kubectl_llmhpa.workloads.model import LEADER_WORKER, REPLICAS, Rival

API = "kaito.sh"
_CREATED_BY = "inferenceset.kaito.sh/created-by"


def _set(lookup: Lookup, trail: Trail) -> Target:
    found = trail[-1]
    sets = [one for one in trail if one.resource.kind == "StatefulSet"] or [
        one
        for one in lookup.all("apps/v1", "StatefulSet", found.namespace)
        if one.at("spec", "selector", "matchLabels", _CREATED_BY) == found.name
    ]
    nodes = int(sets[0].at("spec", "replicas", default=1)) if sets else 1
    return Target(
        found, LEADER_WORKER if nodes > 1 else REPLICAS, "", nodes, nodes,
        no_selector="KAITO has not written status.selector",
    )  # fmt: skip


def _workspace(_: Lookup, trail: Trail) -> Target:
    found = trail[-1]
    return owned_by(trail, Rival(
        f"{found.reference} is one replica on nodes of its own, and sets the pods of its StatefulSet",
        "run the model as an InferenceSet, which is a number of workspaces and can be scaled",
    ))  # fmt: skip


KINDS = (
    Kind(API, "InferenceSet", _set),
    Kind(API, "Workspace", _workspace),
)
