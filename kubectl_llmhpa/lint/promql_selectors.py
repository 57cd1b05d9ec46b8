"""The selectors of a PromQL expression: which series it reads."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import promql_parser

_HISTOGRAM = re.compile(r"_(bucket|sum|count)$")
_OPERATORS = {"Equal": "=", "NotEqual": "!=", "Re": "=~", "NotRe": "!~"}


@dataclass(frozen=True)
class Matcher:
    """`operator` is one of =, !=, =~ and !~."""

    label: str
    operator: str
    value: str

    @property
    def narrows(self) -> bool:
        """Whether it picks some series by a value, and does not only leave others out."""
        return self.operator in ("=", "=~") and self.value not in ("", ".*", ".+")


@dataclass(frozen=True)
class Selector:
    """One selector. `names` are the metrics that it may select, empty where only a regular expression says so.

    `window` is the range in seconds and `function` the function that it is for (`rate`), None and "" without a range.
    """

    names: tuple[str, ...]
    matchers: tuple[Matcher, ...]
    window: float | None = None
    function: str = ""

    def on(self, *labels: str) -> list[Matcher]:
        """The matchers on some labels."""
        return [one for one in self.matchers if one.label in labels]


def base(name: str) -> str:
    """The family of a histogram's series; other names as they are."""
    return _HISTOGRAM.sub("", name)


def selectors_of(node: Any, function: str = "") -> Iterator[Selector]:
    """Every selector below a node; `function` is the function right above it."""
    import promql_parser as ast

    if isinstance(node, ast.VectorSelector):
        yield selector_of(node)
    elif isinstance(node, ast.MatrixSelector):
        yield replace(selector_of(node.vector_selector), window=node.range.total_seconds(), function=function)
    elif isinstance(node, ast.Call):
        for argument in node.args:
            yield from selectors_of(argument, node.func.name)
    elif isinstance(node, ast.BinaryExpr):
        yield from selectors_of(node.lhs)
        yield from selectors_of(node.rhs)
    elif isinstance(node, ast.AggregateExpr):
        yield from selectors_of(node.expr)
        if node.param is not None:
            yield from selectors_of(node.param)
    elif isinstance(node, (ast.ParenExpr, ast.UnaryExpr, ast.SubqueryExpr)):
        yield from selectors_of(node.expr)


def selector_of(node: promql_parser.VectorSelector) -> Selector:
    """A selector as plain data."""
    matchers = [
        Matcher(one.name, _OPERATORS[str(one.op).rpartition(".")[2]], one.value)
        for one in node.matchers.matchers
    ]
    names: tuple[str, ...] = (node.name,) if node.name else ()
    for one in matchers:
        if one.label != "__name__":
            continue
        if one.operator == "=":
            names = (one.value,)
        elif one.operator == "=~" and re.fullmatch(r"[\w:|^$()?]+", one.value):
            names = tuple(re.sub(r"\(\?:|[\^$()?]", "", one.value).split("|"))
    return Selector(names, tuple(one for one in matchers if one.label != "__name__"))
