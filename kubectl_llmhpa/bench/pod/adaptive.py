"""Which concurrency next? Chosen inside the pod after every point of a sweep, so that a few points find the limit.

Up from one request by the seats of a pod (half of them, all, twice as many, ...) until the SLO is missed or the
throughput has stopped growing; then halving between the last good and the first bad one, to the very number (of more
than 16 seats, to a sixteenth). A point too near to the limit to tell is measured again, as long as there is time.

The plan (JSON, settings `adaptive`): seats (of one pod; null: not known), pods (1), share (of requests that must keep
the SLO; null: no SLO), most (requests in flight of all pods; null: no limit), budget_s, min_seconds, seed.
"""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Any, Callable

    Point = dict[str, Any]

BUDGET_S = 345.0
MIN_SECONDS = 30.0
LONGEST = 4  # times the least: no point takes longer
GAIN = 0.1  # of throughput: less is none
FAILURES = 0.05
Z = 1.645  # one-sided 95 %
MOST_PROVED = 0.995
TIMES = 3  # that one concurrency is measured at most
FINEST = 16  # of more seats, the answer is exact to this share
#: Of the answers' lengths in a sweep. Equal ones march in step, which no real load does: then chance, and what was
#: measured before, decide how long a request waits. With 10 in flight on 8 seats, 75 % to 100 % kept an SLO.
OUTPUT_SPREAD = 0.5
FIRST_WARMUP_S, WARMUP_S = 5.0, (3.0, 15.0)  # of the first point; of the others at least and at most


class AdaptivePoints:
    """As `points.FixedPoints`: `next` gives the point after the last one, `stopped` says why there is none."""

    def __init__(self, plan: dict[str, Any], clock: Callable[[], float] = time.monotonic) -> None:
        self.plan = plan
        self.pods: int = plan.get("pods") or 1
        self.share: float | None = plan.get("share")
        self.clock = clock
        self.over = clock() + (plan.get("budget_s") or BUDGET_S)
        self.levels: dict[int, Level] = {}  # by requests in flight per pod, fewest first
        self.asked = 0
        self.stopped = ""

    def next(self, last: Point | None) -> Point | None:
        """The point after `last` (its figures as printed; None: the first one); None at the end."""
        if last is not None:
            self._add(last)
            if not last["done"]:
                self.stopped = f"no request was finished with {last['asked_concurrency']} in flight"
                return None
        level, self.stopped = self._choose()
        if level is None:
            return None
        least: float = self.plan.get("min_seconds") or MIN_SECONDS
        warmup, left = self._warmup(level), self.over - self.clock()
        if self.levels and left < warmup + least:
            self.stopped = "the time for the sweep is over"
            return None
        self.asked += 1
        return {
            "concurrency": level * self.pods,
            "seed": (self.plan.get("seed") or 0) + self.asked,
            "min_seconds": least,
            "min_requests": enough(level * self.pods, self.share),
            "max_seconds": max(warmup + least, min(LONGEST * least, left)),
            "warmup_s": warmup,
        }

    def _add(self, facts: Point) -> None:
        per_pod = facts["asked_concurrency"] // self.pods
        self.levels.setdefault(per_pod, Level()).add(facts)
        self.levels = dict(sorted(self.levels.items()))

    def _choose(self) -> tuple[int | None, str]:
        """Requests in flight per pod of the next point, or why there is none."""
        missed = next((n for n, level in self.levels.items() if level.missed(self.share)), None)
        if missed is None:
            return self._climb()
        good = max((n for n in self.levels if n < missed), default=0)
        if not good:
            again = self._doubtful([missed]) if missed == 1 else 1
            return again, "" if again else "one request alone misses the SLO, or fails"
        if missed - good > max(1, (self.plan.get("seats") or missed) // FINEST):
            return (good + missed) // 2, ""
        again = self._doubtful([good, missed]) or self._between(good)
        return again, "" if again else "the limit was found"

    def _climb(self) -> tuple[int | None, str]:
        rung = self._rung()
        if rung is not None and not self._flat(1 if self.share is None else 2):
            return rung, ""
        between = self._between(max(self.levels))
        if between:
            return between, ""
        return (
            None,
            "more requests in flight were not to be tried"
            if rung is None
            else "the throughput grows no more",
        )

    def _rung(self) -> int | None:
        """The next of 1, half the seats, the seats, twice as many, ...; None above the most that is allowed."""
        top, seats, most = max(self.levels, default=0), self.plan.get("seats"), self.plan.get("most")
        ladder = [n for n in (1, seats // 2, seats) if n > top] if seats else []
        rung: int = ladder[0] if ladder else 2 * top or 1
        if most is not None:
            rung = min(rung, most // self.pods)
        return rung if rung > top else None

    def _flat(self, times: int) -> bool:
        """Whether none of the last levels brought a tenth more throughput than what was before it."""
        rates = [level.throughput for level in self.levels.values()]
        return len(rates) > times and all(
            rates[place] < (1 + GAIN) * max(rates[:place]) for place in range(len(rates) - times, len(rates))
        )

    def _doubtful(self, near: list[int]) -> int | None:
        """The one of these levels that is the least certain to be on its side of the limit."""
        found = [(self.levels[n].certainty(self.share), n) for n in near if self.levels[n].times < TIMES]
        return min(found)[1] if found and min(found)[0] < Z else None

    def _between(self, highest: int) -> int | None:
        """Halfway from the first level with 90 % of the largest throughput to the one below, unless they are near."""
        peak = max(level.throughput for level in self.levels.values())
        near = next(n for n, level in self.levels.items() if level.throughput >= (1 - GAIN) * peak)
        below = max((n for n in self.levels if n < near), default=near)
        return (near + below) // 2 if near <= highest and near - below > max(1, near // 4) else None

    def _warmup(self, level: int) -> float:
        """Twice what a request takes at most, by the level below, within bounds."""
        below = max((n for n in self.levels if n <= level), default=0)
        if not below:
            return FIRST_WARMUP_S
        shortest, longest = WARMUP_S
        return min(longest, max(shortest, 2 * self.levels[below].latency * level / below))


class Level:
    """All points of one concurrency together."""

    def __init__(self) -> None:
        self.done = self.good = self.failed = self.times = 0
        self.seconds = self.latencies = 0.0

    def add(self, facts: Point) -> None:
        self.done += facts["done"]
        self.good += facts["good"]
        self.failed += sum(facts["failed"].values())
        self.seconds += facts["duration_s"]
        self.latencies += (facts["e2e_ms"]["mean"] or 0.0) / 1000 * facts["done"]
        self.times += 1

    @property
    def ended(self) -> int:
        return self.done + self.failed

    @property
    def throughput(self) -> float:
        return self.done / self.seconds if self.seconds else 0.0

    @property
    def latency(self) -> float:
        return self.latencies / self.done if self.done else 0.0

    def missed(self, share: float | None) -> bool:
        """Whether too many failed, or fewer than `share` kept the SLO."""
        if not self.done or self.failed > FAILURES * self.ended:
            return True
        return share is not None and self.good < share * self.ended

    def certainty(self, share: float | None) -> float:
        """How far its share of good requests is from the limit, in standard deviations."""
        if not share or share >= 1 or not self.done:
            return math.inf
        return abs(self.good / self.ended - share) / math.sqrt(share * (1 - share) / self.ended)


def enough(concurrency: int, share: float | None) -> int:
    """The fewest requests that prove a share when none misses it, and eight for each in flight.

    52 for 0.95, 268 for 0.99. More than `MOST_PROVED` is not asked to be proved: it would take thousands.
    """
    share = 0.95 if share is None else min(share, MOST_PROVED)
    return max(math.ceil(Z * Z * share / (1 - share)), 8 * concurrency)


def listed(plan: dict[str, Any]) -> list[Point]:
    """A list of points for generators that cannot choose: around the seats, else 1 to 64 doubling."""
    seats = plan.get("seats")
    levels = [1, 2, 4, 8, 16, 32, 64]
    if seats:
        levels = sorted({max(1, round(seats * part)) for part in (0, 0.25, 0.5, 0.75, 1, 1.25, 1.5, 2)})
    pods, least = plan.get("pods") or 1, plan.get("min_seconds") or MIN_SECONDS
    most = plan.get("most")
    return [
        {
            "concurrency": level * pods,
            "seed": (plan.get("seed") or 0) + place,
            "min_seconds": least,
            "min_requests": enough(level * pods, plan.get("share")),
            "max_seconds": LONGEST * least,
            "warmup_s": FIRST_WARMUP_S,
        }
        for place, level in enumerate(levels, 1)
        if most is None or level * pods <= most
    ]
