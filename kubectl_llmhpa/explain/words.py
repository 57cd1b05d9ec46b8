"""An HPA's metrics in our words: the signal behind a name, and numbers as a person reads them."""

from __future__ import annotations

import math
from dataclasses import dataclass

from kubectl_llmhpa import quantities
from kubectl_llmhpa.api import Json
from kubectl_llmhpa.engines import SIGNALS, Kind
from kubectl_llmhpa.hpa import scaled_objects
from kubectl_llmhpa.hpa.arithmetic import Metric

_BODIES = {
    "Pods": "pods", "Object": "object", "External": "external",
    "Resource": "resource", "ContainerResource": "containerResource",
}  # fmt: skip


@dataclass(frozen=True)
class Named:
    """A metric's own name, our word for it (its own name where we have none), and its kind (None: not known)."""

    name: str
    word: str
    kind: Kind | None

    @property
    def counts(self) -> bool:
        """Whether it is a number of whole things, which pods share."""
        return self.kind is Kind.COUNT

    @property
    def per_pod(self) -> bool:
        """Whether a total over pods says nothing: a ratio or a latency."""
        return self.kind in (Kind.RATIO, Kind.LATENCY)


def named(hpa: Json, scaled_object: Json | None) -> tuple[Named, ...]:
    """Every metric of the HPA, in its order. KEDA's are called by what their queries measure."""
    names = []
    for entry in (hpa.get("spec") or {}).get("metrics") or ():
        body = entry.get(_BODIES.get(str(entry.get("type")), "")) or {}
        names.append(str((body.get("metric") or {}).get("name") or body.get("name") or ""))
    known = scaled_objects.signals_behind(names, scaled_object)
    words = [known.get(name, name) for name in names]
    return tuple(Named(name, word, SIGNALS.get(word)) for name, word in zip(names, words, strict=True))


def number(milli: int) -> str:
    """Milli-units as a number: `4.8`."""
    return quantities.human(f"{milli}m")


def ratio(value: float) -> str:
    """A ratio with as many digits as tell it from the tolerance's edge."""
    if not math.isfinite(value):
        return str(value)
    return f"{value:.3f}".rstrip("0").rstrip(".")


def unit(metric: Metric, one: Named) -> str:
    """What the level of a metric (`Inputs.level`) is: `in all`, or `per pod` where totals say nothing."""
    if metric.form == "Value":
        return ""
    if one.per_pod:
        return " per pod" if metric.source == "Pods" else " in the sum of all pods"
    return " in all"
