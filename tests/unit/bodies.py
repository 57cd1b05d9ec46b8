"""Metrics pages of real engines, as they were recorded in `tests/bodies/`."""

from __future__ import annotations

from pathlib import Path

BODIES = Path(__file__).parents[1] / "bodies"


def body_of(name: str) -> str:
    """The text of one, by the name of its file without `.txt`."""
    return (BODIES / f"{name}.txt").read_text()
