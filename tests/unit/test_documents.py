"""Documents read back: what `plain` wrote becomes the same data again, anything else is named by its place."""

from __future__ import annotations

import enum
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubectl_llmhpa.output.documents import plain, read


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Leaf(NamedTuple):
    name: str
    share: float | None
    exact: Decimal
    colour: Colour = Colour.RED


@dataclass(frozen=True)
class Tree:
    leaves: tuple[Leaf, ...]
    path: tuple[tuple[float, int], ...]
    by_reason: Mapping[str, int]
    best_leaf: Leaf | None = None
    done: bool = False


LEAVES = st.builds(
    Leaf, st.text(), st.none() | st.floats(allow_nan=False, allow_infinity=False),
    st.integers().map(Decimal), st.sampled_from(Colour),
)  # fmt: skip
TREES = st.builds(
    Tree,
    leaves=st.lists(LEAVES, max_size=3).map(tuple),
    path=st.lists(st.tuples(st.floats(0, 1e6), st.integers()), max_size=3).map(tuple),
    by_reason=st.dictionaries(st.text(), st.integers(), max_size=3),
    best_leaf=st.none() | LEAVES,
    done=st.booleans(),
)


@given(TREES)
def test_what_was_written_is_read_as_the_same(tree: Tree) -> None:
    assert read(Tree, json.loads(json.dumps(plain(tree)))) == tree


GOOD: dict[str, Any] = {
    "leaves": [{"name": "a", "share": 1, "exact": 0.5}], "path": [[0, 1]], "byReason": {"x": 1},
}  # fmt: skip


def test_a_missing_key_takes_the_default_and_an_unknown_one_is_left_out() -> None:
    assert read(Tree, {**GOOD, "of a newer version": 1}) == Tree(
        (Leaf("a", 1.0, Decimal("0.5")),), ((0.0, 1),), {"x": 1}
    )


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"leaves": {}}, "leaves is not a list"),
        ({"leaves": [{"share": None, "exact": 1}]}, "leaves[0].name is missing"),
        ({"leaves": [{"name": 1, "share": None, "exact": 1}]}, "leaves[0].name is not a text"),
        ({"leaves": [{"name": "", "share": True, "exact": 1}]}, "leaves[0].share is not a number"),
        ({"leaves": [{"name": "", "share": 1, "exact": 1, "colour": "x"}]}, "leaves[0].colour is not one of red, blue"),
        ({"path": [[0]]}, "path[0] is not a list of 2"),
        ({"path": [[0, 1.5]]}, "path[0][1] is not a whole number"),
        ({"byReason": {"x": None}}, "byReason.x is not a whole number"),
        ({"bestLeaf": 3}, "bestLeaf is not an object"),
        ({"done": 1}, "done is not yes or no"),
    ],
)  # fmt: skip
def test_the_place_of_what_does_not_fit_is_named(change: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(problem)}$"):
        read(Tree, {**GOOD, **change})


def test_what_is_no_object_at_all_is_named() -> None:
    with pytest.raises(ValueError, match="the document is not an object"):
        read(Tree, [])
