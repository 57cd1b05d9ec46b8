"""What is said before the first write about room for the replicas, and when it is not looked at at all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import pytest

from kubectl_llmhpa.api import Json, Reader
from kubectl_llmhpa.errors import ApiError
from kubectl_llmhpa.plan.looking import preflight
from tests.unit.test_plan import WORKLOAD

GPU = "nvidia.com/gpu"
QUOTA: Json = {
    "metadata": {"name": "team"},
    "spec": {},
    "status": {"hard": {"pods": "4"}, "used": {"pods": "2"}},
}
UNREAD = " may not be read with these permissions"
REFUSED = ApiError("list nodes", 403, "Forbidden", "you may not")


class Lists:
    """Answers by the last word of a path; every path that was asked for is kept."""

    def __init__(self, **answers: Json | ApiError) -> None:
        self.asked: list[str] = []
        self._answers = answers

    def get_many(self, paths: Sequence[str]) -> list[Json | ApiError]:
        self.asked += paths
        return [self._answers.get(one.partition("?")[0].rpartition("/")[2], {"items": []}) for one in paths]


def pod(uid: str, gpus: int = 0) -> Json:
    resources = {"limits": {GPU: str(gpus)}} if gpus else {}
    return {
        "metadata": {"uid": uid, "name": uid},
        "spec": {
            "nodeName": "n", "terminationGracePeriodSeconds": 600,
            "containers": [{"name": "c", "resources": resources}],
        },
    }  # fmt: skip


def nodes(gpus: int) -> Json:
    return {"items": [{"status": {"allocatable": {GPU: str(gpus)}}}]}


def found(reader: Lists, most: int, *, before: int = 0, gpus: int = 0) -> list[str]:
    made = preflight.findings(cast(Reader, reader), WORKLOAD, [pod("a", gpus)], most, 10.0, before=before)
    return [f"{one.code}: {one.seen}" for one in made]


@pytest.mark.parametrize(
    ("answers", "most", "gpus", "expected"),
    [
        ({}, 3, 0, []),
        ({"resourcequotas": {"items": [QUOTA]}}, 3, 0, []),
        ({"resourcequotas": {"items": [QUOTA]}}, 4, 0, ["quota: pods: 2 left, 4 replicas need 3 more"]),
        ({"nodes": nodes(4)}, 4, 1, []),
        ({"nodes": nodes(3)}, 4, 1, [f"gpu-capacity: 4 replicas need 4 {GPU}; 3 are free or its own"]),
        (
            {"nodes": nodes(4), "pods": {"items": [pod("a", 1), pod("other", 2)]}}, 4, 1,
            [f"gpu-capacity: 4 replicas need 4 {GPU}; 2 are free or its own"],
        ),
        ({"nodes": REFUSED}, 4, 1, [f"not-checked: nodes and pods of all namespaces{UNREAD}"]),
        ({"resourcequotas": REFUSED}, 4, 0, [f"not-checked: resource quotas of ml{UNREAD}"]),
    ],
)  # fmt: skip
def test_room(answers: dict[str, Any], most: int, gpus: int, expected: list[str]) -> None:
    assert found(Lists(**answers), most, gpus=gpus) == expected


def test_nodes_and_all_pods_only_for_accelerators() -> None:
    reader = Lists()
    found(reader, 3)
    assert len(reader.asked) == 1


def test_nothing_is_asked_while_the_most_does_not_grow() -> None:
    reader = Lists()
    assert found(reader, 3, before=3, gpus=1) == []
    assert reader.asked == []


@pytest.mark.parametrize(
    ("ready", "expected"),
    [("10:02:00Z", []), ("10:20:00Z", ["slow-start: a pod took 1200 s from scheduled to ready"])],
)
def test_pods_that_take_long_to_start(ready: str, expected: list[str]) -> None:
    times = {"PodScheduled": "10:00:00Z", "Ready": ready}
    conditions = [
        {"type": kind, "status": "True", "lastTransitionTime": f"2026-11-27T{at}"}
        for kind, at in times.items()
    ]
    started = {**pod("a"), "status": {"conditions": conditions}}
    made = preflight.findings(cast(Reader, Lists()), WORKLOAD, [started], 3, 10.0)
    assert [f"{one.code}: {one.seen}" for one in made] == expected
