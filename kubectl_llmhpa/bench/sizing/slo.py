"""How many requests in flight keep the SLO, and whether the requests that were seen prove it."""

from __future__ import annotations

import math

from kubectl_llmhpa.bench.sizing.curve import Curve
from kubectl_llmhpa.bench.sizing.model import Kept, Slo

#: One-sided 95 %.
Z = 1.645


def lower_bound(good: int, asked: int) -> float:
    """What the true share is at least (Wilson's score interval, one-sided 95 %); 0 of none."""
    if not asked:
        return 0.0
    share, z2 = good / asked, Z * Z
    middle = share + z2 / (2 * asked)
    spread = Z * math.sqrt(share * (1 - share) / asked + z2 / (4 * asked * asked))
    return max(0.0, (middle - spread) / (1 + z2 / asked))


def kept(curve: Curve, slo: Slo) -> Kept:
    """The most requests in flight that kept the SLO, going up from the fewest without a gap."""
    if not asked_for(slo):
        return Kept(None, None, None, False, None, "no SLO was given")
    best, miss = None, None
    for level in curve.levels:
        if level.kept < slo.share:
            miss = level
            break
        best = level
    if best is None:
        if miss is None:
            return Kept(None, None, None, False, None, "no valid point")
        why = f"already {miss.n:g} in flight kept it for {miss.kept:.1%} only"
        return Kept(None, miss.kept, lower_bound(miss.good, miss.asked), False, miss.n, why)
    lower = lower_bound(best.good, best.asked)
    why = f"{best.good} of {best.asked} requests kept it, so {lower:.1%} do at least"
    why += (
        f"; with {miss.n:g} only {miss.kept:.1%} did"
        if miss is not None
        else "; none of the tested missed it"
    )
    return Kept(best.n, best.kept, lower, lower >= slo.share, None if miss is None else miss.n, why)


def asked_for(slo: Slo) -> bool:
    """Whether the SLO has a limit at all."""
    return any(limit is not None for limit in (slo.ttft, slo.tpot, slo.e2e))
