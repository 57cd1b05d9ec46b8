"""Requests as arrays: a million of them is 32 MB, and no object each."""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterable
from dataclasses import dataclass, field

#: A time that never came.
NEVER = math.nan


@dataclass
class Requests:
    """What arrives, by index: `at` in seconds from the start (ascending), `prompt` and `output` in tokens.

    `length` is how long the load lasts, `origin` a sentence about it, `change` when it steps up (None: it does not).
    """

    at: array[float] = field(default_factory=lambda: array("d"))
    prompt: array[int] = field(default_factory=lambda: array("l"))
    output: array[int] = field(default_factory=lambda: array("l"))
    length: float = 0.0
    origin: str = ""
    change: float | None = None

    def __len__(self) -> int:
        return len(self.at)

    @classmethod
    def of(
        cls, rows: Iterable[tuple[float, int, int]], *, length: float | None = None, origin: str = ""
    ) -> Requests:
        """From (time, prompt, output), ascending in time."""
        made = cls(origin=origin)
        for at, prompt, output in rows:
            made.at.append(at)
            made.prompt.append(prompt)
            made.output.append(output)
        made.length = length if length is not None else (made.at[-1] if made.at else 0.0)
        return made


@dataclass
class Served:
    """When each request got its first token and its last, in seconds from the start; NEVER where it did not."""

    first: array[float]
    last: array[float]

    @classmethod
    def of(cls, count: int) -> Served:
        """For so many requests, none of them served."""
        return cls(array("d", [NEVER]) * count, array("d", [NEVER]) * count)
