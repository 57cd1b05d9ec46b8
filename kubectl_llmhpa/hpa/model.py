"""An HPA as a person reads it."""

from __future__ import annotations

from decimal import Decimal
from typing import NamedTuple


class ScaleTarget(NamedTuple):
    """`spec.scaleTargetRef`."""

    api_version: str
    kind: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind}/{self.name}"


class Condition(NamedTuple):
    """One of AbleToScale, ScalingActive, ScalingLimited, ScaledToZero (1.37)."""

    type: str
    status: str
    reason: str
    message: str


class MetricView(NamedTuple):
    """One metric of the spec with its last value.

    `type` is Pods, Object, External, Resource or ContainerResource; `form` the branch that the controller takes
    (AverageValue, Value or Utilization), which need not be what the spec says (`notes` tell). `now` and `target` are
    quantities (`4800m`), percentages for Utilization; `now` is None when there is no value or a garbage one.
    `ratio` is now/target; `vote` the replicas this metric alone asks for, before behaviour and limits. `state` is
    Above, Below, OnTarget (within the tolerance), Unknown or Garbage (what NaN and infinity turn into on their way).
    """

    name: str
    type: str
    now: str | None
    target: str
    form: str
    state: str
    ratio: Decimal | None = None
    vote: int | None = None
    selector: str = ""
    notes: tuple[str, ...] = ()


class HpaView(NamedTuple):
    """One HPA, judged.

    `state` is one of New, Armed, Steady, ScalingUp, ScalingDown, Stabilizing, AtMax, NoCapacity, Disabled, Paused (by
    KEDA), Degraded or `Broken: HOP`; `why` is one plain sentence. `ready` is the workload's ready replicas, None when
    not looked up. Times are RFC 3339 as the server wrote them.
    """

    name: str
    namespace: str
    target: ScaleTarget
    metrics: tuple[MetricView, ...]
    min: int
    max: int
    current: int
    desired: int
    ready: int | None
    conditions: tuple[Condition, ...]
    state: str
    why: str
    created: str
    last_scale: str | None

    @property
    def binding(self) -> MetricView | None:
        """The metric that decides: the largest vote, then the largest ratio; the first one while none is known."""
        known = [metric for metric in self.metrics if metric.ratio is not None]
        if known:
            return max(known, key=lambda metric: (metric.vote or 0, metric.ratio or Decimal(0)))
        return self.metrics[0] if self.metrics else None

    @property
    def healthy(self) -> bool:
        """Whether the HPA can do its work (an armed or new one can)."""
        return not self.state.startswith("Broken") and self.state not in ("Degraded", "NoCapacity", "Paused")
