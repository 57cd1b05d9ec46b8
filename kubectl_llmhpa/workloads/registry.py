"""All kinds that this package knows, by group and kind, and the autoscalers of other projects."""

from __future__ import annotations

from kubectl_llmhpa.api import Resource
from kubectl_llmhpa.workloads.families import (
    aibrix,
    apps,
    argo,
    dynamo,
    grove,
    kaito,
    kserve,
    kthena,
    kuberay,
    leader_worker_set,
    nim,
    role_based_group,
)
from kubectl_llmhpa.workloads.kinds import Found, Kind, Lookup
from kubectl_llmhpa.workloads.model import Rival

_FAMILIES = (
    apps, argo, leader_worker_set, role_based_group, dynamo, grove, kserve, aibrix, kthena, kuberay, nim, kaito,
)  # fmt: skip
KINDS = {(one.group, one.kind): one for family in _FAMILIES for one in family.KINDS}
_RIVALS = (aibrix.rival, kthena.rival)


def kind_of(resource: Resource) -> Kind | None:
    """What is declared about a kind, in any version of its group; None when nothing is."""
    return KINDS.get((resource.group, resource.kind))


def rival_of(lookup: Lookup, found: Found) -> Rival | None:
    """The autoscaler of another project that scales an object already; None when there is none."""
    return next((rival for ask in _RIVALS if (rival := ask(lookup, found))), None)
