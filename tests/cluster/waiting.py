"""Waiting for what a cluster does in its own time."""

from __future__ import annotations

import time
from collections.abc import Callable


def until(condition: Callable[[], bool], limit: float, what: str) -> None:
    """Wait for a condition. Fails after `limit` seconds, with `what` in words."""
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < limit, f"{what}: not within {limit:g} s"
        time.sleep(0.5)
