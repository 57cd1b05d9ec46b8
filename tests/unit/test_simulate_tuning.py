"""`simulate --tune`: the highest target for running requests that a load allows, and the command that writes it."""

from __future__ import annotations

import json
from dataclasses import replace
from decimal import Decimal
from functools import partial

import pytest

from kubectl_llmhpa.cli.simulate_text import enable
from kubectl_llmhpa.engines import ENGINES, EngineFacts, Seats, assume, clues
from kubectl_llmhpa.policy import OF_SEATS
from kubectl_llmhpa.simulate import Question, Slo, World, compare, scalers
from kubectl_llmhpa.simulate.compare import attained
from kubectl_llmhpa.simulate.loads import load
from kubectl_llmhpa.simulate.scalers import Candidate
from kubectl_llmhpa.simulate.service import DEFAULT
from kubectl_llmhpa.simulate.tuning import tuned
from tests.unit.command_line import ended


def facts(engine: str, seats: int, role: str = "") -> EngineFacts:
    return replace(assume(clues(), engine), seats=Seats(seats, "given", proved=True), role=role)


def target(candidate: Candidate) -> tuple[str, float]:
    """What it counts of running requests, with its target per pod."""
    for measure, metric in zip(candidate.scaling.measures, candidate.scaling.spec.metrics, strict=True):
        if measure.signal in OF_SEATS:
            return measure.signal, metric.target / 1000
    raise AssertionError(candidate)


@pytest.mark.parametrize("external", [False, True], ids=["pods", "external"])
@pytest.mark.parametrize(
    ("seats", "most"), [(64, 33.0), (64, 1.0), (64, 58.0), (24, 7.5), (6, 2.5), (2, 1.5)]
)
def test_the_highest_that_keeps_it_is_found_by_halving(seats: int, most: float, external: bool) -> None:
    asked: list[float] = []

    def attained(candidate: Candidate) -> float:
        asked.append(target(candidate)[1])
        return 0.995 if asked[-1] <= most else 0.99

    found = tuned(attained, 0.99, facts("vllm", seats), least=2, most=9, external=external)
    assert found is not None
    assert target(found) == ("running", most)
    assert len(asked) <= 7
    assert found.external is external
    spec = found.scaling.spec
    assert (spec.min_replicas, spec.max_replicas) == (2, 9)
    measures = {one.signal: one for one in found.scaling.measures}
    assert measures.keys() == {"running", "waiting", "kv-cache"}, "the others are those of `load`"
    assert not measures["running"].told, "what is given with --signal is not corrected by seats that are seen"


def test_a_target_that_a_full_pod_does_not_exceed_is_not_tried() -> None:
    found = tuned(lambda _: 1.0, 0.99, facts("vllm", 10), least=1, most=9, external=False)
    assert found is not None
    assert target(found) == ("running", 9.0)


def test_where_no_target_keeps_it_there_is_none() -> None:
    assert tuned(lambda _: 0.5, 0.99, facts("vllm", 64), least=1, most=9, external=False) is None


def test_a_prefill_pod_is_tuned_by_what_is_in_flight() -> None:
    found = tuned(
        lambda one: float(target(one)[1] <= 5),
        0.99,
        facts("sglang", 64, "prefill"),
        least=1,
        most=9,
        external=False,
    )
    assert found is not None
    assert target(found) == ("in-flight", 5.0)


@pytest.mark.parametrize("engine", [one.name for one in ENGINES])
def test_every_engine_is_tuned_by_what_it_counts_or_not_at_all(engine: str) -> None:
    known = facts(engine, 64)
    found = tuned(lambda _: 1.0, 0.99, known, least=1, most=9, external=True)
    counts = {"running", "in-flight"} & known.signals.keys()
    assert (found is not None) == bool(counts)


QUESTION = Question(
    load("bursty:base=2,peak=8,every=6m,for=2m,duration=40m"),
    replace(DEFAULT, seats=16, assumed=False),
    World(start_up=(60.0,)),
    Slo(ttft=2.0),
    goal=0.97,
    replicas=2,
)


def test_where_no_target_has_room_the_goal_itself_is_kept() -> None:
    found = tuned(
        lambda one: 0.99 if target(one)[1] <= 7 else 0.9,
        0.99,
        facts("vllm", 64),
        least=1,
        most=9,
        external=False,
    )
    assert found is not None
    assert target(found) == ("running", 7.0)


def test_it_keeps_the_goal_with_room_and_a_higher_target_does_not() -> None:
    known = facts("vllm", 16)
    found = tuned(partial(attained, QUESTION), QUESTION.goal, known, least=1, most=8, external=False)
    assert found is not None
    with_room = 1 - (1 - QUESTION.goal) / 2
    assert attained(QUESTION, found) >= with_room
    _, value = target(found)
    higher = Decimal(str(value)) + (Decimal("0.5") if value < 10 else 1)
    beyond = scalers.of_policy("load", known, least=1, most=8, external=False, own={"running": higher})
    assert attained(QUESTION, beyond) < with_room


def test_the_command_that_writes_the_recommended_one() -> None:
    made = partial(scalers.of_policy, facts=facts("vllm", 16), least=1, most=8, external=False)
    own = made("load", name="tuned", own={"running": Decimal("2.5")})
    found = compare(QUESTION, [made("vendor"), own])
    assert found.recommended == "tuned"
    assert enable(found, "Deployment/vllm -n llm") == (
        "kubectl llm-hpa enable Deployment/vllm -n llm --policy load --signal running=2.5 --min 1 --max 8"
    )
    assert not enable(found, ""), "no workload was named"
    theirs = replace(made("load"), options="")
    assert not enable(compare(QUESTION, [theirs]), "Deployment/vllm -n llm"), "it is there already"


def test_the_command_keeps_the_replicas_that_the_goal_needs() -> None:
    late = replace(QUESTION, world=World(start_up=(600.0,)), goal=0.99)
    only = scalers.of_policy("load", facts("vllm", 16), least=1, most=8, external=False)
    found = compare(late, [only])
    kept = found.reason.partition("(--min ")[2].partition(")")[0]
    assert int(kept) > 1
    assert found.options == f"--policy load --min {kept} --max 8"


LOAD = "--load=bursty:base=2,peak=8,every=6m,for=2m,duration=20m"


def test_a_row_of_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = ended(
        capsys, "simulate", LOAD, "--tune", "--policy=", "--seats=16", "--goal=90", "-o", "json"
    )
    assert (code, err) == (0, "")
    found = json.loads(out)
    first = found["items"][0]
    assert (first["name"], first["fixed"]) == ("tuned", False)
    assert first["attainment"] >= 0.9
    assert found["recommended"] == "tuned"
    assert found["command"] is None, "no workload was named"


def test_a_load_that_no_target_is_enough_for(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = ended(capsys, "simulate", LOAD, "--tune", "--seats=16", "--max=2", "--start-up=10m")
    assert code == 0
    assert "note: no target for running requests keeps the SLO for 99 % on this load" in out
    assert "tuned" not in out
    code, out, err = ended(
        capsys, "simulate", LOAD, "--tune", "--policy=", "--seats=16", "--max=2", "--start-up=10m"
    )
    assert (code, out) == (1, "")
    assert "error: --tune: no target for running requests keeps the SLO for 99 % on this load; name a" in err


def test_an_slo_that_an_idle_pod_misses_is_refused_before_anything_is_tried(
    capsys: pytest.CaptureFixture[str],
) -> None:
    code, out, err = ended(capsys, "simulate", LOAD, "--tune", "--slo=ttft=1ms")
    assert (code, out) == (1, "")
    assert "miss it even with an idle pod for each" in err
