"""Which target for running requests does this load need? The highest with which the SLO is kept."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from functools import cache

from kubectl_llmhpa.engines import EngineFacts
from kubectl_llmhpa.policy import OF_SEATS, PRESETS
from kubectl_llmhpa.policy.reach import within_reach
from kubectl_llmhpa.simulate import scalers
from kubectl_llmhpa.simulate.scalers import Candidate

NAME = "tuned"
_BASE = "load"
#: Below it a target may be a half: there one request more or less is much.
_HALVES_BELOW = 10
#: A load is never quite the same again, so so many of the misses that the goal allows are aimed at.
_MISSES = 0.5


def tuned(
    attained: Callable[[Candidate], float],
    goal: float,
    facts: EngineFacts,
    *,
    least: int,
    most: int,
    external: bool,
    tell: Callable[[str], None] = lambda _: None,
) -> Candidate | None:
    """The policy `load` with the highest target for running requests that keeps a goal with room.

    `attained` is the share of requests that meet the SLO with a candidate. Room: half the misses that the goal allows;
    where no target has it, the goal itself, and None where none keeps that either. In flight counts where the engine
    counts nothing finer. The facts must tell the seats.
    """
    assert facts.seats is not None
    seats = facts.seats.value
    wished = (signal for signal, _, _ in PRESETS[_BASE].wishes(facts))
    signal = next((one for one in wished if one in OF_SEATS and one in facts.signals), None)
    if signal is None:
        return None

    def candidate(target: Decimal) -> Candidate:
        return scalers.of_policy(
            _BASE, facts, least=least, most=most, external=external, name=NAME, own={signal: target}
        )

    @cache
    def share(target: Decimal) -> float:
        tell(f"load with {signal} {target:f}")
        return attained(candidate(target))

    targets = [one for one in _targets(seats) if within_reach(one, seats)]
    for wanted in (1 - (1 - goal) * _MISSES, goal):
        found = _highest(targets, share, wanted)
        if found is not None:
            return candidate(found)
    return None


def _highest(targets: Sequence[Decimal], share: Callable[[Decimal], float], wanted: float) -> Decimal | None:
    """The highest whose share is what is wanted.

    By halving, as if a higher target never kept more: near the goal chance decides, so it may be one off.
    """
    low, high = 0, len(targets)
    while low < high:
        middle = (low + high) // 2
        low, high = (middle + 1, high) if share(targets[middle]) >= wanted else (low, middle)
    return targets[low - 1] if low else None


def _targets(seats: int) -> Iterator[Decimal]:
    value = Decimal(1)
    while value <= seats:
        yield value
        value += Decimal("0.5") if value < _HALVES_BELOW else 1
