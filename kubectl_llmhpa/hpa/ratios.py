"""A ratio, and the replicas that it asks for: what every metric comes to in the end.

Source: pkg/controller/podautoscaler/replica_calculator.go, see `arithmetic/replicas.py`, which tells the whole of it.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

from kubectl_llmhpa import api
from kubectl_llmhpa.hpa.go import ceil32, ratio

#: Relative, on either side of 1.
TOLERANCE = float(api.TOLERANCE)

#: How the number came about.
#: within: the ratio is within the tolerance, so nothing changes; formula: ratio times pods, or total by target;
#: filled: the formula after pods without a sample were given one; held-within, held-turn, held-count: with those the
#: ratio is within the tolerance, or beyond 1 on the other side, or the result is, so nothing changes;
#: from-zero: there is no pod to count, the ratio itself is the number.
Step: TypeAlias = Literal[
    "within", "formula", "filled", "held-within", "held-turn", "held-count", "from-zero"
]


def by_ratio(value: float, count: int, current: int, tolerances: tuple[float, float]) -> tuple[Step, int]:
    """Where every pod has a number: no change while the ratio is within the tolerance, else the ratio times pods."""
    if 1.0 - tolerances[0] <= value <= 1.0 + tolerances[1]:
        return "within", current
    return "formula", ceil32(value * count)


def by_total(total: int, replicas: int, target: int, tolerances: tuple[float, float]) -> tuple[Step, int]:
    """A number for all pods and a target for each, in milli-units: the total by the target."""
    if 1.0 - tolerances[0] <= ratio(float(total), float(target) * float(replicas)) <= 1.0 + tolerances[1]:
        return "within", replicas
    return "formula", ceil32(ratio(float(total), float(target)))
