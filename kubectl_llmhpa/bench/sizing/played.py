"""The HPA under a held load and after it, sync by sync, in one corner of what cannot be known beforehand."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from kubectl_llmhpa.bench.sizing.correction import EARLIEST_S, Correction
from kubectl_llmhpa.hpa import arithmetic

#: Signals that follow from the requests in flight.
DRIVEN = frozenset({"running", "waiting", "in-flight"})
#: What a closed loop has in flight at least, of what it is asked to hold: a request that ended is followed by the next.
_UNDER_WAY = 0.9
#: What a pod gets at least of an even share: connections are spread by chance.
_EVEN = 0.75
#: The controller's period is not kept to the hair, which matters where a period of `behavior` is a multiple of it.
_EAGER, _LAZY = 0.98, 1.02
_PLENTY = 10**9
_LONGEST_S = 7200.0


class Timing(Protocol):
    """The part of `prove.Timing` that is needed here."""

    @property
    def sample(self) -> float: ...
    @property
    def sync(self) -> float: ...
    @property
    def ready(self) -> float: ...
    @property
    def drain(self) -> float: ...
    @property
    def peak(self) -> float: ...


@dataclass(frozen=True)
class Case:
    """An HPA with the engine's signal behind each of its metrics ("" for unknown), the replicas before the load, the
    seats of a pod (None: not known), the times, and where its queries correct seats, by how much."""

    spec: arithmetic.Spec
    signals: Sequence[str]
    replicas: int
    seats: int | None
    timing: Timing
    correction: Correction | None = None


@dataclass(frozen=True)
class Corner:
    """`least`: the HPA sees the fewest requests that are possible, else the most. `eager`: it looks a little more
    often than its period. `early`: new pods take load at once, else as late as possible. `first`: the share of the load
    that its first look sees, as the samples of some pods may be from before."""

    least: bool
    eager: bool
    early: bool
    first: float = 1.0


@dataclass(frozen=True)
class Rung:
    """From second `at` on, so many replicas."""

    at: float
    replicas: int


def up(case: Case, corner: Corner, load: int, *, stuck: bool = False) -> list[Rung]:
    """The rescales while `load` requests are in flight, from its start. `stuck`: new pods never take any of it."""
    spec, timing, replicas = case.spec, case.timing, case.replicas
    step = timing.sync * (_EAGER if corner.eager else _LAZY)
    now = (timing.sample + timing.sync) if corner.least else 0.0
    window = 0 if spec.up is None else spec.up.window
    memory = arithmetic.Memory(_remembered(replicas, now, step, window))
    ready, share = replicas, corner.first
    waiting: list[float] = []  # when each new pod takes load
    rungs: list[Rung] = []
    patience = now + window + timing.ready + timing.sample + 4 * step + _period(spec.up)
    if case.correction is not None:
        patience = max(patience, EARLIEST_S + 2 * step)
    while now < min(_LONGEST_S, patience) and replicas < spec.max_replicas:
        fresh = [at for at in waiting if at <= now]
        ready, waiting = ready + len(fresh), [at for at in waiting if at > now]
        totals = [_total(case, corner, signal, load, ready, now) for signal in case.signals]
        readings = [
            _reading(metric, share * total, ready) for metric, total in zip(spec.metrics, totals, strict=True)
        ]
        outcome = arithmetic.sync(spec, memory, readings, _pods(ready, replicas), replicas=replicas, now=now)
        memory, share = outcome.memory, 1.0
        if outcome.replicas > replicas:
            delay = 0.0 if corner.early else timing.ready + timing.sample
            if stuck:
                delay = math.inf
            rungs.append(Rung(now, outcome.replicas))
            waiting += [now + delay] * (outcome.replicas - replicas)
            patience = now + timing.ready + timing.sample + 4 * step + _period(spec.up)
            replicas = outcome.replicas
        now += step
    return rungs


def down(
    spec: arithmetic.Spec,
    replicas: int,
    timing: Timing,
    *,
    eager: bool,
    late: bool,
    ups: Sequence[arithmetic.Change] = (),
) -> list[Rung]:
    """The rescales after the end of the load. `late`: its last sample is seen as long as possible, else never.

    `ups` are rescales before it that the controller still remembers: what came in a period of `behavior` may go in it.
    """
    step = timing.sync * (_EAGER if eager else _LAZY)
    # the last look that sees the load
    now = timing.sample + timing.drain + timing.peak if late else -timing.sync
    window = spec.controller.downscale_window if spec.down is None else spec.down.window
    memory = arithmetic.Memory((arithmetic.Recommendation(replicas, now),), tuple(ups))
    rungs: list[Rung] = []
    patience = now + window + 4 * step + _period(spec.down)
    while now < min(_LONGEST_S, patience) and replicas > spec.min_replicas:
        now += step
        readings = [_reading(metric, 0.0, replicas) for metric in spec.metrics]
        outcome = arithmetic.sync(
            spec, memory, readings, _pods(replicas, replicas), replicas=replicas, now=now
        )
        memory = outcome.memory
        if outcome.replicas != replicas:
            replicas = outcome.replicas
            rungs.append(Rung(now, replicas))
            patience = now + window + 4 * step + _period(spec.down)
    return rungs


def _total(case: Case, corner: Corner, signal: str, load: int, pods: int, at: float) -> float:
    """What the HPA is told of a signal `at` seconds into the load, by the pods that take it."""
    total = (_least if corner.least else _most)(case, signal, load, pods)
    if case.correction is None or case.seats is None or signal not in case.correction.signals:
        return total
    least, most = case.correction.factors(case.seats, at)
    return total * (least if corner.least else most)


def _least(case: Case, signal: str, load: int, pods: int) -> float:
    """What all pods that take load together say of a signal, at least."""
    seats = case.seats
    in_flight = _UNDER_WAY * load
    if signal == "in-flight":
        return in_flight
    if seats is None:
        return 0.0
    if signal == "running":
        even = in_flight / pods
        return pods * min(seats, even if pods == 1 else _EVEN * even)
    if signal == "waiting":
        return max(0.0, in_flight - pods * seats)
    return 0.0


def _most(case: Case, signal: str, load: int, pods: int) -> float:
    """What they say at most.

    While load moves to new pods, the last samples of the old ones may still have all of it, so it counts twice. All
    requests may be on one pod. A pod whose cache is full runs as many requests as it has seats, for that is what seats
    are.
    """
    seats = case.seats
    in_flight = load * (2 if pods > case.replicas else 1)
    running = in_flight if seats is None else min(in_flight, pods * seats)
    if signal == "in-flight":
        return in_flight
    if signal == "running":
        return running
    if signal == "waiting":
        return in_flight if seats is None else max(0.0, in_flight - seats)
    if signal == "kv-cache":
        return float(pods) if seats is None else running / seats
    return float(_PLENTY)


def _reading(metric: arithmetic.Metric, total: float, pods: int) -> arithmetic.Reading:
    milli = int(1000 * total)
    if metric.source == "Pods":
        return {f"pod-{place}": milli // pods for place in range(pods)}
    return [milli]


def _pods(ready: int, replicas: int) -> list[arithmetic.Pod]:
    """Those that take load have samples; the others are there and have none yet."""
    return [
        arithmetic.Pod(f"pod-{place}", phase="Running" if place < ready else "Pending", ready=place < ready)
        for place in range(replicas)
    ]


def _remembered(
    replicas: int, now: float, step: float, window: float
) -> tuple[arithmetic.Recommendation, ...]:
    """What the controller asked for before the load, as far back as its window for scaling up."""
    count = int(window / step) + 1
    return tuple(arithmetic.Recommendation(replicas, now - place * step) for place in range(count, 0, -1))


def _period(rules: arithmetic.ScalingRules | None) -> float:
    return 0.0 if rules is None else float(rules.longest_period)
