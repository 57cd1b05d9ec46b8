"""A rule that the adapter has read and that is gone from its file: a finding before the restart that loses it."""

from __future__ import annotations

import json
from dataclasses import asdict

import pytest

from kubectl_llmhpa.api import Json
from kubectl_llmhpa.backends.prometheus_adapter import Adapter
from kubectl_llmhpa.errors import LlmHpaError
from kubectl_llmhpa.plan.adapter import lost_rules, rule_record
from kubectl_llmhpa.plan.adapter.rule_record import Record

OURS: Json = {"seriesQuery": "m", "metricsQuery": "q"}
ADAPTER = Adapter(
    "v1beta1", {"metadata": {"namespace": "monitoring", "name": "pa"}}, "pa", "config.yaml", "", 60, 60
)
RECORDED: Json = {
    "metadata": {"namespace": "monitoring", "name": rule_record.RECORD},
    "data": {"record.json": json.dumps(asdict(Record("", [], "", {"m": OURS})))},
}
HELM = {"meta.helm.sh/release-name": "pa", "meta.helm.sh/release-namespace": "monitoring"}


def config_map(text: str, annotations: Json | None = None) -> Json:
    return {"metadata": {"annotations": annotations or {}}, "data": {"config.yaml": text}}


def codes(text: str, *served: str, annotations: Json | None = None) -> list[str]:
    listed = {"resources": [{"name": name} for name in served]}
    found = lost_rules.judge(ADAPTER, config_map(text, annotations), RECORDED, listed)
    return [str(one) for one in found.values()]


def test_a_rule_that_is_gone_while_its_metric_is_served() -> None:
    (said,) = codes("rules: []\n", "pods/m", annotations=HELM)
    assert said.startswith("ConfigMap/monitoring/pa: the rule for m is gone from it; ")
    assert "the values of Helm release pa in monitoring [rule-will-be-lost]" in said
    assert "put the rule into the file" in codes("rules: []\n", "pods/m")[0]


@pytest.mark.parametrize(
    ("text", "served"),
    [
        ("rules:\n- {seriesQuery: m, metricsQuery: q}\n", "pods/m"),
        ("rules:\n- {seriesQuery: m, metricsQuery: another}\n", "pods/m"),
        ("rules:\n- {seriesQuery: a, name: {as: m}}\n", "pods/m"),
        ("rules: []\n", "pods/other"),
        ("not: known\n", "pods/m"),
    ],
    ids=["there", "another rule", "renamed", "not served", "broken file"],
)
def test_nothing_is_lost(text: str, served: str) -> None:
    assert codes(text, served) == []


def test_what_could_not_be_read_is_no_finding() -> None:
    assert lost_rules.judge(ADAPTER, None, RECORDED, {}) == {}
    assert lost_rules.judge(ADAPTER, config_map(""), None, {}) == {}
    assert lost_rules.judge(ADAPTER, config_map(""), RECORDED, None) == {}


def test_a_record_of_another_version_is_said() -> None:
    with pytest.raises(LlmHpaError, match="use the newer version"):
        rule_record.parsed({**RECORDED, "data": {"record.json": '{"shape": 2}'}})
