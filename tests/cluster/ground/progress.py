"""Progress on stderr: one line for each step, with the time that it took."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager


def say(text: str) -> None:
    """Write one line, whole, also while other threads write theirs."""
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


@contextmanager
def step(title: str) -> Iterator[None]:
    """Time what happens inside and say so once it is done."""
    started = time.monotonic()
    yield
    say(f"{title:<28} {time.monotonic() - started:6.1f} s")
