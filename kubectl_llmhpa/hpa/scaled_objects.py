"""KEDA's ScaledObjects as `status` reads them: what its HPAs measure, and what the HPA itself does not tell.

The metrics of KEDA's HPA are called `s0-prometheus`, by the number and type of the trigger, and select the ScaledObject
by a label (KEDA 2.21, pkg/scalers/scaler.go GenerateMetricNameWithIndex, controllers/keda/hpa.go). A paused one has no
HPA. An active fallback shows in the ScaledObject's condition only: the HPA has a number, which nobody measured.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from kubectl_llmhpa.api import SCALED_OBJECTS, Json
from kubectl_llmhpa.names import engine_of, is_signal, signal_named

LABEL = "scaledobject.keda.sh/name"
#: The reason of the events in which KEDA says why a query failed.
FAILED = "KEDAScalerFailed"
_PAUSED = "autoscaling.keda.sh/paused"
_PAUSED_AT = "autoscaling.keda.sh/paused-replicas"
_HELD = {
    "autoscaling.keda.sh/paused-scale-in": "scale-in",
    "autoscaling.keda.sh/paused-scale-out": "scale-out",
}
#: Any other value of these annotations is a yes (getBoolAnnotation).
_NO = ("false", "f", "0")
_SUFFIX = re.compile(r"_(bucket|sum|count)$")


class State(NamedTuple):
    """What a ScaledObject says of itself.

    `fault` is a sentence about what keeps it from working, empty while nothing does; `fallback`, `paused`: the fault is
    that. `held` is the direction that an annotation switches off, empty: none. `hpa` is the HPA it has, or had.
    """

    fault: str
    fallback: bool
    paused: bool
    held: str
    hpa: str


def state(found: Json) -> State:
    """A ScaledObject's state, from its annotations and conditions."""
    annotations = (found.get("metadata") or {}).get("annotations") or {}
    status = found.get("status") or {}
    conditions: dict[str, Json] = {one.get("type", ""): one for one in status.get("conditions") or ()}
    paused = _yes(annotations, _PAUSED) or _PAUSED_AT in annotations
    fallback = not paused and conditions.get("Fallback", {}).get("status") == "True"
    ready = conditions.get("Ready", {})
    fault = ""
    if paused:
        where = f" at {annotations[_PAUSED_AT]} replicas" if _PAUSED_AT in annotations else ""
        fault = f"KEDA is paused{where} by an annotation of the ScaledObject, and there is no HPA meanwhile"
    elif fallback:
        fault = "queries fail and KEDA's fallback is active: what the HPA shows was not measured"
    elif ready.get("status") in ("False", "Unknown") and ready.get("message"):
        fault = str(ready["message"])
    held = " and ".join(way for key, way in _HELD.items() if _yes(annotations, key))
    return State(fault, fallback, paused, held, str(status.get("hpaName") or ""))


def _yes(annotations: Json, key: str) -> bool:
    return str(annotations.get(key, "false")).lower() not in _NO


def of_hpa(hpa: Json) -> str:
    """The name of the ScaledObject whose metrics an HPA asks for, empty for an HPA that is not KEDA's."""
    for metric in (hpa.get("spec") or {}).get("metrics") or ():
        selector = ((metric.get("external") or {}).get("metric") or {}).get("selector") or {}
        if name := (selector.get("matchLabels") or {}).get(LABEL):
            return str(name)
    owners = (hpa.get("metadata") or {}).get("ownerReferences") or ()
    return next((str(one.get("name")) for one in owners if one.get("kind") == SCALED_OBJECTS.kind), "")


def hpa_name(found: Json) -> str:
    """The name of the HPA that KEDA makes of a ScaledObject."""
    config = ((found["spec"].get("advanced") or {}).get("horizontalPodAutoscalerConfig")) or {}
    return str(config.get("name") or f"keda-hpa-{found['metadata']['name']}")


def scale_target(found: Json) -> Json:
    """Its `scaleTargetRef` in full: one without a kind means a Deployment."""
    return {"apiVersion": "apps/v1", "kind": "Deployment", **(found["spec"].get("scaleTargetRef") or {})}


def as_hpa(found: Json, ready: int | None) -> Json:
    """The HPA that KEDA would make of a ScaledObject that has none, with the ready pods as its replicas."""
    spec, metadata = found["spec"], found["metadata"]
    metrics = []
    for name, trigger in _queries(found):
        field = "value" if trigger.get("metricType") == "Value" else "averageValue"
        target = {"type": trigger.get("metricType") or "AverageValue"}
        if threshold := (trigger.get("metadata") or {}).get("threshold"):
            target[field] = str(threshold)
        metrics.append({"type": "External", "external": {"metric": {"name": name}, "target": target}})
    size = {} if ready is None else {"currentReplicas": ready, "desiredReplicas": ready}
    return {
        "metadata": {
            "name": hpa_name(found),
            "namespace": metadata.get("namespace", ""),
            "creationTimestamp": metadata.get("creationTimestamp"),
        },
        "spec": {
            "scaleTargetRef": scale_target(found),
            "minReplicas": spec.get("minReplicaCount") or 1,
            "maxReplicas": spec.get("maxReplicaCount", 100),
            "metrics": metrics,
        },
        "status": size,
    }


def metric_name(index: int, trigger: Json) -> str:
    """What the HPA calls the metric of a trigger of this kind: its place among the triggers, and the type."""
    return f"s{index}-{trigger.get('type', '')}"


def triggers(found: Json | None) -> dict[str, Json]:
    """The triggers of a ScaledObject, in their order, by what the HPA calls their metrics."""
    all_of_them = ((found or {}).get("spec") or {}).get("triggers") or ()
    return {metric_name(index, one): one for index, one in enumerate(all_of_them)}


def signals_behind(names: Iterable[str], found: Json | None) -> dict[str, str]:
    """An HPA's metric names and our words for what they measure; others are left out.

    `found` is the ScaledObject of KEDA's HPA, where there is one and it could be read.
    """
    words = {name: known[1] for name in names if (known := signal_named(name)) is not None}
    return words if found is None else words | signals(found)


def signals(found: Json) -> dict[str, str]:
    """The HPA's metric names and our words for what their queries measure; others are left out.

    A query that is made from several metrics of an engine is called what its trigger is called, when that is one of our
    words.
    """
    words: dict[str, str] = {}
    for name, trigger in _queries(found):
        known = {one[1] for metric in _metrics(trigger) if (one := signal_named(metric)) is not None}
        if known and is_signal(str(trigger.get("name"))):
            words[name] = str(trigger["name"])
        elif len(known) == 1:
            words[name] = known.pop()
    return words


def engine(found: Json) -> str | None:
    """The engine that the queries are about, None for none that we know."""
    names = (engine_of(metric) for _, trigger in _queries(found) for metric in _metrics(trigger))
    return next((name for name in names if name is not None), None)


def cause(found: Json, events: Sequence[Json]) -> str:
    """Why its last query failed, from core/v1 events of ScaledObjects; empty when none says."""
    metadata = found.get("metadata") or {}
    about = [
        event
        for event in events
        if event.get("reason") == FAILED and _is_about(event.get("involvedObject") or {}, metadata)
    ]
    last = max(about, key=_time, default=None)
    return " ".join(str((last or {}).get("message") or "").split())


def _queries(found: Json) -> Iterator[tuple[str, Json]]:
    return ((name, one) for name, one in triggers(found).items() if one.get("type") == "prometheus")


def _metrics(trigger: Json) -> list[str]:
    """What may be a metric in a trigger's query, without the suffixes of a histogram."""
    from kubectl_llmhpa.names.queries import words_in

    query = str((trigger.get("metadata") or {}).get("query") or "")
    return [_SUFFIX.sub("", word) for word in words_in(query)]


def _is_about(about: Json, metadata: Json) -> bool:
    mine = ("namespace", "name", "uid")
    return all(not about.get(key) or about[key] == metadata.get(key) for key in mine)


def _time(event: Json) -> str:
    series = event.get("series") or {}
    times = (event.get("lastTimestamp"), series.get("lastObservedTime"), event.get("eventTime"))
    return next((str(one) for one in times if one), "")
