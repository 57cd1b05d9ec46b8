"""From facts to the inputs of a sync, which can be asked again with one of them changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from kubectl_llmhpa.api import Json
from kubectl_llmhpa.errors import LlmHpaError
from kubectl_llmhpa.explain.facts import Facts, reading
from kubectl_llmhpa.hpa import arithmetic
from kubectl_llmhpa.hpa.arithmetic import (
    Controller,
    Failed,
    Memory,
    Outcome,
    Pod,
    Reading,
    Recommendation,
    Spec,
)
from kubectl_llmhpa.hpa.arithmetic import reading as readings

#: The minor versions of Kubernetes whose arithmetic is here; others are taken for the nearest.
MINORS = (34, 37)
CALCULATED = ("Pods", "Object", "External")


@dataclass(frozen=True)
class Inputs:
    """What goes into one sync. `places` are the places of `spec.metrics` in the HPA's own list, in which CPU and memory
    have a place too."""

    spec: Spec
    readings: tuple[Reading, ...]
    pods: tuple[Pod, ...]
    replicas: int
    status_replicas: int
    now: float
    places: tuple[int, ...]
    scaled_to_zero: bool = False

    def sync(self, memory: Memory, after: float = 0) -> Outcome:
        """The sync so many seconds from now, if nothing changes till then."""
        return arithmetic.sync(
            self.spec,
            memory,
            self.readings,
            self.pods,
            replicas=self.replicas,
            status_replicas=self.status_replicas,
            now=self.now + after,
        )

    def settled(self) -> Outcome:
        """The sync once no window and no period of a policy reaches back to anything any more."""
        long_ago = Recommendation(self.replicas, float("-inf"))
        return self.sync(Memory((long_ago,), scaled_to_zero=self.scaled_to_zero))

    def counted(self, index: int) -> dict[str, int]:
        """The samples of a Pods metric that count: of those pods that neither start, nor end, nor have failed."""
        found = self.readings[index]
        if not isinstance(found, Mapping):
            return {}
        out = {pod.name for pod in self.pods if pod.deleting or pod.phase in ("Failed", "Pending")}
        return {name: value for name, value in found.items() if name not in out}

    def level(self, index: int) -> int | None:
        """A metric's total in milli-units: of the pods that count, or of all series; None without a number."""
        found = self.readings[index]
        if isinstance(found, Failed):
            return None
        numbers = list(self.counted(index).values()) if isinstance(found, Mapping) else list(found)
        if self.spec.metrics[index].source == "Object":
            numbers = numbers[:1]
        return sum(numbers) if numbers else None

    def at(self, index: int, level: int) -> Inputs:
        """The same with another total of a metric: spread evenly over the pods that count, or in the first series."""
        found = self.readings[index]
        changed: Reading
        if isinstance(found, Mapping):
            names = sorted(self.counted(index))
            share, rest = divmod(level, len(names))
            changed = {**found, **{name: share + (place < rest) for place, name in enumerate(names)}}
        elif isinstance(found, Failed):
            return self
        else:
            changed = (level, *(0 for _ in found[1:]))
        return replace(self, readings=(*self.readings[:index], changed, *self.readings[index + 1 :]))

    def without(self, index: int) -> Inputs:
        """The same without one metric."""
        metrics = (*self.spec.metrics[:index], *self.spec.metrics[index + 1 :])
        return replace(
            self,
            spec=replace(self.spec, metrics=metrics),
            readings=(*self.readings[:index], *self.readings[index + 1 :]),
            places=(*self.places[:index], *self.places[index + 1 :]),
        )


def of_facts(facts: Facts) -> Inputs | None:
    """The inputs; None where there is nothing to calculate with: no scale, or no metric but CPU and memory.

    Raises LlmHpaError for an HPA that no API server would hold.
    """
    metrics = (facts.hpa.get("spec") or {}).get("metrics") or ()
    places = tuple(index for index, one in enumerate(metrics) if one.get("type") in CALCULATED)
    if facts.scale is None or not places:
        return None
    low, high = MINORS
    controller = Controller(minor=min(max(facts.minor or high, low), high))
    try:
        spec = readings.spec(_with(facts.hpa, [metrics[index] for index in places]), controller)
        numbers = tuple(reading(facts.answers[index]) for index in places)
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        raise LlmHpaError(
            "calculate the HPA", f"its spec or its numbers are none of an API server ({error})"
        ) from error
    return Inputs(
        spec=spec,
        readings=numbers,
        pods=facts.pods,
        replicas=facts.scale.replicas,
        status_replicas=facts.scale.status_replicas,
        now=facts.seconds,
        places=places,
        scaled_to_zero=any(
            one.get("type") == "ScaledToZero" and one.get("status") == "True"
            for one in (facts.hpa.get("status") or {}).get("conditions") or ()
        ),
    )


def _with(hpa: Json, metrics: list[Json]) -> Json:
    return {**hpa, "spec": {**(hpa.get("spec") or {}), "metrics": metrics}}
