"""What is written as an HPA, whose it is, what its events tell, and which ones are shown."""

from __future__ import annotations

from datetime import datetime, timezone
from decimal import Decimal
from typing import Any

import pytest

from kubectl_llmhpa.api import MANAGED_BY, MANAGER, Json
from kubectl_llmhpa.hpa import HpaView, is_ours, of_hpa, render, rescales, view
from kubectl_llmhpa.policy import Target, behavior
from tests.unit.hpa_objects import KV, W, average, hpa

NOW = datetime(2026, 11, 24, 12, 0, 0, tzinfo=timezone.utc)


def event(message: str, *, reason: str = "SuccessfulRescale", name: str = "vllm", **more: Any) -> Json:
    about = {"kind": "HorizontalPodAutoscaler", "namespace": "llm", "name": name, "uid": "u1"}
    return {
        "reason": reason,
        "message": message,
        "involvedObject": about,
        "lastTimestamp": "2026-11-24T11:00:00Z",
        **more,
    }


def test_rescales_are_read_from_events() -> None:
    events = [
        event(
            "(combined from similar events): New size: 14; reason: All metrics below target",
            count=4,
            lastTimestamp="2026-11-24T11:09:00Z",
        ),
        event(f"New size: 3; reason: pods metric {W} above target", count=1),
        event(
            "New size: 2; reason: ",
            lastTimestamp=None,
            eventTime="2026-11-24T10:59:00.123456Z",
            series={"count": 2},
        ),
        event("New size: 9; reason: x; error: y", reason="FailedRescale"),
        event("nothing of the kind"),
    ]
    assert [(one.time, one.size, one.reason, one.count, one.combined) for one in rescales(events)] == [
        ("2026-11-24T10:59:00.123456Z", 2, "", 2, False),
        ("2026-11-24T11:00:00Z", 3, f"pods metric {W} above target", 1, False),
        ("2026-11-24T11:09:00Z", 14, "All metrics below target", 4, True),
    ]


def test_events_of_another_hpa_are_left_out() -> None:
    other = event("New size: 3; reason: ", name="other")
    reborn = event("New size: 3; reason: ")
    reborn["involvedObject"]["uid"] = "u0"
    mine = event("New size: 3; reason: ")
    assert of_hpa(hpa(), [other, reborn, mine]) == [mine]


LABELS = {MANAGED_BY: MANAGER}


@pytest.mark.parametrize(
    ("labels", "managers", "owners", "ours"),
    [
        (LABELS, ["kube-controller-manager", MANAGER], [], True),
        (LABELS, ["kubectl-client-side-apply"], [], False),
        ({}, [MANAGER], [], False),
        ({MANAGED_BY: "Helm"}, [MANAGER], [], False),
        (LABELS, [MANAGER], [{"kind": "ScaledObject", "controller": True}], False),
        (LABELS, [MANAGER], [{"kind": "StatefulSet", "controller": False}], True),
    ],
)
def test_ours_needs_label_manager_and_no_controller(
    labels: Json, managers: list[str], owners: list[Json], ours: bool
) -> None:
    fields = [{"manager": manager} for manager in managers]
    assert is_ours(hpa(labels=labels, managedFields=fields, ownerReferences=owners)) is ours


def test_what_is_rendered_reads_back() -> None:
    targets = [Target("waiting", W, Decimal(2), "seats"), Target("kv-cache", KV, Decimal("0.8"), "")]
    obj = render(
        name="vllm",
        namespace="llm",
        scale_target={"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "vllm", "uid": "left out"},
        min_replicas=1,
        max_replicas=3,
        targets=targets,
        behavior=behavior(),
        labels=LABELS,
        annotations={"a": "b"},
        selected_by={},
    )
    assert obj["apiVersion"] == "autoscaling/v2"
    assert obj["spec"]["scaleTargetRef"] == {"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "vllm"}
    assert [metric["pods"]["target"] for metric in obj["spec"]["metrics"]] == [average("2"), average("800m")]
    found: HpaView = view(obj)
    assert (found.min, found.max, found.state) == (1, 3, "New")
    assert [(metric.name, metric.form, metric.target, metric.notes) for metric in found.metrics] == [
        (W, "AverageValue", "2", ()),
        (KV, "AverageValue", "800m", ()),
    ]
