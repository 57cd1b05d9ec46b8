"""What an HPA must do under a load: predicted by its own arithmetic, and held against what it did."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kubectl_llmhpa.bench.modes.prove import check_clients
from kubectl_llmhpa.bench.sizing.compare import differences
from kubectl_llmhpa.bench.sizing.prove import Prediction, Timing, predict
from kubectl_llmhpa.errors import LlmHpaError
from kubectl_llmhpa.hpa import arithmetic
from kubectl_llmhpa.hpa.arithmetic import reading
from kubectl_llmhpa.policy import behavior

QUICK = Timing(scrape=2, sync=2, ready=20, drain=5, slack=3)
SLOW = Timing(scrape=2, sync=2, ready=60, drain=5, slack=3)


def hpa(
    targets: Mapping[str, str], *, most: int, least: int = 1, window: int = 30, kind: str = "Pods"
) -> arithmetic.Spec:
    metrics = [
        {
            "type": kind,
            kind.lower(): {
                "metric": {"name": name},
                "target": {"type": "AverageValue", "averageValue": value},
            },
        }
        for name, value in targets.items()
    ]
    shape = {"minReplicas": least, "maxReplicas": most, "metrics": metrics, "behavior": behavior(window)}
    return reading.spec({"spec": shape})


LOAD = {"running": "4", "waiting": "2", "kv-cache": "0.8"}


def predicted(
    targets: Mapping[str, str], *, most: int, replicas: int = 1, timing: Timing = QUICK, **more: object
) -> Prediction:
    spec = hpa(targets, most=most, least=replicas, kind=str(more.pop("kind", "Pods")))
    return predict(spec, list(targets), replicas=replicas, seats=8, timing=timing, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("targets", "most", "replicas", "kind", "load", "up"),
    [
        # 8 run, 5 wait at least: 3 by waiting, and at most 3 at a time
        (LOAD, 3, 1, "Pods", 14, [(3, 7)]),
        # the second step when the period of 30 s is over
        ({"in-flight": "5"}, 4, 1, "Pods", 19, [(3, 7), (4, 41)]),
        ({"in-flight": "5"}, 4, 1, "External", 19, [(3, 7), (4, 41)]),
        # one more: nothing can lie in between, but a first look may see a part of the load and do nothing
        ({"in-flight": "5"}, 3, 2, "Pods", 13, [(3, 9)]),
    ],
)
def test_an_exact_path(
    targets: Mapping[str, str], most: int, replicas: int, kind: str, load: int, up: list[tuple[int, int]]
) -> None:
    found = predicted(targets, most=most, replicas=replicas, kind=kind)
    assert found.exact
    assert found.concurrency == load
    assert [(step.replicas, int(step.deadline)) for step in found.up] == up
    assert found.deadline == found.up[0].deadline
    assert found.up[0].why == "scrape 2 s + HPA sync 2 s + 3 s for all else"
    assert found.hold == found.up[-1].deadline
    assert all(step.ready == step.deadline + 20 for step in found.up)


def test_samples_from_before_the_load_may_stop_a_jump_in_between() -> None:
    found = predicted({"in-flight": "5"}, most=4, replicas=2)
    assert not found.exact
    assert [step.replicas for step in found.up] == [4]
    assert found.notes[0].startswith("it may stop at other numbers of replicas in between")


def test_running_alone_needs_new_pods_to_take_load() -> None:
    found = predicted({"running": "4"}, most=3)
    assert [step.replicas for step in found.up] == [2, 3]
    assert "when the pods before take load, 20 s" in found.up[1].why
    assert found.up[1].deadline > 20
    assert found.exact  # there is nothing between 2 and 3


def test_pods_that_take_load_at_any_time_let_a_jump_stop_in_between() -> None:
    assert predicted({"running": "4"}, most=4).exact  # within the first 30 s there are 3 at the most
    late = predicted({"running": "4"}, most=4, timing=SLOW)
    assert not late.exact
    assert differences(late, [(0.0, 1), (5.0, 2), (60.0, 4)]) == ()
    assert differences(late, [(0.0, 1), (5.0, 2), (60.0, 4), (65.0, 3)]) == (
        "replicas went down under load: 1 -> 2 -> 4 -> 3",
    )


def test_scale_in_waits_for_the_window_and_goes_as_behavior_says() -> None:
    found = predicted(LOAD, most=3)
    assert [step.replicas for step in found.down] == [2, 1]
    first, second = found.down
    # the window of 30 s after the last look at the load, which may be up to a sync before its end
    assert 20 < first.earliest <= 30 < first.deadline <= 30 + 2 + 5 + 2 * 2 + 3 + 1
    assert 60 <= second.deadline - first.deadline <= 60 + 2 * 2 + 3
    spec = hpa(LOAD, most=3)
    late = predict(spec, list(LOAD), replicas=1, seats=8, timing=replace(QUICK, peak=300.0)).down
    assert [step.earliest for step in late] == [step.earliest for step in found.down]
    assert [step.deadline for step in late] == pytest.approx([300 + step.deadline for step in found.down])
    assert spec.down is not None
    off = replace(spec, down=replace(spec.down, select="Disabled"))
    assert predict(off, list(LOAD), replicas=1, seats=8, timing=QUICK).down == ()


def test_a_goal_below_the_maximum_takes_less() -> None:
    all_of_it, some = predicted({"in-flight": "5"}, most=8), predicted({"in-flight": "5"}, most=8, goal=2)
    assert some.concurrency < all_of_it.concurrency
    assert [step.replicas for step in some.up] == [2]
    # the last sample of the old pod and the first one of the new pod may both have all of the load
    assert (some.exact, some.highest) == (True, 3)
    assert "may go on to 3 replicas" in some.notes[0]


def test_what_comes_after_the_goal_is_bounded() -> None:
    found = predicted({"in-flight": "5", "ttft": "1"}, most=8, goal=2, timing=Timing())
    assert found.highest == 6
    assert "it may go on to 6 replicas before the last sample of the load is gone" in found.notes
    further = [(0.0, 1), (9.0, 3), (40.0, 6)]
    assert differences(found, further) == ()
    assert differences(found, [*further, (50.0, 8)]) == (
        "replicas went 1 -> 3 -> 6 -> 8: no more than 6 were expected",
    )
    assert differences(found, [*further, (60.0, 5)], ended=25.0) == ()
    assert differences(found, [*further, (99.0, 5)], ended=25.0) == (
        "5 replicas were asked for 74 s after the load ended, 69 s allowed",
    )


def test_replicas_that_have_just_come_may_go_at_once() -> None:
    short, usual = (
        predict(hpa(LOAD, most=3, window=window), [*LOAD], replicas=1, seats=8, timing=QUICK)
        for window in (15, 300)
    )
    assert ([step.replicas for step in short.down], short.down_exact) == ([2, 1], False)
    assert short.notes[-1].startswith("scale-in may leave out numbers of replicas")
    up, ended = [(0.0, 1), (5.0, 3)], 8.0
    assert differences(short, [*up, (ended + 20, 1)], ended=ended) == ()
    assert differences(short, [*up, (ended + 20, 2), (ended + 40, 1)], ended=ended) == ()
    assert usual.down_exact
    at_once = differences(usual, [*up, (ended + 310, 1)], ended=ended)
    assert at_once == ("scale-in went 3 -> 1 and not 3 -> 2 -> 1",)


@pytest.mark.parametrize(
    ("targets", "seats", "replicas", "said"),
    [
        ({"kv-cache": "0.8"}, 8, 1, "none of its metrics follows from a number of requests in flight"),
        ({"running": "8"}, 8, 1, "no load must take it from 1 to 3 replicas"),
        (LOAD, 8, 3, "3 replicas are there already and 3 is the most"),
        (LOAD, 8, 0, "there are no replicas to load"),
        (LOAD, None, 1, "it is not known how many requests a pod runs at once"),
    ],
)
def test_what_cannot_be_promised(
    targets: Mapping[str, str], seats: int | None, replicas: int, said: str
) -> None:
    with pytest.raises(LlmHpaError, match=said):
        predict(hpa(targets, most=3), list(targets), replicas=replicas, seats=seats, timing=QUICK)


@given(
    st.integers(1, 4), st.integers(1, 12), st.sampled_from([4, 8, 64]), st.integers(1, 40), st.integers(1, 20),
    st.booleans(),
)  # fmt: skip
@settings(max_examples=30, deadline=None)
def test_steps_rise_to_the_maximum_in_time(
    replicas: int, room: int, seats: int, running: int, waiting: int, plain: bool
) -> None:
    targets = {"running": str(running), "waiting": str(waiting)}
    spec = hpa(targets, most=replicas + room, least=replicas)
    if plain:
        spec = replace(spec, up=None, down=None)
    found = predict(spec, list(targets), replicas=replicas, seats=seats, timing=Timing())
    path = [replicas, *(step.replicas for step in found.up)]
    assert path == sorted(set(path))
    assert path[-1] == replicas + room
    for step in (*found.up, *found.down):
        assert 0 <= step.earliest <= step.deadline
    assert [step.deadline for step in found.up] == sorted(step.deadline for step in found.up)
    down = [path[-1], *(step.replicas for step in found.down)]
    assert down == sorted(set(down), reverse=True)
    assert down[-1] == replicas


def test_a_run_as_predicted_differs_in_nothing() -> None:
    found = predicted({"in-flight": "5"}, most=4)
    up = [(-5.0, 1), (5.1, 3), (36.0, 4)]
    assert differences(found, up) == ()
    ended = 60.0
    down = [(ended + step.deadline - 1, step.replicas) for step in found.down]
    assert differences(found, [*up, *down], ended=ended) == ()


@pytest.mark.parametrize(
    ("observed", "ended", "said"),
    [
        ([(-5.0, 1)], None, "3 replicas were never asked for: 1 at the end, 7 s allowed"),
        (
            [(-5.0, 1), (9.0, 3), (36.0, 4)],
            None,
            "3 replicas were asked for 9 s after the load began, 7 s allowed",
        ),
        (
            [(-5.0, 1), (3.0, 2), (5.0, 3), (36.0, 4)],
            None,
            "replicas went 1 -> 2 -> 3 -> 4 and not 1 -> 3 -> 4",
        ),
        ([(-5.0, 1), (3.0, 4), (20.0, 3)], None, "replicas went 1 -> 4 -> 3 and not 1 -> 3 -> 4"),
        (
            [(-5.0, 1), (5.0, 3), (36.0, 4), (65.0, 3)],
            60.0,
            "scale-in began 5 s after the load ended, before 2",
        ),
        ([(-5.0, 1), (5.0, 3), (36.0, 4)], 60.0, "3 replicas were never asked for: 4 at the end"),
    ],
)
def test_what_did_not_come_as_predicted(
    observed: list[tuple[float, int]], ended: float | None, said: str
) -> None:
    found = differences(predicted({"in-flight": "5"}, most=4), observed, ended=ended)
    assert any(one.startswith(said) for one in found), found


def test_more_requests_than_clients_hold_are_refused_before_they_start() -> None:
    check_clients(1000, 1, "prove")
    check_clients(2001, 3, "prove")
    with pytest.raises(LlmHpaError, match=r"1,001 requests in flight.* add --clients 2"):
        check_clients(1001, 1, "prove")
