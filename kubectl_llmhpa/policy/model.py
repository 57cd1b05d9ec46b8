"""What the HPA should ask for, as data."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kubectl_llmhpa.api import Json


@dataclass(frozen=True)
class Peak:
    """The `share` quantile of the last `window` seconds, a point every `step`: a peak that may come again.

    It counts up to twice, by the share of the last `memory` seconds in which requests waited; 0: it does not.
    """

    share: float
    window: int
    step: int
    memory: int = 0


@dataclass(frozen=True)
class Target:
    """One metric of the HPA: per-pod average `value` (requests, or 0..1) of `metric`, and where it comes from.

    With a `peak` it is the higher of the number now and that. `told` are the seats that the value is a share of, where
    the number is to be corrected by the seats that a pod has been seen to have, 0 where it is not. Both are of one
    number over all pods: an External metric.
    """

    signal: str
    metric: str
    value: Decimal
    reason: str
    peak: Peak | None = None
    told: int = 0

    @property
    def served_as(self) -> str:
        """The name under which an adapter serves its number."""
        return self.metric if self.peak is None else f"{self.metric}_peak_{self.peak.window // 60}m"

    @property
    def reads(self) -> tuple[str, ...]:
        """The signals that its number is made of."""
        seen = ("running", "waiting") if self.told else ("waiting",) if self.peak and self.peak.memory else ()
        return (self.signal, *seen)


@dataclass(frozen=True)
class Policy:
    """Targets (the HPA takes the largest vote), the whole `spec.behavior`, and sentences that say why."""

    preset: str
    targets: tuple[Target, ...]
    behavior: Json
    reasons: tuple[str, ...]
