"""The whole plan as files for a GitOps repository: plain YAML under a kustomization, Helm values where Helm owns it.

The same cluster and flags give the same bytes. `kubectl apply -k DIR` writes what `enable` writes beside the workload.
Rules for the adapter are apart from it, since its file belongs to the whole cluster: as values of its Helm release, or
as the file with the rules in it below `adapter/`; what has to be done with them stands in the folder's README.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import yaml

from kubectl_llmhpa.api import CONFIG_MAPS, Json, Reader
from kubectl_llmhpa.backends import adapter_rules, helm
from kubectl_llmhpa.backends.prometheus_adapter import Adapter
from kubectl_llmhpa.errors import LlmHpaError
from kubectl_llmhpa.plan.enabling import Prepared
from kubectl_llmhpa.plan.wishes import RULES, SCALER, SCRAPE

_ADAPTER = "adapter"
_MARK = "# Written by kubectl llm-hpa enable --export; a second run writes it anew."


def write(reader: Reader, prepared: Sequence[Prepared], folder: str) -> list[str]:
    """Write the files and return their paths, in order.

    Files of that name which are not from an earlier export are left alone, and nothing is written then (LlmHpaError).
    """
    files = render(reader, prepared)
    target = Path(folder)
    attempted = f"write {folder}"
    strangers = [
        name
        for name in files
        if (target / name).exists() and _MARK[2:] not in (target / name).read_text()[:400]
    ]
    if strangers:
        raise LlmHpaError(
            attempted, f"{strangers[0]} is there already and was not written by an export",
            "move it away, or name another folder",
        )  # fmt: skip
    try:
        target.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target, prefix=".export-") as place:
            for name, text in files.items():
                (Path(place) / name).parent.mkdir(exist_ok=True)
                (Path(place) / name).write_text(text)
            for name in files:
                (target / name).parent.mkdir(exist_ok=True)
                shutil.move(Path(place) / name, target / name)
    except OSError as error:
        raise LlmHpaError(
            attempted, error.strerror or str(error), "name a folder that you may write"
        ) from error
    return [str(target / name) for name in files]


def render(reader: Reader, prepared: Sequence[Prepared]) -> dict[str, str]:
    """File name to text: the objects, the kustomization over them, values for Helm, and what else has to be done."""
    objects = [one for each in prepared for one in _objects(each)]
    todo: list[str] = []
    files: dict[str, str] = {}
    rules = {
        name: rule for one in prepared if RULES in one.wishes.parts for name, rule in one.plan.rules.items()
    }
    around = next((one.around for one in prepared if one.around.adapter is not None), None)
    if rules and around is not None and (adapter := around.adapter) is not None:
        owner = around.file_owner
        if owner and owner[0] == "Helm":
            name = f"values-{adapter.name}.yaml"
            files[name] = f"{_MARK}\n{helm.fragment(adapter.kind, list(rules.values()), around.rules)}"
            todo.append(_upgrade(adapter, name))
        else:
            files[f"{_ADAPTER}/configmap-{adapter.config_map}.yaml"] = (
                f"{_MARK}\n{_dump(_configuration(reader, adapter, list(rules.values())))}"
            )
            todo.append(
                f"`{_ADAPTER}/` is the file of {adapter.namespace}/{adapter.name} as it is now, with the rules in it. "
                "It belongs to the whole cluster: who owns it takes the rules over into its source. "
                f"{adapter.name} reads the file only at start, so after that:\n\n"
                f"    kubectl -n {adapter.namespace} rollout restart deployment {adapter.name}"
            )
    for one in objects:
        files[_file_name(one, objects)] = f"{_MARK}\n{_dump(one)}"
    names = sorted(_file_name(one, objects) for one in objects)
    kustomization = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "resources": names,
    }
    files["kustomization.yaml"] = f"{_MARK}\n{_dump(kustomization)}"
    files["README.md"] = _readme(prepared, todo)
    return dict(sorted(files.items()))


def _objects(one: Prepared) -> list[Json]:
    found: list[Json] = []
    if one.plan.scrape.object is not None and SCRAPE in one.wishes.parts:
        found.append(one.plan.scrape.object)
    if SCALER in one.wishes.parts:
        found += [
            each for each in (one.plan.scaler.authentication, one.plan.scaler.object) if each is not None
        ]
    return found


def _configuration(reader: Reader, adapter: Adapter, rules: Sequence[Json]) -> Json:
    """The adapter's whole ConfigMap with the rules in it: one value of a ConfigMap cannot be merged."""
    live = reader.get(adapter.config_path)
    data: Json = dict(live.get("data") or {})
    present = adapter_rules.parse(str(data.get(adapter.key, ""))).get("rules") or []
    data[adapter.key] = adapter_rules.add(
        str(data.get(adapter.key, "")), [one for one in rules if one not in present]
    )
    labels: Mapping[str, str] = live["metadata"].get("labels") or {}
    metadata: Json = {"name": adapter.config_map, "namespace": adapter.namespace}
    if labels:
        metadata["labels"] = dict(labels)
    return {
        "apiVersion": CONFIG_MAPS.api_version,
        "kind": CONFIG_MAPS.kind,
        "metadata": metadata,
        "data": data,
    }


def _upgrade(adapter: Adapter, values: str) -> str:
    release = helm.release_of(adapter.deployment) or helm.UNKNOWN
    return (
        f"{adapter.namespace}/{adapter.name} belongs to the Helm release {release.name}. Put the rules of `{values}` "
        f"below the custom rules that its values have already (Helm replaces lists as a whole), and upgrade it before "
        f"the apply:\n\n    {helm.upgrade_line(release, values)}"
    )


def _file_name(one: Json, among: Sequence[Json]) -> str:
    """`podmonitor-x.yaml`, with the namespace before it where there are several."""
    name = f"{one['kind'].lower()}-{one['metadata']['name']}.yaml"
    several = len({each["metadata"]["namespace"] for each in among}) > 1
    return f"{one['metadata']['namespace']}-{name}" if several else name


def _readme(prepared: Sequence[Prepared], todo: Sequence[str]) -> str:
    scaled = "\n".join(
        f"- {one.plan.workload.namespace}/{one.plan.workload.reference}, {one.plan.scaler.least} to "
        f"{one.plan.scaler.most} replicas, through {one.plan.backend.backend} ({one.plan.backend.reason})"
        for one in prepared
    )
    reasons = "\n".join(
        f"- {reason}" for reason in dict.fromkeys(reason for one in prepared for reason in one.plan.reasons)
    )
    parts = [
        "# Autoscaling of LLM workloads", f"<!-- {_MARK[2:]} -->", scaled, "Apply it with `kubectl apply -k .`", *todo,
        "## Why these targets", reasons,
    ]  # fmt: skip
    return "\n\n".join(part for part in parts if part) + "\n"


def _dump(obj: Json) -> str:
    text: str = yaml.dump(obj, Dumper=yaml.CSafeDumper, sort_keys=False, width=10_000, allow_unicode=True)
    return text
