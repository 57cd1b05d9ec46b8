"""Requests that KEDA's query counts as more than they are: a full pod runs fewer than it is told, or requests waited.

`engines.promql.by_seats_seen` is the one: what is told is believed until a queue has stood at a pod for half a minute,
and from then on what ran there. How many that is may not be known before a load, so it is bounded. `with_room` is the
other: the share of its memory in which requests waited comes on top, which a load changes by no more than it lasts.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from kubectl_llmhpa.engines.promql import HELD_S, HELD_STEP_S, LEAST_SEEN, QUEUE_STEP_S

#: A queue that comes with the load counts so many seconds after its start at the earliest.
EARLIEST_S = HELD_S - HELD_STEP_S


@dataclass(frozen=True)
class Correction:
    """Of the metrics on `signals`, whose targets are shares of `told` seats.

    `seen` is the most that a full pod has run, as the query knows it before the load: 0 where none was full, None where
    nobody could be asked. `queued` is the share of the last `memory` seconds in which requests waited, None likewise;
    without a memory it does not count.
    """

    signals: frozenset[str]
    told: int
    seen: float | None
    memory: int = 0
    queued: float | None = 0.0

    def factors(self, seats: int, at: float) -> tuple[float, float]:
        """What a number is multiplied by, at least and at most, `at` seconds into a load on pods of `seats` seats."""
        (low, high), (least, most) = self._seats(seats, at), self._room(at)
        return low * least, high * most

    def _room(self, at: float) -> tuple[float, float]:
        if not self.memory:
            return 1.0, 1.0
        if self.queued is None:
            return 1.0, 2.0
        change = (at + QUEUE_STEP_S) / self.memory
        return 1 + max(0.0, self.queued - change), 1 + min(1.0, self.queued + change)

    def _seats(self, seats: int, at: float) -> tuple[float, float]:
        first = (1.0, 1 / LEAST_SEEN) if self.seen is None else (self._factor(self.seen),) * 2
        if at < EARLIEST_S:
            return first
        later = self._factor(max(seats, self.seen or 0.0))
        return min(*first, later), max(*first, later)

    def seats(self, most: int | None, turns: Iterable[float]) -> list[int]:
        """How many requests a pod may run: the fewest, `most` (None: what it is told), and around each of `turns`.

        Turns are seats by which a metric stands at its target: with a few more it asks for pods, with fewer a queue
        must do it.
        """
        high = self.told if most is None else most
        low = min(high, max(1, math.floor(self.seen or LEAST_SEEN * high)))
        between = {math.floor(turn) for turn in turns if low < turn < high}
        return sorted({low, high, *between})

    def _factor(self, seen: float) -> float:
        return 1 / min(1.0, max(LEAST_SEEN, seen / self.told)) if seen else 1.0
