"""Whether a full pod can ever exceed a target for running requests by so much that the HPA controller acts."""

from __future__ import annotations

from decimal import ROUND_FLOOR, Decimal

from kubectl_llmhpa import api
from kubectl_llmhpa.engines import Seats

TOLERANCE = Decimal(api.TOLERANCE)
RUNNING_SHARE = Decimal("0.5")


def most_running(seats: Seats | None) -> int | None:
    """The most requests that one pod runs at once, None while nothing proves it."""
    if seats is None:
        return None
    if seats.ceiling is not None:
        return seats.ceiling
    return seats.value if seats.proved else None


def within_reach(target: Decimal, most: int | None) -> bool:
    """Whether a pod that runs `most` requests (None: not known) is beyond the tolerance of the target.

    replica_calculator.go (calcPlainMetricReplicas) leaves the replicas as they are within it.
    """
    return most is None or Decimal(most) > target * (1 + TOLERANCE)


def running_share(seats: int, share: Decimal = RUNNING_SHARE) -> Decimal:
    """The target for running requests of a pod with so many seats: a share, whole from 2 on, and at least 1."""
    value = seats * share
    return value.to_integral_value(rounding=ROUND_FLOOR) if value >= 2 else max(Decimal(1), value)


def fine_share(seats: int, share: Decimal) -> Decimal:
    """`running_share` in tenths below 10: one number over all pods has no pod that must hold a whole request of it."""
    value = max(Decimal(1), seats * share)
    return value.quantize(Decimal(1) if value >= 10 else Decimal("0.1"), ROUND_FLOOR)


def better_target(seats: int) -> str:
    """What to use instead of a target that cannot be exceeded: `6 or so`, or another signal where no number can."""
    target = running_share(seats)
    return f"{target} or so" if within_reach(target, seats) else "waiting instead: one pod runs one request"
