"""Order and filters of `status`, and the rescales that changes of an HPA are."""

from __future__ import annotations

from datetime import datetime, timezone

import pytest

from kubectl_llmhpa.api import Json, WatchEvent
from kubectl_llmhpa.errors import LlmHpaError
from kubectl_llmhpa.status import sorting
from kubectl_llmhpa.status.following import Seen, resized
from kubectl_llmhpa.status.overview import Autoscaler, Resized, overview, word
from tests.unit.hpa_objects import W, failed, hpa, limited, reported

NOW = datetime(2026, 11, 24, 12, 0, 0, tzinfo=timezone.utc)


def four() -> list[Autoscaler]:
    """Steady, AtMax, Broken, and steady again with a higher signal and an older rescale."""
    made = [
        hpa(name="a", uid="a", current_metrics=[reported(W, "1")]),
        hpa(name="b", uid="b", conditions=limited("TooManyReplicas"), current_metrics=[reported(W, "9")]),
        hpa(name="c", uid="c", conditions=failed("could not find the metric x for pods"), last=None),
        hpa(
            name="d", uid="d", current_metrics=[reported(W, "5")], last="2026-11-24T10:30:00Z",
            creationTimestamp="2026-11-24T11:00:00Z", annotations={"example.com/tier": "10"},
        ),
    ]  # fmt: skip
    made[0]["spec"]["maxReplicas"] = 10
    return overview(made, {}, [], now=NOW)


@pytest.mark.parametrize(
    ("by", "names"),
    [
        ("", "abcd"),
        ("state", "cbad"),
        ("signal", "bdac"),
        ("last-rescale", "abdc"),
        ("Last_Rescale", "abdc"),
        ("age", "dabc"),
        ("limits", "bcda"),
        (".spec.maxReplicas", "bcda"),
        ("{.spec.maxReplicas}", "bcda"),
        ("spec.maxReplicas", "bcda"),
        ("{.metadata.name}", "abcd"),
        (".spec.metrics[0].pods.metric.name", "abcd"),
        (r".metadata.annotations.example\.com/tier", "abcd"),
        (".metadata.annotations['example.com/tier']", "abcd"),
        (".status.lastScaleTime", "cdab"),
    ],
)
def test_order(by: str, names: str) -> None:
    assert "".join(one.view.name for one in sorting.ordered(four(), by)) == names


@pytest.mark.parametrize("by", [".spec.nothing", "colour", "{.spec[", ".a..b"])
def test_an_order_that_there_is_not_is_refused(by: str) -> None:
    with pytest.raises(LlmHpaError, match="sort by"):
        sorting.ordered(four(), by)


@pytest.mark.parametrize(
    ("states", "names"),
    [("", "abcd"), ("Broken,AtMax", "bc"), ("broken: name", "c"), ("Broken: sample", ""), ("steady", "ad")],
)
def test_states(states: str, names: str) -> None:
    assert "".join(one.view.name for one in sorting.with_states(four(), states)) == names


def test_a_state_that_there_is_not_is_refused() -> None:
    with pytest.raises(LlmHpaError, match="choose from Broken"):
        sorting.with_states(four(), "Fine")


def test_every_state_has_its_place_in_the_order() -> None:
    assert {word(one.view.state) for one in four()} <= set(sorting.STATES)


AFTER = "2026-11-24T11:59:58Z"


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (hpa(replicas=(1, 1)), hpa(replicas=(1, 3), last=AFTER), Resized(1, 3, AFTER)),
        (hpa(replicas=(1, 3)), hpa(replicas=(3, 3)), None),  # the scale follows
        (hpa(replicas=(1, 3)), hpa(replicas=(3, 5), last=AFTER), Resized(3, 5, AFTER)),
        (hpa(replicas=(3, 3)), hpa(replicas=(5, 5)), Resized(3, 5, "now", by_hand=True)),
        (hpa(replicas=(3, 3)), hpa(replicas=(3, 3), current_metrics=[reported(W, "2")]), None),
        (hpa(replicas=(0, 0), conditions=[]), hpa(replicas=(3, 3)), None),  # the controller's first look
    ],
)
def test_a_rescale_is_a_change_of_the_hpa(before: Json, after: Json, expected: Resized | None) -> None:
    assert resized(before, after, "now") == expected


def test_what_was_seen_stays_until_the_hpa_goes() -> None:
    seen = Seen()
    first, second = hpa(replicas=(1, 1)), hpa(replicas=(1, 3), last=AFTER)
    assert seen.apply(WatchEvent("ADDED", first), "now")
    assert not seen.apply(WatchEvent("MODIFIED", first), "now")
    assert seen.apply(WatchEvent("MODIFIED", second), "now")
    (one,) = overview([second], {}, [], now=NOW)
    assert seen.told(one).resized == Resized(1, 3, AFTER)
    assert seen.apply(WatchEvent("DELETED", second), "now")
    assert seen.told(one).resized is None
