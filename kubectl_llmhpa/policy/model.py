"""What the HPA should ask for, as data."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kubectl_llmhpa.api import Json


@dataclass(frozen=True)
class Forecast:
    """The line through the last `window` seconds, a point every `step`, drawn on to `ahead` seconds from now."""

    window: int
    step: int
    ahead: int


@dataclass(frozen=True)
class Target:
    """One metric of the HPA: per-pod average `value` (requests, or 0..1) of `metric`, and where it comes from.

    With a `forecast` it is the higher of the number now and its forecast, over all pods: an External metric.
    """

    signal: str
    metric: str
    value: Decimal
    reason: str
    forecast: Forecast | None = None


@dataclass(frozen=True)
class Policy:
    """Targets (the HPA takes the largest vote), the whole `spec.behavior`, and sentences that say why."""

    preset: str
    targets: tuple[Target, ...]
    behavior: Json
    reasons: tuple[str, ...]
