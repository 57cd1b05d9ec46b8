"""What was seen on a real cluster (Kubernetes 1.37.2), as the arithmetic has it: the table reads as a specification.

That the arithmetic is the controller's own is tested against the controller's code, `tests/cluster/test_hpa_path.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from kubectl_llmhpa.hpa import go
from kubectl_llmhpa.hpa.arithmetic import (
    Change,
    Controller,
    Failed,
    Invalid,
    Memory,
    Outcome,
    Pod,
    Proposal,
    Reading,
    Recommendation,
    ScalingPolicy,
    ScalingRules,
    conditions,
    events,
    limits,
    reading,
    sync,
)
from kubectl_llmhpa.policy import behavior

Json = dict[str, Any]
NAN = "-9223372036854775808m"
NOTHING, DEFAULTS = Memory(), Controller()
FAST = {"scaleDown": {"stabilizationWindowSeconds": 0}}


def metric(source: str, name: str = "m", **target: str) -> Json:
    body: Json = {"metric": {"name": name}, "target": target}
    if source == "Object":
        body["describedObject"] = {"kind": "Namespace", "name": "x", "apiVersion": "v1"}
    return {"type": source, source.lower(): body}


def hpa(*metrics: Json, most: int = 6, least: int = 1, shape: Json | None = FAST) -> Json:
    spec: Json = {"minReplicas": least, "maxReplicas": most, "metrics": list(metrics)}
    if shape is not None:
        spec["behavior"] = shape
    return {"metadata": {"namespace": "x"}, "spec": spec}


def running(count: int, start: int = 0) -> tuple[Pod, ...]:
    return tuple(Pod(f"p{index}") for index in range(start, start + count))


def each(value: float, count: int, start: int = 0) -> dict[str, int]:
    return {f"p{index}": round(value * 1000) for index in range(start, start + count)}


def once(
    scaler: Json,
    readings: Sequence[Reading],
    replicas: int,
    pods: Sequence[Pod] | None = None,
    *,
    memory: Memory = NOTHING,
    controller: Controller = DEFAULTS,
) -> Outcome:
    pods = running(replicas) if pods is None else pods
    return sync(reading.spec(scaler, controller), memory, readings, pods, replicas=replicas, now=0)


def only(outcome: Outcome) -> Proposal:
    assert outcome.ballot is not None
    (vote,) = outcome.ballot.votes
    assert isinstance(vote, Proposal)
    return vote


TYPES = [
    # source, target, values, replicas: what one sync made of it
    ("Pods", {"type": "Value", "averageValue": "5"}, (11.0,), 1, 3),
    ("Pods", {"type": "AverageValue", "averageValue": "700m"}, (0.9, 0.9, 0.9), 3, 4),
    ("Pods", {"type": "AverageValue", "averageValue": "5"}, (5.4, 5.4), 2, 2),
    ("External", {"type": "Value", "averageValue": "5"}, (20.0,), 2, 4),
    ("External", {"type": "AverageValue", "averageValue": "5"}, (20.0,), 2, 4),
    ("External", {"type": "AverageValue", "value": "5"}, (20.0,), 2, 6),
    ("External", {"type": "Value", "value": "5"}, (20.0,), 2, 6),
    ("External", {"type": "AverageValue", "averageValue": "700m"}, (0.9,), 3, 2),
    ("External", {"type": "AverageValue", "averageValue": "5"}, (9.0,), 6, 2),
    ("External", {"type": "AverageValue", "averageValue": "5"}, (2.0, 9.0), 2, 2),
    ("Object", {"type": "Value", "value": "5"}, (12.0,), 2, 5),
    ("Object", {"type": "AverageValue", "averageValue": "5"}, (12.0,), 2, 3),
]


@pytest.mark.parametrize(("source", "target", "values", "before", "after"), TYPES)
def test_type_and_field(
    source: str, target: dict[str, str], values: tuple[float, ...], before: int, after: int
) -> None:
    milli = [round(value * 1000) for value in values]
    found: Reading = {f"p{index}": value for index, value in enumerate(milli)} if source == "Pods" else milli
    assert once(hpa(metric(source, **target)), [found], before).replicas == after


@pytest.mark.parametrize(
    "target", [{"type": "Value", "averageValue": "5"}, {"type": "AverageValue", "value": "5"}]
)
def test_an_object_metric_whose_field_does_not_fit_is_refused(target: dict[str, str]) -> None:
    outcome = once(hpa(metric("Object", **target)), [[12000]], 2)
    assert outcome.replicas == 2
    assert events(outcome)[0].message == (
        "invalid object metric source: neither a value target nor an average value target was set"
    )


PENDING = tuple(Pod(f"n{index}", "Pending") for index in range(6))
PODS = [
    # what, pods, samples, replicas of the scale: after, how it came about
    ("a group of 2: idle leaders, silent workers", running(6), each(0, 3), 3, 3, "filled"),
    ("the same with a little load", running(6), each(1, 3), 3, 3, "held-count"),
    ("the same at 2 x target: in the dead zone", running(6), each(10, 3), 3, 3, "held-within"),
    ("the same at 2.3 x target: beyond it", running(6), each(11.5, 3), 3, 7, "filled"),
    ("one pod at 15, three silent", running(4), each(15, 1), 4, 4, "held-turn"),
    ("one pod at 25, three silent", running(4), each(25, 1), 4, 5, "filled"),
    ("one pod at 0, four silent", running(5), each(0, 1), 5, 4, "filled"),
    ("two at 20, six pending", running(2) + PENDING, each(20, 2), 8, 8, "held-within"),
    ("the two at 2, six pending", running(2) + PENDING, each(2, 2), 8, 1, "formula"),
    ("not ready at 20, ready at 0", (Pod("p0", ready=False), Pod("p1")), {"p0": 20000, "p1": 0}, 2, 4, "formula"),
    ("a foreign pod at 20, our own at 0", running(2), {"p0": 0, "p1": 20000}, 1, 4, "formula"),
    ("a pod that goes away does not count", (*running(2), Pod("p2", deleting=True)), each(5, 3), 2, 2, "within"),
    ("a failed pod does not count", (*running(2), Pod("evicted", "Failed")), each(5, 2), 2, 2, "within"),
    ("a pod that has ended does", (*running(2), Pod("done", "Succeeded")), each(0, 2), 2, 1, "filled"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("pods", "samples", "before", "after", "step"), [row[1:] for row in PODS], ids=[row[0] for row in PODS]
)
def test_pods_without_a_sample(
    pods: tuple[Pod, ...], samples: dict[str, int], before: int, after: int, step: str
) -> None:
    outcome = once(hpa(metric("Pods", averageValue="5"), most=20), [samples], before, pods)
    assert (outcome.replicas, only(outcome).step) == (after, step)


def test_a_proposal_says_who_was_counted_as_what() -> None:
    pods = (*running(2), Pod("loads"), Pod("waits", "Pending"), Pod("goes", deleting=True))
    vote = only(once(hpa(metric("Pods", averageValue="5"), most=20), [each(20, 2)], 4, pods))
    assert (vote.missing, vote.pending, vote.ignored) == (("loads",), ("waits",), ("goes",))
    assert (vote.usage, vote.ratio, vote.final, vote.count) == (20000, 4.0, 2.0, 4)


@pytest.mark.parametrize(
    ("samples", "message"),
    [
        ({}, "unable to get metric m: no metrics returned from custom metrics API"),
        (Failed("boo"), "unable to get metric m: boo"),
        (each(5, 1, start=7), "did not receive metrics for targeted pods (pods might be unready)"),
    ],
)
def test_without_any_sample_the_replicas_stay(samples: Reading, message: str) -> None:
    outcome = once(hpa(metric("Pods", averageValue="5")), [samples], 3, [Pod("p7", "Pending")])
    assert (outcome.replicas, outcome.ballot and outcome.ballot.replicas) == (3, None)
    first, last = events(outcome)
    assert (first.reason, first.message) == ("FailedGetPodsMetric", message)
    assert (
        last.message
        == f"invalid metrics (1 invalid out of 1), first error is: failed to get pods metric value: {message}"
    )
    assert ("ScalingActive", "False") in {
        (one.type, one.status)
        for one in conditions(reading.spec(hpa(metric("Pods", averageValue="5"))), outcome)
    }


@pytest.mark.parametrize(("value", "after"), [(20000, 4), (0, 3)])
def test_one_invalid_metric_stops_the_way_down_only(value: int, after: int) -> None:
    scaler = hpa(metric("Pods", averageValue="5"), metric("External", "q", averageValue="5"))
    outcome = once(scaler, [Failed("boo"), [value]], 3)
    assert outcome.replicas == after
    assert [isinstance(vote, Invalid) for vote in outcome.ballot.votes] == [True, False]  # type: ignore[union-attr]


def test_of_two_metrics_the_larger_number_wins() -> None:
    scaler = hpa(metric("Pods", averageValue="5"), metric("External", "q", averageValue="5"))
    outcome = once(scaler, [each(5, 2), [25000]], 2)
    assert (outcome.replicas, outcome.ballot and outcome.ballot.winner) == (5, 1)
    assert outcome.reason == "external metric q(nil) above target"


TOLERANCE = [(10.87, 2), (11.0, 2), (11.11, 3), (9.0, 2), (8.9, 2), (4.9, 1)]


@pytest.mark.parametrize(("total", "after"), TOLERANCE)
def test_tolerance(total: float, after: int) -> None:
    """The total over target times replicas: 1.087, 1.1, 1.111 and downwards; 0.89 rounds up to the same."""
    assert once(hpa(metric("External", averageValue="5")), [[round(total * 1000)]], 2).replicas == after


@pytest.mark.parametrize(("minor", "after"), [(37, 3), (35, 3), (34, 2)])
def test_an_own_tolerance_counts_from_kubernetes_1_35_on(minor: int, after: int) -> None:
    scaler = hpa(metric("Pods", averageValue="5"), shape={"scaleUp": {"tolerance": "50m"}})
    assert once(scaler, [each(5.4, 2)], 2, controller=Controller(minor)).replicas == after


@pytest.mark.parametrize(("shape", "path"), [(None, [4, 8, 9]), ({}, [5, 9, 9])])
def test_the_first_steps_without_and_with_behavior(shape: Json | None, path: list[int]) -> None:
    assert replayed(hpa(metric("External", averageValue="5"), most=9, shape=shape), [500] * 3, 1) == path


def replayed(scaler: Json, totals: Sequence[float], replicas: int, period: int = 15) -> list[int]:
    spec, memory, path = reading.spec(scaler), Memory(), []
    for step, total in enumerate(totals):
        outcome = sync(
            spec, memory, [[round(total * 1000)]], running(replicas), replicas=replicas, now=step * period
        )
        memory, replicas = outcome.memory, outcome.replicas
        path.append(replicas)
    return path


@pytest.mark.parametrize("shape", [None, {}])
def test_a_new_hpa_does_not_go_down_for_five_minutes(shape: Json | None) -> None:
    path = replayed(hpa(metric("External", averageValue="5"), shape=shape), [0] * 25, 3)
    assert (path.index(1) * 15, path[-1]) == (300 if shape == {} else 315, 1)


def test_a_load_shorter_than_the_window_for_scaling_up_does_nothing() -> None:
    scaler = hpa(metric("External", averageValue="5"), shape={"scaleUp": {"stabilizationWindowSeconds": 60}})
    assert replayed(scaler, [5, 50, 50, 50, 5, 5], 1) == [1] * 6
    assert replayed(scaler, [5, 50, 50, 50, 50, 50], 1)[-2:] == [5, 6]


def test_our_own_behavior_goes_up_by_double_and_down_one_by_one() -> None:
    scaler = hpa(metric("External", averageValue="5"), most=20, shape=behavior(0))
    up = replayed(scaler, [100] * 8, 1)
    assert up == [3, 3, 6, 6, 12, 12, 20, 20]
    down = replayed(scaler, [0] * 9, 4)
    assert down == [3, 3, 3, 3, 2, 2, 2, 2, 1]


@pytest.mark.parametrize(
    ("select", "before", "value", "after", "reason"),
    [
        ("Disabled", 3, 0, 3, "ScaleDownLimit"),
        ("Min", 10, 0, 9, "ScaleDownLimit"),
        ("Max", 10, 0, 5, "ScaleDownLimit"),
    ],
)
def test_policies(select: str, before: int, value: int, after: int, reason: str) -> None:
    policies = [
        {"type": "Pods", "value": 1, "periodSeconds": 15},
        {"type": "Percent", "value": 50, "periodSeconds": 15},
    ]
    down = {"stabilizationWindowSeconds": 0, "selectPolicy": select, "policies": policies}
    outcome = once(
        hpa(metric("External", averageValue="5"), most=20, shape={"scaleDown": down}), [[value]], before
    )
    assert outcome.limited is not None
    assert (outcome.replicas, outcome.limited.reason) == (after, reason)
    assert [one.replicas for one in outcome.limited.allowances] == ([] if select == "Disabled" else [9, 5])


def test_a_policy_of_the_largest_number_allows_nothing() -> None:
    """It overflows: 2147483647 more than 2 is less than 2."""
    up = {"policies": [{"type": "Pods", "value": 2**31 - 1, "periodSeconds": 15}]}
    assert once(hpa(metric("External", averageValue="5"), shape={"scaleUp": up}), [[50000]], 2).replicas == 2


@pytest.mark.parametrize(
    ("before", "after", "reason"),
    [
        (4, 2, "Current number of replicas above Spec.MaxReplicas"),
        (0, 0, ""),
        (1, 2, "external metric m(nil) above target"),
    ],
)
def test_limits_of_the_spec(before: int, after: int, reason: str) -> None:
    """Above the maximum the metrics are not even read."""
    outcome = once(hpa(metric("External", averageValue="5"), most=2), [[50000]], before)
    assert (outcome.replicas, outcome.reason) == (after, reason)


def test_below_the_minimum() -> None:
    outcome = once(hpa(metric("External", averageValue="5"), least=2), [Failed("boo")], 1)
    assert (outcome.replicas, outcome.reason) == (2, "Current number of replicas below Spec.MinReplicas")


ZERO = hpa(metric("External", averageValue="5"), least=0)


def test_to_zero_and_back() -> None:
    down = once(ZERO, [[0]], 1)
    assert (down.replicas, down.reason, down.memory.scaled_to_zero) == (0, "All metrics below target", True)
    assert once(ZERO, [[7000]], 0, memory=down.memory).replicas == 2


@pytest.mark.parametrize(
    "up",
    [
        {"policies": [{"type": "Percent", "value": 100, "periodSeconds": 15}]},
        {"selectPolicy": "Min"},
    ],
)
def test_some_policies_never_leave_zero(up: Json) -> None:
    scaler = hpa(metric("External", averageValue="5"), least=0, shape={"scaleUp": up})
    outcome = once(scaler, [[70000]], 0, memory=Memory(scaled_to_zero=True))
    assert (outcome.replicas, outcome.limited and outcome.limited.reason) == (0, "ScaleUpLimit")


def test_who_was_taken_to_zero_by_others_stays_there() -> None:
    outcome = once(ZERO, [[20000]], 0)
    assert (outcome.path, outcome.replicas) == ("disabled", 0)
    assert {one.reason for one in conditions(reading.spec(ZERO), outcome)} == {
        "SucceededGetScale",
        "ScalingDisabled",
    }


def test_nan_and_infinity_go_to_the_minimum() -> None:
    """Their number has one digit too many for the controller, which reads a 0."""
    outcome = once(hpa(metric("External", averageValue="5")), [(go.milli(NAN),)], 2)
    assert (go.milli(NAN), only(outcome).usage, outcome.replicas) == (0, 0, 1)


def test_a_negative_total_is_taken_for_an_overflow() -> None:
    outcome = once(hpa(metric("External", averageValue="5"), most=9), [[-1000]], 2)
    assert only(outcome).replicas == 2**31 - 1


def test_the_average_at_zero_replicas_is_the_garbage_number() -> None:
    outcome = once(ZERO, [[7000]], 0, memory=Memory(scaled_to_zero=True))
    assert f"{only(outcome).usage}m" == NAN


def test_a_change_that_was_once_out_of_reach_gives_its_place_away() -> None:
    short, long = (ScalingRules(0, "Max", (ScalingPolicy("Pods", 1, period),)) for period in (15, 300))
    changes = limits.remembered((Change(2, 0), Change(3, 5)), Change(4, 30), short)
    assert changes == (Change(2, 0, outdated=True), Change(4, 30))
    assert limits.remembered(changes, Change(5, 45), long) == (Change(5, 45), Change(4, 30))


def test_a_recommendation_out_of_reach_gives_its_place_away() -> None:
    memory = Memory((Recommendation(9, -1000), Recommendation(3, -10)))
    outcome = once(hpa(metric("External", averageValue="5"), shape=None), [[5000]], 3, memory=memory)
    assert outcome.memory.recommendations == (Recommendation(1, 0), Recommendation(3, -10))
    assert outcome.replicas == 3
