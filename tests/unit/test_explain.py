"""The replay of an HPA's calculation, on the shapes of a real cluster (Kubernetes 1.37), number by number."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from kubectl_llmhpa.api import Json
from kubectl_llmhpa.cli.explain_text import block
from kubectl_llmhpa.errors import LlmHpaError
from kubectl_llmhpa.explain import Answer, Facts, replay
from kubectl_llmhpa.hpa.arithmetic import Invalid, Pod, Proposal
from tests.unit.explain_facts import (
    AT_ONCE,
    GONE,
    NOW,
    by_pod,
    external,
    facts,
    in_series,
    of_namespace,
    rescale,
    running,
)
from tests.unit.hpa_objects import KV, W, average, held, limited, pods, reported

VALUE = {"type": "Value", "value": "5"}


@pytest.mark.parametrize(
    ("seen", "usage", "ratio", "step", "vote", "result"),
    [
        pytest.param(facts(1, by_pod(11)), 11000, 2.2, "formula", 3, 3, id="pods"),
        pytest.param(facts(3, by_pod(5.4, 5.4, 5.4)), 5400, 1.08, "within", 3, 3, id="within the tolerance"),
        pytest.param(
            facts(2, in_series(20), metrics=[external("q", average("5", "Value"))]),
            10000, 2.0, "formula", 4, 4, id="external: type Value, averageValue set",
        ),
        pytest.param(
            facts(2, in_series(20), metrics=[external("q", {"type": "AverageValue", "value": "5"})]),
            20000, 4.0, "formula", 8, 6, id="external: type AverageValue, value set, cut to the maximum",
        ),
        pytest.param(
            facts(2, in_series(12), metrics=[of_namespace("q", VALUE)], limits=(1, 12)),
            12000, 2.4, "formula", 5, 5, id="object value, first sync",
        ),
        pytest.param(
            facts(5, in_series(12), metrics=[of_namespace("q", VALUE)], limits=(1, 12)),
            12000, 2.4, "formula", 12, 12, id="object value, second sync",
        ),
        pytest.param(
            facts(2, in_series(12), metrics=[of_namespace("q", average("5"))]),
            6000, 1.2, "formula", 3, 3, id="object average",
        ),
        pytest.param(
            facts(2, in_series(2, 9), metrics=[external("q", average("5"))]),
            5500, 1.1, "within", 2, 2, id="external series add up",
        ),
        pytest.param(
            facts(3, in_series("900m"), metrics=[external("q", average("700m"))]),
            300, 0.9 / 2.1, "formula", 2, 2, id="a ratio under an external average",
        ),
        pytest.param(
            facts(3, by_pod("900m", "900m", "900m"), metrics=[pods(KV, average("700m"))]),
            900, 900 / 700, "formula", 4, 4, id="a ratio of pods",
        ),
        pytest.param(
            facts(3, by_pod(0, 0, 0), pods=running(6)), 0, 0.0, "filled", 3, 3, id="group, leaders idle"
        ),
        pytest.param(
            facts(3, by_pod(10, 10, 10), pods=running(6)), 10000, 2.0, "held-within", 3, 3, id="group, dead zone"
        ),
        pytest.param(
            facts(3, by_pod(11.5, 11.5, 11.5), pods=running(6), limits=(1, 10)),
            11500, 2.3, "filled", 7, 7, id="group, beyond the dead zone",
        ),
        pytest.param(facts(4, by_pod(15)), 15000, 3.0, "held-turn", 4, 4, id="three of four silent, 15"),
        pytest.param(facts(4, by_pod(25)), 25000, 5.0, "filled", 5, 5, id="three of four silent, 25"),
        pytest.param(facts(5, by_pod(0)), 0, 0.0, "filled", 4, 4, id="four of five silent, one idle"),
        pytest.param(
            facts(8, by_pod(20, 20), pods=running(8, **{f"p{n}": "Pending" for n in range(2, 8)}), limits=(1, 9)),
            20000, 4.0, "held-within", 8, 8, id="six pending, no cascade",
        ),
        pytest.param(
            facts(8, by_pod(2, 2), pods=running(8, **{f"p{n}": "Pending" for n in range(2, 8)}), limits=(1, 9)),
            2000, 0.4, "formula", 1, 1, id="six pending, going down",
        ),
        pytest.param(
            facts(2, by_pod(0, 20), pods=(Pod("p0"), Pod("p1", ready=False))),
            10000, 2.0, "formula", 4, 4, id="readiness plays no part",
        ),
        pytest.param(
            facts(1, by_pod(0, 20), pods=running(2)), 10000, 2.0, "formula", 4, 4, id="a foreign pod at 20"
        ),
    ],
)  # fmt: skip
def test_every_number(seen: Facts, usage: int, ratio: float, step: str, vote: int, result: int) -> None:
    found = replay(seen)
    (metric,) = found.metrics
    assert isinstance(metric.vote, Proposal)
    assert (metric.vote.usage, metric.vote.step, metric.vote.replicas) == (usage, step, vote)
    assert metric.vote.ratio == pytest.approx(ratio)
    assert found.outcome is not None
    assert found.outcome.replicas == result
    assert metric.wins


def test_pods_without_a_number_are_named_by_how_they_count() -> None:
    crowd = (*running(3), Pod("p3", "Pending", False), Pod("p4", deleting=True), Pod("p5", "Failed", False))
    (metric,) = replay(facts(4, by_pod(12), pods=crowd)).metrics
    assert isinstance(metric.vote, Proposal)
    assert (metric.vote.missing, metric.vote.pending) == (("p1", "p2"), ("p3",))
    assert metric.vote.ignored == ("p4", "p5")
    assert (metric.vote.count, metric.counted, metric.level) == (4, 1, 12000)


def test_no_sample_at_all_freezes() -> None:
    found = replay(facts(3, Answer("pods")))
    (metric,) = found.metrics
    assert isinstance(metric.vote, Invalid)
    assert metric.vote.message == f"unable to get metric {W}: no metrics returned from custom metrics API"
    assert found.outcome is not None
    assert (found.outcome.replicas, found.changes) == (3, ())


def test_a_metric_that_cannot_be_read_forbids_going_down_but_not_up() -> None:
    two = [pods(W, average("5")), pods(KV, average("800m"))]
    failed = Answer("failed", message=GONE)
    up = replay(facts(1, by_pod(20), failed, metrics=two))
    down = replay(facts(3, by_pod(0, 0, 0), failed, metrics=two))
    assert up.outcome is not None
    assert down.outcome is not None
    assert (up.outcome.replicas, down.outcome.replicas) == (4, 3)
    assert [(one.kind, one.replicas) for one in down.changes if one.kind == "without"] == [("without", 1)]


def test_cpu_is_not_calculated_and_says_what_the_controller_saw() -> None:
    cpu = {
        "type": "Resource",
        "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 80}},
    }
    saw = {
        "type": "Resource",
        "resource": {"name": "cpu", "current": {"averageUtilization": 42, "averageValue": "1"}},
    }
    both = facts(1, Answer("none"), by_pod(11), metrics=[cpu, pods(W, average("5"))], current_metrics=[saw])
    found = replay(both)
    assert found.metrics[0].vote is None
    assert found.metrics[0].notes == (
        "CPU and memory are not calculated here; the controller last saw 42%/80%",
    )
    assert found.outcome is not None
    assert found.outcome.replicas == 3
    assert "CPU and memory have a vote, which is not calculated here" in found.said.why
    alone = replay(facts(1, Answer("none"), metrics=[cpu]))
    assert alone.outcome is None
    assert alone.stops == "it has CPU and memory metrics only, which are not calculated here"


@pytest.mark.parametrize("text", ["-9223372036854775808m"])
def test_garbage_is_told_from_zero(text: str) -> None:
    (metric,) = replay(facts(2, by_pod(text, text))).metrics
    assert metric.notes == ("a value is NaN or infinite at its source, and the controller takes it for 0",)


def test_the_first_of_equal_votes_wins() -> None:
    two = [pods(W, average("5")), pods("vllm:num_requests_running", average("5"))]
    found = replay(facts(2, by_pod(10, 10), by_pod(10, 10), metrics=two))
    assert [one.wins for one in found.metrics] == [True, False]
    assert [one.named.word for one in found.metrics] == ["waiting", "running"]


def test_outside_the_limits_the_metrics_are_not_asked() -> None:
    above = replay(facts(8, by_pod(*[0] * 8)))
    below = replay(facts(1, by_pod(0), limits=(2, 6)))
    zero = replay(facts(0, Answer("pods")))
    for found, path, replicas in ((above, "above-max", 6), (below, "below-min", 2), (zero, "disabled", 0)):
        assert found.outcome is not None
        assert (found.outcome.path, found.outcome.replicas, found.changes) == (path, replicas, ())


# What the controller says beside it


def test_the_same_as_the_controller() -> None:
    said = replay(facts(3, by_pod(5, 5, 5), current_metrics=[reported(W, "5")])).said
    assert (said.current, said.desired, said.agrees, said.why) == (3, 3, True, ())


def test_a_difference_has_its_reasons() -> None:
    said = replay(facts(1, by_pod(11), current_metrics=[reported(W, "4800m")])).said
    assert said.agrees is False
    assert said.why == (
        "waiting is 11 now, and the controller last saw 4.8",
        "it syncs every 15 s by default",
    )
    moved = replay(facts(1, by_pod(11), told=(3, 3), current_metrics=[reported(W, "11")])).said
    assert moved.agrees  # it asked for 3, which somebody took away, and will again
    scaled = replay(facts(2, by_pod(5, 5), told=(3, 3), current_metrics=[reported(W, "5")])).said
    assert "the workload has 2 replicas now, and the controller last asked for 3" in scaled.why


def test_an_hpa_that_the_controller_has_not_seen() -> None:
    said = replay(facts(1, by_pod(5), conditions=[])).said
    assert (said.agrees, said.why) == (None, ("the controller has not looked at it yet",))


def test_an_hpa_that_never_had_a_number() -> None:
    """The status then asks for 0, which nobody has asked for: the memory begins with what is there."""
    shape: Json = {"scaleUp": {"stabilizationWindowSeconds": 60}}
    found = replay(facts(2, by_pod(11, 11), told=(2, 0), shape=shape, last=None))
    assert (found.said.agrees, found.said.why) == (None, ("the controller has not come to a number yet",))
    assert found.outcome is not None
    assert found.outcome.replicas == 2
    assert "recent recommendations: taken for 2" in found.estimates[0]


def test_what_cannot_be_calculated_shows_what_the_controller_saw() -> None:
    seen = replay(replace(facts(2, by_pod(5, 5), current_metrics=[reported(W, "5400m")]), scale=None))
    assert seen.metrics[0].notes == ("the controller last saw 5.4/5",)


def test_nothing_is_calculated_from_what_only_the_controller_may_read() -> None:
    no = Answer("failed", message='pods.custom.metrics.k8s.io "*" is forbidden: User "tom" cannot get it')
    found = replay(facts(2, no, current_metrics=[reported(W, "5400m")]))
    assert (found.outcome, found.said.agrees) == (None, None)
    assert found.stops.startswith("you may not read its metrics")
    assert found.metrics[0].notes[0] == "the controller last saw 5.4/5"


def test_the_controller_does_not_calculate_at_all() -> None:
    message = "pods by selector app=X are controlled by more than one HPA (e.g. [llm/A llm/B])"
    said = [{"type": "ScalingActive", "status": "False", "reason": "AmbiguousSelector", "message": message}]
    found = replay(facts(1, by_pod(11), conditions=said))
    assert (found.stops, found.changes) == (f"the controller calculates nothing: {message}", ())


def test_an_hpa_whose_scale_the_controller_cannot_read_is_told_once() -> None:
    said = [{"type": "AbleToScale", "status": "False", "reason": "FailedGetScale", "message": "not found"}]
    page = block(replay(replace(facts(1, by_pod(11), conditions=said), scale=None)))
    assert "\n\nthe controller calculates nothing: not found\n\n" in page
    assert "kubectl llm-hpa doctor hpa/vllm -n llm" in page


def test_nothing_without_the_scale() -> None:
    seen = Facts(hpa=facts(1, by_pod(1)).hpa, now=NOW, answers=(by_pod(1),), unread={"scale": "forbidden"})
    found = replay(seen)
    assert (found.outcome, found.stops) == (None, "the scale of the workload could not be read (forbidden)")


# The controller's memory


def test_a_window_holds_as_long_as_the_last_scale_up_tells() -> None:
    """Scaled up 88 s ago, so 3 was asked for then: not before 212 s, and at most the whole window from now."""
    shape = {**AT_ONCE, "scaleDown": {**AT_ONCE["scaleDown"], "stabilizationWindowSeconds": 300}}
    seen = facts(
        3, by_pod(0, 0, 0), shape=shape, conditions=held("ScaleDownStabilized"), events=(rescale(3, "11:58:32"),),
    )  # fmt: skip
    found = replay(seen)
    assert found.outcome is not None
    assert found.outcome.replicas == 3
    (wait,) = [one for one in found.changes if one.kind == "wait"]
    assert wait.wait is not None
    assert (wait.wait.earliest, wait.wait.latest, wait.replicas) == (212, 300, 1)
    assert wait.sentence == "may go down to 1 in 212 to 300 s"
    assert found.estimates[0] == (
        "recent recommendations: taken for 3; at least 3 for sure 88 s ago; at most 3 for sure 15 s ago"
    )


@pytest.mark.parametrize(
    ("conditions", "values", "wait"),
    [
        pytest.param(None, (0, 0, 0), (285, 300), id="the last sync asked for what there is"),
        pytest.param(held("ScaleDownStabilized"), (0, 0, 0), (0, 300), id="held, since when is not known"),
        pytest.param(limited("ScaleDownLimit"), (0, 0, 0), None, id="nothing of it is remembered any more"),
        pytest.param(limited("TooManyReplicas"), (0, 0, 0), (285, 300), id="more was asked for"),
    ],
)
def test_what_the_conditions_tell_of_recent_recommendations(
    conditions: list[dict[str, str]] | None, values: tuple[int, ...], wait: tuple[int, int] | None
) -> None:
    shape = {**AT_ONCE, "scaleDown": {**AT_ONCE["scaleDown"], "stabilizationWindowSeconds": 300}}
    found = replay(facts(3, by_pod(*values), shape=shape, conditions=conditions))
    waits = [one.wait for one in found.changes if one.kind == "wait"]
    assert [(one.earliest, one.latest) for one in waits if one] == ([wait] if wait else [])


def test_policies_count_what_events_tell() -> None:
    """2 pods in 60 s, and 2 -> 3 was 20 s ago: one more now, and the other in 40 s."""
    shape = {"scaleUp": {"policies": [{"type": "Pods", "value": 2, "periodSeconds": 60}]}}
    told = (rescale(2, "11:40:00"), rescale(3, "11:59:40"))
    found = replay(
        facts(3, by_pod(20, 20, 20), shape=shape, events=told, limits=(1, 20), last="2026-11-24T11:59:40Z")
    )
    assert found.outcome is not None
    assert found.outcome.limited is not None
    (allowance,) = found.outcome.limited.allowances
    assert (allowance.start, allowance.replicas, found.outcome.replicas) == (2, 4, 4)
    assert [one.sentence for one in found.changes if one.kind == "wait"] == ["may go up to 5 in 40 s"]


def test_a_rescale_that_no_event_tells_of_is_said() -> None:
    found = replay(facts(3, by_pod(5, 5, 5), last="2026-11-24T11:59:55Z"))
    assert "a rescale that no event tells of any more: policies may still count it" in found.estimates
    merged = rescale(3, "11:59:58", combined=True)
    merged["message"] = f"(combined from similar events): {merged['message']}"
    found = replay(facts(3, by_pod(5, 5, 5), events=(rescale(2, "11:00:00"), merged)))
    assert "the rescale to 3: by how much no event tells, so the policies ignore it" in found.estimates


@pytest.mark.parametrize(
    ("minor", "word"), [(None, "is not known"), (30, "calculated as 1.34"), (99, "as 1.37")]
)
def test_a_version_that_is_not_here_is_said(minor: int | None, word: str) -> None:
    assert any(word in one for one in replay(facts(1, by_pod(5), minor=minor)).estimates)


# Facts


def test_facts_come_back_from_a_file() -> None:
    seen = facts(2, by_pod("4800m", 1), in_series(1), metrics=[pods(W, average("5")), external("q", VALUE)],
                 events=(rescale(2, "11:00:00"),))  # fmt: skip
    assert Facts.from_json(json.loads(json.dumps(seen.as_json()))) == seen
    bare = Facts(hpa={}, now=NOW, unread={"scale": "x"})
    assert Facts.from_json(json.loads(json.dumps(bare.as_json()))) == bare


def test_an_hpa_that_no_server_holds_is_one_sentence() -> None:
    for broken in (
        facts(1, by_pod("lots")),
        facts(1, by_pod(1), metrics=[pods(W, average("lots"))]),
        facts(1),
    ):
        with pytest.raises(LlmHpaError, match="none of an API server"):
            replay(broken)


def test_a_right_of_ones_own_is_told_from_the_controllers() -> None:
    forbidden = Answer("failed", message='unable to fetch: pods "*" is forbidden: User "x" cannot get')
    both = facts(1, forbidden, by_pod(5), metrics=[pods(W, average("5")), pods(KV, average("5"))])
    metric, _ = replay(both).metrics
    assert metric.notes == ("that is the answer to you; the controller may read it all the same",)


@pytest.mark.parametrize("found", [{}, {"hpa": {}}, {"hpa": {}, "now": NOW, "scale": 3}])
def test_other_json_is_refused(found: dict[str, object]) -> None:
    with pytest.raises(LlmHpaError, match="not as they were written"):
        Facts.from_json(found)
