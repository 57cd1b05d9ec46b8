"""How much load makes the HPA move? From its targets and the engine's seats to a concurrency, with the reason.

The HPA leaves a ratio within 10 % of the target alone, so the load aims at 1.5 times the target and counts as
certain to move it from 1.2 times on (a closed loop has a little less in flight than its concurrency).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

AIM = 1.5
CERTAIN = 1.2
#: Without an HPA and without known seats: what the vendor's recipe runs.
FALLBACK = 20


@dataclass(frozen=True)
class Ask:
    """One metric of the HPA, as far as load is concerned.

    `signal` is the engine's signal behind it (empty: unknown), `target` what the HPA compares with, `per_pod` whether
    that is a number of one pod (AverageValue) or of the whole workload (Value). `told`: so many seats a full pod counts
    for, whatever it runs (0: it counts for what it runs).
    """

    metric: str
    signal: str
    target: float
    per_pod: bool = True
    told: int = 0


@dataclass(frozen=True)
class Load:
    """How much, why, and whether the HPA must rescale under it. `notes` are caveats for the user.

    A closed loop holds `concurrency` requests in flight (a sweep, `rising`, begins with fewer). An open one has `rate`:
    the most requests per second that come, however many are in flight.
    """

    concurrency: int
    reason: str
    must_rescale: bool
    notes: tuple[str, ...] = ()
    rate: float | None = None
    rising: bool = False

    @property
    def text(self) -> str:
        """`27 requests in flight`, `at most 12 requests per second`."""
        if self.rate is not None:
            return f"at most {self.rate:g} requests per second"
        return f"{'up to ' if self.rising else ''}{_count(self.concurrency, 'request')} in flight"


@dataclass(frozen=True)
class _Drive:
    aim: int
    certain: float
    reason: str


def choose(
    asks: Sequence[Ask],
    *,
    replicas: int,
    max_replicas: int | None,
    seats: int | None,
    wanted: int | None = None,
) -> Load:
    """The concurrency for a run.

    `replicas` is the number of ready pods now (at least 1), `max_replicas` None without an HPA, `seats` how many
    requests one pod runs at once (None: unknown), `wanted` the user's own concurrency.
    """
    if max_replicas is None:
        return _without_hpa(replicas, seats, wanted)
    notes: list[str] = []
    drives = []
    for ask in asks:
        drive, note = _drive(ask, replicas, seats)
        if drive is not None:
            drives.append(drive)
        if note:
            notes.append(note)
    can_grow = replicas < max_replicas
    if not can_grow:
        notes.append(f"the HPA is at its maximum of {max_replicas} replicas: no load can make it scale up")
    strongest = max(drives, key=lambda drive: drive.aim, default=None)
    if wanted is not None:
        enough = can_grow and any(wanted >= drive.certain for drive in drives)
        if drives and can_grow and not enough:
            least = math.ceil(min(drive.certain for drive in drives))
            notes.append(f"concurrency {wanted} need not move the HPA: from {least} on it must")
        return Load(wanted, "as asked", enough, tuple(notes))
    if strongest is None:
        chosen = _without_hpa(replicas, seats, None)
        notes.append("no metric of the HPA follows from a concurrency: a rescale is not promised")
        return Load(chosen.concurrency, chosen.reason, False, tuple(notes))
    return Load(strongest.aim, strongest.reason, can_grow, tuple(notes))


def _without_hpa(replicas: int, seats: int | None, wanted: int | None) -> Load:
    if wanted is not None:
        return Load(wanted, "as asked", False)
    if seats is None:
        return Load(FALLBACK * replicas, f"{FALLBACK} x {_count(replicas, 'replica')} (seats unknown)", False)
    return Load(seats * replicas, f"{seats} seats x {_count(replicas, 'replica')}", False)


def _drive(ask: Ask, replicas: int, seats: int | None) -> tuple[_Drive | None, str]:
    """What moves one metric, or why nothing does."""
    pods = replicas if ask.per_pod else 1
    target = f"target {ask.target:g}" + (f" x {_count(replicas, 'replica')}" if ask.per_pod else "")
    if ask.signal in ("running", "in-flight"):
        most = None if seats is None else max(seats, ask.told) * replicas
        if most is not None and ask.signal == "running" and most <= 1.1 * ask.target * pods:
            total = f"{seats} seats" if ask.per_pod else f"{seats} seats x {_count(replicas, 'replica')}"
            return None, f"{ask.metric} cannot exceed its target {ask.target:g}: one pod runs at most {total}"
        aim = math.ceil(AIM * ask.target * pods)
        return _Drive(aim, CERTAIN * ask.target * pods, f"{AIM:g} x {ask.signal} {target}"), ""
    if ask.signal == "waiting":
        if seats is None:
            return None, f"{ask.metric} needs more requests than seats, and the seats are unknown"
        full = seats * replicas
        aim = math.ceil(full + AIM * ask.target * pods)
        reason = f"{seats} seats x {_count(replicas, 'replica')} + {AIM:g} x waiting {target}"
        return _Drive(aim, full + CERTAIN * ask.target * pods, reason), ""
    if ask.signal == "kv-cache":
        return None, ""
    return None, f"{ask.metric} is not driven by a number of requests"


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
