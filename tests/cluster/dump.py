"""Every object of every kind, in a form in which two looks at a cluster can be compared.

Left out is what the API server counts (resourceVersion, generation, revisions) and what controllers own:
objects with a controller above them, status, pods, events, leases and endpoints.
"""

from __future__ import annotations

import copy
import json
from typing import Any

from tests.cluster.conftest import TEST_NAMESPACE, Kubectl

Json = dict[str, Any]

#: Discovery in two answers, each resource with its verbs, the preferred version of a group first.
_DISCOVERY = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
_METADATA = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
#: Nine tenths of everything by size. That one was made or is gone is seen, not what is in it.
_DEFINITIONS = "customresourcedefinitions.apiextensions.k8s.io"
_CONTROLLERS_OWN = {
    "pods", "replicasets.apps", "events", "events.events.k8s.io", "leases.coordination.k8s.io", "endpoints",
    "endpointslices.discovery.k8s.io", "controllerrevisions.apps", "componentstatuses", "podmetrics.metrics.k8s.io",
    "nodes", _DEFINITIONS,
    "ipaddresses.networking.k8s.io", "csinodes.storage.k8s.io", "leasecandidates.coordination.k8s.io",
}  # fmt: skip
_COUNTERS = ("resourceVersion", "generation")
_REVISION = "deployment.kubernetes.io/revision"


def dump(kubectl: Kubectl, own: str) -> dict[str, Json]:
    """`kind namespace/name` to the normalised object, for everything that can be listed.

    `own` is the test's namespace; those of other tests, which may be going away just now, are left out.
    """
    listable = _listable(kubectl)
    (definitions,) = kubectl.raw(listable[_DEFINITIONS], accept=_METADATA)
    found: dict[str, Json] = {
        f"definition {one['metadata']['name']}": {
            "kind": "CustomResourceDefinition",
            "created": one["metadata"]["creationTimestamp"],
        }
        for one in definitions["items"]
    }
    wanted = [listable[name] for name in sorted(listable.keys() - _CONTROLLERS_OWN) if not _is_metric(name)]
    for listed in kubectl.raw(*wanted):
        head = {"apiVersion": listed["apiVersion"], "kind": listed["kind"].removesuffix("List")}
        for bare in listed["items"]:
            item = head | bare
            metadata = item["metadata"]
            place = metadata["name"] if item["kind"] == "Namespace" else metadata.get("namespace", "")
            if place.startswith(TEST_NAMESPACE) and place != own:
                continue
            if any(owner.get("controller") for owner in metadata.get("ownerReferences") or []):
                continue
            key = f"{item['apiVersion']} {item['kind']} {metadata.get('namespace', '')}/{metadata['name']}"
            found[key] = normalised(item)
    return found


def _listable(kubectl: Kubectl) -> dict[str, str]:
    """The path of each resource that can be listed, by the name that `kubectl api-resources` gives it."""
    found: dict[str, str] = {}
    for root, groups in zip(("/api", "/apis"), kubectl.raw("/api", "/apis", accept=_DISCOVERY), strict=True):
        for group in groups["items"]:
            name = group["metadata"].get("name", "")
            for version in group["versions"]:
                place = "/".join(filter(None, (root, name, version["version"])))
                for one in version.get("resources") or []:
                    if "list" in one["verbs"]:
                        found.setdefault(
                            ".".join(filter(None, (one["resource"], name))), f"{place}/{one['resource']}"
                        )
    return found


def normalised(obj: Json) -> Json:
    """The object without counters, status, and the traces that only controllers leave."""
    result = copy.deepcopy(obj)
    result.pop("status", None)
    metadata = result["metadata"]
    for counter in _COUNTERS:
        metadata.pop(counter, None)
    (metadata.get("annotations") or {}).pop(_REVISION, None)
    entries = [one for one in metadata.get("managedFields") or [] if one.get("subresource") != "status"]
    for entry in entries:
        if entry["manager"] in ("kube-controller-manager", "PrometheusOperator"):
            entry.pop("time", None)
    metadata["managedFields"] = sorted(entries, key=lambda one: json.dumps(one, sort_keys=True))
    return result


def differences(before: dict[str, Json], after: dict[str, Json]) -> list[str]:
    """What differs, one line each; empty when the two looks are equal."""
    lines = [f"gone: {key}" for key in before.keys() - after.keys()]
    lines += [f"left behind: {key}" for key in after.keys() - before.keys()]
    for key in before.keys() & after.keys():
        lines += [f"{key}: {line}" for line in _paths(before[key], after[key], "")]
    return sorted(lines)


def _paths(before: Any, after: Any, where: str) -> list[str]:
    if isinstance(before, dict) and isinstance(after, dict):
        return [
            line
            for key in sorted(before.keys() | after.keys())
            for line in _paths(before.get(key), after.get(key), f"{where}.{key}")
        ]
    if isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        return [
            line
            for position, (one, other) in enumerate(zip(before, after, strict=True))
            for line in _paths(one, other, f"{where}[{position}]")
        ]
    return [] if before == after else [f"{where}: {json.dumps(before)[:200]} -> {json.dumps(after)[:200]}"]


def _is_metric(name: str) -> bool:
    return name.endswith((".custom.metrics.k8s.io", ".external.metrics.k8s.io"))
