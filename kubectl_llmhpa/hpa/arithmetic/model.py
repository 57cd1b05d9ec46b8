"""What goes into one sync of the HPA controller, as plain data: numbers are milli-units and seconds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from kubectl_llmhpa.hpa.ratios import TOLERANCE

Source: TypeAlias = Literal["Pods", "Object", "External"]
Form: TypeAlias = Literal["AverageValue", "Value", ""]

#: A time: seconds on any clock. Integers compare exactly, which matters where a window ends on the second.
Time: TypeAlias = float

BEHAVIOR_TOLERANCE = 35
"""The first minor version of Kubernetes whose controller reads `behavior.*.tolerance` by default (beta)."""
SATURATION = 35
"""The first minor version that holds a Value at the largest int32 where it once turned negative."""
OBJECT_MESSAGE = 37
"""The first minor version whose message about an unread Object metric has its words in the right order."""
REMEMBERED_ZERO = 36
"""The first minor version that brings back from zero only what it took there itself (condition ScaledToZero)."""
SCALE_TO_ZERO = 37
"""The first minor version that scales to zero by default."""


@dataclass(frozen=True, slots=True)
class Controller:
    """The controller manager: `minor` of Kubernetes 1.x (34 to 37) and what its flags say.

    `downscale_window` in seconds (`--horizontal-pod-autoscaler-downscale-stabilization`), `tolerance` relative;
    `scale_to_zero` is the feature gate HPAScaleToZero, None its default.
    """

    minor: int = 37
    tolerance: float = TOLERANCE
    downscale_window: int = 300
    scale_to_zero: bool | None = None

    @property
    def marks_zero(self) -> bool:
        """Whether the controller scales to zero and writes down that it did."""
        gate = self.minor >= SCALE_TO_ZERO if self.scale_to_zero is None else self.scale_to_zero
        return gate and self.minor >= REMEMBERED_ZERO


DEFAULTS = Controller()


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric of the spec.

    `form` is the branch that the controller takes ("": it refuses the metric), `target` in milli-units. `selector` is
    the metric's selector as the controller prints it; `described` the (kind, name) of an Object metric's object.
    """

    source: Source
    name: str
    form: Form
    target: int
    selector: str = "nil"
    described: tuple[str, str] = ("", "")


@dataclass(frozen=True, slots=True)
class ScalingPolicy:
    """At most `value` pods, or percent of the replicas at the start of the period, per `period` seconds."""

    type: Literal["Pods", "Percent"]
    value: int
    period: int


@dataclass(frozen=True, slots=True)
class ScalingRules:
    """`behavior.scaleUp` or `.scaleDown`, complete; `window` in seconds."""

    window: int
    select: Literal["Max", "Min", "Disabled"]
    policies: tuple[ScalingPolicy, ...]

    @property
    def longest_period(self) -> int:
        return max((policy.period for policy in self.policies), default=0)


@dataclass(frozen=True, slots=True)
class Spec:
    """What an HPA asks for. `up` and `down` are None where it has no `behavior`: then older, fixed rules hold.

    `tolerances` are (down, up), relative.
    """

    metrics: tuple[Metric, ...]
    min_replicas: int
    max_replicas: int
    up: ScalingRules | None = None
    down: ScalingRules | None = None
    tolerances: tuple[float, float] = (TOLERANCE, TOLERANCE)
    namespace: str = ""
    controller: Controller = DEFAULTS

    @property
    def may_be_zero(self) -> bool:
        """Whether a metric is left to look at when there is no pod."""
        return any(metric.source != "Pods" for metric in self.metrics)


@dataclass(frozen=True, slots=True)
class Pod:
    """One pod that the scale's selector matches; `ready` is its Ready condition."""

    name: str
    phase: str = "Running"
    ready: bool = True
    deleting: bool = False


@dataclass(frozen=True, slots=True)
class Failed:
    """Why a metric could not be read, as the controller's client says it (`unable to fetch metrics from ...`)."""

    message: str


#: What the metrics API answers for one metric, in milli-units: by pod name; the single value of an Object in a
#: sequence; the values of all series of an External metric.
Reading: TypeAlias = Mapping[str, int] | Sequence[int] | Failed
