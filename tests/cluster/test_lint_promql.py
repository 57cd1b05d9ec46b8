"""What `lint` takes for PromQL and for rules of prometheus-adapter is what Prometheus and the adapter take."""

from __future__ import annotations

import itertools
import re

import pytest
import yaml

from kubectl_llmhpa.engines import ENGINES, over_all
from kubectl_llmhpa.engines.promql import per_pod, served
from kubectl_llmhpa.lint import adapter_files, promql
from kubectl_llmhpa.lint.documents import Document
from kubectl_llmhpa.lint.promql import NotPromQL
from tests.cluster import oracles
from tests.cluster.oracles import Case

pytestmark = pytest.mark.control_plane

W = "vllm:num_requests_waiting"
E2E = "vllm:e2e_request_latency_seconds"
#: The shapes of published triggers, rules, dashboards and alerts on engines, in our own words.
PUBLISHED = (
    W, f"sum({W})", f"sum by (pod) ({W})", f"sum({W}) by (namespace, pod)", f"avg({W}{{model_name=\"a\"}})",
    f"max by (model_name) ({W}{{namespace=~\"a|b\", pod!=\"\"}})", f"sum without (engine) ({W})",
    f"sum({W}{{job=`x`}})", f"sum({W}{{a='b',}})", "{__name__=~\"vllm:.*\", pod!~\"x.*\"}", f"{{\"{W}\", a=\"b\"}}",
    f"sum({W}) or vector(0)", f"(sum({W}) or on () vector(0)) > 5", f"sum({W}) > bool 3", f"-sum({W})",
    f"max_over_time({W}[1m])", f"avg_over_time(sum({W})[5m:30s])", f"quantile_over_time(0.9, {W}[10m])",
    f"delta({W}[1m] offset 5m)", f"{W} offset -1m", f"{W} @ 1700000000", f"rate({E2E}_count[1m] @ end())",
    f"histogram_quantile(0.95, sum(rate({E2E}_bucket[5m])) by (le))",
    f"histogram_quantile(0.99, sum by (le, model_name) (rate({E2E}_bucket{{namespace=\"a\"}}[2m30s]))) * 1000",
    f"(histogram_quantile(0.5, sum by (le) (rate({E2E}_bucket[1m]))) >= 0) or vector(0)",
    f"rate({E2E}_sum[5m]) / rate({E2E}_count[5m])", f"sum(rate({E2E}_sum[5m])) / (sum(rate({E2E}_count[5m])) > 0)",
    "sum(rate(vllm:prompt_tokens_total[1m])) + sum(rate(vllm:generation_tokens_total[1m]))",
    f"sum({W}) / count(up{{job=\"vllm\"}} == 1)", f"sum({W}) / scalar(count(up))", f"clamp_max(sum({W}), 100)",
    f"clamp(avg({W}), 0, 10)", f"ceil(sum({W}) / 8)", f"round(avg({W}), 0.1)", f"topk(3, {W})", f"bottomk(1, {W})",
    f"quantile(0.9, {W})", f"stddev({W})", f"count_values(\"n\", {W})", f"limitk(2, {W})", f"group({W})",
    f"label_replace({W}, \"deployment\", \"$1\", \"pod\", \"(.*)-[^-]+-[^-]+\")",
    f"label_join({W}, \"a\", \"-\", \"namespace\", \"pod\")", f"sort_desc({W})", f"absent({W})",
    f"absent_over_time({W}[5m])", f"changes({W}[1h])", f"deriv({W}[10m])", f"predict_linear({W}[30m], 600)",
    f"{W} * on (pod) group_left (node) kube_pod_info", f"{W} / on (namespace, pod) vllm:num_requests_running",
    f"{W} unless on (pod) kube_pod_status_phase{{phase=\"Pending\"}}", f"{W} and {W} > 0", f"{W} ignoring (engine) + b",
    f"sum({W}) ^ 2 % 7 atan2 3", "1", "1e3", "0x1f", "-Inf", "NaN", "time() - 5", "vector(1)", "scalar(vector(1))",
    "sum(DCGM_FI_DEV_GPU_UTIL{exported_pod=~\"x-.*\"}) / 100", "tgi_queue_size", "sglang:num_queue_reqs",
    "histogram_quantile(0.9, rate(native_seconds[5m]))", "histogram_avg(rate(native_seconds[5m]))",
    f"last_over_time({W}[5m])", f"mad_over_time({W}[5m])", f"sum(increase({E2E}_count[1h])) by (le) # comment",
    f"sum(\n  {W}\n) # queue\n", f"sum by(pod)({W})", f"SUM({W})", f"sum({W}[5m])", f"rate({W})", "rate(sum(a)[5m])",
    f"sum({W}", f"sum({W}))", f"sum by ({W})", f"{W}{{a=b}}", f"{W}{{a=\"b\"", f"{W}{{a==\"b\"}}", "{}", "{a=\"\"}",
    "a +", "+", "", " ", "sum()", "topk(a)", "histogram_quantile(a)", "vector(a)", "a or 1", "a and 1", "1 or 2",
    "a == b == c", "1 > 2", "1 > bool 2", "a[5m", "a[5]", "a[5x]", "a[0s]", "a offset 5", "nosuch(a)", "a{b=~\"[\"}",
    "a by (b)", "sum(a) group_left b", "a * group_left b", "\"text\"", "a b", "5 a", "_a:b", ":a", "a:", "1a",
)  # fmt: skip


def written() -> list[str]:
    every = [signal for engine in ENGINES for signal in engine.signals]
    return [
        text
        for signal in every
        for text in (
            per_pod(signal, matchers='namespace="x"'),
            served(signal, by="pod", matchers='namespace="x",pod=~"a|b"'),
            over_all(signal, matchers='namespace="x",pod=~"a-[0-9]+"'),
        )
    ]


def ours(text: str) -> bool:
    try:
        promql.read(text)
    except NotPromQL:
        return False
    return True


def test_prometheus_takes_the_same_texts() -> None:
    texts = list(dict.fromkeys((*PUBLISHED, *written())))
    theirs = oracles.expressions(texts)
    differing = [
        (text, found.error)
        for text, found in zip(texts, theirs, strict=True)
        if ours(text) == bool(found.error) and not re.search("is experimental|is not enabled", found.error)
    ]
    assert differing == []
    assert sum(1 for found in theirs if found.error) > 25


SERIES = 'vllm:num_requests_waiting{namespace!="",pod!=""}'
QUERY = "sum(<<.Series>>{<<.LabelMatchers>>}) by (<<.GroupBy>>)"
RESOURCES = {"template": "<<.Resource>>"}
CHANGES: tuple[dict[str, object], ...] = (
    {}, {"metricsQuery": None}, {"metricsQuery": ""}, {"metricsQuery": "sum(<<.Seris>>{<<.LabelMatchers>>})"},
    {"metricsQuery": "sum(<<.Series"}, {"metricsQuery": "sum(<<index .LabelValuesByName \"pod\">>)"},
    {"metricsQuery": "sum(<<.Series>>{<<.LabelMatchers>>}) by (<<index .GroupBySlice 0>>)"},
    {"metricsQuery": "<< .Series >>"}, {"resources": None}, {"resources": {}}, {"resources": {"template": "pod"}},
    {"resources": {"template": "<<.Resource"}}, {"resources": {"template": "x_<<.Nope>>"}},
    {"resources": {"template": "kube_<<.Group>>_<<.Resource>>"}},
    {"resources": {"overrides": {"namespace": {"resource": "namespace"}, "pod": {"resource": "pod"}}}},
    {"name": {"as": "a:b"}}, {"name": {"as": ""}}, {"name": {"matches": "("}}, {"name": {"matches": "(a)(b)"}},
    {"name": {"matches": "^(.*)_total$"}}, {"name": {"matches": "(a)(b)", "as": "x"}}, {"name": {"matches": "(?=a)"}},
    {"seriesFilters": [{"is": "("}]}, {"seriesFilters": [{"is": "a", "isNot": "b"}]}, {"seriesFilters": [{}]},
    {"seriesFilters": [{"isNot": "^x"}]}, {"descripton": "x"}, {"name": "x"}, {"seriesFilters": {"is": "x"}},
)  # fmt: skip


def test_the_adapter_takes_the_same_rules() -> None:
    """Both together: a rule that ends it, and one that it cannot ask by."""
    rule = {"seriesQuery": SERIES, "resources": RESOURCES, "metricsQuery": QUERY}
    rules = [
        {key: value for key, value in {**rule, **change}.items() if value is not None} for change in CHANGES
    ]
    texts = [yaml.safe_dump({"rules": [one]}) for one in rules]
    labels = {"namespace": "x", "pod": "p"}
    theirs = list(
        itertools.chain.from_iterable(
            oracles.adapter([Case(text, "vllm:num_requests_waiting", labels, "x", ("p",))]) for text in texts
        )
    )
    differing = []
    for one, text, found in zip(rules, texts, theirs, strict=True):
        document = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": "c"},
            "data": {"config.yaml": text},
        }
        (parsed,) = adapter_files.files(Document("f", 1, document))
        refused = bool(parsed.refused) or any(adapter_files.unusable(each.rule)[0] for each in parsed.rules)
        if refused != bool(found.error):
            differing.append((one, parsed.refused, found.error))
    assert differing == []
    assert sum(1 for found in theirs if found.error) > 12
