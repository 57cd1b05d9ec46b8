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


def of_pods(facts: Facts) -> bool:
    """Whether samples of the pods may be what it scales by.

    Not CPU and memory, nor the metric of another object that is served, nor what KEDA asks somebody else.
    """
    scaled, hpa = facts.scaler.scaled_object, facts.scaler.hpa
    if scaled is not None:
        triggers = (scaled.get("spec") or {}).get("triggers") or []
        return not triggers or any(one.get("type") == "prometheus" for one in triggers)
    served = {one.metric for one in facts.values if one.items}
    return not ((hpa or {}).get("spec") or {}).get("metrics") or any(
        one.type != OBJECT or one.name not in served or _described(one) == "Namespace" for one in of(hpa)
    )


def _described(one: Ask) -> str:
    return str(((one.entry.get("object") or {}).get("describedObject") or {}).get("kind"))


def spellings(metric: str) -> tuple[str, ...]:
    """The names that the series behind a metric of an HPA may have: every one of the engine's signal, else its own."""
    known = engines.signal_of(metric)
    if known is None:
        return (metric,)
    return tuple(dict.fromkeys((*known[1].metrics, metric)))
