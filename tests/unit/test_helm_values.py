"""Rules in the values of a Helm release: where each chart has them, whole lists, and no trace afterwards."""

from __future__ import annotations

import pytest
import yaml

from kubectl_llmhpa.api import Json
from kubectl_llmhpa.backends import ack_adapter, helm
from kubectl_llmhpa.backends.model import ACK, PROMETHEUS_ADAPTER

THEIRS: Json = {"seriesQuery": "theirs", "metricsQuery": "q"}
OURS: Json = {
    "seriesQuery": 'ours{pod!=""}',
    "resources": {"overrides": {"pod": {"resource": "pod"}}},
    "metricsQuery": "sum(<<.Series>>) by (<<.GroupBy>>)",
}


def labelled(chart: str) -> Json:
    annotations = {"meta.helm.sh/release-name": "r", "meta.helm.sh/release-namespace": "ns"}
    return {"metadata": {"annotations": annotations, "labels": {"helm.sh/chart": chart}}}


@pytest.mark.parametrize(
    ("chart", "release"),
    [
        ("prometheus-adapter-5.3.0", helm.Release("r", "ns", "prometheus-adapter", "5.3.0")),
        ("my-adapter-2-1.0.0-rc.1", helm.Release("r", "ns", "my-adapter-2", "1.0.0-rc.1")),
        ("x-1.2.3_build4", helm.Release("r", "ns", "x", "1.2.3+build4")),
        ("", helm.Release("r", "ns")),
    ],
)
def test_the_release_of_an_object(chart: str, release: helm.Release) -> None:
    assert helm.release_of(labelled(chart)) == release


def test_what_helm_did_not_make_has_no_release() -> None:
    assert helm.release_of({"metadata": {"labels": {"helm.sh/chart": "a-1.0.0"}}}) is None


def test_the_line_to_run() -> None:
    community = helm.release_of(labelled("prometheus-adapter-5.3.0"))
    assert community is not None
    assert helm.upgrade_line(community, "rules.yaml") == (
        "helm upgrade r prometheus-adapter --repo https://prometheus-community.github.io/helm-charts "
        "--version 5.3.0 --namespace ns --reuse-values -f rules.yaml"
    )
    assert helm.upgrade_line(helm.Release("r", "ns")) == (
        "helm upgrade r CHART --namespace ns --reuse-values -f FILE"
    )


def test_the_vendors_values_are_whole_and_keep_default_false() -> None:
    text = helm.fragment(ACK, [OURS], [THEIRS])
    assert yaml.safe_load(text) == {
        "AlibabaCloudMetricsAdapter": {
            "prometheus": {"adapter": {"rules": {"default": False, "custom": [THEIRS, OURS]}}}
        }
    }
    assert yaml.safe_load(helm.fragment(ACK, [OURS], [THEIRS, OURS])) == yaml.safe_load(text)


def test_of_the_community_chart_only_the_new_entries_are_given() -> None:
    assert yaml.safe_load(helm.fragment(PROMETHEUS_ADAPTER, [OURS], [THEIRS])) == {
        "rules": {"custom": [OURS]}
    }


@pytest.mark.parametrize("kind", [ACK, PROMETHEUS_ADAPTER])
@pytest.mark.parametrize("values", [{}, {"other": {"a": 1}}, {"rules": {"default": False}}])
def test_rules_put_into_values_and_taken_away_leave_no_trace(kind: str, values: Json) -> None:
    assert helm.listed(kind, values, "custom") is None
    with_ours = helm.with_list(kind, values, "custom", [OURS])
    assert helm.listed(kind, with_ours, "custom") == [OURS]
    assert helm.with_list(kind, with_ours, "custom", None) == values


@pytest.mark.parametrize(
    ("prometheus", "problems"),
    [
        ({"enabled": True, "url": "http://p:9090"}, 0),
        ({"enabled": True, "url": {}}, 1),
        ({"enabled": False, "url": " "}, 2),
        ({}, 2),
        (None, 2),
    ],
)
def test_what_keeps_the_vendors_adapter_from_asking(prometheus: Json | None, problems: int) -> None:
    assert len(ack_adapter.unset({"AlibabaCloudMetricsAdapter": {"prometheus": prometheus}})) == problems
    assert len(ack_adapter.unset({})) == 2
