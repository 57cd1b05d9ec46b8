"""How many replicas do given rates need? Minimum, maximum, and those kept warm for what comes while a pod starts."""

from __future__ import annotations

import math

from kubectl_llmhpa.bench.sizing.model import Input, Replicas
from kubectl_llmhpa.bench.sizing.targets import Basis

FORMULA = "ceil(rate / (headroom x X(T)))"


def replicas(basis: Basis) -> Replicas:
    """minReplicas for the rate that is always there, maxReplicas for the peak and one more."""
    conditions, load = basis.conditions, basis.load
    at_target, at_most = basis.curve.rate_at(load), basis.curve.rate_at(basis.n_max)
    inputs = [
        Input("T", load, "the target of the requests in flight"),
        Input("X(T)", at_target, "requests a second of a pod there; measured, between two points on a line"),
        Input("headroom", conditions.headroom, "of it, since load is not spread evenly"),
    ]
    least, most, warm = None, None, None
    if conditions.rate is not None:
        least = max(1, _needed(conditions.rate, conditions.headroom * at_target))
        grown = conditions.rate * (1 + conditions.growth * basis.lag.value)
        warm = max(0, _needed(grown, at_most) - least)
        least += warm
        inputs += [
            Input("rate", conditions.rate, "requests a second that are always there; given"),
            Input("grown rate", grown, f"what it may be after the lag of {basis.lag.value:.0f} s"),
            Input("X(N_max)", at_most, "requests a second of a pod at its limit; measured"),
        ]
    if conditions.peak is not None:
        most = max(least or 1, _needed(conditions.peak, conditions.headroom * at_target) + 1)
        inputs.append(Input("peak", conditions.peak, "requests a second at most; given"))
    return Replicas(least, most, warm, FORMULA, tuple(inputs))


def _needed(rate: float, of_one: float) -> int:
    return math.ceil(rate / of_one - 1e-9) if of_one > 0 else 0
