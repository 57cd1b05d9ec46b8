"""Every autoscaler of LLM pods: the HPA, its engine, the workload's ready replicas and the last rescales."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from kubectl_llmhpa.api import HPAS, Json, moment, place
from kubectl_llmhpa.hpa import HpaView, Rescale, in_words, is_ours, of_hpa, rescales, view
from kubectl_llmhpa.hpa import scaled_objects as keda
from kubectl_llmhpa.hpa.failures import EVENT_TELLS
from kubectl_llmhpa.names import engine_of
from kubectl_llmhpa.status import drift, scaled
from kubectl_llmhpa.status.drift import Drift
from kubectl_llmhpa.status.scaled import Workloads

#: States in which the HPA misses a number, the first one for want of who serves it.
_NUMBERS = ("Broken: metrics API", "Broken: value")


#: What KEDA says of a query that no series answers (prometheus_scaler.go).
_EMPTY = "the result is empty"
#: The event of a rescale comes within this time of it.
_TOGETHER = timedelta(seconds=10)


class Resized(NamedTuple):
    """A rescale that was seen happening: old size, new size, RFC 3339 time; `by_hand`: the HPA did not do it."""

    old: int
    new: int
    time: str
    by_hand: bool = False


class Autoscaler(NamedTuple):
    """One HPA that scales LLM pods.

    `engine` is the engine whose metric names it uses, or else the one that the workload's template starts (None: none
    that we know), `signals` maps its metric names to our words for them, `ours` tells whether we made it. Rescales are
    oldest first, as far as events still exist. `scaled_object` is the name of the ScaledObject that KEDA made the HPA
    of, empty for a plain HPA; `exists` is False while there is no HPA of it. `drift` is what is not as it was set up.
    `resized` is the last rescale, where it was seen happening; `object` the HPA.
    """

    view: HpaView
    ours: bool
    engine: str | None
    signals: Mapping[str, str]
    rescales: tuple[Rescale, ...]
    scaled_object: str = ""
    exists: bool = True
    drift: tuple[Drift, ...] = ()
    resized: Resized | None = None
    object: Mapping[str, Any] = {}

    def signal(self, metric: str) -> str:
        """Our word for a metric, or its own name."""
        return self.signals.get(metric, metric)

    @property
    def last_reason(self) -> str:
        """Why the last rescale happened, in our words; empty when no event tells.

        Events are merged and dropped, so the newest one may be about an earlier rescale: it counts only when its time
        is that of the HPA's own `lastScaleTime`.
        """
        last = self.rescales[-1] if self.rescales else None
        when, scaled_at = moment(last.time if last else None), moment(self.view.last_scale)
        if last is None or when is None or scaled_at is None or abs(when - scaled_at) > _TOGETHER:
            return ""
        return in_words(last.reason, self.signals)


def word(state: str) -> str:
    """`Broken` for `Broken: sample`."""
    return state.partition(":")[0]


def overview(
    hpas: Sequence[Json],
    workloads: Workloads,
    events: Sequence[Json],
    *,
    now: datetime,
    every: bool = False,
    scaled_objects: Sequence[Json] = (),
    lost: Mapping[str, str] | None = None,
) -> list[Autoscaler]:
    """The LLM autoscalers among `hpas` (`every`: all of them), sorted by namespace and name.

    An HPA is one when it is ours, uses a metric name of an engine, or scales pods that run one; one of KEDA's, when
    that holds for its ScaledObject. ScaledObjects that have no HPA are autoscalers too. `events` are core/v1 events of
    HPAs and of ScaledObjects; `lost` maps metrics to the sentence about a rule that the adapter's restart loses.
    """
    waiting = {place(one): one for one in scaled_objects}
    told = _by_place(events)
    found = []
    for hpa in hpas:
        one = waiting.pop((place(hpa)[0], keda.of_hpa(hpa)), None)
        found.append(_autoscaler(hpa, one, workloads, told, now, every, lost or {}))
    found += [_without_hpa(one, workloads, told, now) for one in waiting.values()]
    chosen = [one for one in found if every or one.ours or one.engine is not None]
    return sorted(chosen, key=lambda one: (one.view.namespace, one.view.name))


def cut_off(one: Autoscaler, problem: str) -> Autoscaler:
    """One of KEDA's, while KEDA's numbers do not reach the HPA; `problem` says why, in one clause.

    The HPA tells it minutes later, or never: KEDA's metrics server answers nothing for a minute per metric while the
    operator is away (seen with KEDA 2.21), and the controller leaves conditions and numbers as they are until then.
    """
    judged = one.view
    if not one.exists or not (judged.healthy or judged.state in ("Degraded", *_NUMBERS)):
        return one
    why = f"KEDA's numbers do not reach the HPA ({problem}), so the replicas stay as they are"
    metrics = tuple(
        metric._replace(now=None, ratio=None, vote=None, state="Unknown") for metric in judged.metrics
    )
    return one._replace(view=judged._replace(state=_NUMBERS[0], why=why, metrics=metrics))


def by_name(kind: str, workloads: Iterable[Json]) -> dict[tuple[str, str, str], Json]:
    """The objects of one kind by what an HPA calls them: `Workloads`."""
    return {(place(one)[0], kind, place(one)[1]): one for one in workloads}


#: Events by the kind, namespace and name of what they are about.
_Told = Mapping[tuple[str, str, str], list[Json]]


def _by_place(events: Iterable[Json]) -> _Told:
    told: dict[tuple[str, str, str], list[Json]] = defaultdict(list)
    for event in events:
        about = event.get("involvedObject") or event.get("regarding") or {}
        told[about.get("kind", ""), about.get("namespace", ""), about.get("name", "")].append(event)
    return told


def _autoscaler(
    hpa: Json,
    scaled_object: Json | None,
    workloads: Workloads,
    told: _Told,
    now: datetime,
    every: bool,
    lost: Mapping[str, str],
) -> Autoscaler:
    place = _workload(hpa)
    workload = workloads.get(place)
    judged = view(hpa, ready=scaled.ready(workload, place[1]), now=now)
    names = [metric.name for metric in judged.metrics]
    engines = [engine for name in names if (engine := engine_of(name)) is not None]
    signals = keda.signals_behind(names, scaled_object)
    ours = is_ours(hpa)
    mine, what = hpa, HPAS.kind
    if scaled_object is not None:
        engines += [engine] if (engine := keda.engine(scaled_object)) else []
        ours = is_ours(scaled_object)
        judged = _as_keda_says(judged, scaled_object, signals, _about(told, "ScaledObject", scaled_object))
        mine, what = scaled_object, "ScaledObject"
    engine = engines[0] if engines else scaled.engine(workload)
    events = _about(told, HPAS.kind, hpa)
    return Autoscaler(
        view=judged,
        ours=ours,
        engine=engine,
        signals=signals,
        rescales=tuple(rescales(of_hpa(hpa, events))) if events else (),
        scaled_object=keda.of_hpa(hpa),
        drift=(
            *drift.lost_rules(names, lost),
            *(drift.changed(mine, what) if ours else ()),
            *(drift.templates(workload, place[1]) if engine or ours or every else ()),
        ),
        object=hpa,
    )


def _without_hpa(scaled_object: Json, workloads: Workloads, told: _Told, now: datetime) -> Autoscaler:
    """A ScaledObject of which KEDA has made no HPA, or has taken it away."""
    target = keda.scale_target(scaled_object)
    kind = str(target["kind"])
    workload = workloads.get((place(scaled_object)[0], kind, str(target["name"])))
    hpa = keda.as_hpa(scaled_object, scaled.ready(workload, kind))
    one = _autoscaler(hpa, scaled_object, workloads, told, now, False, {})
    state = keda.state(scaled_object)
    word = "Paused" if state.paused else "Broken: autoscaler" if state.fault else "New"
    events = _about(told, "ScaledObject", scaled_object)
    why = _with_cause(state.fault, scaled_object, events) or "KEDA has not made its HPA yet"
    return one._replace(
        view=one.view._replace(state=word, why=why, last_scale=None),
        scaled_object=place(scaled_object)[1],
        exists=False,
    )


def _as_keda_says(
    judged: HpaView, scaled_object: Json, signals: Mapping[str, str], events: Sequence[Json]
) -> HpaView:
    """The view with what the HPA does not tell: an active fallback, the cause of a failed query, a pause one way."""
    state = keda.state(scaled_object)
    why = judged.why
    for metric, signal in signals.items():
        why = re.sub(rf"\b{re.escape(metric)}\b", signal, why)
    if not scaled_object["spec"].get("minReplicaCount"):  # the HPA's own minimum is 1 then
        judged = judged._replace(min=0)
        if judged.state == "Disabled":
            return _asleep(judged, state.fault, scaled_object, events)
    if state.fallback:
        return judged._replace(state="Degraded", why=_with_cause(state.fault, scaled_object, events))
    if judged.state in ("Broken: value", "Degraded"):
        why = _with_cause(why, scaled_object, events)
        if why.endswith(_EMPTY) and not judged.desired:  # the controller keeps the last size that it came to
            why += " and always was, as it is before an engine's first request (doctor looks at each hop)"
    elif state.held:
        why = f"{why}; an annotation of the ScaledObject keeps it from {state.held}"
    return judged._replace(why=why)


def _asleep(judged: HpaView, fault: str, scaled_object: Json, events: Sequence[Json]) -> HpaView:
    """At zero replicas, to which KEDA may take the workload: its own loop wakes it, and the HPA is no part of that."""
    if fault:
        why = "asleep at zero replicas, and KEDA cannot read what would wake it"
        return judged._replace(state="Broken: autoscaler", why=_with_cause(why, scaled_object, events))
    return judged._replace(
        state="Steady", why="asleep at zero replicas; KEDA wakes it when a trigger is active"
    )


def _with_cause(text: str, scaled_object: Json, events: Sequence[Json]) -> str:
    cause = keda.cause(scaled_object, events)
    return f"{text.removesuffix(EVENT_TELLS)}: {cause}" if text and cause else text


def _about(told: _Told, kind: str, obj: Json) -> list[Json]:
    return told.get((kind, *place(obj)), [])


def _workload(hpa: Json) -> tuple[str, str, str]:
    reference = (hpa.get("spec") or {}).get("scaleTargetRef") or {}
    return place(hpa)[0], reference.get("kind", ""), reference.get("name", "")
