"""Locks between two runs of the tool: the second one waits for the first."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.cluster.ground.progress import say


@contextmanager
def held(path: Path, doing: str) -> Iterator[None]:
    """Hold an exclusive lock on ``path`` and say so where that means to wait."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"waiting for another run that is {doing}")
            fcntl.flock(stream, fcntl.LOCK_EX)
        yield
