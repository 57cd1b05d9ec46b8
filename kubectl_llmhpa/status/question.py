"""What is asked for, and the first round of requests: light to import, so that it can run while the rest loads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

from kubectl_llmhpa.api import HPAS, SCALED_OBJECTS, Json, Reader
from kubectl_llmhpa.errors import ApiError


@dataclass(frozen=True)
class Question:
    """What was asked: a namespace (None: all of them), selectors of the HPAs as the API takes them, and names.

    `named` are (kind, name) of workloads, HPAs or ScaledObjects; empty: all that scale LLM pods.
    """

    namespace: str | None
    label_selector: str = ""
    field_selector: str = ""
    named: tuple[tuple[str, str], ...] = ()

    def path(self) -> str:
        """Where the HPAs are listed."""
        selectors = {"labelSelector": self.label_selector, "fieldSelector": self.field_selector}
        query = urlencode({key: value for key, value in selectors.items() if value})
        return HPAS.path(self.namespace) + (f"?{query}" if query else "")

    def means(self, kind: str, name: str, reference: Mapping[str, object]) -> bool:
        """Whether an object that scales what `reference` names is asked for, by its own name or its workload's."""
        asked = self.named
        return not asked or (kind, name) in asked or (reference.get("kind"), reference.get("name")) in asked


@dataclass(frozen=True)
class Scalers:
    """The HPAs and KEDA's ScaledObjects, or why there are none of these."""

    hpas: list[Json]
    scaled_objects: Json | ApiError


def read(reader: Reader, question: Question) -> Scalers:
    """The first round of requests. Raises ApiError when the HPAs cannot be read."""
    hpas, scaled = reader.get_many([question.path(), SCALED_OBJECTS.path(question.namespace)])
    if isinstance(hpas, ApiError):
        raise hpas
    return Scalers(hpas.get("items") or [], scaled)


def read_with(reader: Reader, question: Question, hpas: list[Json]) -> Scalers:
    """The same with HPAs that are known already."""
    (scaled,) = reader.get_many([SCALED_OBJECTS.path(question.namespace)])
    return Scalers(hpas, scaled)
