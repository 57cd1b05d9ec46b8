"""NVIDIA Dynamo: a graph of components, each scaled through its DynamoGraphDeploymentScalingAdapter.

Facts: ai-dynamo/dynamo deploy/operator, api/v1alpha1 and v1beta1 (services by name; components as a list),
internal/controller/dynamographdeploymentscalingadapter_controller.go (the selector takes all pods of a component, those
of every node; status.replicas is the wish), internal/consts/consts.go (labels). Operators before 1.0 made an adapter
for every service; later ones where the component asks for it.
"""

from __future__ import annotations

import json

from kubectl_llmhpa.api import Json
from kubectl_llmhpa.workloads.families.groups import Adapter, Role, adapter_itself, role_of_group, setting
from kubectl_llmhpa.workloads.kinds import Found, Kind, Lookup, Target, Trail, at, label_of, patch
from kubectl_llmhpa.workloads.model import DECODE, PREFILL, role_word

GROUP = "nvidia.com"
COMPONENT_LABEL = "nvidia.com/dynamo-component"
_ADAPTER = Adapter(
    f"{GROUP}/v1beta1", "DynamoGraphDeploymentScalingAdapter",
    absent="the cluster has no DynamoGraphDeploymentScalingAdapter, which comes with the Dynamo operator",
    unbound="the Dynamo operator has not bound it to its component",
)  # fmt: skip


def _component(found: Found, name: str, component: Json, switched_on: bool, body: str, kind: str) -> Role:
    """`component` in either version's words."""
    types = (component.get("subComponentType"), component.get("componentType"), component.get("type"), name)
    words = [word for one in types if (word := role_word(str(one or "")))]
    pods = int(at(component, "multinode", "nodeCount", default=1))
    return Role(
        name, f"{found.name}-{name.lower()}", patch(found, body, kind=kind), switched_on=switched_on,
        word=next((word for word in words if word in (PREFILL, DECODE)), words[0] if words else ""),
        pods_per_replica=pods,
    )  # fmt: skip


def _roles(found: Found) -> list[Role]:
    roles = []
    for name, service in found.at("spec", "services", default={}).items():
        body = json.dumps(
            {"spec": {"services": {name: {"scalingAdapter": {"enabled": True}}}}}, separators=(",", ":")
        )
        enabled = bool(at(service, "scalingAdapter", "enabled"))
        roles.append(_component(found, name, service or {}, enabled, body, "merge"))
    for index, component in enumerate(found.at("spec", "components", default=())):
        name = component["name"]
        body = setting("components", index, name, "scalingAdapter", {})
        roles.append(_component(found, name, component, "scalingAdapter" in component, body, "json"))
    return roles


def _graph(lookup: Lookup, trail: Trail) -> Target:
    meant = label_of(trail[:-1], COMPONENT_LABEL)
    component = next((one for one in trail[:-1] if one.resource.kind == "DynamoComponentDeployment"), None)
    if component is not None:
        meant = component.at("spec", "serviceName") or component.at("spec", "name") or meant
    return role_of_group(lookup, trail, _roles(trail[-1]), _ADAPTER, meant)


def _adapter(lookup: Lookup, trail: Trail) -> Target:
    found = trail[-1]
    name = found.at("spec", "dgdRef", "name", default="")
    graph = lookup.find(f"{GROUP}/v1beta1", "DynamoGraphDeployment", found.namespace, name)
    return adapter_itself(found, _roles(graph) if graph else (), _ADAPTER)


KINDS = (
    Kind(GROUP, "DynamoGraphDeployment", _graph, climbs=False),
    Kind(GROUP, "DynamoGraphDeploymentScalingAdapter", _adapter, climbs=False),
)
