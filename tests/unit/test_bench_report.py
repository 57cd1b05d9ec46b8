"""What a run's outcome becomes: a verdict, and a report as text, Markdown and document."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from kubectl_llmhpa.bench import report
from kubectl_llmhpa.bench.observed import Lag
from kubectl_llmhpa.bench.outcome import Outcome
from kubectl_llmhpa.bench.report import Report, building
from kubectl_llmhpa.bench.report.model import Scaling, Usage
from kubectl_llmhpa.bench.report.sections import lag_steps
from kubectl_llmhpa.bench.sizing.model import Kept, Slo
from kubectl_llmhpa.bench.timeline import Timeline
from kubectl_llmhpa.errors import ExitCode, LlmHpaError
from kubectl_llmhpa.output.terminal import escape
from tests.unit.bench_outcomes import SLO, hostile, hpa, little, plain, profiled, proved, rescale_event, swept


def test_the_first_rescale_is_the_first_change_of_desired_and_events_add_the_reason() -> None:
    now = [100.0]
    signals = {"s0-prometheus": "waiting"}
    timeline = Timeline(None, "llm", signals, clock=lambda: now[0])  # type: ignore[arg-type]
    timeline.on_hpa("ADDED", hpa(1))
    for at, change in ((110.0, hpa(1)), (114.0, hpa(3)), (120.0, hpa(3, 3)), (130.0, hpa(1, 3))):
        now[0] = at
        timeline.on_hpa("MODIFIED", change)
    event = rescale_event(
        reason="external metric s0-prometheus(&LabelSelector{MatchLabels:...}) above target"
    )
    timeline.on_event("ADDED", event)
    timeline.on_event("ADDED", event)  # listed again
    assert timeline.first_rescale(104.0) == 10.0
    assert timeline.first_rescale(115.0) is None  # going down is not what the load was for
    assert [(entry.kind, entry.text) for entry in timeline.entries] == [
        ("desired", "desired replicas 1 -> 3"),
        ("desired", "desired replicas 3 -> 1"),
        ("rescale", "SuccessfulRescale: new size 3; reason: waiting above target"),
    ]


@pytest.mark.parametrize(
    ("made", "code"),
    [
        (plain(), ExitCode.OK),
        (plain(first=None), ExitCode.NO_RESCALE),
        (plain(must=False, first=None), ExitCode.OK),
        (plain(done=0), ExitCode.MEASUREMENT_INVALID),
        (plain(failed={"http 500": 50}), ExitCode.MEASUREMENT_INVALID),
    ],
    ids=["rescaled", "not rescaled", "need not", "nothing", "half failed"],
)
def test_the_verdict(made: Outcome, code: ExitCode) -> None:
    assert report.of_outcome(made).verdict.exit_code == code


def test_the_text_says_what_happened_and_no_escape_sequence_passes() -> None:
    text = report.text(report.of_outcome(plain()))
    assert "\x1b" not in text
    assert "101 sent, 100 succeeded, 1 failed (http 500: 1)" in text
    assert "+14.2s   desired replicas 1 -> 3" in text
    assert "waiting 11/5" in text
    assert [line for line in text.splitlines() if "vllm-1" in line and "got nothing" in line]
    assert text.splitlines()[-1] == "Result: first rescale 14.2 s after the load began"


def test_the_document_is_json_and_says_what_is_unknown() -> None:
    made = json.loads(json.dumps(report.document(report.of_outcome(plain(first=None)))))
    assert made["kind"] == "Bench"
    assert made["startedAt"] == "2026-09-21T14:13:20.000Z"
    assert made["firstRescaleSeconds"] is None
    assert made["result"]["latencies"]["itl"]["p50"] is None
    assert made["timeline"] == [{"seconds": 14.2, "kind": "desired", "text": "desired replicas 1 -> 3"}]
    assert made["verdict"]["exitCode"] == 4


OUTCOMES = {
    "plain": plain,
    "sweep": swept,
    "profile": profiled,
    "prove": proved,
    "little": little,
    "hostile": hostile,
}


@pytest.fixture(params=OUTCOMES)
def found(request: pytest.FixtureRequest) -> Report:
    return report.of_outcome(OUTCOMES[request.param]())


def test_a_report_read_back_is_the_same(found: Report) -> None:
    assert report.read(json.loads(json.dumps(report.document(found))), "bench.json") == found


def test_every_form_keeps_control_characters_out(found: Report) -> None:
    for form in (report.text, report.markdown, report.page):
        assert {char for char in form(found) if not char.isprintable()} <= {"\n"}


def test_every_form_has_the_verdict_the_notes_and_the_events(found: Report) -> None:
    for form in (report.text, report.markdown):
        words = form(found).replace("\\", "")
        for line in (found.verdict.text, *found.notes, *(event.text for event in found.timeline)):
            assert escape(line).replace("\\", "") in words


def test_markdown_of_the_cluster_stays_text() -> None:
    made = report.markdown(report.of_outcome(hostile()))
    assert "<script>" not in made.replace("\\<", "")
    assert [line.count(" | ") for line in made.splitlines() if line.startswith("| \\<script")] == [3]


@pytest.mark.parametrize("make", [swept, proved, hostile])
def test_every_row_of_a_markdown_table_has_a_cell_for_each_header(make: Callable[[], Outcome]) -> None:
    columns: list[int] = []
    lines = report.markdown(report.of_outcome(make())).splitlines()
    for place, line in enumerate(lines):
        if not line.startswith("|"):
            continue
        if not lines[place - 1].startswith("|"):
            columns.append(line.count("|"))
            assert set(lines[place + 1]) == {"|", "-"}
        assert len(re.findall(r"(?<!\\)\|", line)) == columns[-1]
    assert len(columns) > 2


@pytest.mark.parametrize(
    ("document", "problem"),
    [
        ([], "it is no document of this plugin"),
        ({"kind": "Status"}, "it is of kind Status"),
        ({"kind": "Bench", "schemaVersion": "llm-hpa/v9"}, "its schemaVersion is llm-hpa/v9"),
        ({"kind": "Bench", "schemaVersion": "llm-hpa/v1alpha1"}, "run is missing"),
    ],
)
def test_what_is_no_report_is_told(document: Any, problem: str) -> None:
    with pytest.raises(LlmHpaError, match=f"read x.json: {problem}"):
        report.read(document, "x.json")


def test_hours_count_replicas_that_are_made_and_turns_count_changes_of_direction() -> None:
    path = (
        (-5, 1, 1, 1),
        (0, 1, 3, 1),
        (10, 3, 3, 1),
        (40, 3, 3, 3),
        (100, 3, 2, 3),
        (110, 2, 3, 2),
        (3610, 3, 3, 3),
    )
    scaling = [Scaling(at, current, desired, ready, {}) for at, current, desired, ready in path]
    made = building.usage(scaling, accelerators=2)
    assert made == Usage(
        seconds=3610, replica_hours=round((10 * 1 + 100 * 3 + 3500 * 2) / 3600, 4),
        accelerator_hours=round((10 * 1 + 100 * 3 + 3500 * 2) * 2 / 3600, 4), most_ready=3, turns=2,
    )  # fmt: skip
    assert building.usage([], 1) is None


def test_flags_without_what_is_secret() -> None:
    container = {
        "command": ["vllm", "serve", "m"],
        "args": [
            "--max-num-seqs",
            "8",
            "--api-key",
            "s3",
            "--max-model-len=4096",
            "--enable-prefix-caching",
            "--x",
        ],
    }
    assert building.flags(container) == (
        "--max-num-seqs 8",
        "--max-model-len 4096",
        "--enable-prefix-caching",
    )


def test_a_sweep_whose_slo_no_point_kept_has_an_exit_code_of_its_own() -> None:
    outcome = swept()
    assert outcome.sizing is not None
    missed = replace(outcome.sizing, slo=replace(outcome.sizing.slo, value=None))
    assert report.of_outcome(replace(outcome, sizing=missed)).verdict.exit_code == ExitCode.SLO_NOT_MET


def test_a_run_that_missed_its_slo_has_an_exit_code_of_its_own() -> None:
    made = report.of_outcome(proved())
    assert made.attainment is not None
    assert made.attainment < SLO.share
    assert made.verdict.exit_code == ExitCode.SLO_NOT_MET
    assert made.verdict.text == "SLO not met: 93.88 % of the requests kept it, 95 % should have"


def test_steps_from_load_to_relief_leave_out_what_was_not_seen() -> None:
    assert lag_steps(Lag(metric=9, decision=8.5, ready=40)) == (
        ("metric above its target", 0.0, 9), ("more replicas wanted", 9, 9), ("pod ready", 9, 40),
    )  # fmt: skip
    assert lag_steps(Lag()) == ()


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        ({"done": 0}, "no request succeeded (http 500: bad"),
        ({"failed": {"http 500": 50}}, "33 % of the requests failed (most: http 500) (bad"),
        ({"done": 0, "failed": {}}, "no request succeeded"),
    ],
)
def test_the_engines_own_words_are_in_the_verdict(facts: dict[str, Any], said: str) -> None:
    assert report.of_outcome(plain(**facts)).verdict.text.startswith(f"measurement invalid: {said}")


def test_an_open_loop_tells_what_was_due_and_what_kept_the_slo() -> None:
    text = report.text(report.of_outcome(profiled()))
    assert "at most 12 requests/s for 240 s (2 stages)" in text
    assert "; 1440 were due, 3 sent late, 1 not sent" in text
    assert (
        "97.04 % of the requests kept TTFT within 600 ms and TPOT within 40 ms, 24.6/s; wanted: 95 %" in text
    )


def test_a_sweep_without_an_slo_says_nothing_of_one() -> None:
    outcome = swept()
    assert outcome.sweep is not None
    assert outcome.sizing is not None
    free = replace(outcome.plan, options=replace(outcome.plan.options, slo=Slo()))
    none = Kept(None, None, None, False, None, "no SLO was given")
    made = report.of_outcome(
        replace(
            outcome,
            plan=free,
            sweep=replace(outcome.sweep, slo=Slo()),
            sizing=replace(outcome.sizing, slo=none),
        )
    )
    assert made.verdict.exit_code == ExitCode.OK
    text = report.text(made)
    assert "SLO:          none was given" in text
    assert "GOODPUT" not in text
    assert "goodput" not in report.page(made)


def test_points_that_may_not_be_used_are_told_and_not_drawn() -> None:
    outcome = swept()
    assert outcome.sweep is not None
    bad = tuple(
        replace(point, invalid="too few requests", failed={"http 500": 2}) for point in outcome.sweep.points
    )
    made = report.of_outcome(replace(outcome, sweep=replace(outcome.sweep, points=bad)))
    assert made.verdict.exit_code == ExitCode.MEASUREMENT_INVALID
    assert "not used: 24 in flight: too few requests" in report.text(made)
    assert "2 failed with 24 in flight (http 500)" in report.text(made)
    assert "<svg" not in report.page(made)


def test_a_sweep_has_no_figures_of_the_whole_run() -> None:
    outcome = replace(swept(), first_rescale_s=30.0, lag=Lag(metric=1, decision=2, created=3, ready=4))
    made = report.of_outcome(outcome)
    for form in (report.text(made), report.page(made)):
        assert "Throughput:" not in form
        assert "First rescale" not in form
        assert "relief" not in form


def test_a_proof_that_fails_says_how_the_hpa_is() -> None:
    found = proved()
    assert found.proof is not None
    assert found.hpa is not None
    failed = replace(found, proof=replace(found.proof, problems=("3 replicas were never asked for",)))
    assert report.of_outcome(failed).verdict.text == "not proved: 3 replicas were never asked for"
    broken = replace(failed, hpa=found.hpa._replace(state="Degraded", why="no samples"))
    assert report.of_outcome(broken).verdict.text.endswith("asked for; HPA is Degraded: no samples")
