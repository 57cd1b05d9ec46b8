"""A PromQL query as data: the series that it reads, and what it gives.

Parsed by promql-parser, whose grammar is Prometheus 2.45's and newer; tests hold it against Prometheus' own parser. Its
reader is recursive and ends the process on text that nests very deep, so such text is not given to it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from kubectl_llmhpa.lint.promql_selectors import Matcher, Selector, base, selectors_of
from kubectl_llmhpa.lint.promql_shape import Shape, shape_of

__all__ = ["LONGEST", "Matcher", "NotPromQL", "Query", "Selector", "Shape", "base", "read"]

#: Far above any query that a person wrote; a thousand operators take the parser a second.
LONGEST = 20_000
_MOST_OPERATORS = 500
_OPERATOR = re.compile(r"[(\[+\-*/%^<>=]|\b(?:and|or|unless)\b")
_QUOTED = re.compile(r"\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*'|`[^`]*`|#[^\n]*", re.DOTALL)


class NotPromQL(ValueError):
    """A text that Prometheus would not take for a query; its text says why."""


@dataclass(frozen=True)
class Query:
    """A query: its selectors in the order of the text, and what it gives."""

    text: str
    selectors: tuple[Selector, ...]
    shape: Shape


def read(text: str) -> Query:
    """A query as data. Raises NotPromQL with what Prometheus would say of it."""
    import promql_parser

    bare = _QUOTED.sub("''", text)
    if len(text) > LONGEST or len(_OPERATOR.findall(bare)) > _MOST_OPERATORS:
        raise NotPromQL(f"it has more than {LONGEST} characters or {_MOST_OPERATORS} operators")
    try:
        tree = promql_parser.parse(text)
    except ValueError as error:
        raise NotPromQL(" ".join(str(error).split())) from error
    return Query(text, tuple(selectors_of(tree)), shape_of(tree))
