"""Our arithmetic of the HPA is the controller's own: random questions, answered by both, with no difference.

The controller's code answers through `oracles`: its replica calculator for one metric at one time, and the whole
controller, on a clock of its own, for an HPA over time.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable

import pytest

from kubectl_llmhpa.hpa import go
from kubectl_llmhpa.hpa.arithmetic import Controller
from tests.cluster import hpa_cases, oracles
from tests.cluster.hpa_cases import Json

pytestmark = pytest.mark.control_plane

MINORS = (37, 34)
CHUNK = 25_000
FULL = 1_000_000


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("minor", "seed"),
    [*((37, seed) for seed in range(8)), (34, 100), (34, 101)],
    ids=lambda value: str(value),
)
def test_one_metric_at_one_time(minor: int, seed: int) -> None:
    """8 x 25,000 questions to Kubernetes 1.37, 2 x 25,000 to 1.34."""
    assert differences(minor, hpa_cases.cases(seed, CHUNK, Controller(minor))) == []


@pytest.mark.full
@pytest.mark.timeout(3000)
@pytest.mark.parametrize("minor", MINORS)
def test_one_metric_at_one_time_in_full(minor: int) -> None:
    for seed in range(1000, 1000 + FULL // CHUNK):
        assert differences(minor, hpa_cases.cases(seed, CHUNK, Controller(minor))) == []


def differences(minor: int, cases: Iterable[hpa_cases.Case]) -> list[tuple[Json, Json, Json]]:
    asked = list(cases)
    answers = oracles.controller(minor, (case.question for case in asked))
    return [
        (case.question, case.answer, answer)
        for case, answer in zip(asked, answers, strict=True)
        if case.answer != answer
    ][:5]


@pytest.mark.timeout(300)
@pytest.mark.parametrize("minor", MINORS)
def test_the_same_path_over_time(minor: int) -> None:
    """1,000 HPAs of 20 to 80 syncs: replicas, conditions, events and reported values after each."""
    plays = list(hpa_cases.plays(minor, 1000, Controller(minor)))
    answers = oracles.controller(minor, (play.question for play in plays))
    seen = Counter[str]()
    for number, (play, answer) in enumerate(zip(plays, answers, strict=True)):
        for step, (ours, theirs) in enumerate(zip(play.outcomes, answer, strict=True)):
            heard = hpa_cases.heard(theirs)
            asked = play.question["play"]
            assert ours == heard, f"play {number}, sync {step} of {asked['hpa']}: {asked['steps'][step]}"
            seen.update(
                f"{kind} {status} {reason}" for kind, (status, reason, _) in heard["conditions"].items()
            )
            seen.update(reason for _, reason, _ in heard["events"])
    wanted = set(EVERYWHERE)
    if minor == 37:
        wanted |= {"ScaledToZero True ScaledToZero", "ScaledToZero False NotScaledToZero"}
    assert wanted <= {word for word, count in seen.items() if count >= 20}


#: What has to have happened for the comparison to mean something.
EVERYWHERE = (
    "AbleToScale True ReadyForNewScale",
    "AbleToScale True ScaleDownStabilized",
    "AbleToScale True ScaleUpStabilized",
    "AbleToScale True SucceededGetScale",
    "AbleToScale True SucceededRescale",
    "ScalingActive False FailedGetExternalMetric",
    "ScalingActive False FailedGetObjectMetric",
    "ScalingActive False FailedGetPodsMetric",
    "ScalingActive False ScalingDisabled",
    "ScalingActive True ValidMetricFound",
    "ScalingLimited False DesiredWithinRange",
    "ScalingLimited True ScaleDownLimit",
    "ScalingLimited True ScaleUpLimit",
    "ScalingLimited True TooFewReplicas",
    "ScalingLimited True TooManyReplicas",
    "FailedComputeMetricsReplicas",
    "FailedGetExternalMetric",
    "FailedGetObjectMetric",
    "FailedGetPodsMetric",
    "SuccessfulRescale",
)


@pytest.mark.parametrize("minor", MINORS)
def test_quantities_as_the_controller_reads_them(minor: int) -> None:
    texts = list(hpa_cases.quantity_texts(minor, 20_000))
    answers = oracles.controller(minor, ({"quantity": text} for text in texts))
    wrong = [
        (text, ours, answer)
        for text, ours, answer in zip(texts, map(read, texts), answers, strict=True)
        if ours != (None if answer.get("error") else (answer["milli"], float(answer["approximate"])))
    ]
    assert wrong[:5] == []
    assert sum(1 for answer in answers if not answer.get("error")) > len(texts) * 0.9


def read(text: str) -> tuple[int, float] | None:
    try:
        return go.milli(text), go.approximate(text)
    except ValueError:
        return None


def test_the_random_questions_reach_every_rule() -> None:
    cases = itertools.islice(hpa_cases.cases(0, CHUNK, Controller()), 5000)
    reached = Counter(case.reached for case in cases)
    steps = ("within", "formula", "filled", "held-within", "held-turn", "held-count", "from-zero")
    assert {("pods", step) for step in steps[:6]} <= reached.keys()
    for source in ("object", "external"):
        assert {(source, step) for step in ("within", "formula", "from-zero", "invalid")} <= reached.keys()
        assert {(f"{source}-average", step) for step in ("within", "formula", "invalid")} <= reached.keys()
