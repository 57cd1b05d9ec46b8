"""Did the HPA do what was predicted of it?"""

from __future__ import annotations

import math
from collections.abc import Sequence
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
    if prediction.exact and not found and seen != path:
        found.append(f"replicas went {_arrows(seen)} and not {_arrows(path)}")
    elif any(after < before for before, after in pairwise(seen)):
        found.append(f"replicas went down under load: {_arrows(seen)}")
    if ended is None or not prediction.down or found:
        return tuple(found)
    after = [(at - ended, replicas) for at, replicas in observed if at > ended]
    top = prediction.up[-1].replicas
    found = _late(top, prediction.down, after, "the load ended", rising=False)
    early = next((at for at, replicas in after if replicas < top), math.inf)
    if early < prediction.down[0].earliest:
        found.append(
            f"scale-in began {early:.0f} s after the load ended, before {prediction.down[0].earliest:.0f} s"
        )
    path, seen = [top, *(step.replicas for step in prediction.down)], _numbers(after, top)
    if not found and seen != path:
        found.append(f"scale-in went {_arrows(seen)} and not {_arrows(path)}")
    return tuple(found)


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
