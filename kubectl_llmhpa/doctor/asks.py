"""What an autoscaler asks the metrics APIs for."""

from __future__ import annotations

from dataclasses import dataclass, field

from kubectl_llmhpa import engines
from kubectl_llmhpa.api import Json
from kubectl_llmhpa.doctor.facts import Facts
from kubectl_llmhpa.hpa import scaled_objects

PODS = "Pods"
OBJECT = "Object"
EXTERNAL = "External"


@dataclass(frozen=True)
class Ask:
    """One metric of an HPA: its type, its name, and the entry of the spec."""

    type: str
    name: str
    entry: Json = field(default_factory=dict)


def of(hpa: Json | None) -> list[Ask]:
    """The metrics of an HPA that come from the custom or external metrics API."""
    found = []
    for one in ((hpa or {}).get("spec") or {}).get("metrics") or []:
        kind = str(one.get("type", ""))
        metric = (one.get(kind.lower()) or {}).get("metric") or {}
        if kind in (PODS, OBJECT, EXTERNAL) and metric.get("name"):
            found.append(Ask(kind, str(metric["name"]), one))
    return found


def custom(facts: Facts) -> list[Ask]:
    """Those of the custom metrics API."""
    return [one for one in of(facts.scaler.hpa) if one.type != EXTERNAL]


def external(facts: Facts) -> list[Ask]:
    """Those of the external metrics API."""
    return [one for one in of(facts.scaler.hpa) if one.type == EXTERNAL]


def by_keda(facts: Facts) -> bool:
    """Whether KEDA serves the autoscaler."""
    hpa = facts.scaler.hpa
    return facts.scaler.scaled_object is not None or bool(hpa and scaled_objects.of_hpa(hpa))


def spellings(metric: str) -> tuple[str, ...]:
    """The names that the series behind a metric of an HPA may have: every one of the engine's signal, else its own."""
    known = engines.signal_of(metric)
    if known is None:
        return (metric,)
    return tuple(dict.fromkeys((*known[1].metrics, metric)))
