"""The peak of `anticipate` through prometheus-adapter: its rule, the label of its series, who may serve it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, replace
from decimal import Decimal
from typing import Any

import pytest

from kubectl_llmhpa import engines, names
from kubectl_llmhpa.api import Json
from kubectl_llmhpa.backends import adapter_rules, external_rules, helm
from kubectl_llmhpa.backends.model import ACK, PROMETHEUS_ADAPTER
from kubectl_llmhpa.backends.prometheus_adapter import EXTERNAL_GROUP, GROUP, Adapter
from kubectl_llmhpa.backends.providers import Provider
from kubectl_llmhpa.engines import SignalSource, promql
from kubectl_llmhpa.errors import LlmHpaError
from kubectl_llmhpa.plan.adapter import lost_rules, metrics_api, rule_users
from kubectl_llmhpa.plan.adapter.rule_record import RECORD, Record
from kubectl_llmhpa.plan.setting_up import external_api, own_label
from kubectl_llmhpa.plan.wishes import Wishes
from kubectl_llmhpa.policy import PEAK, Target
from kubectl_llmhpa.simulate import scalers
from tests.unit.test_plan import WORKLOAD, make, stored

RUNNING, WAITING = "vllm:num_requests_running", "vllm:num_requests_waiting"
PEAK_OF_RUNNING = f"{RUNNING}_peak_5m"
AHEAD = Wishes(max_replicas=3, backend=PROMETHEUS_ADAPTER, preset="anticipate")
THEIRS = """\
# theirs
rules:
- seriesQuery: up
  metricsQuery: b  # kept
externalRules:
- seriesQuery: queue
  metricsQuery: c
"""


def adapter(external_at: str = "monitoring/pa", kind: str = PROMETHEUS_ADAPTER) -> Adapter:
    deployment = {"metadata": {"name": "pa", "namespace": "monitoring"}}
    provider = Provider("v1beta1.custom.metrics.k8s.io", "v1beta1", "monitoring", "pa", 443, True, "", {})
    return Adapter(
        "v1beta1",
        deployment,
        "pa",
        "config.yaml",
        "",
        60,
        60,
        kind,
        provider=provider,
        external_at=external_at,
    )


def sources() -> dict[str, SignalSource]:
    rows = {one.name: one for one in engines.ENGINES}
    return {one.name: promql.source(one, one.metrics[0], None, 1) for one in rows["vllm"].signals}


def rule(namespace_label: str = "namespace", pod_label: str = "pod") -> Json:
    target = Target("running", RUNNING, Decimal(4), "", PEAK)
    return external_rules.rule_for(target, sources(), namespace_label=namespace_label, pod_label=pod_label)


def test_the_rule_is_no_workloads_and_lets_through_finite_numbers_only() -> None:
    made = rule()
    assert made["name"] == {"as": PEAK_OF_RUNNING}
    assert made["resources"] == {"overrides": {"namespace": {"resource": "namespace"}}}
    query = made["metricsQuery"]
    assert query.count(f"{{{adapter_rules.MATCHERS}}}") == query.count("num_requests_")
    assert query.endswith(promql.FINITE)
    assert adapter_rules.list_of(made) == adapter_rules.EXTERNAL
    assert adapter_rules.listed_as(PEAK_OF_RUNNING, made) == f"external/{PEAK_OF_RUNNING}"
    assert "<<" not in adapter_rules.example_query(made)


def test_other_labels_of_series_are_heeded() -> None:
    made = rule("pod_namespace", "pod_name")
    assert 'pod_namespace!="",pod_name!=""' in made["seriesQuery"]
    assert "by (pod_namespace, pod_name)" in made["metricsQuery"]
    assert adapter_rules.namespace_label(made) == "pod_namespace"


@pytest.mark.parametrize("text", [THEIRS, "rules: []\n", "", "externalRules: []\nrules:\n- seriesQuery: a\n"])
def test_both_lists_are_edited_in_place_and_given_back(text: str) -> None:
    of_pods = adapter_rules.rule_for(sources()["waiting"])
    edited = adapter_rules.add(text, [of_pods, rule()])
    lists = adapter_rules.lists(adapter_rules.parse(edited))
    assert lists[adapter_rules.CUSTOM][-1] == of_pods
    assert lists[adapter_rules.EXTERNAL][-1] == rule()
    back = adapter_rules.lists(adapter_rules.parse(adapter_rules.remove(edited, [of_pods, rule()])))
    assert back == adapter_rules.lists(adapter_rules.parse(text))
    if text == THEIRS:
        assert adapter_rules.remove(edited, [of_pods, rule()]) == text


def test_values_of_a_chart_have_both_lists() -> None:
    of_pods = adapter_rules.rule_for(sources()["waiting"])
    before: Json = {"rules": {"default": False}}
    wanted = helm.joined(helm.lists(PROMETHEUS_ADAPTER, before), [of_pods, rule()])
    after = helm.with_lists(PROMETHEUS_ADAPTER, before, wanted)
    assert after["rules"] == {"default": False, "custom": [of_pods], "external": [rule()]}
    only_pods = helm.without(wanted, [rule()])
    assert helm.with_lists(PROMETHEUS_ADAPTER, before, only_pods)["rules"].keys() == {"default", "custom"}
    assert helm.lists(ACK, {}).keys() == {"custom"}


ALONE = {"namespace": "ml", "pod": "vllm-0"}


@pytest.mark.parametrize(
    ("ours", "others", "label"),
    [
        ([{"app": "vllm"}, {"app": "vllm"}], [{"app": "x"}], "app"),
        ([{"app": "vllm"}], [{"app": "vllm"}], None),
        ([{"app": "vllm"}, {"app": "b"}], [], None),
        ([{"app": "vllm"}, {}], [], None),
        ([{"job": "ml/vllm"}], [], None),
        ([{"job": "ml/vllm", "service": "vllm-metrics"}], [], "service"),
        ([{"container": "vllm", "instance": "10.0.0.1:8000"}], [], None),
        ([{"app": "vllm", "workload_name": "vllm"}], [{"app": "vllm"}], "workload_name"),
        ([{"app": "x" * 64}], [], None),
    ],
)
def test_the_label_of_a_workloads_series(
    ours: list[Mapping[str, str]], others: list[Mapping[str, str]], label: str | None
) -> None:
    assert own_label.choose([{**ALONE, **one} for one in ours], others) == label


@pytest.mark.parametrize(
    ("there", "register", "problem"),
    [
        (adapter(), False, ""),
        (adapter(""), True, ""),
        (adapter(""), False, "no APIService leads external"),
        (adapter("keda/keda-metrics"), True, "leads to keda/keda-metrics"),
        (adapter(kind=ACK), True, "the ACK adapter"),
        (None, True, "there is no adapter"),
    ],
)
def test_who_can_serve_a_number_of_all_pods(there: Adapter | None, register: bool, problem: str) -> None:
    error = external_api.problem(there, register=register)
    assert (problem in str(error)) if problem else error is None


def test_the_apis_that_rules_need() -> None:
    of_pods = adapter_rules.rule_for(sources()["waiting"])
    assert metrics_api.needed([of_pods]) == [GROUP]
    assert metrics_api.missing(adapter(""), [of_pods, rule()]) == [EXTERNAL_GROUP]
    assert metrics_api.missing(adapter("keda/keda"), [rule()]) == []


def external(hpa: Json) -> list[Json]:
    return [one["external"] for one in hpa["spec"]["metrics"] if one["type"] == "External"]


def test_the_plan_has_the_metric_its_rule_and_the_label() -> None:
    plan = make(AHEAD, adapter=adapter())
    (metric,) = external(plan.scaler.object)
    assert metric["metric"] == {
        "name": PEAK_OF_RUNNING, "selector": {"matchLabels": {"workload_name": WORKLOAD.label}},
    }  # fmt: skip
    assert metric["target"]["type"] == "AverageValue"
    assert plan.rules.keys() == {PEAK_OF_RUNNING, WAITING, "vllm:kv_cache_usage_perc"}
    assert set(plan.journal.metrics) == plan.rules.keys()
    assert plan.scrape.object is not None
    (relabeling,) = plan.scrape.object["spec"]["podMetricsEndpoints"][0]["relabelings"]
    assert relabeling == {
        "action": "replace", "targetLabel": "workload_name", "replacement": WORKLOAD.label,
    }  # fmt: skip


def test_a_second_run_keeps_it_and_another_policy_takes_it_away() -> None:
    first = make(AHEAD, adapter=adapter())
    assert first.scrape.object is not None
    around: dict[str, Any] = {
        "adapter": adapter(), "hpas": [stored(first.scaler.object)], "pod_monitors": [stored(first.scrape.object)],
        "journal": first.journal,
    }  # fmt: skip
    kept = make(Wishes(), **around)
    assert kept.scaler.object["spec"] == first.scaler.object["spec"]
    assert kept.scrape.object is not None
    assert kept.scrape.object["spec"] == first.scrape.object["spec"]
    plain = make(Wishes(preset="load"), **around)
    assert external(plain.scaler.object) == []
    assert plain.scrape.object is not None
    assert "relabelings" not in plain.scrape.object["spec"]["podMetricsEndpoints"][0]


def test_without_keda_the_adapter_is_taken() -> None:
    made = make(replace(AHEAD, backend="auto"), adapter=adapter())
    assert made.backend.backend == PROMETHEUS_ADAPTER
    with pytest.raises(LlmHpaError, match="External metric"):
        make(replace(AHEAD, backend="auto"), adapter=adapter(""))


def test_an_hpa_uses_the_rule_of_its_external_metric() -> None:
    hpa = make(AHEAD, adapter=adapter()).scaler.object
    assert PEAK_OF_RUNNING in rule_users.metrics(hpa)


def test_the_name_tells_the_signal_and_what_is_simulated() -> None:
    assert names.signal_named(PEAK_OF_RUNNING) == ("vllm", "running")
    assert names.peak_minutes(PEAK_OF_RUNNING) == 5
    assert names.peak_minutes(RUNNING) == 0
    hpa = make(AHEAD, adapter=adapter()).scaler.object
    measures = scalers.of_hpa(hpa, "it").scaling.measures
    (peak,) = [one for one in measures if one.over == "peak"]
    assert (peak.signal, peak.combine, peak.window, peak.memory) == ("running", "sum", 300, PEAK.memory)


def test_a_rule_that_is_lost_from_the_file_is_told() -> None:
    record = Record("", [], "", {PEAK_OF_RUNNING: rule()})
    recorded = {
        "metadata": {"namespace": "monitoring", "name": RECORD},
        "data": {"record.json": json.dumps(asdict(record))},
    }
    listed = {"resources": [{"name": PEAK_OF_RUNNING}]}

    def told(text: str, external: Json | None) -> list[str]:
        file: Json = {"metadata": {}, "data": {"config.yaml": text}}
        return list(lost_rules.judge(adapter(), file, recorded, {"resources": []}, external))

    assert told(THEIRS, listed) == [PEAK_OF_RUNNING]
    assert told(adapter_rules.add(THEIRS, [rule()]), listed) == []
    assert told(THEIRS, None) == []
