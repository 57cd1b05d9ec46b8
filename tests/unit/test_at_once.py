"""Several at once: the same results as one after the other, and the same error."""

from __future__ import annotations

import threading

import pytest

from kubectl_llmhpa.kube.at_once import at_once


@pytest.mark.parametrize("most", [1, 2, 8])
@pytest.mark.parametrize("items", [[], [1], list(range(50))], ids=len)
def test_results_are_in_the_order_of_the_items(items: list[int], most: int) -> None:
    assert at_once(lambda item: item * item, items, most) == [item * item for item in items]


def test_so_many_run_at_once() -> None:
    together = threading.Barrier(3, timeout=20)
    at_once(lambda _: together.wait(), range(3), 3)


@pytest.mark.parametrize("most", [1, 4])
def test_an_error_is_raised_and_ends_it(most: int) -> None:
    done: list[int] = []

    def half(item: int) -> None:
        done.append(item)
        if item == 0:
            raise KeyError(item)

    with pytest.raises(KeyError, match="0"):
        at_once(half, range(10_000), most)
    assert len(done) < 10_000
