"""The adapter's part of an export: its rules as files, apart from the workload's, since they are the whole cluster's.

Whoever owns the adapter's configuration decides what they look like: values for its Helm release; the file with the
rules in it, for the source of Argo CD or Flux; and where nobody owns it, a kustomization of its own below `adapter/`
that writes what `enable` writes. Both objects are whole there: kubectl takes a part of an object that it once applied
as the wish to remove the rest of it. They are apart because `kubectl delete -k` deletes what a kustomization has.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import yaml

from kubectl_llmhpa.api import CONFIG_MAPS, DEPLOYMENTS, LAST_APPLIED, Json, Reader
from kubectl_llmhpa.backends import adapter_rules, helm
from kubectl_llmhpa.backends.model import ACK
from kubectl_llmhpa.backends.prometheus_adapter import Adapter
from kubectl_llmhpa.plan.adapter import metrics_api
from kubectl_llmhpa.plan.adapter.rule_record import fingerprint
from kubectl_llmhpa.plan.adapter.rules import CONFIG_HASH
from kubectl_llmhpa.plan.looking.look import Surroundings
from kubectl_llmhpa.plan.objects import presentable

#: The folder of the adapter's own kustomization.
FOLDER = "adapter"
#: Written by kubectl and by controllers into an object, and no part of it.
_NOT_OURS = (LAST_APPLIED, "deployment.kubernetes.io/revision")


@dataclass(frozen=True)
class Exported:
    """Objects of the adapter's kustomization, other files by name, and what the README says of both."""

    todo: str
    objects: tuple[Json, ...] = ()
    files: Mapping[str, Json] = field(default_factory=dict)


def of(
    reader: Reader,
    adapter: Adapter,
    rules: Sequence[Json],
    around: Surroundings,
    *,
    register: bool,
    values: Json | None,
) -> Exported:
    """What has the adapter serve `rules`.

    `register` also gives it the custom metrics API; `values` are all the rules in the form of its release's values,
    where they are known. Raises ApiError.
    """
    owner = around.file_owner[0] if around.file_owner else ""
    if owner == "Helm":
        part = yaml.safe_load(helm.fragment(adapter.kind, rules, around.rules))
        return _for_helm(adapter, values or part, complete=values is not None or adapter.kind == ACK)
    config_map = _config_map(reader, adapter, rules)
    if owner:
        name = f"{FOLDER}/configmap-{adapter.config_map}.yaml"
        return Exported(
            f"`{name}` is the file of {adapter.namespace}/{adapter.name} as it is now, with the rules in it. {owner} "
            f"writes it, so take the rules over into its source.\n\n{_restart(adapter)}",
            files={name: config_map},
        )
    objects = [config_map, _deployment(adapter, config_map["data"][adapter.key])]
    groups = metrics_api.needed(rules) if register else ()
    objects += [metrics_api.render(adapter, one) for one in groups if metrics_api.free(reader, one)]
    return Exported(
        f"The rules of {adapter.namespace}/{adapter.name} belong to the whole cluster. Who may change them applies "
        f"them, after the workload's objects:\n\n    kubectl apply -k {FOLDER}\n\nIt writes the file with the rules "
        f"in it and restarts the adapter. Both objects are whole, as they were at the time of the export: export anew "
        f"before you apply them again. Never `kubectl delete -k {FOLDER}`: it deletes the adapter. "
        f"{_restart(adapter)}",
        objects=tuple(objects),
    )


def _for_helm(adapter: Adapter, values: Json, *, complete: bool) -> Exported:
    release = helm.release_of(adapter.deployment) or helm.UNKNOWN
    name = f"values-{adapter.name}.yaml"
    known = (
        f"`{name}` has all its rules, those that it has already and these. Upgrade it"
        if complete
        else f"Put the rules of `{name}` below the rules that its values have already (Helm replaces lists as a "
        "whole; an export with --helm CHART writes all of them), and upgrade it"
    )
    return Exported(
        f"{adapter.namespace}/{adapter.name} belongs to the Helm release {release.name}. {known} after the apply:"
        f"\n\n    {helm.upgrade_line(release, name)}",
        files={name: values},
    )


def _config_map(reader: Reader, adapter: Adapter, rules: Sequence[Json]) -> Json:
    """The adapter's whole ConfigMap with the rules in it: one value of a ConfigMap cannot be merged."""
    live = _whole(reader.get(adapter.config_path))
    text = str((live.get("data") or {}).get(adapter.key, ""))
    present = adapter_rules.lists(adapter_rules.parse(text))
    missing = [one for one in rules if not adapter_rules.holds(present, one)]
    data = {**(live.get("data") or {}), adapter.key: adapter_rules.add(text, missing) if missing else text}
    return {"apiVersion": CONFIG_MAPS.api_version, "kind": CONFIG_MAPS.kind, **live, "data": data}


def _deployment(adapter: Adapter, text: str) -> Json:
    """The adapter's Deployment, restarted by the annotation that a file of this text gives its pods."""
    live = _whole(adapter.deployment)
    template: Json = live["spec"]["template"]
    metadata: Json = template.get("metadata") or {}
    marked = {
        **metadata,
        "annotations": {**(metadata.get("annotations") or {}), CONFIG_HASH: fingerprint(text)},
    }
    spec = {**live["spec"], "template": {**template, "metadata": marked}}
    return {"apiVersion": DEPLOYMENTS.api_version, "kind": DEPLOYMENTS.kind, **live, "spec": spec}


def _whole(live: Json) -> Json:
    """An object as somebody would write it."""
    shown = presentable(live) or {}
    metadata: Json = dict(shown["metadata"])
    annotations = {
        key: value for key, value in (metadata.pop("annotations", None) or {}).items() if key not in _NOT_OURS
    }
    return {**shown, "metadata": {**metadata, **({"annotations": annotations} if annotations else {})}}


def _restart(adapter: Adapter) -> str:
    return (
        f"{adapter.name} reads its file only at start; should the rules be there and it does not serve them:\n\n"
        f"    kubectl -n {adapter.namespace} rollout restart deployment {adapter.name}"
    )
