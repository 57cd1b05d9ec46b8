"""What is asked for, and the first round of requests: light to import, so that it can run while the rest loads."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from kubectl_llmhpa.api import DEPLOYMENTS, HPAS, SCALED_OBJECTS, STATEFUL_SETS, Json, Reader, events_path
from kubectl_llmhpa.errors import ApiError

#: The kinds whose lists are read ahead.
BUILTIN = (DEPLOYMENTS, STATEFUL_SETS)
#: Discovery, which everybody may read: without this there is no adapter whose rules could be lost.
CUSTOM_METRICS = "/apis/custom.metrics.k8s.io"
#: The reason of the event in which a rescale is told.
RESCALED = "SuccessfulRescale"


class Question(NamedTuple):
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
        given = {key: value for key, value in selectors.items() if value}
        if not given:
            return HPAS.path(self.namespace)
        from urllib.parse import urlencode

        return f"{HPAS.path(self.namespace)}?{urlencode(given)}"

    def means(self, kind: str, name: str, reference: Mapping[str, object]) -> bool:
        """Whether an object that scales what `reference` names is asked for, by its own name or its workload's."""
        asked = self.named
        return not asked or (kind, name) in asked or (reference.get("kind"), reference.get("name")) in asked


class Scalers(NamedTuple):
    """The HPAs and KEDA's ScaledObjects, or why there are none of these.

    `ahead` are answers by path to what is nearly always asked next, so that one round of requests is enough.
    """

    hpas: list[Json]
    scaled_objects: Json | ApiError
    ahead: Mapping[str, Json | ApiError] = {}


def read(reader: Reader, question: Question) -> Scalers:
    """The first round of requests. Raises ApiError when the HPAs cannot be read."""
    place = question.namespace
    workloads = [one.path(place) for one in BUILTIN]
    ahead = [*workloads, events_path(place, HPAS.kind, reason=RESCALED), CUSTOM_METRICS]
    hpas, scaled, *others = reader.get_many([question.path(), SCALED_OBJECTS.path(place), *ahead])
    if isinstance(hpas, ApiError):
        raise hpas
    return Scalers(hpas.get("items") or [], scaled, dict(zip(ahead, others, strict=True)))


def read_with(reader: Reader, question: Question, hpas: list[Json]) -> Scalers:
    """The same with HPAs that are known already."""
    (scaled,) = reader.get_many([SCALED_OBJECTS.path(question.namespace)])
    return Scalers(hpas, scaled)
