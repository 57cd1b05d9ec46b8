"""Which point of a sweep comes next, and when there is no use in another. Pure.

A point is a dict: concurrency, seed, min_seconds, min_requests, max_seconds (warm-up included), warmup_s.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Any


class FixedPoints:
    """The points as listed, until one of the rules in `stop` says that the rest is hopeless.

    `stop` (JSON; absent: never): misses and points: after so many `points` in a row with a larger share than `misses`
    of their requests outside the SLO; failures: after one point of whose requests a larger share has failed.
    """

    def __init__(self, points: list[dict[str, Any]], stop: dict[str, Any] | None = None) -> None:
        self.left = list(points)
        self.stop = stop or {}
        self.hopeless = 0  # points in a row
        self.stopped = ""

    def next(self, last: dict[str, Any] | None) -> dict[str, Any] | None:
        """The point after `last` (its figures as printed; None: the first one); None at the end."""
        if last is not None:
            self._judge(last)
        return None if self.stopped or not self.left else self.left.pop(0)

    def _judge(self, facts: dict[str, Any]) -> None:
        failed = sum(facts["failed"].values())
        finished, wanted = facts["done"] + failed, facts["asked_concurrency"]
        if finished == 0:
            self.stopped = f"no request was finished with {wanted} in flight"
            return
        failures = self.stop.get("failures")
        if failures is not None and failed > failures * finished:
            self.stopped = f"{100 * failed / finished:.0f} % of the requests failed with {wanted} in flight"
            return
        misses, row = self.stop.get("misses"), self.stop.get("points", 2)
        if misses is None:
            return
        self.hopeless = self.hopeless + 1 if finished - facts["good"] > misses * finished else 0
        if self.hopeless >= row:
            self.stopped = (
                f"{row} points in a row had more than {100 * misses:.0f} % of requests outside the SLO"
            )
