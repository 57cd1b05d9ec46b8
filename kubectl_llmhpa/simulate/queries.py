"""From a PromQL query of KEDA to what the model measures, or why it cannot."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from kubectl_llmhpa.engines import ENGINES, signal_of
from kubectl_llmhpa.engines.promql import HELD_S, HELD_STEP_S, LEAST_SEEN, QUEUE_STEP_S, SEEN_S
from kubectl_llmhpa.lint import promql
from kubectl_llmhpa.lint.promql_selectors import selectors_of
from kubectl_llmhpa.simulate.measures import LATENCIES, SIGNALS, Combine, Measure, Over

_COMBINES: dict[str, Combine] = {"sum": "sum", "avg": "mean", "max": "max"}
_OVERS: dict[str, Over] = {"avg_over_time": "mean", "max_over_time": "max"}
_POD_LABELS = {"pod", "instance"}
_BUCKETS = "_bucket"
_NOT_ONE = "its query is not one that the model can evaluate (a sum, mean or maximum over pods)"


class Unknown(ValueError):
    """What the model cannot know, as the end of a sentence."""


def signal(name: str) -> str:
    """The model's word for a metric's name. Raises Unknown for a metric that it does not have."""
    found = signal_of(name)
    if found is None:
        raise Unknown(f"{name} is no metric of an engine's queue or cache, and the model knows nothing else")
    word = found[1].name
    if word not in SIGNALS:
        raise Unknown(f"{name} says {word}, which the model does not have (it has {', '.join(SIGNALS)})")
    return word


def measure(text: str, *, name: str = "") -> Measure:
    """What a query gives, where it is one number of all pods.

    It may be a sum, mean or maximum over pods, `*_over_time` or `predict_linear` of such, or the quantile of a latency.
    `name` is the trigger's: our word where the query puts one signal together from several metrics, as `enable` does.
    Raises Unknown for every other query.
    """
    import promql_parser

    try:
        promql.read(text)
    except promql.NotPromQL as error:
        raise Unknown(f"its query is no PromQL: {error}") from error
    return _Reader(name if name in SIGNALS else "").read(promql_parser.parse(text))


@dataclass(frozen=True)
class _Reader:
    """Reads a query from outside in; `name` is what a sum of several metrics is, "" where nobody says."""

    name: str

    def read(self, node: Any) -> Measure:
        import promql_parser as ast

        node = _bare(node)
        if isinstance(node, ast.AggregateExpr) and str(node.op) in _COMBINES:
            return self._aggregated(node)
        if isinstance(node, ast.Call):
            return self._called(node)
        if isinstance(node, ast.BinaryExpr):
            return self._binary(node)
        raise Unknown(_NOT_ONE)

    def _aggregated(self, node: Any) -> Measure:
        import promql_parser as ast

        inner, combine = _bare(node.expr), _COMBINES[str(node.op)]
        if isinstance(inner, ast.Call) and inner.func.name == "avg_over_time" and combine != "max":
            ranged = inner.args[0]
            if isinstance(ranged, ast.MatrixSelector) and ranged.range is not None:
                return Measure(self._signal(inner), combine, "mean", ranged.range.total_seconds())
        if combine == "sum" and self.name and _is_signal(self.name, inner):
            return Measure(self.name, "sum")
        if _is_per_pod(inner):
            return Measure(self._signal(inner), combine)
        self._signal(inner)  # a metric that is not known says more than a query that is not
        raise Unknown("its query does more to each pod's number than the model can follow")

    def _signal(self, node: Any) -> str:
        """What the selectors below a node measure."""
        names = {each for selector in selectors_of(node) for each in selector.names}
        words = {signal(each) for each in sorted(names)}
        if not words:
            raise Unknown("its query does not name a metric")
        if words == {"running", "waiting"}:
            return "in-flight"
        if len(words) > 1:
            raise Unknown(f"its query mixes {' and '.join(sorted(words))}")
        return words.pop()

    def _called(self, node: Any) -> Measure:
        import promql_parser as ast

        function = node.func.name
        if function == "histogram_quantile":
            return _latency(node)
        if function not in (*_OVERS, "quantile_over_time", "predict_linear"):
            raise Unknown(_NOT_ONE)
        inner = node.args[1 if function == "quantile_over_time" else 0]
        if not isinstance(inner, ast.SubqueryExpr) or inner.range is None:
            raise Unknown(f"its {function} is not over a window of one number of all pods")
        made = self.read(inner.expr)
        window = inner.range.total_seconds()
        if function in _OVERS:
            return replace(made, over=_OVERS[function], window=window)
        if function == "quantile_over_time":
            return replace(made, over="peak", window=window, share=_number(node.args[0]))
        return replace(made, over="forecast", window=window, ahead=_number(node.args[1]))

    def _seats_seen(self, node: Any) -> int:
        """The told seats, of what `by_seats_seen` divides by."""
        import promql_parser as ast

        bounds = [one.val for one in node.args[1:] if isinstance(one, ast.NumberLiteral)]
        share = _bare(node.args[0])
        if bounds == [LEAST_SEEN, 1] and isinstance(share, ast.BinaryExpr) and str(share.op) == "/":
            top, told = _bare(share.lhs), share.rhs
            most = _bare(top.expr) if isinstance(top, ast.AggregateExpr) and str(top.op) == "max" else None
            if isinstance(told, ast.NumberLiteral) and isinstance(most, ast.Call):
                full = _bare(_inside(most, "max_over_time", SEEN_S))
                if isinstance(full, ast.BinaryExpr) and str(full.op) == "and":
                    running, looks = _bare(full.lhs), _bare(full.rhs)
                    if _is_bound(running, ">", 0) and _is_bound(looks, ">=", HELD_S // HELD_STEP_S):
                        queue = _bare(_inside(_bare(looks.lhs), "count_over_time", HELD_S))
                        waiting = queue.lhs if _is_bound(queue, ">", 0) else None
                        if waiting and _is_signal("running", running.lhs) and _is_signal("waiting", waiting):
                            return int(told.val)
        raise Unknown(_NOT_ONE)

    def _memory(self, node: Any) -> int:
        """How many seconds of queues count, of what `with_room` multiplies by."""
        import promql_parser as ast

        share = _bare(node.rhs) if isinstance(node, ast.BinaryExpr) and _is_one_plus(node) else None
        if (
            isinstance(share, ast.BinaryExpr)
            and str(share.op) == "/"
            and isinstance(share.rhs, ast.NumberLiteral)
        ):
            memory = int(share.rhs.val) * QUEUE_STEP_S
            queue = _bare(_inside(_bare(share.lhs), "sum_over_time", memory))
            if _is_bound(queue, ">", 0) and _Reader("waiting").read(queue.lhs) == Measure("waiting", "sum"):
                return memory
        raise Unknown(_NOT_ONE)

    def _binary(self, node: Any) -> Measure:
        import promql_parser as ast

        word, left, right = str(node.op), _bare(node.lhs), _bare(node.rhs)
        if word == "+":
            one, other = self.read(left), self.read(right)
            if {one.signal, other.signal} == {"running", "waiting"} and replace(
                one, signal=other.signal
            ) == other:
                return replace(one, signal="in-flight")
        elif word == "or" and _is_vector(right, 0):
            return replace(self.read(left), when_empty=0)
        elif word == "*" and isinstance(right, ast.BinaryExpr) and str(right.op) == "or":
            if _is_vector(right.rhs, 1):
                return replace(self.read(left), memory=self._memory(_bare(right.lhs)))
        elif word == "/" and isinstance(right, ast.BinaryExpr) and str(right.op) == "or":
            seen, usual = _bare(right.lhs), _bare(right.rhs)
            if isinstance(seen, ast.Call) and seen.func.name == "clamp" and _is_vector(usual, 1):
                return replace(self.read(left), told=self._seats_seen(seen))
        elif word == "or" and isinstance(left, ast.BinaryExpr) and str(left.op) in (">", ">="):
            first, bound = self.read(left.lhs), _bare(left.rhs)
            if first.combine == "quantile" and isinstance(bound, ast.NumberLiteral):
                return replace(first, when_empty=0)  # no request is 0, as `enable` writes it
            now = self.read(bound)
            same = Measure(first.signal, first.combine, when_empty=first.when_empty) == now
            if first.over in ("peak", "forecast") and same and self.read(right) == now:
                return first  # never below the number now, which is what both are here
        raise Unknown(_NOT_ONE)


def _is_signal(name: str, node: Any) -> bool:
    """Whether the metrics are, as they are, those that an engine's signal of that name is made of."""
    selectors = list(selectors_of(node))
    names = {each for selector in selectors for each in selector.names}
    if not names or any(selector.window is not None for selector in selectors):
        return False
    return any(one.name == name and names <= {*one.names} for engine in ENGINES for one in engine.signals)


def _number(node: Any) -> float:
    import promql_parser as ast

    if not isinstance(node, ast.NumberLiteral):
        raise Unknown("a number in it is not fixed")
    return float(node.val)


def _inside(node: Any, function: str, window: float) -> Any:
    """What a function takes a window of. Raises Unknown where it is another, or another window."""
    import promql_parser as ast

    ranged = node.args[-1] if isinstance(node, ast.Call) and node.func.name == function else None
    if isinstance(ranged, ast.SubqueryExpr) and ranged.range == timedelta(seconds=window):
        return ranged.expr
    raise Unknown(_NOT_ONE)


def _is_bound(node: Any, word: str, number: float) -> bool:
    """Whether it is something that is held against a number."""
    import promql_parser as ast

    return (
        isinstance(node, ast.BinaryExpr)
        and str(node.op) == word
        and isinstance(node.rhs, ast.NumberLiteral)
        and bool(node.rhs.val == number)
    )


def _is_one_plus(node: Any) -> bool:
    import promql_parser as ast

    return str(node.op) == "+" and isinstance(node.lhs, ast.NumberLiteral) and bool(node.lhs.val == 1)


def _latency(node: Any) -> Measure:
    """`histogram_quantile(0.95, sum by (le) (rate(x_bucket[1m])))`."""
    import promql_parser as ast

    names = {each for selector in selectors_of(node) for each in selector.names}
    words = {found[1].name if (found := signal_of(one.removesuffix(_BUCKETS))) else one for one in names}
    if missing := sorted(words - {*LATENCIES}):
        raise Unknown(f"the model has no latency {missing[0]} (it has {', '.join(LATENCIES)})")
    share, total = node.args
    rate = _bare(total.expr) if isinstance(total, ast.AggregateExpr) and str(total.op) == "sum" else None
    while isinstance(rate, ast.BinaryExpr) and str(rate.op) == "or":
        rate = _bare(rate.lhs)  # the same under the names of several versions
    if (
        len(words) == 1
        and isinstance(share, ast.NumberLiteral)
        and isinstance(rate, ast.Call)
        and rate.func.name == "rate"
        and isinstance(rate.args[0], ast.MatrixSelector)
        and rate.args[0].range is not None
    ):
        return Measure(words.pop(), "quantile", window=rate.args[0].range.total_seconds(), share=share.val)
    raise Unknown("its query is not a quantile of all requests that the model can evaluate")


def _is_per_pod(node: Any) -> bool:
    """Whether it is each pod's own number: a selector, the same seen twice, ranks added up, one name or another."""
    import promql_parser as ast

    node = _bare(node)
    if isinstance(node, ast.VectorSelector):
        return True
    if isinstance(node, ast.AggregateExpr):
        kept = node.modifier
        if kept is None or not str(kept.type).endswith("By") or not _POD_LABELS & {*kept.labels}:
            return False
        return str(node.op) in ("sum", "max") and _is_per_pod(node.expr)
    if isinstance(node, ast.BinaryExpr):
        return str(node.op) == "or" and _is_per_pod(node.lhs) and _is_per_pod(node.rhs)
    return False


def _is_vector(node: Any, number: float) -> bool:
    import promql_parser as ast

    if not isinstance(node, ast.Call) or node.func.name != "vector":
        return False
    return isinstance(node.args[0], ast.NumberLiteral) and node.args[0].val == number


def _bare(node: Any) -> Any:
    """Without the parentheses around it."""
    import promql_parser as ast

    while isinstance(node, ast.ParenExpr):
        node = node.expr
    return node
