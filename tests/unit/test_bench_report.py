"""What a run's outcome becomes: a verdict, and a report as text, Markdown and document."""

from __future__ import annotations

import json

import pytest

from kubectl_llmhpa.bench import report
from kubectl_llmhpa.bench.outcome import Outcome
from kubectl_llmhpa.bench.timeline import Timeline
from kubectl_llmhpa.errors import ExitCode
from tests.unit.bench_outcomes import hpa, plain, rescale_event


def test_the_first_rescale_is_the_first_change_of_desired_and_events_add_the_reason() -> None:
    now = [100.0]
    timeline = Timeline(None, "llm", clock=lambda: now[0])  # type: ignore[arg-type]
    timeline.on_hpa("ADDED", hpa(1))
    for at, change in ((110.0, hpa(1)), (114.0, hpa(3)), (120.0, hpa(3, 3)), (130.0, hpa(1, 3))):
        now[0] = at
        timeline.on_hpa("MODIFIED", change)
    timeline.on_event("ADDED", rescale_event())
    timeline.on_event("ADDED", rescale_event())  # listed again
    assert timeline.first_rescale(104.0) == 10.0
    assert timeline.first_rescale(115.0) is None  # going down is not what the load was for
    assert [(entry.kind, entry.text) for entry in timeline.entries] == [
        ("desired", "desired replicas 1 -> 3"),
        ("desired", "desired replicas 3 -> 1"),
        (
            "rescale",
            "SuccessfulRescale: new size 3; reason: pods metric vllm:num_requests_waiting above target",
        ),
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
