"""What must the live HPA do under a load, and by when? Its own arithmetic, played through at its best and at its worst.

What cannot be known beforehand is bounded from both sides: when a sample is taken and looked at, how fast a new pod
takes load, how unevenly requests spread over pods, and how much of a closed loop is under way in between. The path is
exact where all of these lead over the same numbers of replicas. Deadlines are those of the slowest.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise, product

from kubectl_llmhpa.bench.sizing.correction import Correction
from kubectl_llmhpa.bench.sizing.played import DRIVEN, Case, Corner, Rung, down, up
from kubectl_llmhpa.errors import LlmHpaError
from kubectl_llmhpa.hpa import arithmetic

_ATTEMPTED = "prove that the HPA scales"
#: An exact path is worth so many times the load.
_WORTH = 2.0
_MOST_LOAD = 100_000
#: How much of the load a look may see that finds samples from before it, where there are several pods.
_PARTS = tuple(part / 10 for part in range(1, 10))


@dataclass(frozen=True)
class Timing:
    """Seconds, each at its longest: between two scrapes, how old an answer of the metrics API may be besides, between
    two looks of the HPA, from a replica that is asked for to a pod that takes load, until the last request is over when
    the load ends, and for all else (a busy API server, the watch); and for how long a number counts after it was there,
    where a metric is a peak."""

    scrape: float = 5.0
    backend: float = 0.0
    sync: float = 15.0
    ready: float = 120.0
    drain: float = 15.0
    slack: float = 5.0
    peak: float = 0.0

    @property
    def sample(self) -> float:
        """How old a number can be that the HPA looks at."""
        return self.scrape + self.backend


@dataclass(frozen=True)
class Step:
    """From the number of replicas before to this one: when it may come at the earliest and must at the latest.

    `ready`: by when so many pods must be ready. Seconds from the start of the load, of scale-in from its end.
    """

    replicas: int
    earliest: float
    deadline: float
    ready: float
    why: str


@dataclass(frozen=True)
class Prediction:
    """The load, the steps up while it lasts and the steps down after it.

    `exact`: the replicas go over these numbers and no others; `down_exact`: in scale-in too. `highest` is how far it
    can go besides, until the last sample of a load of `hold` seconds is gone. The steps down are from the last step up,
    none where scale-in is switched off or there is nothing to take away.
    """

    concurrency: int
    reason: str
    start: int
    up: tuple[Step, ...]
    down: tuple[Step, ...]
    exact: bool
    highest: int
    notes: tuple[str, ...] = ()
    down_exact: bool = True

    @property
    def deadline(self) -> float:
        """By when the first rescale must have come."""
        return self.up[0].deadline

    @property
    def hold(self) -> float:
        """How long the load must last at the most."""
        return self.up[-1].deadline


def predict(
    spec: arithmetic.Spec,
    signals: Sequence[str],
    *,
    replicas: int,
    seats: int | None,
    timing: Timing,
    goal: int | None = None,
    correction: Correction | None = None,
) -> Prediction:
    """The smallest closed loop that takes the HPA from `replicas` to at least `goal` (None: the maximum).

    `signals` are the engine's signals behind the metrics of `spec`, in order ("" for unknown); `seats` of one pod, None
    where they are not known. With a `correction` a pod may run fewer. Raises LlmHpaError where no number of requests in
    flight must move it.
    """
    goal = spec.max_replicas if goal is None else goal
    seats = correction.told if seats is None and correction is not None else seats
    _check(spec, signals, replicas=replicas, seats=seats, goal=goal)
    cases = _cases(Case(spec, signals, replicas, seats, timing, correction), goal)
    best: _Played | None = None
    for load in _loads(replicas):
        if best is not None and load > _WORTH * best.load:
            break
        played = _played(cases, load, goal)
        if played is not None and (best is None or played.exact):
            best = played
            if played.exact:
                break
    if best is None:
        raise LlmHpaError(
            _ATTEMPTED, f"no load must take it from {replicas} to {goal} replicas",
            "see kubectl llm-hpa explain; a target within 10 % of what a full pod has never scales up",
        )  # fmt: skip
    steps = _up([_until(path, goal) for path in best.paths], timing, best.alone)
    last, (down_steps, down_exact) = steps[-1], _down(spec, replicas, steps, timing)
    gone = last.deadline + timing.drain + timing.sample + timing.peak + timing.sync
    within = [rung.replicas for path in best.paths for rung in path if rung.at <= gone]
    highest = max(last.replicas, *within)
    notes = []
    if not best.exact:
        notes.append(
            "it may stop at other numbers of replicas in between: samples differ in age, and new pods fill up"
        )
    if highest > last.replicas:
        notes.append(f"it may go on to {highest} replicas before the last sample of the load is gone")
    if not down_exact:
        notes.append("scale-in may leave out numbers of replicas: those that have just come may go at once")
    return Prediction(
        best.load, _reason(spec, signals, last.replicas), replicas, steps, down_steps, best.exact, highest,
        tuple(notes), down_exact,
    )  # fmt: skip


@dataclass(frozen=True)
class _Played:
    """A load that reaches the goal in every corner, the paths by it, how far it goes with the pods that are there, and
    whether all paths are one."""

    load: int
    paths: list[list[Rung]]
    alone: int
    exact: bool


def _cases(case: Case, goal: int) -> list[Case]:
    """The case for every number of seats that pods may have."""
    correction = case.correction
    if correction is None:
        return [case]
    turns: list[float] = []
    for signal, metric in zip(case.signals, case.spec.metrics, strict=True):
        if signal == "running" and signal in correction.signals:
            target = metric.target / 1000
            turns += [(1 + case.spec.controller.tolerance) * target, (goal - 1) * target / case.replicas]
    return [replace(case, seats=seats) for seats in correction.seats(case.seats, turns)]


def _played(cases: Sequence[Case], load: int, goal: int) -> _Played | None:
    replicas = cases[0].replicas
    paths = []
    for case, corner in product(cases, _corners(replicas)):
        path = up(case, corner, load)
        if not path or path[-1].replicas < goal:
            return None
        paths.append(path)
    alone = min(up(case, _corners(replicas)[0], load, stuck=True)[-1].replicas for case in cases)
    numbers = {tuple(rung.replicas for rung in _until(path, goal)) for path in paths}
    # A new pod fills up over several looks: a jump by it may stop anywhere in between.
    first = [replicas, *next(iter(numbers))]
    jumps = any(after > alone and after > before + 1 for before, after in pairwise(first))
    return _Played(load, paths, alone, len(numbers) == 1 and not jumps)


def _check(
    spec: arithmetic.Spec, signals: Sequence[str], *, replicas: int, seats: int | None, goal: int
) -> None:
    if replicas < 1:
        raise LlmHpaError(_ATTEMPTED, "there are no replicas to load", "start one first")
    if goal <= replicas:
        raise LlmHpaError(
            _ATTEMPTED, f"{replicas} replicas are there already and {goal} is the most it may have",
            "raise its maximum, or wait until it has scaled in",
        )  # fmt: skip
    if spec.up is not None and spec.up.select == "Disabled":
        raise LlmHpaError(_ATTEMPTED, "its behavior switches scaling up off")
    if not DRIVEN & set(signals):
        raise LlmHpaError(
            _ATTEMPTED, "none of its metrics follows from a number of requests in flight",
            "give it a target for running, waiting or in-flight: kubectl llm-hpa enable",
        )  # fmt: skip
    if seats is None and "in-flight" not in signals:
        raise LlmHpaError(
            _ATTEMPTED, "it is not known how many requests a pod runs at once, so no number of them must do it",
            "see kubectl llm-hpa detect",
        )  # fmt: skip


def _loads(replicas: int) -> Iterator[int]:
    """Numbers of requests in flight to try, by one and later by a fiftieth."""
    load = replicas
    while load < _MOST_LOAD:
        yield load
        load += max(1, load // 50)


def _corners(replicas: int) -> list[Corner]:
    """The least load that can be seen and the most, in every order of events."""
    ways = list(product((False, True), (False, True)))
    corners = [Corner(least, eager, early) for least in (True, False) for eager, early in ways]
    if replicas > 1:
        corners += [Corner(True, False, False, part) for part in _PARTS]
    return corners


def _until(path: Sequence[Rung], goal: int) -> list[Rung]:
    """The path as far as the first rung that is enough."""
    place = next(place for place, rung in enumerate(path) if rung.replicas >= goal)
    return list(path[: place + 1])


def _up(paths: Sequence[Sequence[Rung]], timing: Timing, without: int) -> tuple[Step, ...]:
    """The steps of the path to the fewest, each with the latest time of all; `without`: how far the old pods go."""
    steps = []
    fewest = min(paths, key=lambda path: path[-1].replicas)
    for place, rung in enumerate(fewest, 1):
        times = [_reached(path, rung.replicas) for path in paths]
        latest = max(times) + timing.slack * place
        why = "as soon as behavior allows it"
        if place == 1:
            why = _first(timing)
        elif rung.replicas > without:
            why = f"when the pods before take load, {timing.ready:g} s after they are asked for"
        steps.append(Step(rung.replicas, min(times), latest, latest + timing.ready, why))
    return tuple(steps)


def _reached(path: Sequence[Rung], replicas: int) -> float:
    return next((rung.at for rung in path if rung.replicas >= replicas), math.inf)


def _first(timing: Timing) -> str:
    parts = [f"scrape {timing.scrape:g} s"]
    if timing.backend:
        parts.append(f"metrics API {timing.backend:g} s")
    return " + ".join([*parts, f"HPA sync {timing.sync:g} s", f"{timing.slack:g} s for all else"])


def _reason(spec: arithmetic.Spec, signals: Sequence[str], goal: int) -> str:
    driven = ", ".join(
        f"{signal} {metric.target / 1000:g}"
        for signal, metric in zip(signals, spec.metrics, strict=True)
        if signal in DRIVEN
    )
    return f"the fewest in flight that must bring {goal} replicas by {driven}"


def _down(
    spec: arithmetic.Spec, start: int, steps: Sequence[Step], timing: Timing
) -> tuple[tuple[Step, ...], bool]:
    """The steps down from the last one up, and whether they are exact."""
    replicas, hold = steps[-1].replicas, steps[-1].deadline
    if replicas <= spec.min_replicas or (spec.down is not None and spec.down.select == "Disabled"):
        return (), True
    path = [start, *(step.replicas for step in steps)]
    came = [
        arithmetic.Change(after - before, step.deadline - hold)
        for step, (before, after) in zip(steps, pairwise(path), strict=True)
    ]
    corners = list(product((False, True), ((), came)))
    slow = [down(spec, replicas, timing, eager=eager, late=True, ups=ups) for eager, ups in corners]
    quick = [down(spec, replicas, timing, eager=eager, late=False, ups=ups) for eager, ups in corners]
    exact = len({tuple(rung.replicas for rung in one) for one in (*slow, *quick)}) == 1
    window = spec.controller.downscale_window if spec.down is None else spec.down.window
    found = []
    for place, rung in enumerate(slow[0], 1):
        latest = max(_left(path, rung.replicas) for path in slow) + timing.slack * place
        why = (
            f"window {window} s after the last high sample" if place == 1 else "as soon as behavior allows it"
        )
        earliest = max(0.0, min(_left(path, rung.replicas) for path in quick) - timing.slack)
        found.append(Step(rung.replicas, earliest, latest, latest, why))
    return tuple(found), exact


def _left(path: Sequence[Rung], replicas: int) -> float:
    return next((rung.at for rung in path if rung.replicas <= replicas), math.inf)
