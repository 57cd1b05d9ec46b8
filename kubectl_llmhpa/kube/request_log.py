"""One line for each request to the API server, in the words of kubectl's own `-v 6`."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import NamedTuple


class Answered(NamedTuple):
    """An answer of `size` bytes to a request; status 0: none came."""

    method: str
    path: str
    status: int
    milliseconds: int
    size: int

    def __str__(self) -> str:
        return (
            f'"Response" verb="{self.method}" url="{self.path}" status={self.status} '
            f"milliseconds={self.milliseconds} bytes={self.size}"
        )


#: Who is told of each answer: nobody, unless `-v` asks for it. Not `logging`, which takes 3 ms to load.
LISTENERS: list[Callable[[Answered], object]] = []


def answered(method: str, path: str, status: int, size: int, began: float) -> None:
    """Note an answer to a request sent at `began` (`time.monotonic()`)."""
    if LISTENERS:
        note = Answered(method, path, status, round((time.monotonic() - began) * 1000), size)
        for listener in LISTENERS:
            listener(note)


def show() -> None:
    """Print the lines on stderr from now on."""
    LISTENERS.append(lambda note: sys.stderr.write(f"{note}\n"))
