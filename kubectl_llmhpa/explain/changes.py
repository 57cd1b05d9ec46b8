"""What would change the result, found by asking the arithmetic itself again and again: there is no second formula.

A change is searched for with the windows and the periods of policies over (`Inputs.settled`), so that it is true
whatever the controller remembers; when it would take effect is asked of the estimated memory.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

from kubectl_llmhpa.engines import Kind as Signals
from kubectl_llmhpa.explain.inputs import Inputs
from kubectl_llmhpa.explain.memory import Estimate
from kubectl_llmhpa.explain.words import Named, number, unit
from kubectl_llmhpa.hpa.arithmetic import Invalid, Proposal

#: more, less: of one metric; wait: nothing but time; max, min: another limit; samples: from the pods without one;
#: without: a metric that cannot be read, taken out.
Kind: TypeAlias = Literal["more", "less", "wait", "max", "min", "samples", "without"]

#: The longest window and period that there are, both, and a minute.
_LONGEST = 3600 + 1800 + 60
#: No level is looked for beyond this, in milli-units.
_HIGHEST = 10**15
_NO_LIMIT = 10**6
#: A ratio does not go beyond 1.
_FULL = 1000


@dataclass(frozen=True)
class Wait:
    """When: in how many seconds at the earliest and at the latest, if all stays as it is till then."""

    earliest: int
    latest: int

    def __str__(self) -> str:
        if self.latest <= 0:
            return "at the next sync"
        if self.earliest >= self.latest:
            return f"in {self.latest} s"
        if self.earliest <= 0:
            return f"in at most {self.latest} s"
        return f"in {self.earliest} to {self.latest} s"


@dataclass(frozen=True)
class Change:
    """One thing that would give `replicas`.

    `metric` is the place of a metric in the HPA, None where it is none's. For `more` and `less`, `by` and `level` are
    milli-units: of the total, for a ratio or latency of each pod's value, of the value for a Value. For `max` and `min`
    `level` is the limit. `wait` is None where it never takes effect of itself, or that is not known.
    """

    kind: Kind
    replicas: int
    sentence: str
    metric: int | None = None
    by: int = 0
    level: int = 0
    wait: Wait | None = None


def changes(inputs: Inputs, names: tuple[Named, ...], memory: Estimate) -> tuple[Change, ...]:
    """Everything that was found, what is nearest to the present first."""
    found: list[Change | None] = [_wait(inputs, memory)]
    ballot = inputs.settled().ballot
    votes = ballot.votes if ballot else ()
    for index, vote in enumerate(votes):
        name = names[inputs.places[index]]
        if isinstance(vote, Proposal):
            found += [
                _samples(inputs, index, vote, name),
                *_levels(inputs, index, name, memory, up=True),
                *_levels(inputs, index, name, memory, up=False),
            ]
    found += [_without(inputs, names), _limit(inputs, up=True), _limit(inputs, up=False)]
    return tuple(one for one in found if one is not None)


def wait(inputs: Inputs, memory: Estimate, replicas: int) -> Wait | None:
    """How long until a sync gives so many replicas, if nothing changes; None where it never does."""
    latest = _first(lambda after: inputs.sync(memory.latest, after).replicas == replicas)
    proved = memory.earliest(inputs.replicas, replicas)
    earliest = _first(lambda after: inputs.sync(proved, after).replicas == replicas)
    return None if latest is None or earliest is None else Wait(min(earliest, latest), latest)


def _wait(inputs: Inputs, memory: Estimate) -> Change | None:
    """What time alone changes: a window ends, or a policy allows more."""
    now = inputs.sync(memory.latest).replicas
    later = _first(lambda after: inputs.sync(memory.latest, after).replicas != now)
    if not later:
        return None
    replicas = inputs.sync(memory.latest, later).replicas
    proved = memory.earliest(now, replicas)
    earliest = _first(lambda after: inputs.sync(proved, after).replicas != now)
    when = Wait(later if earliest is None else min(earliest, later), later)
    way = "up" if replicas > now else "down"
    return Change("wait", replicas, f"may go {way} to {replicas} {when}", wait=when)


def _levels(inputs: Inputs, index: int, name: Named, memory: Estimate, *, up: bool) -> list[Change]:
    """The least more, or less, of one metric that gives another number, and another than there are now."""
    now = inputs.settled().replicas
    beyond = (max if up else min)(now, inputs.replicas)
    found = [_level(inputs, index, name, memory, one, up=up) for one in dict.fromkeys((now, beyond))]
    return list(dict.fromkeys(one for one in found if one is not None))


def _level(
    inputs: Inputs, index: int, name: Named, memory: Estimate, beyond: int, *, up: bool
) -> Change | None:
    """The least more, or less, of one metric that gives a number beyond one."""
    level = inputs.level(index)
    if level is None or level < 0:
        return None
    metric = inputs.spec.metrics[index]
    # A total is moved by whole things, or by a thousandth; where totals say nothing, the value of every pod is.
    pods = max(1, len(inputs.counted(index))) if name.per_pod else 1
    step = 1000 if name.counts else 1
    start = level // pods
    sign = step if up else -step

    def at(steps: int) -> Inputs:
        return inputs.at(index, (start + sign * steps) * pods)

    def is_beyond(steps: int) -> bool:
        replicas = at(steps).settled().replicas
        return replicas > beyond if up else replicas < beyond

    highest = _FULL * (1 if metric.source == "Pods" else inputs.status_replicas)
    room = (highest if name.kind is Signals.RATIO and metric.form == "AverageValue" else _HIGHEST) - start
    steps = _least(is_beyond, (room if up else start) // step)
    if steps is None:
        return None
    replicas, by, to = at(steps).settled().replicas, steps * step, start + sign * steps
    when = wait(at(steps), memory, replicas)
    more = "more" if up else "fewer" if name.counts else "less"
    gives = "keep" if replicas == inputs.replicas else "give"
    sentence = f"{number(by)} {more} {name.word} ({number(to)}{unit(metric, name)}) would {gives} {replicas}"
    if when is not None and when.latest > 0:
        sentence += f", {when}"
    return Change("more" if up else "less", replicas, sentence, inputs.places[index], by, to, when)


def _samples(inputs: Inputs, index: int, vote: Proposal, name: Named) -> Change | None:
    """What a sample from every pod would give, as high as those that there are."""
    found = inputs.readings[index]
    if not vote.missing or not isinstance(found, dict):
        return None
    filled = {**found, **dict.fromkeys(vote.missing, vote.usage)}
    readings = (*inputs.readings[:index], filled, *inputs.readings[index + 1 :])
    replicas = replace(inputs, readings=readings).settled().replicas
    if replicas == inputs.settled().replicas:
        return None
    pods = "the pod" if len(vote.missing) == 1 else f"the {len(vote.missing)} pods"
    sentence = f"if {pods} without {name.word} had {number(vote.usage)} like the rest, it would be {replicas}"
    return Change("samples", replicas, sentence, inputs.places[index])


def _without(inputs: Inputs, names: tuple[Named, ...]) -> Change | None:
    """What the others would give where metrics cannot be read and hold the scale-down."""
    ballot = inputs.settled().ballot
    if ballot is None or ballot.replicas is not None or len(ballot.invalid) == len(ballot.votes):
        return None
    bad = [index for index, vote in enumerate(ballot.votes) if isinstance(vote, Invalid)]
    rest = inputs
    for index in reversed(bad):
        rest = rest.without(index)
    replicas = rest.settled().replicas
    words = " and ".join(names[inputs.places[index]].word for index in bad)
    sentence = f"{words} cannot be read, which forbids going down; without it the rest would give {replicas}"
    return Change("without", replicas, sentence, inputs.places[bad[0]])


def _limit(inputs: Inputs, *, up: bool) -> Change | None:
    """What a maximum or minimum cuts off, and the limit that would let it through."""
    outcome = inputs.settled()
    reason = outcome.limited.reason if outcome.limited else ""
    spec = inputs.spec
    if up and reason == "TooManyReplicas":
        free = replace(inputs, spec=replace(spec, max_replicas=_NO_LIMIT)).settled().replicas
        if free <= spec.max_replicas:
            return None
        asked = outcome.stabilized.replicas if outcome.stabilized else free
        step = f" in one step ({asked} are asked for)" if asked > free else ""
        sentence = f"at the maximum of {spec.max_replicas}: a maximum of {asked} would give {free}{step}"
        return Change("max", free, sentence, level=asked)
    if not up and reason == "TooFewReplicas" and spec.min_replicas > 1:
        free = replace(inputs, spec=replace(spec, min_replicas=1)).settled().replicas
        if free >= spec.min_replicas:
            return None
        sentence = f"at the minimum of {spec.min_replicas}: a minimum of {free} would give {free}"
        return Change("min", free, sentence, level=free)
    return None


def _first(true: Callable[[int], bool]) -> int | None:
    """The first second at which it is true, None if it never is."""
    return 0 if true(0) else _least(true, _LONGEST)


def _least(true: Callable[[int], bool], most: int) -> int | None:
    """The least number from 1 to `most` for which it is true, where it stays true from then on; None: there is none."""
    low, high = 0, 1
    while high < most and not true(high):
        low, high = high, high * 2
    high = min(high, most)
    if high <= low or not true(high):
        return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if true(middle) else (middle, high)
    return high
