"""All kinds that this package knows, by group and kind."""

from __future__ import annotations

from kubectl_llmhpa.api import Resource
from kubectl_llmhpa.workloads.families import apps, leader_worker_set
from kubectl_llmhpa.workloads.kinds import Kind

_FAMILIES = (apps, leader_worker_set)
KINDS = {(one.group, one.kind): one for family in _FAMILIES for one in family.KINDS}


def kind_of(resource: Resource) -> Kind | None:
    """What is declared about a kind, in any version of its group; None when nothing is."""
    return KINDS.get((resource.group, resource.kind))
