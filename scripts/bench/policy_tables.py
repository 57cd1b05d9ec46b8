"""What `scripts/bench/policies` prints and draws of its rows: one line a policy, and one a load and start-up."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from statistics import mean
from typing import Any

from scripts.bench.policy_bars import GOAL


def with_shares(rows: Sequence[dict[str, Any]], *, wrong: bool) -> list[dict[str, Any]]:
    """The rows whose seats are told right (or `wrong`), with their GPU-hours over those of the fewest fixed pods."""
    hours = {
        (row["load"], row["seats"], row["seed"]): row["gpu_hours"] for row in rows if row["policy"] == "fixed"
    }
    return [
        {**row, "share": row["gpu_hours"] / hours[place]}
        for row in rows
        if row["policy"] != "fixed"
        and (place := (row["load"], row["seats"], row["seed"])) in hours
        and (row["told"] != row["seats"]) is wrong
    ]


def by_load(
    rows: Sequence[dict[str, Any]], policies: Sequence[str], *, wrong: bool = False
) -> list[list[str]]:
    """One line for each load and start-up: attainment in percent and GPU-hours over fixed, the mean of all pods."""
    cells: dict[tuple[str, float], dict[str, list[dict[str, Any]]]] = defaultdict(lambda: defaultdict(list))
    for row in with_shares(rows, wrong=wrong):
        cells[row["load"], row["start_up"]][row["policy"]].append(row)
    return [
        [
            load,
            f"{start:.0f} s",
            *(
                f"{100 * mean(row['attainment'] for row in found):.1f}, {mean(row['share'] for row in found):.2f}"
                for found in (of[policy] for policy in policies)
            ),
        ]
        for (load, start), of in cells.items()
    ]


def summary(rows: Sequence[dict[str, Any]], *, wrong: bool = False) -> list[list[str]]:
    """One line a policy over the cells whose seats are told right (or `wrong`), and where it stands in them."""
    cells: dict[tuple[Any, ...], list[dict[str, Any]]] = defaultdict(list)
    for row in with_shares(rows, wrong=wrong):
        cells[row["load"], row["seats"], row["told"], row["start_up"], row["seed"]].append(row)
    table: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    for cell in cells.values():
        reach = [row["gpu_hours"] for row in cell if row["attainment"] >= GOAL]
        for row in cell:
            of = table[row["policy"]]
            of["cells"] += 1
            of["attainment"] += row["attainment"]
            of["share"] += row["share"]
            of["reached"] += row["attainment"] >= GOAL
            of["cheapest"] += row["attainment"] >= GOAL and row["gpu_hours"] <= 1.05 * min(reach)
            of["worst"] = max(of["worst"], 1 - row["attainment"])
            of["dominated"] += any(
                other["attainment"] > row["attainment"] and other["gpu_hours"] < row["gpu_hours"]
                for other in cell
            )
            of["rescales"] += row["rescales"]
    return [
        [
            name,
            f"{of['attainment'] / of['cells']:.1%}",
            f"{1 - of['worst']:.1%}",
            f"{of['share'] / of['cells']:.2f}",
            f"{of['reached']:.0f}",
            f"{of['cheapest']:.0f}",
            f"{of['dominated']:.0f}",
            f"{of['rescales'] / of['cells']:.0f}",
        ]
        for name, of in sorted(table.items(), key=lambda one: -one[1]["attainment"])
    ]


HEADERS = [
    "policy",
    "SLO met, mean",
    "worst",
    "GPU-hours / fixed",
    ">= 99 %",
    "cheapest",
    "beaten",
    "rescales",
]


def picture(rows: Sequence[dict[str, Any]], path: Path) -> None:
    """Two bars for each policy, the mean over all cells: how many requests met the SLO, and at what cost."""
    import leather

    lines = summary(rows)
    grid = leather.Grid()
    for title, place in (("requests that met the SLO, %", 1), ("GPU-hours over the fewest fixed pods'", 3)):
        chart = leather.Chart(title)
        chart.add_bars([(float(line[place].rstrip("%")), line[0]) for line in lines])
        grid.add_one(chart)
    grid.to_svg(str(path), width=1100, height=24 * len(lines) + 80)
