"""The words of `lint`: a finding with its place, a check, and all documents of a run with what belongs together."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from kubectl_llmhpa import engines
from kubectl_llmhpa.api import Json
from kubectl_llmhpa.engines import EngineFacts, NotAnEngine, lookalikes
from kubectl_llmhpa.engines.model import Clues
from kubectl_llmhpa.findings import Finding, found
from kubectl_llmhpa.hpa import scaled_objects
from kubectl_llmhpa.lint.documents import Document, FieldPath
from kubectl_llmhpa.plan.looking.places import clues_of

T = TypeVar("T")
HPA = "HorizontalPodAutoscaler"
SCALED_OBJECT = "ScaledObject"
#: The name under which a rule of prometheus-adapter serves, in its YAML or as JSON.
_SERVED = re.compile(r"\bas\"?:\s*['\"]?([\w:]+)")
#: Where pod templates stand in kinds that have one, the pods with the engine first.
_TEMPLATES: tuple[FieldPath, ...] = (
    ("spec", "template"),
    ("spec", "leaderWorkerTemplate", "leaderTemplate"),
    ("spec", "leaderWorkerTemplate", "workerTemplate"),
)


#: What is met in a document whose fields have other types than its kind says.
MALFORMED = (AttributeError, TypeError, KeyError, IndexError, ValueError, ArithmeticError, RecursionError)


class MalformedError(Exception):
    """What a check met in a document other than the one that it judges."""

    def __init__(self, document: Document, met: Exception) -> None:
        super().__init__(str(met))
        self.document = document
        self.met = met


@dataclass(frozen=True)
class Located:
    """A finding and the field that it is about."""

    finding: Finding
    document: Document
    path: FieldPath = ()

    @property
    def line(self) -> int:
        """From 1; 0 in a cluster."""
        return self.document.line_of(self.path)


def located(document: Document, path: FieldPath, code: str, seen: str, **values: object) -> Located:
    """A finding of the rule `code` about a field of a document; `values` fill the sentences of the rule."""
    return Located(found(code, document.reference, seen, **values), document, path)


@dataclass(frozen=True)
class Check:
    """One way to look at documents of some kinds (`""`: mappings that are no objects, such as Helm values).

    `judge` gets every document of those kinds that it `fits`. What no check fits is skipped with a note.
    """

    kinds: tuple[str, ...]
    judge: Callable[[Bundle, Document], Iterable[Located]]
    fits: Callable[[Document], bool] = lambda _: True


@dataclass(frozen=True)
class PodEngine:
    """The engine that a pod template runs: where the template stands, what its container says, and what follows."""

    template: FieldPath
    container: Json
    clues: Clues
    facts: EngineFacts


class Bundle:
    """All documents of a run. A namespace that a manifest leaves out may be any."""

    def __init__(self, documents: Sequence[Document]) -> None:
        self.documents = tuple(documents)
        self._by_kind: dict[str, list[Document]] = {}
        self._by_name: dict[tuple[str, str], list[Document]] = {}
        self._kept: dict[object, Any] = {}
        for one in self.documents:
            self._by_kind.setdefault(one.kind, []).append(one)
            self._by_name.setdefault((one.kind, one.name), []).append(one)

    def keep(self, key: Hashable, make: Callable[[], T]) -> T:
        """What `make` gives, made once for a run: an index over all documents, say."""
        if key not in self._kept:
            self._kept[key] = make()
        kept: T = self._kept[key]
        return kept

    def of_kind(self, *kinds: str) -> list[Document]:
        """The documents of some kinds, in the order of the run."""
        return [one for kind in kinds for one in self._by_kind.get(kind, ())]

    def scale_target(self, scaler: Document) -> Json:
        """apiVersion, kind and name of what an HPA or a ScaledObject scales; a ScaledObject's default is Deployment."""
        if scaler.kind == SCALED_OBJECT:
            return {"apiVersion": "apps/v1", "kind": "Deployment", **scaler.mapping("spec", "scaleTargetRef")}
        return scaler.mapping("spec", "scaleTargetRef")

    def workload(self, scaler: Document) -> Document | None:
        """What an HPA or a ScaledObject scales, None when it is not among the documents. Of several the one whose file
        is nearest, since a folder may hold many examples."""
        reference = self.scale_target(scaler)
        matching = [
            one
            for one in self._by_name.get((str(reference.get("kind")), str(reference.get("name"))), ())
            if _same_namespace(one, scaler)
            and str(reference.get("apiVersion", "")).rpartition("/")[0] in ("", one.group)
        ]
        return max(matching, key=lambda one: _nearness(one, scaler), default=None)

    def scalers(self, workload: Document | None = None) -> list[Document]:
        """The HPAs and ScaledObjects of the run, or those of one workload; an HPA that KEDA made is not one."""
        every = [one for one in self.of_kind(HPA, SCALED_OBJECT) if not made_by_keda(one)]
        return every if workload is None else [one for one in every if self.workload(one) is workload]

    def served(self, metric: str) -> bool:
        """Whether a rule of an adapter among the documents serves a metric under this name (`as: NAME`)."""
        return metric in self.keep("served", self._served_names)

    def _served_names(self) -> frozenset[str]:
        texts = (str(value) for one in self.of_kind("ConfigMap") for value in one.mapping("data").values())
        rules = (json.dumps(one.object, default=str) for one in self.of_kind(""))
        return frozenset(name for text in (*texts, *rules) for name in _SERVED.findall(text))

    def templates(self, workload: Document) -> Iterator[tuple[FieldPath, Json]]:
        """The pod templates of a workload with their paths; of a Pod itself its own body."""
        if workload.kind == "Pod":
            yield (), workload.object
        for path in _TEMPLATES:
            template = workload.mapping(*path)
            if isinstance(template.get("spec"), dict):
                yield path, template

    def engine(self, workload: Document | None) -> PodEngine | None:
        """The engine of a workload by its command line, labels and image; None when they name none, or a router.

        Raises MalformedError for a workload whose fields have other types than its kind says.
        """
        if workload is None:
            return None
        try:
            return self.keep(("engine", id(workload)), lambda: next(self._engines_of(workload), None))
        except MALFORMED as met:
            raise MalformedError(workload, met) from met

    def _engines_of(self, workload: Document) -> Iterator[PodEngine]:
        for path, template in self.templates(workload):
            for container, clues in _clues(template):
                if lookalikes.by_clues(clues):
                    continue
                try:
                    yield PodEngine(path, container, clues, engines.assume(clues))
                except NotAnEngine:
                    continue


def made_by_keda(hpa: Document) -> bool:
    """Whether a ScaledObject owns an HPA (only in a cluster)."""
    return hpa.live and hpa.kind == HPA and bool(scaled_objects.of_hpa(hpa.object))


def _same_namespace(one: Document, other: Document) -> bool:
    return one.namespace == other.namespace or not one.namespace or not other.namespace


def _nearness(one: Document, other: Document) -> tuple[bool, int]:
    """The same namespace first, then as many folders in common as can be."""
    pairs = zip(one.path.split("/"), other.path.split("/"), strict=False)
    return one.namespace == other.namespace, len(
        list(itertools.takewhile(lambda pair: pair[0] == pair[1], pairs))
    )


def _clues(template: Json) -> list[tuple[Json, Clues]]:
    """The clues of the containers, the most likely engine first."""
    spec = template.get("spec") or {}
    containers = [
        {"name": "", **one}
        for one in spec.get("containers") or ()
        if isinstance(one, dict) and isinstance(one.get("env") or [], list)
    ]
    if not containers:
        return []
    metadata = template.get("metadata") or {}
    return clues_of({"metadata": metadata, "spec": {"containers": containers}})
