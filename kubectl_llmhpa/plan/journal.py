"""What we may have made for one workload, written down before it is made.

The journal is a ConfigMap of ours beside the workload. A run that was killed at any point leaves at most
the objects named there, so that the next `enable` finishes and `disable` removes them all.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from kubectl_llmhpa import __version__
from kubectl_llmhpa.api import (
    CONFIG_MAPS,
    MANAGED_BY,
    MANAGER,
    VERSION_ANNOTATION,
    WORKLOAD_LABEL,
    Json,
    Reader,
    Resource,
    Writer,
)
from kubectl_llmhpa.errors import ApiError, LlmHpaError
from kubectl_llmhpa.workloads import Workload

SCHEMA = "kubectl-llm-hpa/journal/v2"
_KEY = "journal.json"


@dataclass(frozen=True, order=True)
class Owned:
    """One object of ours in the workload's namespace."""

    api_version: str
    plural: str
    kind: str
    name: str

    @classmethod
    def of(cls, resource: Resource, name: str) -> Owned:
        """The entry for an object of a resource."""
        return cls(resource.api_version, resource.plural, resource.kind, name)

    @property
    def resource(self) -> Resource:
        """Its REST resource."""
        return Resource(self.api_version, self.plural, self.kind)


@dataclass(frozen=True)
class Move:
    """A move to another backend that has begun: what scaled the workload before, and the uid of the HPA.

    The HPA is ours, whoever's marks it carries between two hands.
    """

    scaler: Json
    hpa: str


@dataclass(frozen=True)
class Journal:
    """Objects of ours for one workload, metrics it needs, and an autoscaler as it was before it was taken over.

    `move` is set while `migrate` is at work, `leaving` while `disable` is: of two workloads that leave at the same time
    neither is a reason for the other to keep the rules that both used.
    """

    objects: tuple[Owned, ...] = ()
    metrics: tuple[str, ...] = ()
    adopted: Json | None = field(default=None)
    move: Move | None = None
    leaving: bool = False

    def merged(self, earlier: Journal | None) -> Journal:
        """This journal with everything that an earlier run may have made and this one does not name."""
        if earlier is None:
            return self
        adopted = self.adopted or earlier.adopted
        if earlier.adopts(self.adopted):  # half given back already: the first look at it is the right one
            adopted = earlier.adopted
        return Journal(
            objects=tuple(dict.fromkeys((*earlier.objects, *self.objects))),
            metrics=tuple(sorted({*self.metrics, *earlier.metrics})),
            adopted=adopted,
            move=earlier.move or self.move,
        )

    def adopts(self, scaler: Json | None) -> bool:
        """Whether the adopted autoscaler is this very object, not a later one of the same name."""
        if self.adopted is None or scaler is None:
            return False
        return bool(self.adopted["metadata"]["uid"] == scaler["metadata"]["uid"])

    def moves(self, scaler: Json | None) -> bool:
        """Whether this is the HPA that changes hands."""
        return bool(self.move and scaler and scaler["metadata"]["uid"] == self.move.hpa)

    def names(self, resource: Resource) -> tuple[str, ...]:
        """The names of our objects of one resource."""
        return tuple(one.name for one in self.objects if one.resource == resource)


def name_for(workload: Workload) -> str:
    """The name of the journal's ConfigMap."""
    return f"llm-hpa-{workload.resource.kind.lower()}-{workload.name}"


def labels_for(workload: Workload) -> dict[str, str]:
    """The labels of everything that is written for a workload."""
    return {MANAGED_BY: MANAGER, WORKLOAD_LABEL: workload.label}


def path_for(workload: Workload) -> str:
    """The API path of the journal."""
    return CONFIG_MAPS.path(workload.namespace, name_for(workload))


def is_journal(config_map: Mapping[str, Any]) -> bool:
    """Whether a ConfigMap of ours is a journal, of whatever version."""
    return _KEY in (config_map.get("data") or {})


def read(config_map: Mapping[str, Any]) -> Journal:
    """The journal in a ConfigMap.

    Raises LlmHpaError when it is not one of ours or was written by a newer version.
    """
    attempted = f"read configmap {config_map['metadata']['namespace']}/{config_map['metadata']['name']}"
    try:
        content = json.loads(config_map["data"][_KEY])
        if (schema := content["schemaVersion"]) != SCHEMA:
            raise LlmHpaError(
                attempted, f"it has schema {schema}, this version reads {SCHEMA}", "use the newer version"
            )
        owned = tuple(Owned(**one) for one in content["objects"])
        move = Move(**content["move"]) if content["move"] else None
        return Journal(
            owned, tuple(content["metrics"]), content["adopted"], move, bool(content.get("leaving"))
        )
    except (KeyError, TypeError, ValueError) as error:
        raise LlmHpaError(
            attempted,
            "it is not a journal of kubectl-llm-hpa",
            "delete or rename it; enable again writes it anew",
        ) from error


def load(reader: Reader, workload: Workload) -> Journal | None:
    """The workload's journal, None when there is none."""
    try:
        return read(reader.get(path_for(workload)))
    except ApiError as error:
        if error.not_found:
            return None
        raise


def save(writer: Writer, workload: Workload, journal: Journal) -> None:
    """Write the journal (no change when it says the same already)."""
    content = {"schemaVersion": SCHEMA, **asdict(journal)}
    writer.apply(
        {
            "apiVersion": CONFIG_MAPS.api_version,
            "kind": CONFIG_MAPS.kind,
            "metadata": {
                "name": name_for(workload),
                "namespace": workload.namespace,
                "labels": labels_for(workload),
                "annotations": {VERSION_ANNOTATION: __version__},
            },
            "data": {_KEY: json.dumps(content, sort_keys=True)},
        }
    )


def delete(writer: Writer, workload: Workload) -> None:
    """Remove the journal."""
    writer.delete(CONFIG_MAPS, workload.namespace, name_for(workload))
