"""What `status` says of KEDA's HPAs: signals instead of numbers of triggers, and what the HPA itself does not tell."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from kubectl_llmhpa.api import MANAGED_BY, MANAGER, Json
from kubectl_llmhpa.backends import scaled_object
from kubectl_llmhpa.engines import identify
from kubectl_llmhpa.errors import ApiError
from kubectl_llmhpa.hpa import scaled_objects
from kubectl_llmhpa.policy import Target, behavior
from tests.unit.hpa_objects import hpa, inactive
from tests.unit.test_status import Recorded, run, stateful_set

SELECTOR = {"matchLabels": {"scaledobject.keda.sh/name": "vllm"}}
LOST = "prometheus metrics 'prometheus' target may be lost, the result is empty"
RPC = (
    "the HPA was unable to compute the replica count: unable to get external metric llm/s0-prometheus/"
    "&LabelSelector{MatchLabels:map[string]string{scaledobject.keda.sh/name: vllm,},MatchExpressions:"
    "[]LabelSelectorRequirement{},}: unable to fetch metrics from external metrics API: rpc error: code = Unknown desc "
    "= error when getting metric values metric:s0-prometheus encountered error"
)
READY = {
    "type": "Ready",
    "status": "True",
    "message": "ScaledObject is defined correctly and is ready for scaling",
}
BROKEN = {"type": "Ready", "status": "False", "reason": "TriggerError",
          "message": "Triggers defined in ScaledObject are not working correctly"}  # fmt: skip


def scaled(
    *conditions: Json, annotations: Json | None = None, signals: tuple[str, ...] = ("in-flight",)
) -> Json:
    """A ScaledObject of ours for `StatefulSet/vllm`."""
    body = (Path(__file__).parents[1] / "bodies" / "vllm-0.32.0-busy.txt").read_text()
    sources = identify(body).signals
    made = scaled_object.render(
        name="vllm", namespace="llm", hpa_name="vllm", min_replicas=1, max_replicas=6, behavior=behavior(),
        scale_target={"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "vllm"}, address="http://p:9090",
        triggers=[
            scaled_object.trigger(Target(one, "", Decimal(5), ""), sources, 'job="llm/vllm"') for one in signals
        ],
        labels={MANAGED_BY: MANAGER}, annotations=annotations or {},
    )  # fmt: skip
    made["metadata"] |= {"managedFields": [{"manager": MANAGER}], "creationTimestamp": "2026-11-24T10:00:00Z"}
    made["status"] = {"conditions": list(conditions or (READY,)), "hpaName": "vllm"}
    return made


def kedas(*values: str, conditions: list[Json] | None = None) -> Json:
    """The HPA that KEDA made of it."""
    identities = [
        {"name": f"s{index}-prometheus", "selector": SELECTOR} for index in range(max(1, len(values)))
    ]
    target = {"type": "AverageValue", "averageValue": "5"}
    return hpa(
        metrics=[{"type": "External", "external": {"metric": one, "target": target}} for one in identities],
        current_metrics=[
            {"type": "External", "external": {"metric": one, "current": {"averageValue": value}}}
            for one, value in zip(identities, values, strict=False)
        ],
        conditions=conditions,
        ownerReferences=[{"kind": "ScaledObject", "name": "vllm", "controller": True}],
        labels={MANAGED_BY: "keda-operator"},
    )


def failed(message: str = LOST, time: str = "2026-11-24T11:00:00Z") -> Json:
    about = {"kind": "ScaledObject", "namespace": "llm", "name": "vllm"}
    return {"reason": "KEDAScalerFailed", "message": message, "involvedObject": about, "eventTime": time}


def shown(reader: Recorded, monkeypatch: pytest.MonkeyPatch, *words: str) -> Json:
    (item,) = json.loads(run(reader, *words, "-o", "json", monkeypatch=monkeypatch).stdout)["items"]
    found: Json = item
    return found


def recorded(
    hpas: list[Json], scaled_objects: list[Json] | ApiError, events: tuple[Json, ...] = ()
) -> Recorded:
    return Recorded(
        horizontalpodautoscalers=hpas,
        scaledobjects=scaled_objects,
        statefulsets=[stateful_set(3)],
        events=list(events),
    )


def test_the_signals_are_named_and_it_is_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    reader = recorded([kedas("6500m", "4")], [scaled(signals=("in-flight", "kv-cache"))])
    item = shown(reader, monkeypatch)
    assert [one["signal"] for one in item["metrics"]] == ["in-flight", "kv-cache"]
    assert (item["engine"], item["ours"], item["scaledObject"]) == ("vllm", True, "vllm")
    table = run(reader, monkeypatch=monkeypatch).stdout
    assert "   in-flight 6.5/5   " in table
    block = run(reader, "sts/vllm", monkeypatch=monkeypatch).stdout
    assert "KEDA, from ScaledObject vllm of kubectl llm-hpa" in block
    assert "in-flight 6.5/5 is above the target" in block


def test_a_query_by_hand_is_known_by_its_metric(monkeypatch: pytest.MonkeyPatch) -> None:
    theirs = scaled()
    theirs["metadata"] |= {"labels": {}, "managedFields": []}
    (trigger,) = theirs["spec"]["triggers"]
    del trigger["name"]
    trigger["metadata"]["query"] = 'sum(vllm:num_requests_waiting{job="tgi_x"})'
    item = shown(recorded([kedas("6500m")], [theirs]), monkeypatch)
    assert (item["metrics"][0]["signal"], item["engine"], item["ours"]) == ("waiting", "vllm", False)


def test_other_peoples_queries_are_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    theirs = scaled()
    theirs["metadata"] |= {"labels": {}, "managedFields": []}
    theirs["spec"]["triggers"][0]["metadata"]["query"] = 'sum(up{namespace="vllm:num_requests_waiting"})'
    assert run(recorded([kedas("6500m")], [theirs]), monkeypatch=monkeypatch).stdout == ""


def test_an_empty_answer_is_said_in_keda_s_words(monkeypatch: pytest.MonkeyPatch) -> None:
    broken = kedas(conditions=inactive("FailedGetExternalMetric", RPC))
    old = failed("dial tcp: no route to host", "2026-11-24T10:00:00Z")
    item = shown(recorded([broken], [scaled(BROKEN)], (failed(), old)), monkeypatch)
    assert item["state"] == "Broken: value"
    assert item["why"] == f"KEDA cannot compute in-flight: {LOST}"
    item = shown(recorded([broken], [scaled(BROKEN)]), monkeypatch)
    assert item["why"].endswith("the KEDAScalerFailed event of its ScaledObject tells why")


def test_an_active_fallback_is_no_health(monkeypatch: pytest.MonkeyPatch) -> None:
    fallback = {"type": "Fallback", "status": "True"}
    item = shown(recorded([kedas("5")], [scaled(READY, fallback)], (failed(),)), monkeypatch)
    assert item["state"] == "Degraded"
    assert "fallback is active" in item["why"]
    assert item["why"].endswith(LOST)


@pytest.mark.parametrize(
    ("annotations", "said"),
    [
        ({"autoscaling.keda.sh/paused": "true"}, "KEDA is paused by"),
        ({"autoscaling.keda.sh/paused": "yes"}, "KEDA is paused by"),
        ({"autoscaling.keda.sh/paused-replicas": "2"}, "KEDA is paused at 2 replicas by"),
    ],
)
def test_a_paused_one_has_no_hpa_and_is_shown(
    annotations: Json, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader = recorded([], [scaled(annotations=annotations)])
    item = shown(reader, monkeypatch, "sts/vllm")
    assert (item["state"], item["current"], item["min"], item["max"]) == ("Paused", 3, 1, 6)
    assert item["why"].startswith(said)
    assert item["metrics"][0]["target"] == "5"
    assert run(reader, "-o", "name", monkeypatch=monkeypatch).stdout == "scaledobject.keda.sh/vllm\n"


@pytest.mark.parametrize(
    ("ready", "state", "why"),
    [
        ("True", "Steady", "asleep at zero replicas; KEDA wakes it when a trigger is active"),
        ("False", "Broken: autoscaler", "asleep at zero replicas, and KEDA cannot read what would wake it"),
    ],
)
def test_asleep_at_zero_replicas(ready: str, state: str, why: str, monkeypatch: pytest.MonkeyPatch) -> None:
    disabled = "scaling is disabled since the replica count of the target is zero"
    asleep = kedas(conditions=inactive("ScalingDisabled", disabled))
    asleep["status"] |= {"currentReplicas": 0, "desiredReplicas": 0}
    found = scaled({"type": "Ready", "status": ready, "reason": "x", "message": "queries fail"})
    found["spec"]["minReplicaCount"] = 0
    item = shown(recorded([asleep], [found]), monkeypatch, "sts/vllm")
    assert (item["state"], item["why"], item["min"]) == (state, why, 0)


def test_one_that_keda_cannot_work_with_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    refused = {
        "type": "Ready",
        "status": "False",
        "message": "ScaledObject doesn't have correct scaleTargetRef",
    }
    item = shown(recorded([], [scaled(refused)]), monkeypatch)
    assert (item["state"], item["why"]) == ("Broken: autoscaler", refused["message"])
    assert (
        shown(recorded([], [scaled({"type": "Ready", "status": "Unknown"})]), monkeypatch)["state"] == "New"
    )


def test_a_pause_one_way_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    held = scaled(
        annotations={"autoscaling.keda.sh/paused-scale-in": "true", "autoscaling.keda.sh/paused": "false"}
    )
    item = shown(recorded([kedas("5")], [held]), monkeypatch)
    assert item["state"] == "Steady"
    assert item["why"].endswith("; an annotation of the ScaledObject keeps it from scale-in")


def test_the_reason_of_a_rescale_has_no_selector(monkeypatch: pytest.MonkeyPatch) -> None:
    selector = (
        "&LabelSelector{MatchLabels:map[string]string{scaledobject.keda.sh/name: vllm,},MatchExpressions:[],}"
    )
    rescale = {
        "reason": "SuccessfulRescale", "lastTimestamp": "2026-11-24T11:00:00Z",
        "message": f"New size: 3; reason: external metric s0-prometheus({selector}) above target",
        "involvedObject": {"kind": "HorizontalPodAutoscaler", "namespace": "llm", "name": "vllm"},
    }  # fmt: skip
    reader = recorded([kedas("5")], [scaled()], (rescale,))
    assert ", in-flight above target   " in run(reader, monkeypatch=monkeypatch).stdout


@pytest.mark.parametrize(
    ("code", "hpas", "warned"), [(404, [kedas("5")], False), (403, [], False), (403, [kedas("5")], True)]
)
def test_scaled_objects_that_may_not_be_read_matter_to_keda_s_hpas_only(
    code: int, hpas: list[Json], warned: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = run(recorded(hpas, ApiError("list", code, "", "no")), monkeypatch=monkeypatch)
    assert ("warning: could not list scaledobjects: no" in done.stderr) is warned


def test_events_of_scaled_objects_are_asked_for_only_when_one_is_in_trouble(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for conditions, wanted in ((READY, 0), (BROKEN, 1)):
        reader = recorded([kedas("5")], [scaled(conditions)])
        run(reader, monkeypatch=monkeypatch)
        assert sum("involvedObject.kind=ScaledObject" in path for path in reader.asked) == wanted


@pytest.mark.parametrize(
    ("query", "signals"),
    [
        ("sum(vllm:num_requests_running)", {"s0-prometheus": "running"}),
        ("sum(rate(vllm:time_to_first_token_seconds_bucket[1m]))", {"s0-prometheus": "ttft"}),
        ("sum(vllm:num_requests_running) + sum(vllm:num_requests_waiting)", {}),
        ('sum(sglang:num_queue_reqs{job=~"vllm:num_requests_running"})', {"s0-prometheus": "waiting"}),
    ],
)
def test_what_a_query_measures(query: str, signals: dict[str, str]) -> None:
    trigger = {"type": "prometheus", "metadata": {"query": query}}
    assert scaled_objects.signals({"spec": {"triggers": [trigger]}}) == signals


def test_triggers_of_other_types_count() -> None:
    found: Any = scaled()
    found["spec"]["triggers"].insert(0, {"type": "cpu", "metadata": {"value": "60"}})
    assert scaled_objects.signals(found) == {"s1-prometheus": "in-flight"}


def api_service(group: str, version: str, **spec: Json) -> Json:
    return {
        "metadata": {"name": f"{version}.{group}"},
        "spec": {"group": group, "version": version, **spec},
        "status": {"conditions": [{"type": "Available", "status": "True"}]},
    }


@pytest.mark.parametrize(
    ("scaler", "state"),
    [
        (kedas("6500m"), "Broken: metrics API"),
        (kedas(conditions=inactive("FailedGetExternalMetric", RPC)), "Broken: metrics API"),
        (kedas(conditions=inactive("AmbiguousSelector", "two")), "Broken: autoscaler"),
        (hpa(), "Steady"),
    ],
)
def test_numbers_are_old_while_keda_is_away(
    scaler: Json, state: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its HPAs do not tell for minutes; an HPA of an adapter is none of its business."""
    reader = recorded([scaler], [scaled()] if "ownerReferences" in scaler["metadata"] else [])
    taken = {"namespace": "x", "name": "other"}
    reader.lists["apiservices"] = [
        api_service("keda.sh", "v1alpha1"),
        api_service("external.metrics.k8s.io", "v1beta1", service=taken),
    ]
    item = shown(reader, monkeypatch)
    assert item["state"] == state
    if state == "Broken: metrics API":
        assert "leads to x/other, which is not KEDA" in item["why"]
        assert [(one["now"], one["vote"]) for one in item["metrics"]] == [(None, None)]


@pytest.mark.parametrize(("desired", "always"), [(0, True), (3, False)])
def test_an_engine_before_its_first_request_is_not_told_as_a_loss(
    monkeypatch: pytest.MonkeyPatch, desired: int, always: bool
) -> None:
    found = kedas(conditions=inactive("FailedGetExternalMetric", RPC))
    found["status"]["desiredReplicas"] = desired
    item = shown(recorded([found], [scaled(BROKEN)], (failed(),)), monkeypatch)
    assert item["state"] == "Broken: value"
    assert ("as it is before an engine's first request" in item["why"]) is always


def test_no_selector_in_gos_own_words_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    found = kedas(conditions=inactive("FailedGetExternalMetric", RPC))
    text = run(recorded([found], [scaled(BROKEN)]), "sts/vllm", monkeypatch=monkeypatch).stdout
    assert "unable to get external metric llm/s0-prometheus: unable to fetch" in text
    assert "LabelSelector" not in text
