"""Did the HPA do what was predicted of it?"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

from kubectl_llmhpa.bench.sizing.prove import Prediction, Step


def differences(
    prediction: Prediction, observed: Sequence[tuple[float, int]], *, ended: float | None = None
) -> tuple[str, ...]:
    """What did not come as predicted, a sentence each; none where all did.

    `observed` are the numbers of replicas that the HPA asked for over time, each with its second from the start of the
    load, the first being that before it. `ended` is the second at which the load ended and scale-in was awaited (None:
    it was not).
    """
    upwards = [one for one in observed if ended is None or one[0] <= ended]
    found = _late(prediction.start, prediction.up, upwards, "the load began", rising=True)
    path = [prediction.start, *(step.replicas for step in prediction.up)]
    seen = _numbers(upwards, prediction.start)
    if prediction.exact and not found and seen[: len(path)] != path:
        found.append(f"replicas went {_arrows(seen)} and not {_arrows(path)}")
    elif any(after < before for before, after in pairwise(seen)):
        found.append(f"replicas went down under load: {_arrows(seen)}")
    elif max(seen) > prediction.highest:
        found.append(f"replicas went {_arrows(seen)}: no more than {prediction.highest} were expected")
    if ended is None or not prediction.down or found:
        return tuple(found)
    after = [(at - ended, replicas) for at, replicas in observed if at > ended]
    return tuple(_scale_in(prediction, max(seen), after))


def _scale_in(prediction: Prediction, top: int, after: Sequence[tuple[float, int]]) -> list[str]:
    """Of `top` replicas, which are more than the last step where it went on; `after`: seconds from the load's end."""
    place, highest = max(
        enumerate((top, *(replicas for _, replicas in after))), key=lambda one: (one[1], -one[0])
    )
    top, after = highest, after[place:]  # it may have gone up until the last sample of the load was gone
    as_predicted = top == prediction.up[-1].replicas
    steps = prediction.down if as_predicted else (replace(prediction.down[0], replicas=top - 1),)
    found = _late(top, steps, after, "the load ended", rising=False)
    early = next((at for at, replicas in after if replicas < top), math.inf)
    first = prediction.down[0].earliest
    if early < first:
        found.append(f"scale-in began {early:.0f} s after the load ended, before {first:.0f} s")
    path, seen = [top, *(step.replicas for step in prediction.down)], _numbers(after, top)
    if not found and as_predicted and prediction.down_exact and seen != path:
        found.append(f"scale-in went {_arrows(seen)} and not {_arrows(path)}")
    return found


def _late(
    start: int, steps: Sequence[Step], observed: Sequence[tuple[float, int]], since: str, *, rising: bool
) -> list[str]:
    for step in steps:
        reached = next(
            (at for at, replicas in observed
             if (replicas >= step.replicas if rising else replicas <= step.replicas)), None,
        )  # fmt: skip
        if reached is None:
            last = observed[-1][1] if observed else start
            return [
                f"{step.replicas} replicas were never asked for: {last} at the end, {step.deadline:.0f} s allowed"
            ]
        if reached > step.deadline:
            return [
                f"{step.replicas} replicas were asked for {reached:.0f} s after {since}, {step.deadline:.0f} s allowed"
            ]
    return []


def _numbers(observed: Sequence[tuple[float, int]], start: int) -> list[int]:
    """Each number of replicas as often as it came anew."""
    numbers = [start]
    numbers += [replicas for _, replicas in observed]
    return [now for place, now in enumerate(numbers) if place == 0 or now != numbers[place - 1]]


def _arrows(numbers: Sequence[int]) -> str:
    return " -> ".join(str(one) for one in numbers)
