"""Every autoscaler of LLM pods: the HPA, its engine, the workload's ready replicas and the last rescales."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from kubectl_llmhpa.api import Json
from kubectl_llmhpa.engines import engine_of, signal_of
from kubectl_llmhpa.hpa import scaled_objects as keda
from kubectl_llmhpa.hpa.events import Rescale, of_hpa, rescales
from kubectl_llmhpa.hpa.failures import EVENT_TELLS
from kubectl_llmhpa.hpa.model import HpaView
from kubectl_llmhpa.hpa.ownership import is_ours
from kubectl_llmhpa.hpa.views import view

#: (namespace, kind, name) of a workload -> its ready replicas.
Ready = Mapping[tuple[str, str, str], int]

#: States in which the HPA misses a number, the first one for want of who serves it.
_NUMBERS = ("Broken: metrics API", "Broken: value")


@dataclass(frozen=True)
class Autoscaler:
    """One HPA that scales LLM pods.

    `engine` is the engine whose metric names it uses (None: none that we know), `signals` maps its metric names to
    our words for them, `ours` tells whether we made it. Rescales are oldest first, as far as events still exist.
    `scaled_object` is the name of the ScaledObject that KEDA made the HPA of, empty for a plain HPA; `exists` is False
    while there is no HPA of it.
    """

    view: HpaView
    ours: bool
    engine: str | None
    signals: Mapping[str, str]
    rescales: tuple[Rescale, ...]
    scaled_object: str = ""
    exists: bool = True

    def signal(self, metric: str) -> str:
        """Our word for a metric, or its own name."""
        return self.signals.get(metric, metric)

    @property
    def last_reason(self) -> str:
        """Why the last rescale happened, in our words; empty when no event tells."""
        if not self.rescales:
            return ""
        reason = re.sub(r"^(pods|external|\w+) metric ", "", self.rescales[-1].reason)
        reason = re.sub(r"\(&LabelSelector\{[^)]*\}\)", "", reason)
        for metric, signal in self.signals.items():
            reason = reason.replace(metric, signal)
        return reason.replace("(nil)", "")


def overview(
    hpas: Sequence[Json],
    ready: Ready,
    events: Sequence[Json],
    *,
    now: datetime,
    every: bool = False,
    scaled_objects: Sequence[Json] = (),
) -> list[Autoscaler]:
    """The LLM autoscalers among `hpas` (`every`: all of them), sorted by namespace and name.

    An HPA is one when it is ours or uses a metric name of an engine; one of KEDA's, when that holds for its
    ScaledObject. ScaledObjects that have no HPA are autoscalers too. `events` are core/v1 events of HPAs and of
    ScaledObjects.
    """
    waiting = {_place(one): one for one in scaled_objects}
    found = []
    for hpa in hpas:
        scaled = waiting.pop((_place(hpa)[0], keda.of_hpa(hpa)), None)
        found.append(_autoscaler(hpa, scaled, ready, events, now))
    found += [_without_hpa(one, ready, events, now) for one in waiting.values()]
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
        replace(metric, now=None, ratio=None, vote=None, state="Unknown") for metric in judged.metrics
    )
    return replace(one, view=replace(judged, state=_NUMBERS[0], why=why, metrics=metrics))


def ready_replicas(workloads: Sequence[Json]) -> dict[tuple[str, str, str], int]:
    """`status.readyReplicas` of workload objects (an absent field is 0: the server leaves zeros out)."""
    counts = {}
    for workload in workloads:
        metadata = workload.get("metadata") or {}
        key = (metadata.get("namespace", ""), workload.get("kind", ""), metadata.get("name", ""))
        counts[key] = int((workload.get("status") or {}).get("readyReplicas") or 0)
    return counts


def _autoscaler(
    hpa: Json, scaled: Json | None, ready: Ready, events: Sequence[Json], now: datetime
) -> Autoscaler:
    judged = view(hpa, ready=ready.get(_workload(hpa)), now=now)
    names = [metric.name for metric in judged.metrics]
    engines = [engine for name in names if (engine := engine_of(name)) is not None]
    signals = {name: known[1].name for name in names if (known := signal_of(name)) is not None}
    ours = is_ours(hpa)
    if scaled is not None:
        engines += [engine] if (engine := keda.engine(scaled)) else []
        signals |= keda.signals(scaled)
        ours = is_ours(scaled)
        judged = _as_keda_says(judged, scaled, signals, events)
    return Autoscaler(
        view=judged,
        ours=ours,
        engine=engines[0] if engines else None,
        signals=signals,
        rescales=tuple(rescales(of_hpa(hpa, events))),
        scaled_object=keda.of_hpa(hpa),
    )


def _without_hpa(scaled: Json, ready: Ready, events: Sequence[Json], now: datetime) -> Autoscaler:
    """A ScaledObject of which KEDA has made no HPA, or has taken it away."""
    target = keda.scale_target(scaled)
    hpa = keda.as_hpa(scaled, ready.get((_place(scaled)[0], target["kind"], target["name"])))
    one = _autoscaler(hpa, scaled, ready, events, now)
    state = keda.state(scaled)
    word = "Paused" if state.paused else "Broken: ScaledObject" if state.fault else "New"
    why = _with_cause(state.fault, scaled, events) or "KEDA has not made its HPA yet"
    return replace(
        one,
        view=replace(one.view, state=word, why=why, last_scale=None),
        scaled_object=_place(scaled)[1],
        exists=False,
    )


def _as_keda_says(
    judged: HpaView, scaled: Json, signals: Mapping[str, str], events: Sequence[Json]
) -> HpaView:
    """The view with what the HPA does not tell: an active fallback, the cause of a failed query, a pause one way."""
    state = keda.state(scaled)
    why = judged.why
    for metric, signal in signals.items():
        why = re.sub(rf"\b{re.escape(metric)}\b", signal, why)
    if state.fallback:
        return replace(judged, state="Degraded", why=_with_cause(state.fault, scaled, events))
    if judged.state in ("Broken: value", "Degraded"):
        why = _with_cause(why, scaled, events)
    elif state.held:
        why = f"{why}; an annotation of the ScaledObject keeps it from {state.held}"
    return replace(judged, why=why)


def _with_cause(text: str, scaled: Json, events: Sequence[Json]) -> str:
    cause = keda.cause(scaled, events)
    return f"{text.removesuffix(EVENT_TELLS)}: {cause}" if text and cause else text


def _place(obj: Json) -> tuple[str, str]:
    metadata = obj.get("metadata") or {}
    return str(metadata.get("namespace", "")), str(metadata.get("name", ""))


def _workload(hpa: Json) -> tuple[str, str, str]:
    reference = (hpa.get("spec") or {}).get("scaleTargetRef") or {}
    return _place(hpa)[0], reference.get("kind", ""), reference.get("name", "")
