"""Where rules of prometheus-adapter are found in manifests, and what becomes of hostile ones."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from kubectl_llmhpa.lint import adapter_files, documents, registry
from kubectl_llmhpa.lint.documents import Document, FieldPath

RULE: dict[str, Any] = {
    "seriesQuery": 'vllm:num_requests_waiting{namespace!="",pod!=""}',
    "resources": {"template": "<<.Resource>>"},
    "metricsQuery": "sum(<<.Series>>{<<.LabelMatchers>>}) by (<<.GroupBy>>)",
}
FILE = {"rules": [RULE], "externalRules": [RULE]}


def config_map(text: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, "data": {"config.yaml": text}}


def values(*path: str) -> dict[str, Any]:
    found: dict[str, Any] = {"rules": {"custom": [RULE], "external": [RULE]}}
    for key in reversed(path):
        found = {key: found}
    return found


@pytest.mark.parametrize(
    ("document", "custom", "external"),
    [
        (config_map(yaml.safe_dump(FILE)), ("data", "config.yaml"), ("data", "config.yaml")),
        (FILE, ("rules", 0), ("externalRules", 0)),
        (values(), ("rules", "custom", 0), ("rules", "external", 0)),
        (values("adapter"), ("adapter", "rules", "custom", 0), ("adapter", "rules", "external", 0)),
        (
            {"apiVersion": "helm.toolkit.fluxcd.io/v2", "kind": "HelmRelease", "spec": {"values": values()}},
            ("spec", "values", "rules", "custom", 0),
            ("spec", "values", "rules", "external", 0),
        ),
        (
            values("AlibabaCloudMetricsAdapter", "prometheus", "adapter"),
            ("AlibabaCloudMetricsAdapter", "prometheus", "adapter", "rules", "custom", 0),
            ("AlibabaCloudMetricsAdapter", "prometheus", "adapter", "rules", "external", 0),
        ),
    ],
    ids=["ConfigMap", "file", "values", "dependency", "Flux", "Alibaba"],
)
def test_where_rules_are_found(document: dict[str, Any], custom: FieldPath, external: FieldPath) -> None:
    found = [one for file in adapter_files.files(Document("f", 1, document)) for one in file.rules]
    assert [(one.path, one.external) for one in found] == [(custom, False), (external, True)]
    assert all(one.rule == RULE for one in found)


@pytest.mark.parametrize(
    "document",
    [
        {"rules": {"custom": [{"a": 1}]}},
        {"groups": [{"rules": [{"expr": "up"}]}]},
        {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "rules": [{"verbs": ["get"]}]},
        config_map("groups:\n- rules: [{expr: up}]\n"),
        config_map("note: the seriesQuery of another file\n"),
        {"a": 1},
    ],
)
def test_other_rules_are_left_alone(document: dict[str, Any]) -> None:
    assert list(adapter_files.files(Document("f", 1, document))) == []


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        (
            "sum(<<.Series>>{<<.LabelMatchers>>}) by (<<.GroupBy>>)",
            'sum(m{namespace=~".+",pod=~".+"}) by (pod)',
        ),
        ("<< .Series >>{<<- .LabelMatchers ->>}", 'm{namespace=~".+",pod=~".+"}'),
        ('m{pod=~"<<index .LabelValuesByName "pod">>"}', 'm{pod=~".+"}'),
        ("<<range .GroupBySlice>>x<<end>>", ""),
    ],
)
def test_a_rule_is_filled_in_as_the_adapter_does(template: str, expected: str) -> None:
    assert adapter_files.expanded({**RULE, "metricsQuery": template}, "m") == expected


def codes(text: str) -> list[str]:
    return [one.finding.code for one in registry.run(documents.parse(text, "f.yaml").documents).found]


@pytest.mark.parametrize(
    "change",
    [
        {"name": "x"}, {"name": []}, {"resources": 5}, {"resources": {"overrides": []}}, {"seriesFilters": "x"},
        {"seriesFilters": [1]}, {"seriesQuery": 5}, {"seriesQuery": None}, {"metricsQuery": {"a": 1}},
        {"metricsQuery": "<<" * 5000}, {"seriesQuery": "(" * 5000}, {"name": {"matches": "("}}, {"name": {"as": 5}},
        {"resources": {"overrides": {"pod": "pod"}}}, {"resources": {"overrides": {5: {"resource": "pod"}}}},
    ],
)  # fmt: skip
def test_a_hostile_rule_is_told_and_does_not_end_the_run(change: dict[str, Any]) -> None:
    """Of types that it should not have, and of text that does not parse; other rules are judged all the same."""
    other = {**RULE, "metricsQuery": "sum(<<.Series>>{<<.LabelMatchers>>})", "name": {"as": "other"}}
    broken = config_map(yaml.safe_dump({"rules": [{**RULE, **change}]}))
    beside = config_map(yaml.safe_dump({"rules": [other]}))
    found = codes(yaml.safe_dump_all([broken, beside]))
    assert "adapter-no-group-by" in found
    assert len(found) > 1 or change == {"name": {"as": 5}}


def test_a_file_that_is_no_yaml() -> None:
    assert codes(yaml.safe_dump(config_map("rules:\n- seriesQuery: [\n"))) == ["adapter-config-refused"]
