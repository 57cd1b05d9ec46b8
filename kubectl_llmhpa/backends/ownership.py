"""Who owns an object's fields: Helm, Argo CD or Flux, and giving back what we took.

Sources: Helm pkg/kube (its annotations; the field manager is the program's name), Argo CD docs "Resource Tracking" and
"Server-Side Apply", Flux kustomize-controller and helm-controller (labels and field managers).

A plain update takes the ownership of every field it changes (structured-merge-diff, Update). To give a
field back, its former owner is written into `metadata.managedFields` again, which the API server
accepts in any update (apiserver pkg/endpoints/handlers/fieldmanager).
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

from kubectl_llmhpa.api import MANAGER, Json

#: Field managers of tools that write an object again from their own source, by the beginning of their names.
_TOOLS = {
    "argocd": "Argo CD",
    "kustomize-controller": "Flux",
    "helm-controller": "Flux",
    "helm": "Helm",
}


def external_owner(obj: Mapping[str, Any]) -> tuple[str, str] | None:
    """(`Helm`, `release prometheus-adapter in monitoring`) and the like, None when nobody claims it.

    Labels and annotations say it; where there are none, the managers of its fields do.
    """
    metadata = obj.get("metadata") or {}
    labels: Json = metadata.get("labels") or {}
    annotations: Json = metadata.get("annotations") or {}
    if "argocd.argoproj.io/tracking-id" in annotations:
        return (
            "Argo CD",
            f"application {str(annotations['argocd.argoproj.io/tracking-id']).partition(':')[0]}",
        )
    if "argocd.argoproj.io/instance" in labels:
        return "Argo CD", f"application {labels['argocd.argoproj.io/instance']}"
    for name in ("kustomize.toolkit.fluxcd.io/name", "helm.toolkit.fluxcd.io/name"):
        if name in labels:
            return "Flux", str(labels[name])
    managers = [
        one["manager"] for one in metadata.get("managedFields") or [] if one.get("subresource") != "status"
    ]
    tool = next(((name, found) for name in managers if (found := _tool(name)) and found != "Helm"), None)
    if tool is None and "meta.helm.sh/release-name" in annotations:
        namespace = annotations.get("meta.helm.sh/release-namespace", "")
        return "Helm", f"release {annotations['meta.helm.sh/release-name']} in {namespace}"
    tool = tool or next(((name, found) for name in managers if (found := _tool(name))), None)
    return (tool[1], f"field manager {tool[0]}") if tool else None


def file_owner(config_map: Mapping[str, Any] | None, deployment: Mapping[str, Any]) -> tuple[str, str] | None:
    """Who writes the adapter's file again: its ConfigMap says it; the Deployment where that could not be read."""
    return external_owner(deployment if config_map is None else config_map)


def automation(obj: Mapping[str, Any], path: Sequence[str]) -> str:
    """The tool that wrote a field last (`path` as in `give_back`), empty when that was a person or us."""
    for one in (obj.get("metadata") or {}).get("managedFields") or []:
        if _has(one.get("fieldsV1") or {}, path) and _tool(one["manager"]):
            return _tool(one["manager"])
    return ""


def _tool(manager: str) -> str:
    return next((tool for name, tool in _TOOLS.items() if manager.lower().startswith(name)), "")


def give_back(obj: Mapping[str, Any], former: Sequence[Json], path: Sequence[str]) -> Json | None:
    """The object with one field owned as it was before us, None when nothing is to be given back.

    `former` is the `managedFields` list before our first write, `path` the field in fieldsV1 form, for
    example `("f:data", "f:config.yaml")`. Managers that changed since keep what they have now.
    """
    result: Json = copy.deepcopy(dict(obj))
    entries: list[Json] = result["metadata"].get("managedFields") or []
    mine = [one for one in entries if one["manager"] == MANAGER and _has(one.get("fieldsV1") or {}, path)]
    if not mine:
        return None
    for entry in mine:
        _drop(entry["fieldsV1"], path)
    entries = [one for one in entries if one not in mine or one["fieldsV1"]]
    for owner in former:
        if owner["manager"] == MANAGER or not _has(owner.get("fieldsV1") or {}, path):
            continue
        current = next((one for one in entries if _identity(one) == _identity(owner)), None)
        if current is None:
            entries.append(copy.deepcopy(owner))
            continue
        _insert(current["fieldsV1"], path)
        if _plain(current["fieldsV1"]) == _plain(owner["fieldsV1"]):
            entries[entries.index(current)] = copy.deepcopy(owner)
    result["metadata"]["managedFields"] = entries
    return result


def _identity(entry: Json) -> tuple[str, str, str]:
    return entry["manager"], entry["operation"], entry.get("subresource", "")


def _plain(fields: Json) -> Json:
    """The fields without the `.` entries (ownership of the container itself), which go with a last field."""
    return {key: _plain(below) for key, below in fields.items() if key != "."}


def _has(fields: Json, path: Sequence[str]) -> bool:
    return path[0] in fields and (len(path) == 1 or _has(fields[path[0]], path[1:]))


def _insert(fields: Json, path: Sequence[str]) -> None:
    below = fields.setdefault(path[0], {})
    if len(path) > 1:
        _insert(below, path[1:])


def _drop(fields: Json, path: Sequence[str]) -> None:
    if len(path) > 1:
        _drop(fields[path[0]], path[1:])
    if len(path) == 1 or not (fields[path[0]].keys() - {"."}):
        del fields[path[0]]
