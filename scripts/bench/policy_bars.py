"""What our policies are held to in `scripts/bench/policies`, and whether they keep it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from statistics import mean
from typing import Any, TypeAlias

Rows: TypeAlias = Sequence[Mapping[str, Any]]

GOAL = 0.99
OURS, THROUGH_KEDA, PEAK, VENDOR = "our load", "our load, KEDA", "our anticipate", "vendor document"
TUNED = "load, tuned"
#: A peak is for pods that take at least so long to start; a policy is as cheap as another up to a factor.
SLOW, NEAR = 120.0, 1.05
DAY_SHARE, WRONG_SEATS = 0.45, 0.95


def judged(rows: Rows, traces: Sequence[str]) -> list[list[str]]:
    """One line for each bar: what it asks for, what came of it, `kept` or `missed`; bars without rows are left out."""
    right = [row for row in rows if row["policy"] != "fixed" and row["told"] == row["seats"]]
    wrong = [row for row in rows if row["told"] != row["seats"]]
    reach = (line for policy in (OURS, TUNED) for line in _reach(right, policy))
    return [*_peak(right, traces), *reach, *_day(right), *_wrong(wrong)]


def _peak(rows: Rows, traces: Sequence[str]) -> Iterator[list[str]]:
    """In the mean of all pods and seeds, for each trace and start-up."""
    places: dict[tuple[str, float], dict[str, list[Mapping[str, Any]]]] = defaultdict(
        lambda: defaultdict(list)
    )
    for row in rows:
        if row["load"] in traces and row["start_up"] >= SLOW:
            places[row["load"], row["start_up"]][row["policy"]].append(row)
    for other in (THROUGH_KEDA, OURS):
        better = [
            _mean(of[PEAK], "attainment") > _mean(of[other], "attainment")
            and _mean(of[PEAK], "gpu_hours") <= _mean(of[other], "gpu_hours")
            for of in places.values()
        ]
        if better:
            asked = f"{PEAK} above {other} for no more GPU-hours, traces and start-ups from {SLOW:g} s on"
            yield [asked, f"{sum(better)} of {len(better)}", _word(all(better))]


def _reach(rows: Rows, ours: str) -> Iterator[list[str]]:
    cells: dict[tuple[Any, ...], dict[str, Mapping[str, Any]]] = defaultdict(dict)
    for row in rows:
        cells[row["load"], row["seats"], row["start_up"], row["seed"]][row["policy"]] = row
    if not all(ours in of for of in cells.values()):
        return
    possible = [of for of in cells.values() if any(row["attainment"] >= GOAL for row in of.values())]
    reached = [of for of in possible if of[ours]["attainment"] >= GOAL]
    cheap = [
        of
        for of in reached
        if of[ours]["gpu_hours"]
        <= NEAR * min(row["gpu_hours"] for row in of.values() if row["attainment"] >= GOAL)
    ]
    beaten = [
        of
        for of in cells.values()
        if any(
            row["attainment"] > of[ours]["attainment"] and row["gpu_hours"] < of[ours]["gpu_hours"]
            for row in of.values()
        )
    ]
    if possible:
        counts = len(reached), len(possible)
        yield [
            f"{ours} at {GOAL:.0%} wherever any policy is",
            "{} of {}".format(*counts),
            _word(counts[0] == counts[1]),
        ]
        counts = len(cheap), len(reached)
        yield [
            f"{ours} there at most 5 % dearer than the cheapest",
            "{} of {}".format(*counts),
            _word(counts[0] == counts[1]),
        ]
        yield [
            f"no other policy better in both than {ours}",
            f"{len(beaten)} of {len(cells)} beaten",
            _word(not beaten),
        ]


def _day(rows: Rows) -> Iterator[list[str]]:
    ours, vendors = (
        [row for row in rows if row["load"] == "day" and row["policy"] == one] for one in (OURS, VENDOR)
    )
    if ours and vendors:
        share = _mean(ours, "gpu_hours") / _mean(vendors, "gpu_hours")
        points = 100 * (_mean(ours, "attainment") - _mean(vendors, "attainment"))
        asked = (
            f"{OURS} on a day: at most {DAY_SHARE:.0%} of the GPU-hours of {VENDOR}, and more within the SLO"
        )
        yield [asked, f"{share:.0%}, {points:+.1f} points", _word(share <= DAY_SHARE and points > 0)]


def _wrong(rows: Rows) -> Iterator[list[str]]:
    for policy in (THROUGH_KEDA, OURS):
        found = [row for row in rows if row["policy"] == policy]
        if found:
            kept, worst = _mean(found, "attainment"), min(row["attainment"] for row in found)
            asked = f"{policy} at {WRONG_SEATS:.0%} with four times the seats told, in the mean"
            yield [asked, f"{kept:.1%}, at worst {worst:.1%}", _word(kept >= WRONG_SEATS)]


def _mean(rows: Rows, what: str) -> float:
    return mean(float(row[what]) for row in rows)


def _word(kept: bool) -> str:
    return "kept" if kept else "missed"
