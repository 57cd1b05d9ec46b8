"""What we put into the adapter's rules, written down beside the adapter before it is written there."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from kubectl_llmhpa import __version__
from kubectl_llmhpa.api import (
    CONFIG_MAPS,
    MANAGED_BY,
    MANAGER,
    VERSION_ANNOTATION,
    Json,
    Reader,
    Writer,
)
from kubectl_llmhpa.backends import adapter_rules
from kubectl_llmhpa.errors import ApiError, LlmHpaError
from kubectl_llmhpa.plan.objects import read

RECORD = "llm-hpa-adapter-rules"
_KEY = "record.json"


@dataclass(frozen=True)
class Record:
    """What the file was before us (`before`, `former`: its managedFields) and the rules that we put there, by name.

    `helm` is set where the rules are in the values of a Helm release instead: `chart`, by which it was upgraded, and
    `custom`, the list of rules in the user's values before us (None: the values had no such list).
    """

    before: str
    former: list[Json]
    after_hash: str
    rules: dict[str, Json]
    helm: Json | None = None


class Book:
    """The record of one adapter, kept under an optimistic lock."""

    def __init__(self, writer: Writer, namespace: str) -> None:
        """`namespace` is the adapter's."""
        self._writer = writer
        self._namespace = namespace
        self._version = ""

    def load(self, reader: Reader | None = None) -> Record | None:
        """The record as it is now, or as `reader` has seen it, None when there is none. Raises ApiError."""
        config_map = read(reader or self._writer, CONFIG_MAPS, self._namespace, RECORD)
        self._version = config_map["metadata"]["resourceVersion"] if config_map else ""
        return parsed(config_map) if config_map else None

    def save(self, record: Record) -> None:
        """Write it unless another run has written it since `load` (ApiError.conflict)."""
        metadata: Json = {
            "name": RECORD,
            "namespace": self._namespace,
            "labels": {MANAGED_BY: MANAGER},
            "annotations": {VERSION_ANNOTATION: __version__},
        }
        config_map = {
            "apiVersion": CONFIG_MAPS.api_version,
            "kind": CONFIG_MAPS.kind,
            "metadata": metadata,
            "data": {_KEY: json.dumps(asdict(record), sort_keys=True)},
        }
        if self._version:
            metadata["resourceVersion"] = self._version
            after = self._writer.replace(config_map)
        else:
            after = self._writer.create(config_map)
        self._version = after["metadata"]["resourceVersion"]

    def delete(self) -> None:
        """Remove it, unless another run has put rules of its own there since `load`. Raises ApiError."""
        try:
            self._writer.delete(CONFIG_MAPS, self._namespace, RECORD, version=self._version)
        except ApiError as error:
            if not error.conflict:
                raise


def fingerprint(text: str) -> str:
    """A short hash of a configuration file."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def parsed(config_map: Mapping[str, Any]) -> Record:
    """The record in a ConfigMap. Raises LlmHpaError when it is none, or one of a newer version."""
    try:
        return Record(**json.loads(config_map["data"][_KEY]))
    except (KeyError, TypeError, ValueError) as error:
        where = f"{config_map['metadata']['namespace']}/{config_map['metadata']['name']}"
        raise LlmHpaError(
            f"read configmap {where}", "it is not a record that this version of kubectl-llm-hpa wrote",
            "use the newer version",
        ) from error  # fmt: skip


def read_record(reader: Reader, namespace: str) -> Record | None:
    """The record of the adapter in a namespace, None when we have no rules there. Raises ApiError."""
    config_map = read(reader, CONFIG_MAPS, namespace, RECORD)
    return parsed(config_map) if config_map else None


def lost(record: Record | None, text: str, served: Collection[str]) -> list[str]:
    """The names that the adapter still serves by a rule of ours that its file no longer has.

    `helm upgrade`, or anybody who writes the file anew, drops a rule silently: the running adapter has read it and
    goes on, until its next restart. `served` are the names that it lists (`pods/NAME`, `external/NAME`); a name that
    another rule of the same list serves is not lost. A file that cannot be read at all would stop the adapter and is
    another matter.
    """
    if record is None:
        return []
    try:
        lists = adapter_rules.lists(adapter_rules.parse(text))
    except LlmHpaError:
        return []
    return sorted(
        name
        for name, rule in record.rules.items()
        if adapter_rules.listed_as(name, rule) in served
        and rule not in (present := lists[adapter_rules.list_of(rule)])
        and not any(adapter_rules.serves(one, name) for one in present)
    )
