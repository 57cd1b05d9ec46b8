"""Which HPAs are shown, with which engine, and what has drifted."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timezone
from typing import Any

import pytest

from kubectl_llmhpa.api import MANAGED_BY, MANAGER, Json
from kubectl_llmhpa.status import drift, scaled
from kubectl_llmhpa.status.overview import by_name, overview
from tests.unit.hpa_objects import W, average, hpa, pods, reported
from tests.unit.test_hpa_objects import LABELS, event

NOW = datetime(2026, 11, 24, 12, 0, 0, tzinfo=timezone.utc)
CPU: Json = {
    "type": "Resource",
    "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 80}},
}
CPU_NOW: Json = {
    "type": "Resource",
    "resource": {"name": "cpu", "current": {"averageUtilization": 35, "averageValue": "350m"}},
}


def workload(
    ready: int | None = 3,
    *,
    image: str = "",
    command: Iterable[str] = (),
    labels: Json | None = None,
    **status: Any,
) -> Json:
    containers = [
        {"name": "proxy", "image": "envoyproxy/envoy:v1.30"},
        {"name": "main", "image": image, "command": list(command), "env": [{"name": "A", "value": "b"}]},
    ]
    return {
        "metadata": {"name": "vllm", "namespace": "llm"},
        "spec": {"template": {"metadata": {"labels": labels or {}}, "spec": {"containers": containers}}},
        "status": {**({} if ready is None else {"readyReplicas": ready}), **status},
    }


def test_ours_and_those_on_engine_metrics_are_shown() -> None:
    mine = hpa(metrics=[], labels=LABELS, managedFields=[{"manager": MANAGER}], name="b")
    engine = hpa(current_metrics=[reported(W, "20")], name="a")
    sglang = hpa(metrics=[pods("sglang:num_queue_reqs", average("5"))], name="c")
    web = hpa(metrics=[pods("http_requests", average("5"))], name="d")
    events = [event(f"New size: 3; reason: pods metric {W} above target", name="a")]
    seen = by_name("StatefulSet", [workload(3)])
    found = overview([mine, engine, sglang, web], seen, events, now=NOW)
    assert [(one.view.name, one.ours, one.engine, one.view.ready) for one in found] == [
        ("a", False, "vllm", 3), ("b", True, None, 3), ("c", False, "sglang", 3)
    ]  # fmt: skip
    assert found[0].signal(W) == "waiting"
    assert found[0].last_reason == "waiting above target"
    assert len(overview([web], {}, [], now=NOW, every=True)) == 1


@pytest.mark.parametrize(
    ("template", "engine"),
    [
        ({"image": "vllm/vllm-openai:v0.20.2"}, "vllm"),
        (
            {"image": "registry.example/team/llm:1", "command": ["python3", "-m", "sglang.launch_server"]},
            "sglang",
        ),
        ({"labels": {"llm-d.ai/engine-type": "vllm"}}, "vllm"),
        ({"image": "nginx:1.29"}, None),
    ],
)
def test_an_hpa_on_cpu_is_shown_where_the_template_starts_an_engine(
    template: Json, engine: str | None
) -> None:
    on_cpu = hpa(metrics=[CPU], current_metrics=[CPU_NOW])
    found = overview([on_cpu], by_name("StatefulSet", [workload(**template)]), [], now=NOW)
    assert [one.engine for one in found] == ([engine] if engine else [])
    if found:
        (metric,) = found[0].view.metrics
        assert (metric.name, metric.now, metric.target) == ("cpu", "35%", "80%")


def test_a_rescale_has_the_reason_of_its_own_event_only() -> None:
    told = f"New size: 3; reason: pods metric {W} above target"
    late = event(told, lastTimestamp="2026-11-24T10:20:00Z")
    (one,) = overview([hpa()], {}, [late], now=NOW)  # its own event was dropped
    assert one.last_reason == ""
    (one,) = overview([hpa()], {}, [late, event(told)], now=NOW)
    assert one.last_reason == "waiting above target"


@pytest.mark.parametrize(
    ("kind", "status", "ready"),
    [
        ("Deployment", {}, 0),
        ("Deployment", {"readyReplicas": 2}, 2),
        ("LeaderWorkerSet", {}, 0),
        ("ModelServing", {}, None),
        ("ModelServing", {"readyReplicas": 1}, 1),
        ("ModelServing", {"readyReplicas": "many"}, 0),
    ],
)
def test_ready_replicas_are_the_workloads_own_or_not_known(
    kind: str, status: Json, ready: int | None
) -> None:
    assert scaled.ready({"status": status}, kind) == ready
    assert scaled.ready(None, kind) is None


@pytest.mark.parametrize(
    ("kind", "status", "old"),
    [
        ("Deployment", {"replicas": 3, "updatedReplicas": 1}, (2, 3)),
        ("Deployment", {"replicas": 3}, (3, 3)),
        ("Deployment", {"replicas": 3, "updatedReplicas": 3}, (0, 0)),
        (
            "StatefulSet",
            {"replicas": 3, "updatedReplicas": 1, "updateRevision": "b", "currentRevision": "a"},
            (2, 3),
        ),
        ("StatefulSet", {"replicas": 3, "updateRevision": "a", "currentRevision": "a"}, (0, 0)),
        ("ModelServing", {"replicas": 3}, (0, 0)),
    ],
)
def test_two_templates_at_once(kind: str, status: Json, old: tuple[int, int]) -> None:
    assert scaled.old_pods({"status": status}, kind) == old
    assert [one.word for one in drift.templates({"status": status}, kind)] == ["templates"] * bool(old[0])


def managed(manager: str, fields: Json, time: str = "2026-11-24T10:00:00Z", **more: str) -> Json:
    return {"manager": manager, "operation": "Update", "time": time, "fieldsV1": {"f:spec": fields}, **more}


MINE = managed(MANAGER, {"f:minReplicas": {}, "f:metrics": {}, "f:scaleTargetRef": {}})
LATER = "2026-11-24T11:00:00Z"


@pytest.mark.parametrize(
    ("entries", "said"),
    [
        ([MINE], []),
        (
            [MINE, managed("kubectl-edit", {"f:maxReplicas": {}}, LATER)],
            ["spec.maxReplicas of X changed by kubectl-edit"],
        ),
        (
            [MINE, managed("argocd", {"f:behavior": {"f:scaleUp": {".": {}, "f:policies": {}}}}, LATER)],
            ["spec.behavior.scaleUp.policies of X changed by argocd"],
        ),
        ([MINE, managed("kubectl-edit", {"f:minReplicas": {}}, LATER)], []),  # the same value as ours
        (
            [MINE, managed("helm", {"f:maxReplicas": {}}, "2026-11-24T09:00:00Z")],
            [],
        ),  # before it was taken over
        ([MINE, managed("kube-controller-manager", {"f:x": {}}, LATER, subresource="status")], []),
        ([managed("helm", {"f:maxReplicas": {}})], []),
    ],
)
def test_what_others_changed(entries: list[Json], said: list[str]) -> None:
    assert [one.text for one in drift.changed({"metadata": {"managedFields": entries}}, "X")] == said


def test_an_empty_field_that_an_operator_adds_is_no_change() -> None:
    theirs = managed("keda", {"f:advanced": {"f:scalingModifiers": {}}, "f:maxReplicaCount": {}}, LATER)
    obj: Json = {
        "metadata": {"managedFields": [MINE, theirs]},
        "spec": {"advanced": {"scalingModifiers": {}}},
    }
    assert [one.text for one in drift.changed(obj, "X")] == ["spec.maxReplicaCount of X changed by keda"]


def test_drift_of_a_row() -> None:
    entries = [MINE, managed("kubectl-edit", {"f:maxReplicas": {}}, LATER)]
    mine = hpa(labels={MANAGED_BY: MANAGER}, managedFields=entries)
    theirs = hpa(name="z", uid="u2", managedFields=entries[1:])
    rolling = workload(3, replicas=3, updatedReplicas=1)
    found = overview(
        [mine, theirs], by_name("StatefulSet", [rolling]), [], now=NOW, lost={W: "the rule is gone"}
    )
    assert [[each.word for each in one.drift] for one in found] == [
        ["rule", "changed", "templates"], ["rule", "templates"]
    ]  # fmt: skip
