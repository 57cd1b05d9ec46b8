"""ScaledObjects as they are written: what KEDA and its webhook make of each part is in the module's head."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from kubectl_llmhpa.api import MANAGED_BY, MANAGER, Json
from kubectl_llmhpa.backends import scaled_object
from kubectl_llmhpa.backends.scaled_object import Fallback, Trigger
from kubectl_llmhpa.engines import SignalSource, identify
from kubectl_llmhpa.errors import LlmHpaError
from kubectl_llmhpa.policy import Target, behavior

MATCHERS = 'namespace="llm",job="llm/vllm"'
LABELS = {MANAGED_BY: MANAGER, "kubectl-llm-hpa/workload": "StatefulSet.vllm"}
RUNNING = Trigger("running", "sum(x)", Decimal("4.80"), "AverageValue")


def sources() -> dict[str, SignalSource]:
    body = Path(__file__).parents[1] / "bodies" / "vllm-0.32.0-busy.txt"
    return dict(identify(body.read_text()).signals)


def render(**changed: Any) -> Json:
    return scaled_object.render(**{
        "name": "vllm", "namespace": "llm", "min_replicas": 1, "max_replicas": 3, "triggers": [RUNNING],
        "scale_target": {"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "vllm"}, "behavior": behavior(),
        "address": "http://prometheus.monitoring.svc:9090", "labels": LABELS, "annotations": {}, "hpa_name": "vllm",
        **changed,
    })  # fmt: skip


def test_a_trigger_says_everything_that_has_a_dangerous_default() -> None:
    (made,) = render()["spec"]["triggers"]
    assert made == {
        "type": "prometheus", "name": "running", "metricType": "AverageValue",
        "metadata": {
            "serverAddress": "http://prometheus.monitoring.svc:9090", "query": "sum(x)", "threshold": "4.8",
            "ignoreNullValues": "false",
        },
    }  # fmt: skip


def test_what_the_webhook_warns_of_and_what_moves_replicas_by_itself_is_left_out() -> None:
    spec = render()["spec"]
    assert not spec.keys() & {"pollingInterval", "cooldownPeriod", "idleReplicaCount", "fallback"}
    assert spec["advanced"].keys() == {"horizontalPodAutoscalerConfig"}


@pytest.mark.parametrize(
    ("signal", "form"),
    [
        ("running", "AverageValue"),
        ("kv-cache", "AverageValue"),
        ("generation-tokens", "AverageValue"),
        ("ttft", "Value"),
    ],
)
def test_a_latency_alone_is_compared_as_it_is(signal: str, form: str) -> None:
    made = scaled_object.trigger(Target(signal, "", Decimal(1), ""), sources(), MATCHERS)
    assert (made.signal, made.metric_type) == (signal, form)


def test_a_ratio_is_the_sum_of_the_pods_ratios() -> None:
    query = scaled_object.trigger(Target("kv-cache", "", Decimal("0.8"), ""), sources(), MATCHERS).query
    assert query.startswith("sum(max by (namespace, pod) (vllm:kv_cache_usage_perc{" + MATCHERS + "}")


def test_pods_are_told_apart_by_the_labels_of_the_scrape() -> None:
    target = Target("running", "", Decimal(4), "")
    made = scaled_object.trigger(target, sources(), MATCHERS, by="pod_namespace, pod_name")
    assert made.query.startswith("sum(sum by (pod_namespace, pod_name) (max by (pod_namespace, pod_name, ")


def test_no_label_of_ours_gets_onto_the_hpa() -> None:
    made = render(annotations={"a": "b"})["metadata"]
    assert made["labels"] == LABELS
    excluded = made["annotations"]["scaledobject.keda.sh/hpa-excluded-labels"]
    assert set(excluded.split(",")) == LABELS.keys()
    assert made["annotations"].keys() == {"a", "scaledobject.keda.sh/hpa-excluded-labels"}


def test_an_hpa_is_taken_over_by_name() -> None:
    made = render(transfer=True, hpa_name="theirs")
    assert made["metadata"]["annotations"]["scaledobject.keda.sh/transfer-hpa-ownership"] == "true"
    assert made["spec"]["advanced"]["horizontalPodAutoscalerConfig"]["name"] == "theirs"


@pytest.mark.parametrize("part", ["name", "hpa_name"])
def test_names_that_keda_refuses_are_refused_with_a_sentence(part: str) -> None:
    with pytest.raises(
        LlmHpaError, match="has 64 characters, and KEDA takes no more than 63; give a shorter one"
    ):
        render(**{part: "n" * 64})
    assert render(**{part: "n" * 63})


def test_a_fallback_only_where_asked_for_and_never_takes_replicas_away() -> None:
    made = render(fallback=Fallback(4))["spec"]["fallback"]
    assert made == {"failureThreshold": 3, "replicas": 4, "behavior": "currentReplicasIfHigher"}


def test_a_token_goes_through_a_trigger_authentication() -> None:
    (made,) = render(authentication="vllm", unsafe_ssl=True)["spec"]["triggers"]
    assert made["authenticationRef"] == {"name": "vllm"}
    assert (made["metadata"]["authModes"], made["metadata"]["unsafeSsl"]) == ("bearer", "true")
    login = scaled_object.trigger_authentication(
        name="vllm", namespace="llm", secret="s", key="token", labels=LABELS, annotations={}
    )
    assert login["kind"] == "TriggerAuthentication"
    assert login["spec"] == {"secretTargetRef": [{"parameter": "bearerToken", "name": "s", "key": "token"}]}


@pytest.mark.parametrize("given", [{}, {"scaleUp": None}, {"scaleDown": {"selectPolicy": "Disabled"}}])
def test_a_behavior_in_part_is_filled_as_the_api_server_does(given: Json) -> None:
    full = scaled_object.in_full(given)
    assert full["scaleUp"]["policies"] == [
        {"type": "Pods", "value": 4, "periodSeconds": 15},
        {"type": "Percent", "value": 100, "periodSeconds": 15},
    ]
    assert full["scaleUp"]["stabilizationWindowSeconds"] == 0
    assert "stabilizationWindowSeconds" not in full["scaleDown"]
    assert full["scaleDown"]["selectPolicy"] == (given.get("scaleDown") or {}).get("selectPolicy", "Max")


def test_ours_is_full_already() -> None:
    assert scaled_object.in_full(behavior()) == behavior()
