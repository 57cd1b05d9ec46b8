"""What a PromQL expression gives: how many elements, of what kind, and where it is not a number."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from kubectl_llmhpa.engines import Kind, signal_of
from kubectl_llmhpa.lint.promql_selectors import Selector, base, selector_of, selectors_of

if TYPE_CHECKING:
    import promql_parser

_ADDS_UP = {"rate", "increase", "irate"}
_COMPARISONS = {"==", "!=", ">", "<", ">=", "<="}
#: Aggregations that keep the labels of their input.
_KEEPERS = {"topk", "bottomk", "limitk", "limit_ratio"}
#: How metrics between 0 and 1 are named that are no signal of an engine.
_RATIO = re.compile(r"(saturation|usage_perc|cache_usage|_ratio)$")


@dataclass(frozen=True)
class Shape:
    """What an expression gives.

    `labels` are those that its elements may carry: none at all means one element at most, None that nobody knows.
    `kind` is what the number is, `combined` how series were last made one: an aggregation (`sum`, `avg`, ...), `ratio`
    for a quotient of two numbers, `quantile`, `mean`, or "" for series as they are. `scale` is what constants have
    multiplied it by. `not_a_number` says where NaN may come from, "" when it cannot. `filled` is the constant that
    takes the place of a missing result (`or vector(0)`). `constant` is the value of a number.
    """

    labels: frozenset[str] | None = frozenset()
    kind: Kind | None = None
    combined: str = ""
    scale: float = 1.0
    not_a_number: str = ""
    filled: float | None = None
    constant: float | None = None
    positive: bool = False

    @property
    def one_element(self) -> bool:
        return self.labels == frozenset()


def shape_of(node: Any) -> Shape:
    """What a node of promql_parser's tree gives."""
    import promql_parser as ast

    if isinstance(node, ast.NumberLiteral):
        return Shape(constant=node.val, positive=node.val > 0)
    if isinstance(node, ast.ParenExpr):
        return shape_of(node.expr)
    if isinstance(node, ast.UnaryExpr):
        inner = shape_of(node.expr)
        return replace(
            inner,
            positive=False,
            scale=-inner.scale,
            constant=None if inner.constant is None else -inner.constant,
        )
    if isinstance(node, ast.VectorSelector):
        return Shape(None, _kind(selector_of(node)))
    if isinstance(node, ast.MatrixSelector):
        return Shape(None, _kind(selector_of(node.vector_selector)))
    if isinstance(node, ast.SubqueryExpr):
        return shape_of(node.expr)
    if isinstance(node, ast.AggregateExpr):
        return _aggregated(node)
    if isinstance(node, ast.Call):
        return _called(node)
    if isinstance(node, ast.BinaryExpr):
        return _binary(node)
    return Shape()


def _kind(selector: Selector) -> Kind | None:
    """What the metric counts, where every name that the selector may select is of one kind."""
    kinds = {
        found[1].kind if (found := signal_of(name)) else Kind.RATIO if _RATIO.search(name) else None
        for name in selector.names
    }
    return next(iter(kinds)) if len(kinds) == 1 else None


def _aggregated(node: promql_parser.AggregateExpr) -> Shape:
    inner = shape_of(node.expr)
    word = str(node.op)
    labels = _grouped(node.modifier, inner.labels)
    if word in _KEEPERS:
        # the only element of topk(1, ...) is the highest
        one = node.modifier is None and word != "limit_ratio" and shape_of(node.param).constant == 1
        return replace(inner, labels=frozenset(), combined="max") if one else inner
    if word == "count_values":
        return Shape(None, combined="count")
    if word in ("count", "group"):
        return Shape(labels, combined="count", positive=True)
    if inner.one_element and word in ("sum", "avg", "max", "min"):
        return inner
    kind = None if word in ("stddev", "stdvar") else inner.kind
    combined = "mean" if word == "avg" else word
    return replace(inner, labels=labels, kind=kind, combined=combined)


def _grouped(modifier: Any, inner: frozenset[str] | None) -> frozenset[str] | None:
    """The labels behind an aggregation: `by` keeps some, `without` drops some, neither keeps none."""
    if modifier is None:
        return frozenset()
    labels = frozenset(modifier.labels)
    if str(modifier.type).endswith("By"):
        return labels if inner is None else labels & inner
    return None if inner is None else inner - labels


def _called(node: promql_parser.Call) -> Shape:
    name, arguments = node.func.name, node.args
    if name == "vector":
        inner = shape_of(arguments[0])
        return replace(inner, labels=frozenset(), constant=inner.constant)
    if name in ("time", "pi", "start", "end", "step", "range"):
        return Shape(positive=True)
    if name == "absent" or name == "absent_over_time":
        return Shape()
    if name == "histogram_quantile" or name == "histogram_quantiles":
        inner = shape_of(arguments[1])
        labels = None if inner.labels is None else inner.labels - {"le"}
        kind = Kind.LATENCY if _is_latency(arguments[1]) else None
        return Shape(labels, kind, "quantile", not_a_number="histogram_quantile of no requests is NaN")
    if name in ("histogram_avg", "histogram_fraction", "histogram_stddev"):
        inner = shape_of(arguments[-1])
        return replace(inner, combined="mean", not_a_number=f"{name} of no requests is NaN")
    if name == "scalar":
        inner = shape_of(arguments[0])
        missing = inner.not_a_number or "scalar() of an empty result is NaN"
        return replace(inner, labels=frozenset(), not_a_number=missing)
    inner = next((shape_of(one) for one in arguments if not _is_text(one)), Shape())
    if name in _ADDS_UP:
        return replace(inner, kind=Kind.RATE if inner.kind is not Kind.LATENCY else Kind.LATENCY)
    if name == "quantile_over_time":
        return shape_of(arguments[1])
    if name == "clamp_min" and len(arguments) > 1:
        floor = shape_of(arguments[1]).constant
        return replace(inner, positive=inner.positive or (floor is not None and floor > 0))
    if name in ("label_replace", "label_join") and inner.labels:
        return replace(inner, labels=inner.labels | {node.args[1].val})
    if name in ("changes", "resets", "timestamp", "count_over_time", "present_over_time", "sgn"):
        return replace(inner, kind=None)
    return inner


def _is_text(node: Any) -> bool:
    import promql_parser as ast

    return isinstance(node, (ast.StringLiteral, ast.NumberLiteral))


def _is_latency(node: Any) -> bool:
    """Whether buckets are those of a time: by their signal, or by the unit in their name."""
    for selector in selectors_of(node):
        for name in selector.names:
            family = base(name)
            found = signal_of(family)
            if (found and found[1].kind is Kind.LATENCY) or re.search(
                r"(seconds|milliseconds|_ms|latency|duration)(_|$)", family
            ):
                return True
    return False


def _binary(node: promql_parser.BinaryExpr) -> Shape:
    word, left, right = str(node.op), shape_of(node.lhs), shape_of(node.rhs)
    if word == "or":
        return _either(node, left, right)
    if word in ("and", "unless"):
        return left
    if word in _COMPARISONS:
        return _compared(node, word, left, right)
    if left.constant is not None and right.constant is not None:
        return Shape(constant=0.0 if word != "/" or right.constant else None)
    labels = _matched(node, left, right)
    poison = left.not_a_number or right.not_a_number
    if word == "/":
        return replace(_divided(node, left, right), labels=labels)
    if word == "*":
        return replace(_multiplied(left, right), labels=labels, not_a_number=poison)
    base = left if left.constant is None else right
    combined = base.combined if left.combined == right.combined or _flat(left) or _flat(right) else ""
    positive = word == "+" and any(one.constant is not None and one.constant > 0 for one in (left, right))
    return replace(
        base, labels=labels, combined=combined, not_a_number=poison, positive=positive, constant=None
    )


def _flat(one: Shape) -> bool:
    return one.constant is not None


def _either(node: promql_parser.BinaryExpr, left: Shape, right: Shape) -> Shape:
    """`left or right`: NaN is an element, so it stays."""
    filled = right.constant if right.constant is not None and right.one_element else left.filled
    labels = left.labels
    if left.labels is None or right.labels is None:
        labels = None
    elif right.labels != left.labels:
        labels = left.labels | right.labels
    poison = left.not_a_number or right.not_a_number
    if not left.kind and left.constant is not None:
        return replace(right, labels=labels, not_a_number=poison)
    return replace(left, labels=labels, filled=filled, not_a_number=poison)


def _compared(node: promql_parser.BinaryExpr, word: str, left: Shape, right: Shape) -> Shape:
    """A comparison drops elements, NaN among them (only `!=` holds for NaN)."""
    kept, other = (left, right) if left.constant is None else (right, left)
    labels = _matched(node, left, right)
    if node.modifier is not None and node.modifier.return_bool:
        return Shape(labels, combined=kept.combined)
    poison = kept.not_a_number if word == "!=" and other.constant != kept.constant else ""
    above = {">": 0.0, ">=": 1e-300}.get(word) if kept is left else {"<": 0.0, "<=": 1e-300}.get(word)
    positive = kept.positive or (above is not None and other.constant is not None and other.constant >= above)
    return replace(kept, labels=labels, not_a_number=poison, positive=positive)


def _divided(node: promql_parser.BinaryExpr, left: Shape, right: Shape) -> Shape:
    poison = left.not_a_number or right.not_a_number
    if right.constant is not None:
        return replace(left, scale=left.scale / right.constant if right.constant else 1.0)
    if not poison and not right.positive and left.constant is None:
        poison = f"{_text(node)} is 0/0, which is NaN, while nothing runs"
    if right.combined == "count":
        return replace(left, combined="mean", not_a_number=poison, positive=False)
    scale = left.scale / (right.scale or 1.0)
    if _named(node.lhs, "_sum") and _named(node.rhs, "_count"):
        kind = Kind.LATENCY if _is_latency(node.lhs) else None
        return Shape(kind=kind, combined="mean", scale=scale, not_a_number=poison)
    if left.combined == "sum" and right.combined in ("mean", "max", "min"):
        # a load by what one pod can take, which is not 0
        return Shape(combined="sum", scale=scale, not_a_number=left.not_a_number or right.not_a_number)
    return Shape(combined="ratio", scale=scale, not_a_number=poison)


def _named(node: Any, suffix: str) -> bool:
    """Whether every metric below a node has a name that ends so."""
    names = [name for one in selectors_of(node) for name in one.names]
    return bool(names) and all(name.endswith(suffix) for name in names)


def _multiplied(left: Shape, right: Shape) -> Shape:
    constant, other = (left.constant, right) if left.constant is not None else (right.constant, left)
    if constant is not None:
        return replace(other, scale=other.scale * constant, positive=other.positive and constant > 0)
    return Shape(kind=other.kind)  # by a number of pods, or whatever: nobody knows


def _matched(node: promql_parser.BinaryExpr, left: Shape, right: Shape) -> frozenset[str] | None:
    """The labels behind an operator between two sides; a number takes those of the other."""
    if left.constant is not None and left.one_element and not _is_vector(node.lhs):
        return right.labels
    if right.one_element and not _is_vector(node.rhs):
        return left.labels
    modifier = node.modifier
    card = str(modifier.card).rpartition(".")[2] if modifier is not None else "OneToOne"
    if card == "ManyToOne":
        return left.labels
    if card == "OneToMany":
        return right.labels
    if modifier is not None and modifier.matching is not None:
        labels = frozenset(modifier.matching.labels)
        if str(modifier.matching.type).endswith("Include"):
            return labels if left.labels is None else labels & left.labels
        return None if left.labels is None else left.labels - labels
    if left.labels is None or right.labels is None:
        known = left.labels if right.labels is None else right.labels
        return known if known == frozenset() else None
    return left.labels & right.labels


def _is_vector(node: Any) -> bool:
    """Whether an expression has elements, and is no plain number."""
    import promql_parser as ast

    if isinstance(node, (ast.ParenExpr, ast.UnaryExpr)):
        return _is_vector(node.expr)
    if isinstance(node, ast.NumberLiteral):
        return False
    if isinstance(node, ast.Call):
        return str(node.func.return_type).rpartition(".")[2] != "Scalar"
    if isinstance(node, ast.BinaryExpr):
        return _is_vector(node.lhs) or _is_vector(node.rhs)
    return True


def _text(node: Any) -> str:
    text = " ".join(node.prettify().split())
    return text if len(text) <= 60 else f"{text[:57]}..."
