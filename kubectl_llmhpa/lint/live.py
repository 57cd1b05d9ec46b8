"""The same objects, read from a cluster: one list a kind, all at once, and the file of the metric adapter."""

from __future__ import annotations

from collections.abc import Sequence

from kubectl_llmhpa.api import (
    CONFIG_MAPS,
    DEPLOYMENTS,
    HPAS,
    POD_MONITORS,
    PROMETHEUSES,
    RESOURCE_QUOTAS,
    SCALED_OBJECTS,
    STATEFUL_SETS,
    Json,
    Reader,
    Resource,
    scaler_named,
    type_and_name,
)
from kubectl_llmhpa.backends import prometheus_adapter
from kubectl_llmhpa.errors import ApiError, LlmHpaError
from kubectl_llmhpa.lint.documents import Document
from kubectl_llmhpa.lint.model import Bundle, Located, made_by_keda
from kubectl_llmhpa.monitoring import selectors
from kubectl_llmhpa.plan.permitted import Permitted
from kubectl_llmhpa.workloads import identify, missing
from kubectl_llmhpa.workloads.discovery import Types

SERVICE_MONITORS = Resource("monitoring.coreos.com/v1", "servicemonitors", "ServiceMonitor")
LEADER_WORKER_SETS = Resource("leaderworkerset.x-k8s.io/v1", "leaderworkersets", "LeaderWorkerSet")
#: What is read in the namespace that is asked for.
RESOURCES = (
    HPAS, SCALED_OBJECTS, POD_MONITORS, SERVICE_MONITORS, DEPLOYMENTS, STATEFUL_SETS, LEADER_WORKER_SETS,
    RESOURCE_QUOTAS,
)  # fmt: skip


def read(reader: Reader, namespace: str | None) -> tuple[list[Document], list[str]]:
    """The objects of a namespace (None: of all), every Prometheus, the adapter, and what may not be read (sentences).

    An HPA that KEDA made is left out: its ScaledObject is judged, which it is rewritten from.
    Raises ApiError where the autoscalers cannot be read, or the API server does not answer.
    """
    reader = Permitted(reader)
    wanted = [(one, one.path(namespace)) for one in RESOURCES]
    wanted.append((PROMETHEUSES, PROMETHEUSES.path()))
    answers = reader.get_many([path for _, path in wanted])
    documents: list[Document] = []
    notes = []
    for (resource, _), answer in zip(wanted, answers, strict=True):
        if not isinstance(answer, ApiError):
            every = [_document(resource, item) for item in answer.get("items") or ()]
            documents += [one for one in every if not made_by_keda(one)]
        elif answer.forbidden and resource is not HPAS:
            notes.append(f"{resource.plural} may not be listed, so what depends on them was not judged")
        elif not answer.not_found:  # that kind is not installed
            raise answer
    adapter, unseen = _adapter(reader)
    there = {(one.kind, one.namespace, one.name) for one in documents}
    documents += [one for one in adapter if (one.kind, one.namespace, one.name) not in there]
    return documents, [*notes, *unseen]


def _adapter(reader: Reader) -> tuple[list[Document], list[str]]:
    """The adapter's Deployment and its file, none where there is no adapter; and why they may not be read."""
    try:
        adapter = prometheus_adapter.find(reader, even_down=True)
        file = reader.get(adapter.config_path)
    except ApiError as error:
        if error.unavailable:
            raise
        unseen = "the metric adapter's file may not be read, so its rules were not judged"
        return [], [unseen] if error.forbidden else []
    except LlmHpaError:
        return [], []
    return [_document(DEPLOYMENTS, adapter.deployment), _document(CONFIG_MAPS, file)], []


def meant(reader: Reader, words: tuple[str, ...]) -> tuple[str, str]:
    """Kind and name of the object that TYPE/NAME means. Raises LlmHpaError when it is not there."""
    word, name = type_and_name(words)
    kind = scaler_named(word) or Types(reader).named(word).resource
    missing.read(reader, kind, reader.namespace, name)
    if kind in (HPAS, SCALED_OBJECTS):
        return kind.kind, name
    scaled = identify(reader, words, reader.namespace)
    return scaled.resource.kind, scaled.name


def of_object(
    found: Sequence[Located], documents: Sequence[Document], kind: str, name: str
) -> tuple[Located, ...]:
    """The findings about one object, the autoscalers of it, and the scrape objects that select its pods.

    An HPA or a ScaledObject may be named itself.
    """
    bundle = Bundle(documents)
    own = [one for one in bundle.of_kind(kind) if one.name == name]
    related = {id(one) for one in own}
    for one in own:
        related |= {id(scaler) for scaler in bundle.scalers(one)}
        if workload := bundle.workload(one):
            related.add(id(workload))
        labels = [template.get("metadata", {}).get("labels") or {} for _, template in bundle.templates(one)]
        for monitor in bundle.of_kind(POD_MONITORS.kind):
            if any(selectors.matches(monitor.at("spec", "selector"), each) for each in labels):
                related.add(id(monitor))
    return tuple(one for one in found if id(one.document) in related)


def _document(resource: Resource, item: Json) -> Document:
    whole: Json = {"apiVersion": resource.api_version, "kind": resource.kind, **item}
    return Document(str(whole["metadata"].get("namespace", "")), 0, whole, live=True)
