"""The whole plan as files for a GitOps repository: plain YAML under a kustomization, Helm values where Helm owns it.

The same cluster and flags give the same bytes. `kubectl apply -k DIR` writes what `enable` writes beside the workload,
and the adapter's part of it (`export_rules`), where there is one, what `enable` writes there.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

import yaml

from kubectl_llmhpa.api import Json, Writer
from kubectl_llmhpa.errors import LlmHpaError
from kubectl_llmhpa.plan.adapter import rule_steps
from kubectl_llmhpa.plan.adapter.rule_steps import Helm
from kubectl_llmhpa.plan.setting_up import export_rules
from kubectl_llmhpa.plan.setting_up.enabling import Prepared
from kubectl_llmhpa.plan.wishes import RULES, SCALER, SCRAPE

_MARK = "# Written by kubectl llm-hpa enable --export; a second run writes it anew."


def write(writer: Writer, prepared: Sequence[Prepared], folder: str, helm: Helm | None = None) -> list[str]:
    """Write the files and return their paths, in order; `helm` see `render`.

    Files of that name which are not from an earlier export are left alone, and nothing is written then (LlmHpaError).
    """
    files = render(writer, prepared, helm)
    target = Path(folder)
    attempted = f"write {folder}"
    strangers = [name for name in files if (target / name).exists() and not _exported(target / name)]
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


def _exported(path: Path) -> bool:
    """Whether an earlier export wrote it."""
    return path.is_file() and _MARK[2:] in path.read_text(errors="replace")[:400]


def render(writer: Writer, prepared: Sequence[Prepared], helm: Helm | None = None) -> dict[str, str]:
    """File name to text: the objects and the kustomization over them, those of the adapter, and what has to be done.

    `helm` reads the values that the adapter's release has. Raises LlmHpaError.
    """
    objects = [one for each in prepared for one in _objects(each)]
    files = _kustomized(objects)
    adapters = _rules(writer, prepared, helm)
    if adapters is not None:
        if adapters.objects:
            below = _kustomized(adapters.objects)
            files |= {f"{export_rules.FOLDER}/{name}": text for name, text in below.items()}
        files |= {name: _file(content) for name, content in adapters.files.items()}
    files["README.md"] = _readme(prepared, [adapters.todo] if adapters else [])
    return dict(sorted(files.items()))


def _kustomized(objects: Sequence[Json]) -> dict[str, str]:
    """The files of objects and of the kustomization that has them all, by name."""
    files = {_file_name(one, objects): _file(one) for one in objects}
    kustomization = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "resources": sorted(files),
    }
    return {**files, "kustomization.yaml": _file(kustomization)}


def _rules(writer: Writer, prepared: Sequence[Prepared], helm: Helm | None) -> export_rules.Exported | None:
    """The adapter's part: the rules of all workloads; None where none are needed. Raises LlmHpaError."""
    wanted = [one for one in prepared if RULES in one.wishes.parts and one.around.adapter is not None]
    rules = {name: rule for one in wanted for name, rule in one.plan.rules.items()}
    if not rules:
        return None
    first = wanted[0]
    adapter = first.around.adapter
    assert adapter is not None
    return export_rules.of(
        writer, adapter, list(rules.values()), first.around, register=first.wishes.install_api,
        values=rule_steps.values(writer, adapter, rules, helm) if helm else None,
    )  # fmt: skip


def _objects(one: Prepared) -> list[Json]:
    found: list[Json] = []
    if one.plan.scrape.object is not None and SCRAPE in one.wishes.parts:
        found.append(one.plan.scrape.object)
    if SCALER in one.wishes.parts:
        found += [
            each for each in (one.plan.scaler.authentication, one.plan.scaler.object) if each is not None
        ]
    return found


def _file_name(one: Json, among: Sequence[Json]) -> str:
    """`podmonitor-x.yaml`, with the namespace before it where there are several."""
    name = f"{one['kind'].lower()}-{one['metadata']['name']}.yaml"
    places = {each["metadata"]["namespace"] for each in among if "namespace" in each["metadata"]}
    return f"{one['metadata']['namespace']}-{name}" if len(places) > 1 else name


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


def _file(obj: Json) -> str:
    text = yaml.dump(obj, Dumper=yaml.CSafeDumper, sort_keys=False, width=10_000, allow_unicode=True)
    return f"{_MARK}\n{text}"
