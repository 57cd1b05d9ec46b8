"""The edit of a shared configuration file: ours in, ours out, every other byte untouched."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from kubectl_llmhpa.api import Json
from kubectl_llmhpa.backends import adapter_rules
from kubectl_llmhpa.engines import Signal, SignalSource
from kubectl_llmhpa.errors import LlmHpaError


def source(signal: str, *metrics: str, **more: Any) -> SignalSource:
    spec = Signal(signal, metrics, ("engine",), **more)
    return SignalSource(signal, spec.kind, metrics[0], 1.0, 1, spec, "", ())


RUNNING = source("running", "vllm:num_requests_running")
CACHE = source("kv-cache", "vllm:kv_cache_usage_perc")
OURS = [adapter_rules.rule_for(RUNNING), adapter_rules.rule_for(CACHE)]

LAYOUTS = {
    "empty list": "rules: []\n",
    "block at the margin": "rules:\n- seriesQuery: 'a{x!=\"\"}'\n  metricsQuery: b\n",
    "block, indented, comment and section behind": (
        "rules:\n  - seriesQuery: a\n    metricsQuery: |\n      foo\n      bar\n"
        "# theirs\nexternalRules:\n- seriesQuery: z\n  metricsQuery: y\n"
    ),
    "flow entries": "rules:\n- {seriesQuery: a, metricsQuery: b}\n\n# end",
    "section before": (
        "resourceRules:\n  cpu:\n    containerLabel: container\nrules:\n- seriesQuery: a\n  metricsQuery: b\n"
    ),
    "nested end": "rules:\n- seriesQuery: a\n  resources:\n    overrides:\n      ns: {resource: namespace}\n# end\n",
}


@pytest.mark.parametrize("text", LAYOUTS.values(), ids=LAYOUTS.keys())
def test_add_then_remove_gives_every_byte_back(text: str) -> None:
    added = adapter_rules.add(text, OURS)
    assert yaml.safe_load(added)["rules"][-2:] == OURS
    assert adapter_rules.remove(added, OURS) == text


@pytest.mark.parametrize(
    "text", ["", "rules:\n", "resourceRules: {}\n", "rules:\n- seriesQuery: a\n  metricsQuery: b"]
)
def test_add_then_remove_means_the_same_where_bytes_must_change(text: str) -> None:
    left = adapter_rules.remove(adapter_rules.add(text, OURS), OURS)
    before = yaml.safe_load(text) or {}
    assert {**yaml.safe_load(left), "rules": before.get("rules") or []} == {
        **before,
        "rules": before.get("rules") or [],
    }


def test_what_others_add_behind_ours_stays() -> None:
    text = LAYOUTS["block at the margin"]
    theirs = {"seriesQuery": "other", "metricsQuery": "q"}
    later = adapter_rules.add(adapter_rules.add(text, OURS), [theirs])
    assert adapter_rules.remove(later, OURS) == adapter_rules.add(text, [theirs])


def test_counts_survive_two_scrape_jobs_and_ratios_are_never_added_up() -> None:
    assert OURS[0]["metricsQuery"] == (
        "sum by (<<.GroupBy>>) (max by (<<.GroupBy>>, engine) (vllm:num_requests_running{<<.LabelMatchers>>}))"
        " > -Inf < +Inf"
    )
    assert OURS[1]["metricsQuery"] == (
        "max by (<<.GroupBy>>) (vllm:kv_cache_usage_perc{<<.LabelMatchers>>}) > -Inf < +Inf"
    )


def test_a_renamed_metric_is_served_under_its_newest_name_whichever_is_live() -> None:
    rule = adapter_rules.rule_for(source("kv-cache", "vllm:kv_cache_usage_perc", "vllm:gpu_cache_usage_perc"))
    assert rule["metricsQuery"] == (
        "max by (<<.GroupBy>>) (vllm:kv_cache_usage_perc{<<.LabelMatchers>>} or "
        "vllm:gpu_cache_usage_perc{<<.LabelMatchers>>}) > -Inf < +Inf"
    )
    for live in ("vllm:kv_cache_usage_perc", "vllm:gpu_cache_usage_perc"):
        assert re.search(r'__name__=~"([^"]*)"', rule["seriesQuery"])
        assert adapter_rules.named(rule, live) == "vllm:kv_cache_usage_perc"
    assert adapter_rules.serves(rule, "vllm:kv_cache_usage_perc")


def test_counts_that_add_up_tolerate_one_that_is_not_there() -> None:
    rule = adapter_rules.rule_for(
        source(
            "in-flight", "x:running", plus=("x:waiting",), where=(("priority", ""),), served_as="x:in_flight"
        )
    )
    assert rule["name"] == {"as": "x:in_flight"}
    assert rule["metricsQuery"] == (
        "sum by (<<.GroupBy>>) (max by (<<.GroupBy>>, engine, __name__) "
        '({__name__=~"x:running|x:waiting",<<.LabelMatchers>>,priority=""})) > -Inf < +Inf'
    )


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("rules:\n- seriesQuery: a\n  descripton: b\n", "descripton"),
        ("ruls: []\n", "ruls"),
        ("rules:\n- seriesQuery: a\n  name: {match: b}\n", "match"),
        ("rules:\n- resources: {overrides: {ns: {resources: namespace}}}\n", "resources"),
        ("resourceRules:\n  cpu: {containerquery: q}\n", "containerquery"),
        ("rules: {}\n", "rules is not a list"),
        ("externalRules: [a]\n", "an entry of externalRules is not a mapping"),
    ],
)
def test_a_key_that_the_adapter_does_not_know_is_refused(text: str, key: str) -> None:
    with pytest.raises(LlmHpaError, match=key):
        adapter_rules.parse(text)


METRIC = "vllm:num_requests_running"


@pytest.mark.parametrize(
    ("rule", "served"),
    [
        ({"seriesQuery": METRIC + '{pod!=""}'}, True),
        ({"seriesQuery": METRIC, "name": {"as": "c"}}, False),
        ({"seriesQuery": "a", "name": {"as": METRIC}}, True),
        ({"seriesQuery": "x_" + METRIC, "name": {"matches": "^x_(.*)$"}}, True),
        ({"seriesQuery": "a:b", "name": {"matches": "^c"}}, False),
        ({"seriesQuery": '{__name__=~"^a"}'}, False),
        ({"seriesQuery": '{__name__=~"^container_.*",container!="POD",pod!=""}'}, False),
        ({"seriesQuery": '{namespace!="",__name__!~"^container_.*"}'}, True),
        (
            {
                "seriesQuery": '{namespace!="",__name__!~"^container_.*"}',
                "seriesFilters": [{"isNot": ".*_total$"}],
                "name": {"matches": "", "as": ""},
            },
            True,
        ),
        (
            {
                "seriesQuery": '{namespace!="",__name__!~"^container_.*"}',
                "seriesFilters": [{"isNot": ".*_seconds_total"}],
                "name": {"matches": "^(.*)_total$", "as": ""},
            },
            False,
        ),
        ({"seriesQuery": '{pod!=""}', "seriesFilters": [{"is": "^sglang"}]}, False),
        ({"seriesQuery": '{__name__=~"["}'}, False),
        ({"seriesQuery": ""}, False),
    ],
)
def test_who_serves_a_metric_already(rule: Json, served: bool) -> None:
    assert adapter_rules.serves(rule, METRIC) is served


_words = st.text(st.characters(min_codepoint=32, max_codepoint=0x2FF), max_size=20)
_rules = st.lists(
    st.fixed_dictionaries(
        {"seriesQuery": _words, "metricsQuery": _words}, optional={"name": st.just({"as": "x"})}
    ),
    max_size=4,
)


@settings(deadline=None)
@given(rules=_rules, width=st.sampled_from([20, 200]), flow=st.sampled_from([None, False, True]))
def test_any_dumped_file_survives(rules: list[Json], width: int, flow: bool | None) -> None:
    text = yaml.safe_dump(
        {"externalRules": [], "rules": rules}, width=width, default_flow_style=flow, sort_keys=False
    )
    added = adapter_rules.add(text, OURS)
    assert yaml.safe_load(added) == {"externalRules": [], "rules": [*rules, *OURS]}
    assert yaml.safe_load(adapter_rules.remove(added, OURS)) == {"externalRules": [], "rules": rules}


ARMS = {"__name__": METRIC, "pod_name": "p", "pod_namespace": "n"}
OPERATOR = {"__name__": METRIC, "pod": "p", "namespace": "n"}
CATCH_ALL: Json = {
    "seriesQuery": '{namespace!="",__name__!~"^container_.*"}', "resources": {"template": "<<.Resource>>"},
}  # fmt: skip


def test_a_rule_for_other_labels_serves_nothing_of_live_series() -> None:
    rule = adapter_rules.rule_for(RUNNING)
    assert adapter_rules.serves(rule, METRIC, [OPERATOR])
    assert not adapter_rules.serves(rule, METRIC, [ARMS])
    assert adapter_rules.serves(rule, METRIC, [ARMS, OPERATOR])
    assert adapter_rules.serves(CATCH_ALL, METRIC, [OPERATOR])
    assert not adapter_rules.serves(CATCH_ALL, METRIC, [ARMS])
    arms = adapter_rules.rule_for(RUNNING, namespace_label="pod_namespace", pod_label="pod_name")
    assert adapter_rules.serves(arms, METRIC, [ARMS])
    assert (adapter_rules.namespace_label(arms), adapter_rules.pod_label(arms)) == (
        "pod_namespace",
        "pod_name",
    )


def test_of_two_rules_for_one_name_the_other_one_is_told() -> None:
    ours = adapter_rules.rule_for(RUNNING)
    other = {"seriesQuery": "a", "name": {"as": METRIC}}
    assert adapter_rules.rival(METRIC, [ours], [ours, other]) == other
    assert adapter_rules.rival(METRIC, [ours], [ours, {"seriesQuery": "a"}]) is None


def test_the_query_that_prometheus_is_asked_beforehand() -> None:
    both = adapter_rules.rule_for(source("kv-cache", "vllm:kv_cache_usage_perc", "vllm:gpu_cache_usage_perc"))
    assert adapter_rules.series_names(both) == ["vllm:kv_cache_usage_perc", "vllm:gpu_cache_usage_perc"]
    assert adapter_rules.example_query(adapter_rules.rule_for(CACHE)) == (
        'max by (pod) (vllm:kv_cache_usage_perc{namespace="none",pod=~"none"}) > -Inf < +Inf'
    )
