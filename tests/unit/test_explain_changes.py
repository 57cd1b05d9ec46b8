"""What would change an HPA's result: known cases, and that each sentence comes true for any facts."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kubectl_llmhpa.api import Json
from kubectl_llmhpa.explain import Answer, Change, Facts, Scale, replay
from kubectl_llmhpa.explain.inputs import of_facts
from kubectl_llmhpa.explain.memory import estimate
from kubectl_llmhpa.hpa import arithmetic
from kubectl_llmhpa.hpa.arithmetic import Controller, Pod
from kubectl_llmhpa.hpa.arithmetic import reading as readings
from kubectl_llmhpa.hpa.go import milli
from tests.unit.explain_facts import AT_ONCE, GONE, by_pod, external, facts, in_series, of_namespace, rescale
from tests.unit.hpa_objects import KV, W, average, hpa, limited, pods

RUNNING = "vllm:num_requests_running"


@pytest.mark.parametrize(
    ("seen", "sentences"),
    [
        pytest.param(
            facts(1, by_pod(0)), ["6 more waiting (6 in all) would give 2"], id="the tolerance lets 5.5 pass"
        ),
        pytest.param(
            facts(2, by_pod(5, 5)),
            ["2 more waiting (12 in all) would give 3", "5 fewer waiting (5 in all) would give 1"],
            id="a total",
        ),
        pytest.param(
            facts(3, by_pod("800m", "800m", "800m"), metrics=[pods(KV, average("800m"))]),
            [
                "0.081 more kv-cache (0.881 per pod) would give 4",
                "0.267 less kv-cache (0.533 per pod) would give 2",
            ],
            id="a ratio per pod",
        ),
        pytest.param(
            facts(2, in_series(10), metrics=[external(RUNNING, average("5"))]),
            ["2 more running (12 in all) would give 3", "5 fewer running (5 in all) would give 1"],
            id="external total",
        ),
        pytest.param(
            facts(6, by_pod(*[10] * 6), conditions=limited("TooManyReplicas")),
            [
                "35 fewer waiting (25 in all) would give 5",
                "at the maximum of 6: a maximum of 12 would give 12",
            ],
            id="at the maximum",
        ),
        pytest.param(
            facts(2, by_pod(0, 0), limits=(2, 6), conditions=limited("TooFewReplicas")),
            ["12 more waiting (12 in all) would give 3", "at the minimum of 2: a minimum of 1 would give 1"],
            id="at the minimum",
        ),
        pytest.param(
            facts(4, by_pod(15)),
            [
                "if the 3 pods without waiting had 15 like the rest, it would be 6",
                "8 more waiting (23 in all) would give 5",
                "15 fewer waiting (0 in all) would give 3",
            ],
            id="pods without a sample",
        ),
    ],
)
def test_known_cases(seen: Facts, sentences: list[str]) -> None:
    assert [one.sentence for one in replay(seen).changes] == sentences


def test_a_ratio_is_not_asked_for_more_than_there_is() -> None:
    """From 1 of 2 pods at 0.5, four would need more than 1 of each."""
    half = facts(2, by_pod("500m", "500m"), metrics=[pods(KV, average("900m"))])
    assert [one.sentence for one in replay(half).changes] == [
        "0.491 more kv-cache (0.991 per pod) would give 3", "0.05 less kv-cache (0.45 per pod) would give 1"
    ]  # fmt: skip
    full = replay(facts(2, by_pod("500m", "500m"), metrics=[pods(KV, average("950m"))]))
    assert [one.kind for one in full.changes] == ["less"]


def test_less_is_of_no_use_where_another_metric_asks_for_as_much() -> None:
    two = [pods(W, average("5")), pods(RUNNING, average("5"))]
    kinds = [one.kind for one in replay(facts(2, by_pod(5, 5), by_pod(5, 5), metrics=two)).changes]
    assert kinds == ["more", "more"]


def test_a_limit_of_one_step_says_what_that_step_gives() -> None:
    shape: Json = {"scaleUp": {"policies": [{"type": "Pods", "value": 2, "periodSeconds": 30}]}}
    found = replay(facts(2, by_pod(50, 50), shape=shape, limits=(1, 3)))
    assert [(one.kind, one.replicas, one.level) for one in found.changes if one.kind == "max"] == [
        ("max", 4, 20)
    ]


# Any facts

QUANTITIES = st.one_of(
    st.integers(0, 60).map(str), st.integers(0, 60_000).map(lambda one: f"{one}m"), st.just("0")
)
NAMES = (W, RUNNING, KV, "somebody_elses_metric")
FORMS = (
    "Pods AverageValue",
    "External AverageValue",
    "External Value",
    "Object Value",
    "Object AverageValue",
)


@st.composite
def a_metric(draw: st.DrawFn, name: str) -> Json:
    source, form = draw(st.sampled_from(FORMS)).split()
    quantity = draw(st.sampled_from(("5", "800m", "12", "1500m")))
    target = average(quantity) if form == "AverageValue" else {"type": "Value", "value": quantity}
    if source == "Pods":
        return pods(name, target)
    return external(name, target) if source == "External" else of_namespace(name, target)


@st.composite
def an_answer(draw: st.DrawFn, metric: Json, crowd: tuple[Pod, ...]) -> Answer:
    if draw(st.integers(0, 9)) == 0:
        return Answer("failed", message=GONE)
    if metric["type"] == "Pods":
        names = draw(st.lists(st.sampled_from([pod.name for pod in crowd] or ["x"]), unique=True))
        return Answer("pods", pods={name: draw(QUANTITIES) for name in names})
    count = draw(st.integers(0, 3)) if metric["type"] == "External" else 1
    return Answer("values", values=tuple(draw(QUANTITIES) for _ in range(count)))


POLICIES = st.lists(
    st.builds(
        lambda kind, value, period: {"type": kind, "value": value, "periodSeconds": period},
        st.sampled_from(("Pods", "Percent")), st.sampled_from((1, 2, 10, 100)), st.sampled_from((15, 60, 180)),
    ),
    min_size=1, max_size=2,
)  # fmt: skip
RULES = st.builds(
    lambda window, select, policies: {
        "stabilizationWindowSeconds": window,
        "selectPolicy": select,
        "policies": policies,
    },
    st.sampled_from((0, 15, 60, 300)),
    st.sampled_from(("Max", "Max", "Min", "Disabled")),
    POLICIES,
)
SAID = st.builds(
    lambda held, active, limit: [
        {"type": "AbleToScale", "status": "True", "reason": held, "message": ""},
        {
            "type": "ScalingActive",
            "status": active,
            "reason": "15 fewer waiting (0 in all) would give 3",
            "message": "",
        },
        {
            "type": "ScalingLimited",
            "status": str(limit != "DesiredWithinRange"),
            "reason": limit,
            "message": "",
        },
    ],
    st.sampled_from(("ReadyForNewScale", "ScaleDownStabilized", "ScaleUpStabilized", "SucceededRescale")),
    st.sampled_from(("True", "True", "False")),
    st.sampled_from(
        ("DesiredWithinRange", "ScaleUpLimit", "ScaleDownLimit", "TooManyReplicas", "TooFewReplicas")
    ),
)


@st.composite
def any_facts(draw: st.DrawFn) -> Facts:
    names = draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=3, unique=True))
    metrics = [draw(a_metric(name)) for name in names]
    replicas = draw(st.integers(0, 8))
    crowd = tuple(
        Pod(
            f"p{number}",
            draw(st.sampled_from(("Running",) * 6 + ("Pending", "Failed"))),
            draw(st.booleans()),
            draw(st.integers(0, 9)) == 0,
        )
        for number in range(draw(st.sampled_from((replicas, replicas, replicas + 2))))
    )
    least = draw(st.integers(1, 3))
    behavior: Any = draw(
        st.one_of(
            st.none(),
            st.just(AT_ONCE),
            st.builds(lambda up, down: {"scaleUp": up, "scaleDown": down}, RULES, RULES),
        )
    )
    desired = draw(st.sampled_from((replicas, replicas, replicas + 1)))
    obj = hpa(
        metrics=metrics,
        shape=behavior,
        replicas=(replicas, desired),
        conditions=draw(st.one_of(SAID, st.just([]))),
    )
    obj["spec"] |= {"minReplicas": least, "maxReplicas": least + draw(st.sampled_from((0, 1, 5, 20)))}
    if behavior is None:
        del obj["spec"]["behavior"]
    else:
        obj["spec"]["behavior"] = copy.deepcopy(behavior)
    told = draw(
        st.lists(
            st.tuples(
                st.integers(0, 59),
                st.integers(1, 8),
                st.sampled_from(("pods metric x above target", "All metrics below target")),
            ),
            max_size=3,
        )
    )
    return Facts(
        hpa=obj,
        now="2026-11-24T12:00:00+00:00",
        scale=Scale(replicas, draw(st.sampled_from((replicas, max(0, replicas - 1)))), "app=vllm"),
        pods=crowd,
        answers=tuple(draw(an_answer(one, crowd)) for one in metrics),
        minor=draw(st.sampled_from((34, 35, 36, 37))),
        events=tuple(rescale(size, f"11:59:{second:02}", reason) for second, size, reason in told),
    )


@settings(max_examples=100, deadline=None)
@given(any_facts())
def test_the_result_is_that_of_a_sync(seen: Facts) -> None:
    found = replay(seen)
    assert seen.scale is not None
    assert found.inputs is not None
    spec = readings.spec(seen.hpa, Controller(minor=seen.minor or 37))
    asked = [
        arithmetic.Failed(one.message)
        if one.kind == "failed"
        else {name: milli(text) for name, text in one.pods.items()}
        if one.kind == "pods"
        else tuple(map(milli, one.values))
        for one in seen.answers
    ]
    memory = estimate(seen, found.inputs).latest
    scale = seen.scale
    expected = arithmetic.sync(
        spec, memory, asked, seen.pods, replicas=scale.replicas, status_replicas=scale.status_replicas,
        now=seen.seconds,
    )  # fmt: skip
    assert found.outcome == expected
    assert Facts.from_json(seen.as_json()) == seen


@settings(max_examples=100, deadline=None)
@given(any_facts())
def test_every_sentence_comes_true(seen: Facts) -> None:
    found = replay(seen)
    for change in found.changes:
        match change.kind:
            case "more" | "less":
                settled = replay(moved(seen, change)).settled
                assert settled is not None
                assert settled.replicas == change.replicas
                nearer = replay(moved(seen, change, short=1000 if counts(seen, change) else 1)).settled
                assert nearer is not None
                assert nearer.replicas != change.replicas or nearer.replicas == found.settled.replicas  # type: ignore[union-attr]
            case "max" | "min":
                other = copy.deepcopy(seen.hpa)
                other["spec"][f"{change.kind}Replicas"] = change.level
                settled = replay(replace(seen, hpa=other)).settled
                assert settled is not None
                assert settled.replicas == change.replicas
            case "wait":
                assert found.inputs is not None
                assert found.outcome is not None
                assert change.wait is not None
                memory = estimate(seen, found.inputs).latest
                after = [found.inputs.sync(memory, change.wait.latest - back).replicas for back in (0, 1)]
                assert after == [change.replicas, found.outcome.replicas]
                assert 0 <= change.wait.earliest <= change.wait.latest


def counts(seen: Facts, change: Change) -> bool:
    assert change.metric is not None
    return replay(seen).metrics[change.metric].named.counts


def moved(seen: Facts, change: Change, *, short: int = 0) -> Facts:
    """The facts as the sentence wants them, or short of it by so many milli-units."""
    place = change.metric
    assert place is not None
    level = change.level - short if change.kind == "more" else change.level + short
    inputs, answer = of_facts(seen), seen.answers[place]
    assert inputs is not None
    if answer.kind == "pods":
        counted = list(inputs.counted(place))
        each = replay(seen).metrics[place].named.per_pod
        values = [level if each or not number else 0 for number in range(len(counted))]
        texts = {name: f"{value}m" for name, value in zip(counted, values, strict=True)}
        answer = Answer("pods", pods={**answer.pods, **texts})
    else:
        answer = Answer("values", values=(f"{level}m", *("0" for _ in answer.values[1:])))
    return replace(seen, answers=(*seen.answers[:place], answer, *seen.answers[place + 1 :]))
