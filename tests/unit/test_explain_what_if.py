"""`--what-if`: the same calculation with other numbers."""

from __future__ import annotations

import pytest

from kubectl_llmhpa.errors import LlmHpaError
from kubectl_llmhpa.explain import Answer, Facts, replay, what_if
from tests.unit.explain_facts import GONE, by_pod, external, facts, in_series, of_namespace, running
from tests.unit.hpa_objects import KV, W, average, pods

BOTH = [pods(W, average("5")), pods(KV, average("800m"))]
SEEN = facts(2, by_pod(3, 7), by_pod("500m", "700m"), metrics=BOTH, limits=(1, 4))


@pytest.mark.parametrize(
    ("text", "answers"),
    [
        ("waiting=40", (by_pod(20, 20), SEEN.answers[1])),
        (f"{W}=41", (by_pod("20500m", "20500m"), SEEN.answers[1])),
        ("kv-cache=0.9", (SEEN.answers[0], by_pod("900m", "900m"))),
        ("waiting=40, kv-cache=700m", (by_pod(20, 20), by_pod("700m", "700m"))),
        (
            "replicas=4",
            (
                Answer(
                    "pods", pods={"p0": "2500m", "p1": "2500m", "what-if-1": "2500m", "what-if-2": "2500m"}
                ),
                Answer(
                    "pods", pods={"p0": "600m", "p1": "600m", "what-if-1": "600m", "what-if-2": "600m"}
                ),
            ),
        ),
        ("replicas=1", (by_pod(10), by_pod("600m"))),
        ("pods-ready=1", (by_pod(10), by_pod("600m"))),
        ("waiting=9,replicas=3,pods-ready=2", (by_pod("4500m", "4500m"), by_pod("600m", "600m"))),
        ("max=10,min=2", SEEN.answers),
    ],
)  # fmt: skip
def test_what_a_number_means_for_pods(text: str, answers: tuple[Answer, ...]) -> None:
    assert what_if.apply(SEEN, text).answers == answers


@pytest.mark.parametrize(
    ("seen", "text", "answer"),
    [
        pytest.param(
            facts(2, in_series(1, 2), metrics=[external(W, average("5"))]), "waiting=40", in_series(40), id="total"
        ),
        pytest.param(
            facts(2, in_series(1), metrics=[external(KV, average("800m"))]), "kv-cache=0.9", in_series("1800m"),
            id="a ratio of each pod",
        ),
        pytest.param(
            facts(2, in_series("1400m"), metrics=[external(KV, average("800m"))]), "replicas=3", in_series("2100m"),
            id="a ratio goes with the pods",
        ),
        pytest.param(
            facts(2, in_series(10), metrics=[external(W, average("5"))]), "replicas=3", in_series(10),
            id="a total does not",
        ),
        pytest.param(
            facts(2, in_series(1), metrics=[of_namespace(KV, {"type": "Value", "value": "1"})]), "kv-cache=0.9",
            in_series("900m"), id="a value is itself",
        ),
        pytest.param(
            facts(2, Answer("failed", message=GONE)), "waiting=10", by_pod(5, 5), id="instead of what cannot be read"
        ),
    ],
)  # fmt: skip
def test_what_a_number_means_for_others(seen: Facts, text: str, answer: Answer) -> None:
    assert what_if.apply(seen, text).answers == (answer,)


@pytest.mark.parametrize(
    ("text", "replicas"),
    [
        ("waiting=40", 4),  # 8 cut to the maximum
        ("waiting=40,max=10", 8),
        ("waiting=40,max=10,target.waiting=8", 5),
        ("waiting=40,max=6,target.waiting=20", 2),
        ("kv-cache=1.2", 3),
        ("waiting=0,kv-cache=0", 1),
        ("waiting=0,kv-cache=0,min=2", 2),
        ("waiting=40,replicas=5,pods-ready=3,max=10,target.waiting=8", 5),  # 40 / (3 + 2 as 0) is the target
    ],
)
def test_the_result(text: str, replicas: int) -> None:
    settled = replay(what_if.apply(SEEN, text), before=SEEN, what_if=text).settled
    assert settled is not None
    assert settled.replicas == replicas


def test_the_real_facts_stay_as_they_are() -> None:
    before = SEEN.as_json()
    what_if.apply(SEEN, "waiting=40,max=10,target.waiting=8")
    assert SEEN.as_json() == before


def test_the_window_still_holds_what_the_real_past_asked_for() -> None:
    shape = {"scaleDown": {"stabilizationWindowSeconds": 300}}
    seen = facts(3, by_pod(5, 5, 5), shape=shape)
    found = replay(what_if.apply(seen, "waiting=0"), before=seen, what_if="waiting=0")
    assert found.outcome is not None
    assert found.settled is not None
    assert (found.outcome.replicas, found.settled.replicas) == (3, 1)
    assert (found.said.agrees, found.said.desired) == (None, 3)


def test_two_pods_of_a_replica_of_which_one_serves() -> None:
    changed = what_if.apply(facts(3, by_pod(0, 0, 0), pods=running(6)), "replicas=4")
    assert len(changed.pods) == 8
    assert changed.answers[0].pods.keys() == {"p0", "p1", "p2", "what-if-1"}


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("queue=3", "--what-if queue: there is no such number here; there are waiting, kv-cache, replicas, pods-ready, "
                    "min, max, target.waiting, target.kv-cache"),
        ("target.queue=3", "--what-if target.queue: there is no such number here; there are waiting, "),
        ("waiting", "--what-if waiting: 'waiting' is not NAME=VALUE"),
        ("", "--what-if : '' is not NAME=VALUE"),
        ("waiting=lots", "--what-if waiting=lots: waiting is a quantity from 0 on, such as 40, 0.8 or 800m"),
        ("waiting=-1", "--what-if waiting=-1: waiting is a quantity from 0 on, such as 40, 0.8 or 800m"),
        ("max=2.5", "--what-if max=2.5: max is a whole number from 0 on"),
        ("replicas=99999999999", "--what-if replicas=99999999999: replicas is a whole number from 0 on"),
        ("replicas=2000000000", "--what-if replicas=2000000000: that is more pods than a cluster has"),
        ("pods-ready=3", "--what-if pods-ready=3: there are 2 pods; say replicas=3 too"),
        ("min=9", "--what-if min=9: min 9 is above max 4"),
        ("target.waiting=0", "--what-if target.waiting=0: a target must be above 0"),
    ],
)  # fmt: skip
def test_one_sentence(text: str, sentence: str) -> None:
    with pytest.raises(LlmHpaError) as caught:
        what_if.apply(SEEN, text)
    assert str(caught.value).startswith(sentence)
