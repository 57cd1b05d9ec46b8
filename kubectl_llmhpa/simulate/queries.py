"""From a PromQL query of KEDA to what the model measures, or why it cannot."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from kubectl_llmhpa.engines import SIGNALS, signal_of
from kubectl_llmhpa.lint import promql
from kubectl_llmhpa.simulate.measures import SIGNALS as MODELLED
from kubectl_llmhpa.simulate.measures import Combine, Measure, Over

_COMBINES: dict[str, Combine] = {"sum": "sum", "avg": "mean", "max": "max"}
_OVERS: dict[str, Over] = {"avg_over_time": "mean", "max_over_time": "max"}


class Unknown(ValueError):
    """What the model cannot know, as the end of a sentence."""


def signal(name: str) -> str:
    """The model's word for a metric's name. Raises Unknown for a metric that it does not have."""
    found = signal_of(name)
    if found is None:
        raise Unknown(f"{name} is no metric of an engine's queue or cache, and the model knows nothing else")
    word = found[1].name
    if word not in MODELLED:
        raise Unknown(f"{name} says {word}, which the model does not have (it has {', '.join(MODELLED)})")
    return word


def measure(text: str, *, name: str = "") -> Measure:
    """What a query gives, where it is one number of all pods made of sums, means, maxima and `*_over_time`.

    `name` is the trigger's, which says `in-flight` where two metrics are added up. Raises Unknown for every other.
    """
    try:
        query = promql.read(text)
    except promql.NotPromQL as error:
        raise Unknown(f"its query is no PromQL: {error}") from error
    names = {each for selector in query.selectors for each in selector.names}
    if not names:
        raise Unknown("its query does not name a metric")
    words = {signal(each) for each in sorted(names)}
    if words == {"running", "waiting"}:
        words = {"in-flight"}
    elif len(words) > 1 and name in words and name in SIGNALS:
        words = {name}
    if len(words) > 1:
        raise Unknown(f"its query mixes {' and '.join(sorted(words))}")
    import promql_parser

    return replace(_read(promql_parser.parse(text), adds=words == {"in-flight"}), signal=words.pop())


def _read(node: Any, *, adds: bool) -> Measure:
    """The outermost steps of a query; `adds`: a plus between two sums is what it is for."""
    import promql_parser as ast

    if isinstance(node, ast.ParenExpr):
        return _read(node.expr, adds=adds)
    if isinstance(node, ast.AggregateExpr) and str(node.op) in _COMBINES:
        return _aggregated(node)
    if isinstance(node, ast.Call) and node.func.name in _OVERS:
        inner = node.args[0]
        if isinstance(inner, ast.SubqueryExpr) and inner.range is not None:
            made = _read(inner.expr, adds=adds)
            return replace(made, over=_OVERS[node.func.name], window=inner.range.total_seconds())
    if isinstance(node, ast.BinaryExpr):
        word = str(node.op)
        if word == "or" and _is_zero(node.rhs):
            return replace(_read(node.lhs, adds=adds), when_empty=0)
        if word == "+" and adds:
            left, right = _read(node.lhs, adds=adds), _read(node.rhs, adds=adds)
            if left == right:
                return left
    raise Unknown("its query is not one that the model can evaluate (a sum, mean or maximum over pods)")


def _aggregated(node: Any) -> Measure:
    import promql_parser as ast

    inner = node.expr
    while isinstance(inner, ast.ParenExpr):
        inner = inner.expr
    combine = _COMBINES[str(node.op)]
    if isinstance(inner, ast.Call) and inner.func.name == "avg_over_time" and combine != "max":
        ranged = inner.args[0]
        if isinstance(ranged, ast.MatrixSelector) and ranged.range is not None:
            return Measure("", combine, "mean", ranged.range.total_seconds())
    if _is_per_pod(inner):
        return Measure("", combine)
    raise Unknown("its query does more to each pod's number than the model can follow")


def _is_per_pod(node: Any) -> bool:
    """Whether it is each pod's own number: a selector, the same seen twice, ranks added up, one name or another."""
    import promql_parser as ast

    if isinstance(node, ast.VectorSelector):
        return True
    if isinstance(node, ast.ParenExpr):
        return _is_per_pod(node.expr)
    if isinstance(node, ast.AggregateExpr):
        labels = getattr(node.modifier, "labels", None) or []
        by = str(getattr(node.modifier, "type", "")).endswith("By")
        return (
            str(node.op) in ("sum", "max")
            and by
            and bool({"pod", "instance"} & {*labels})
            and _is_per_pod(node.expr)
        )
    if isinstance(node, ast.BinaryExpr):
        return str(node.op) == "or" and _is_per_pod(node.lhs) and _is_per_pod(node.rhs)
    return False


def _is_zero(node: Any) -> bool:
    import promql_parser as ast

    return (
        isinstance(node, ast.Call)
        and node.func.name == "vector"
        and isinstance(node.args[0], ast.NumberLiteral)
        and not node.args[0].val
    )
