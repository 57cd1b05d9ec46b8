"""What follows from how long a new pod takes: the lag of scaling, the window of scale-in, and whether it can work."""

from __future__ import annotations

import math

from kubectl_llmhpa.api import LONGEST_WINDOW
from kubectl_llmhpa.bench.sizing.model import ColdStart, Conditions, Input, Start

USUAL_WINDOW = 300
#: Where no pod was seen to start.
USUAL_START_S = 120.0


def start(cold: ColdStart | None, conditions: Conditions, n_max: float | None) -> Start:
    """`n_max` are the requests in flight that a pod can take; None: not known, so nothing is called impossible."""
    lag, took = lag_of(cold, conditions), start_up(cold)
    window = min(LONGEST_WINDOW, max(USUAL_WINDOW, 60 * math.ceil(2 * lag.value / 60)))
    why = "the default"
    if window > USUAL_WINDOW:
        why = f"twice the {lag.value:.0f} s that a pod is missed for when it was taken away too early"
    return Start(lag, window, why, "" if n_max is None else _impossible(n_max, conditions, took))


def start_up(cold: ColdStart | None) -> Input:
    """Seconds from a pod that is made to its first token, as far as it was seen."""
    if cold is not None and cold.pods:
        seen = f"the slowest of {cold.pods} pods" if cold.pods > 1 else "one pod"
        if cold.total is not None:
            return Input("cold start", cold.total, f"measured: {seen}, to its first token")
        parts = (cold.scheduled, cold.pulled, cold.started, cold.ready)
        if cold.ready is not None:
            return Input("cold start", sum(part or 0.0 for part in parts), f"measured: {seen}, to Ready")
    return Input("cold start", USUAL_START_S, "assumed: no pod was seen to start")


def lag_of(cold: ColdStart | None, conditions: Conditions) -> Input:
    """Seconds from a load that grows to a new pod that takes some of it."""
    if conditions.lag is not None:
        return Input("lag", conditions.lag, conditions.lag_origin or "given")
    took = start_up(cold)
    total = conditions.scrape + conditions.backend + conditions.sync + took.value
    parts = [f"scrape {conditions.scrape:g} s"]
    if conditions.backend:
        parts.append(f"metrics API {conditions.backend:g} s")
    parts += [f"HPA sync {conditions.sync:g} s", f"cold start {took.value:.0f} s ({took.origin})"]
    return Input("lag", total, " + ".join(parts))


def _impossible(n_max: float, conditions: Conditions, took: Input) -> str:
    """The best that any reactive scaler could do: see the growth at once, with the least that a pod can have in flight.

    It acts beyond the tolerance, and its new pod takes load when it has started.
    """
    grown = (1 + conditions.tolerance) * (1 + conditions.growth * took.value)
    if grown <= n_max:
        return ""
    return (
        f"1 request in flight x (1 + {conditions.tolerance:g}) x (1 + {60 * conditions.growth:.0%} a minute x "
        f"{took.value:.0f} s) = {grown:.2f} > {n_max:g}: even pods with one request each are over their limit before "
        "a new one takes load"
    )
