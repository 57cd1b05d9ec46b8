"""Every autoscaler of LLM pods: the HPA, its engine, the workload's ready replicas and the last rescales."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from kubectl_llmhpa.api import Json
from kubectl_llmhpa.engines import engine_of, signal_of
from kubectl_llmhpa.hpa.events import Rescale, of_hpa, rescales
from kubectl_llmhpa.hpa.model import HpaView
from kubectl_llmhpa.hpa.ownership import is_ours
from kubectl_llmhpa.hpa.views import view

#: (namespace, kind, name) of a workload -> its ready replicas.
Ready = Mapping[tuple[str, str, str], int]


@dataclass(frozen=True)
class Autoscaler:
    """One HPA that scales LLM pods.

    `engine` is the engine whose metric names it uses (None: none that we know), `signals` maps its metric names to
    our words for them, `ours` tells whether we made it. Rescales are oldest first, as far as events still exist.
    """

    view: HpaView
    ours: bool
    engine: str | None
    signals: Mapping[str, str]
    rescales: tuple[Rescale, ...]

    def signal(self, metric: str) -> str:
        """Our word for a metric, or its own name."""
        return self.signals.get(metric, metric)

    @property
    def last_reason(self) -> str:
        """Why the last rescale happened, in our words; empty when no event tells."""
        if not self.rescales:
            return ""
        reason = re.sub(r"^(pods|external|\w+) metric ", "", self.rescales[-1].reason)
        for metric, signal in self.signals.items():
            reason = reason.replace(metric, signal)
        return reason.replace("(nil)", "")


def overview(
    hpas: Sequence[Json], ready: Ready, events: Sequence[Json], *, now: datetime, every: bool = False
) -> list[Autoscaler]:
    """The LLM autoscalers among `hpas` (`every`: all of them), sorted by namespace and name.

    An HPA is one when it is ours or uses a metric name of an engine. `events` are core/v1 events of HPAs.
    """
    found = []
    for hpa in hpas:
        one = _autoscaler(hpa, ready, events, now)
        if every or one.ours or one.engine is not None:
            found.append(one)
    return sorted(found, key=lambda one: (one.view.namespace, one.view.name))


def ready_replicas(workloads: Sequence[Json]) -> dict[tuple[str, str, str], int]:
    """`status.readyReplicas` of workload objects (an absent field is 0: the server leaves zeros out)."""
    counts = {}
    for workload in workloads:
        metadata = workload.get("metadata") or {}
        key = (metadata.get("namespace", ""), workload.get("kind", ""), metadata.get("name", ""))
        counts[key] = int((workload.get("status") or {}).get("readyReplicas") or 0)
    return counts


def _autoscaler(hpa: Json, ready: Ready, events: Sequence[Json], now: datetime) -> Autoscaler:
    metadata = hpa.get("metadata") or {}
    reference = (hpa.get("spec") or {}).get("scaleTargetRef") or {}
    key = (metadata.get("namespace", ""), reference.get("kind", ""), reference.get("name", ""))
    judged = view(hpa, ready=ready.get(key), now=now)
    names = [metric.name for metric in judged.metrics]
    engines = [engine for name in names if (engine := engine_of(name)) is not None]
    signals = {name: known[1].name for name in names if (known := signal_of(name)) is not None}
    return Autoscaler(
        view=judged,
        ours=is_ours(hpa),
        engine=engines[0] if engines else None,
        signals=signals,
        rescales=tuple(rescales(of_hpa(hpa, events))),
    )
