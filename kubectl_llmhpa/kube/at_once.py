"""Several requests at once. Not by `concurrent.futures`: with its `logging` that takes 5 ms to load."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


def at_once(do: Callable[[T], R], items: Sequence[T], most: int) -> list[R]:
    """`[do(item) for item in items]`, at most so many of them at once, this thread among them.

    Raises what `do` raised, for the first item where it did.
    """
    left = deque(enumerate(items))
    results: dict[int, R] = {}
    errors: dict[int, Exception] = {}

    def work() -> None:
        while not errors:
            try:
                place, item = left.popleft()
            except IndexError:
                return
            try:
                results[place] = do(item)
            except Exception as error:  # noqa: BLE001 raised below, in the caller's thread
                errors[place] = error

    helpers = [
        threading.Thread(target=work, name="read", daemon=True) for _ in range(min(most, len(items)) - 1)
    ]
    for helper in helpers:
        helper.start()
    work()
    for helper in helpers:
        helper.join()
    if errors:
        raise errors[min(errors)]
    return [results[place] for place in range(len(items))]
