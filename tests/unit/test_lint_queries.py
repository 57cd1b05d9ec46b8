"""What `lint` makes of PromQL: its shape, what is wrong with it, and hostile text."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubectl_llmhpa.engines import ENGINES, Kind, over_all
from kubectl_llmhpa.engines.promql import served
from kubectl_llmhpa.lint import documents, promql, registry
from kubectl_llmhpa.lint.promql import NotPromQL, Shape

W = "vllm:num_requests_waiting"
KV = "vllm:kv_cache_usage_perc"
E2E = "vllm:e2e_request_latency_seconds"
P95 = f"histogram_quantile(0.95, sum by (le) (rate({E2E}_bucket[1m])))"


def shape(text: str) -> Shape:
    return promql.read(text).shape


@pytest.mark.parametrize(
    ("query", "labels"),
    [
        (W, None),
        (f"{W} * 2", None),
        (f"sum({W})", set()),
        (f"sum by (pod) ({W})", {"pod"}),
        (f"sum({W}) by (pod, namespace)", {"pod", "namespace"}),
        (f"sum without (pod) ({W})", None),
        (f"sum without (pod) (sum by (pod, job) ({W}))", {"job"}),
        (f"max by (job) (sum by (pod, job) ({W}))", {"job"}),
        (f"topk(1, {W})", set()),
        (f"topk(2, {W})", None),
        (f"topk by (pod) (1, {W})", None),
        (f'count_values("n", {W})', None),
        (f"sum({W}) or vector(0)", set()),
        (f"sum by (pod) ({W}) or vector(0)", {"pod"}),
        (f"{W} or vector(0)", None),
        (f"sum(a) / on () group_left () {W}", set()),
        (f"{W} / on (pod) group_left () b", None),
        ("sum by (pod) (a) / on (pod) sum by (pod, job) (b)", {"pod"}),
        ("sum(a) + sum(b)", set()),
        (f"sum({W}) > 3", set()),
        (f"{W} and on () sum(up)", None),
        ("vector(1)", set()),
        ("time()", set()),
        ("absent(up)", set()),
        (P95, set()),
        (f"histogram_quantile(0.9, sum by (le, pod) (rate({E2E}_bucket[1m])))", {"pod"}),
        (f"histogram_quantile(0.9, rate({E2E}_bucket[1m]))", None),
        (f"max_over_time(sum({W})[5m:15s])", set()),
        (f'label_replace(sum({W}), "a", "b", "", "")', set()),
        (f'label_replace(sum by (pod) ({W}), "a", "b", "", "")', {"pod", "a"}),
        (f"scalar(sum({W}))", set()),
        (f"2 * sum({W})", set()),
    ],
)  # fmt: skip
def test_how_many_elements(query: str, labels: set[str] | None) -> None:
    assert shape(query).labels == labels


@pytest.mark.parametrize(
    ("query", "kind", "combined"),
    [
        (f"sum({W})", Kind.COUNT, "sum"),
        (f"sum(max by (pod) ({W}))", Kind.COUNT, "sum"),
        (f"max(sum({W}))", Kind.COUNT, "sum"),
        (f"avg({W})", Kind.COUNT, "mean"),
        (f"sum({W}) / count({W})", Kind.COUNT, "mean"),
        (f"max({KV})", Kind.RATIO, "max"),
        (f"topk(1, {KV})", Kind.RATIO, "max"),
        (f"sum(max by (pod) ({KV}))", Kind.RATIO, "sum"),
        ("max(pool_saturation)", Kind.RATIO, "max"),
        (P95, Kind.LATENCY, "quantile"),
        (f"({P95} >= 0) or vector(0)", Kind.LATENCY, "quantile"),
        (f"sum(rate({E2E}_sum[1m])) / sum(rate({E2E}_count[1m]))", Kind.LATENCY, "mean"),
        (f"sum({W}) / sum(vllm:num_requests_running)", None, "ratio"),
        (f"sum({W}) / max(seats_of_a_pod)", None, "sum"),
        (f"avg({W}) * scalar(count(up))", Kind.COUNT, ""),
        ("sum(rate(vllm:generation_tokens_total[1m]))", Kind.RATE, "sum"),
        ("count(up)", None, "count"),
        (f"sum({W}) + sum(vllm:num_requests_running)", Kind.COUNT, "sum"),
        (f"sum({W} > bool 0)", None, "sum"),
    ],
)  # fmt: skip
def test_what_the_number_is(query: str, kind: Kind | None, combined: str) -> None:
    found = shape(query)
    assert (found.kind, found.combined) == (kind, combined)


@pytest.mark.parametrize(
    ("query", "may_be_nan"),
    [
        (f"sum({W})", False),
        (P95, True),
        (f"{P95} >= 0", False),
        (f"{P95} or vector(0)", True),
        (f"({P95} >= 0) or vector(0)", False),
        (f"{P95} != 0", True),
        (f"clamp_min({P95}, 0)", True),
        ("sum(a) / sum(b)", True),
        ("sum(a) / (sum(b) > 0)", False),
        ("sum(a) / (sum(b) != 0)", True),
        ("sum(a) / (0 < sum(b))", False),
        ("sum(a) / clamp_min(sum(b), 1)", False),
        ("sum(a) / clamp_min(sum(b), 0)", True),
        ("sum(a) / (sum(b) + 1)", False),
        ("sum(a) / 10", False),
        ("sum(a) / count(b)", False),
        ("sum(a) / max(seats_of_a_pod)", False),
        ("max(a) / max(b)", True),
        ("sum(sum by (pod) (a) / sum by (pod) (b))", True),
        ("sum(sum by (pod) (a) / sum by (pod) (b) >= 0)", False),
        ("scalar(sum(a))", True),
    ],
)
def test_where_nan_comes_from(query: str, may_be_nan: bool) -> None:
    assert bool(shape(query).not_a_number) == may_be_nan


def test_selectors_with_their_windows() -> None:
    found = promql.read('sum(rate({__name__=~"a|b:c",pod!="",job=~"x.*"}[5m] offset 1m)) / scalar(up{a="b"})')
    first, second = found.selectors
    assert (first.names, first.window, first.function) == (("a", "b:c"), 300, "rate")
    assert [(one.label, one.operator, one.value, one.narrows) for one in first.matchers] == [
        ("pod", "!=", "", False),
        ("job", "=~", "x.*", True),
    ]
    assert (second.names, second.window) == (("up",), None)


def test_every_query_that_is_written_is_one_sound_number() -> None:
    """For KEDA one element that is never NaN; for the adapter one for each pod."""
    count = 0
    for engine in ENGINES:
        for signal in engine.signals:
            found = shape(over_all(signal, matchers='namespace="x"'))
            assert found.one_element, signal
            assert (found.not_a_number, found.filled) == ("", None), signal
            per_pod = shape(served(signal, by="namespace, pod", matchers='namespace="x"'))
            assert per_pod.labels is not None
            assert per_pod.labels <= {"namespace", "pod"}
            assert per_pod.not_a_number == ""
            count += 1
    assert count > 50


@pytest.mark.parametrize(
    "text",
    [
        "", "sum(", "sum(a))", "a{b=}", 'a{b="c"', "rate(a)", "sum(a) by", "1 +", "a[5m", "topk(a)", 'a{b=~"["}',
        "(" * 10_000 + "a" + ")" * 10_000, "+".join(["a"] * 5000), "a" * 50_000, "\0", "sum(a) or vector('x')",
    ],
)  # fmt: skip
def test_what_prometheus_would_not_take(text: str) -> None:
    with pytest.raises(NotPromQL):
        promql.read(text)


@given(st.text(st.sampled_from("ab:_(){}[]=~!\"'`,+-*/<> \n5m\x00é"), max_size=40))
def test_any_text_is_a_query_or_is_refused(text: str) -> None:
    with contextlib.suppress(NotPromQL):
        assert promql.read(text).text == text


def test_quoted_text_counts_for_nothing() -> None:
    """Brackets in a string do not nest."""
    assert promql.read(f'sum(a{{b="{"(" * 2000}"}})').shape.one_element


def found(text: str) -> list[tuple[int, str]]:
    report = registry.run(documents.parse(text, "f.yaml").documents)
    return [(one.line, one.finding.code) for one in report.found]


SCALED = """\
apiVersion: keda.sh/v1alpha1
kind: ScaledObject
metadata: {name: chat, namespace: llm}
spec:
  scaleTargetRef: {name: chat}
  minReplicaCount: 1
  triggers:
  - type: prometheus
    metricType: AverageValue
    metadata: {serverAddress: http://p, ignoreNullValues: "false", threshold: "5",
      query: 'sum(vllm:num_requests_waiting{model="llama",namespace="llm"})'}
"""
ADDS_IT = """\
---
apiVersion: monitoring.coreos.com/v1
kind: PodMonitor
metadata: {name: chat, namespace: llm}
spec:
  selector: {matchLabels: {app: chat}}
  podMetricsEndpoints: [{port: http, relabelings: [{targetLabel: model, replacement: llama}]}]
"""
DYNAMO = """\
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: chat, namespace: llm}
spec:
  template:
    metadata: {labels: {app: chat}}
    spec:
      terminationGracePeriodSeconds: 300
      containers:
      - name: w
        image: x
        command: [python3, -m, dynamo.vllm, --model, m]
        env: [{name: DYN_SYSTEM_PORT, value: "9090"}]
"""


def test_a_label_that_vllm_does_not_set() -> None:
    assert found(SCALED) == [(11, "query-label-not-set")]


@pytest.mark.parametrize("beside", [ADDS_IT, DYNAMO], ids=["a PodMonitor", "Dynamo"])
def test_a_label_that_somebody_else_sets(beside: str) -> None:
    assert "query-label-not-set" not in {code for _, code in found(SCALED + beside)}


@pytest.mark.parametrize(
    ("query", "fix"),
    [
        (f'{W}{{model="a"}}', f'({W}{{namespace="llm",model_name="a"}})'),
        (f'avg({W}{{job="j"}})', f'({W}{{namespace="llm",job="j"}})'),
        (f"{W}{{model=~'a\"|b.c'}}", f'({W}{{namespace="llm",model_name=~"a\\"|b.c"}})'),
        ('tgi_queue_size{model="a"}', '(tgi_queue_size{namespace="llm"})'),
        ("foo", "use sum(foo)"),
    ],
)
def test_the_fix_is_a_query_that_is_sound(query: str, fix: str) -> None:
    text = SCALED.replace(
        'sum(vllm:num_requests_waiting{model="llama",namespace="llm"})', query.replace("'", "''")
    )
    report = registry.run(documents.parse(text, "f.yaml").documents)
    wanted = {"query-many-elements", "average-divided-again"}
    (fixes,) = [one.finding.fix for one in report.found if one.finding.code in wanted]
    assert fix in fixes
    assert shape(fixes.removeprefix("use ")).one_element


def test_triggers_of_a_formula_are_not_judged_one_by_one() -> None:
    mean = SCALED.replace('sum(vllm:num_requests_waiting{model="llama",', "avg(vllm:num_requests_waiting{")
    formula = "  advanced: {scalingModifiers: {formula: a * 3, target: '5'}}\n  triggers:\n"
    assert found(mean) == [(11, "average-divided-again")]
    assert found(mean.replace("  triggers:\n", formula)) == []
