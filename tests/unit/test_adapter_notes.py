"""What is said, or refused, before rules are added to a file that others own."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import yaml

from kubectl_llmhpa.api import Json
from kubectl_llmhpa.backends.model import ACK
from kubectl_llmhpa.backends.prometheus_adapter import Adapter
from kubectl_llmhpa.errors import LlmHpaError
from kubectl_llmhpa.plan.looking.look import Surroundings
from kubectl_llmhpa.plan.setting_up import adapter_notes
from kubectl_llmhpa.plan.wishes import Wishes

THEIRS: Json = {"seriesQuery": "theirs", "metricsQuery": "q"}
OURS: dict[str, Json] = {"m": {"seriesQuery": "m", "metricsQuery": "q"}}
HELM = ("Helm", "release pa in monitoring")


def around(owner: tuple[str, str] | None, *, gap: bool = False, **adapter: Any) -> Surroundings:
    container: Json = {"name": "pa", "image": "prometheus-adapter"} | ({} if gap else {"readinessProbe": {}})
    deployment = {
        "metadata": {
            "name": "pa", "namespace": "monitoring", "labels": {"helm.sh/chart": "prometheus-adapter-5.3.0"},
            "annotations": {"meta.helm.sh/release-name": "pa", "meta.helm.sh/release-namespace": "monitoring"},
        },
        "spec": {"template": {"spec": {"containers": [container]}}},
    }  # fmt: skip
    return Surroundings(
        namespace_labels={}, hpas=[], scaled_objects=[], pod_monitors=[], prometheuses=[], journal=None,
        adapter=Adapter("v1beta1", deployment, "pa", "config.yaml", "", 60, 60, **adapter),
        served=frozenset(), rules=(THEIRS,), recorded={}, server=None, server_pods={}, blind=None,
        file_owner=owner,
    )  # fmt: skip


def notes(owner: tuple[str, str] | None, wishes: Wishes | None = None, **facts: Any) -> list[str]:
    return adapter_notes.notes(around(owner, **facts), OURS, wishes or Wishes())


def test_nobodys_file_is_edited_without_a_word() -> None:
    assert notes(None) == []
    assert notes(HELM, Wishes(parts=frozenset({"hpa"}))) == []
    assert adapter_notes.notes(around(HELM), {}, Wishes()) == []


def test_helms_file_is_left_alone_and_the_command_is_given() -> None:
    with pytest.raises(LlmHpaError, match=r"belongs to Helm \(release pa in monitoring\)") as refused:
        notes(HELM)
    assert "--helm CHART" in str(refused.value)
    assert yaml.safe_load(refused.value.detail) == {"rules": {"custom": list(OURS.values())}}
    assert "# Helm replaces lists" in refused.value.detail
    assert "# helm upgrade pa prometheus-adapter --repo " in refused.value.detail


def test_the_vendors_values_come_whole() -> None:
    with pytest.raises(LlmHpaError) as refused:
        notes(HELM, kind=ACK)
    below = yaml.safe_load(refused.value.detail)["AlibabaCloudMetricsAdapter"]["prometheus"]["adapter"]
    assert below["rules"] == {"default": False, "custom": [THEIRS, *OURS.values()]}
    assert "Helm replaces lists" not in refused.value.detail


@pytest.mark.parametrize(
    ("owner", "words"), [(("Flux", "infra"), "belongs to Flux"), (None, "may not be edited")]
)
def test_refused_without_helm(owner: tuple[str, str] | None, words: str) -> None:
    with pytest.raises(LlmHpaError, match=words) as refused:
        notes(owner, Wishes(edit_adapter=False))
    assert "--helm" not in str(refused.value)
    assert "helm upgrade" not in refused.value.detail


def test_an_edit_by_force_says_what_happens_next() -> None:
    forced = Wishes(edit_adapter=True)
    assert "the next `helm upgrade` drops the rules" in notes(HELM, forced)[0]
    assert notes(("Argo CD", "application x"), forced) == [
        "configmap monitoring/pa belongs to Argo CD (application x), which will revert the rules that are added now"
    ]


def test_a_gap_is_announced() -> None:
    assert notes(None, gap=True) == [
        "pa reads its rules anew, and it has no readiness probe: for a moment no HPA can read custom metrics"
    ]
    upgraded = Wishes(helm_chart="chart")
    assert notes(HELM, upgraded) == []
    (said,) = notes(HELM, upgraded, kind=ACK, reloads=True)
    assert "its sidecar ends its only process" in said


@pytest.mark.parametrize(
    ("resources", "words"),
    [
        ({"overrides": {"pod": {"resource": "pod"}}}, ""),
        ({"template": "<<.Resource>>"}, ""),
        ({"overrides": {"pod_name": {"resource": "pod"}}}, "takes pods from label 'pod_name'"),
        ({"overrides": {"namespace": {"resource": "namespace"}}}, "knows no pods"),
    ],
)
def test_a_rule_for_other_labels_than_the_series_have_is_refused(resources: Json, words: str) -> None:
    facts = replace(around(None), rules=(THEIRS, {"seriesQuery": "m", "resources": resources}))
    adapter_notes.check_labels(facts, ["other"], "pod")
    if not words:
        adapter_notes.check_labels(facts, ["m"], "pod")
        return
    with pytest.raises(LlmHpaError, match=words):
        adapter_notes.check_labels(facts, ["m"], "pod")
