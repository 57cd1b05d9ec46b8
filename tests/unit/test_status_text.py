"""How rows look: colour, marks, the last rescale, a view that is drawn in place, and text that nobody should trust."""

from __future__ import annotations

import re
from datetime import datetime, timezone

import pytest

from kubectl_llmhpa.cli.status_text import Lines, Screen, footnotes, last_rescale, overview_table, painted
from kubectl_llmhpa.hpa import failures
from kubectl_llmhpa.output.tables import cut, table, width
from kubectl_llmhpa.status.drift import Drift
from kubectl_llmhpa.status.overview import Autoscaler, Resized, overview
from kubectl_llmhpa.status.question import Question
from tests.unit.hpa_objects import W, hpa, limited, reported
from tests.unit.test_hpa_objects import event
from tests.unit.test_status import OURS, Recorded, run

NOW = datetime(2026, 11, 24, 12, 0, 0, tzinfo=timezone.utc)
EVIL = "\x1b[2J\u202eevil\r\n"


def one(**more: object) -> Autoscaler:
    (found,) = overview([hpa(current_metrics=[reported(W, "4800m")])], {}, [], now=NOW)
    return Autoscaler(**{**found._asdict(), **more})


@pytest.mark.parametrize(
    ("state", "colour"),
    [
        ("Broken: sample", "31"), ("Broken: sample *", "31"), ("NoCapacity", "31"), ("AtMax", "33"), ("AtMax *", "33"),
        ("ScalingUp", "36"), ("Steady *", "32"), ("New", None),
    ],
)  # fmt: skip
def test_only_states_have_colours(state: str, colour: str | None) -> None:
    assert painted("state", state) == (f"\x1b[{colour}m{state}\x1b[0m" if colour else state)
    assert painted("workload", state) == state


def test_a_painted_table_has_the_same_columns() -> None:
    rows = [["Steady", "a"], ["Broken: sample", "b"]]
    plain = table(["state", "age"], rows)
    coloured = table(["state", "age"], rows, paint=painted)
    assert coloured != plain
    assert re.sub(r"\x1b\[\d+m", "", coloured) == plain


@pytest.mark.parametrize("columns", [0, 1, 5, 12, 20, 21, 80])
def test_lines_are_cut_to_the_terminal(columns: int) -> None:
    drawn = table(["state", "名前"], [["Steady", "推論推論推論"]], paint=painted, columns=columns)
    shown = [re.sub(r"\x1b\[\d+m", "", line) for line in drawn.splitlines()]
    assert max(map(width, shown)) == min(columns or 80, 21)
    assert cut("abc", 2) == "a…"


def test_the_last_rescale_has_a_reason_or_its_sizes() -> None:
    when = "2026-11-24T11:00:00Z"
    assert last_rescale(one(), NOW) == "60m"
    assert last_rescale(one(resized=Resized(1, 3, when)), NOW) == "60m, 1 -> 3"
    assert last_rescale(one(resized=Resized(1, 3, "2026-11-24T10:00:00Z")), NOW) == "60m"
    by_hand = one(resized=Resized(3, 5, "2026-11-24T11:59:50.5+00:00", by_hand=True))
    assert last_rescale(by_hand, NOW) == "9s, 3 -> 5 not by this HPA"
    told = event(f"New size: 3; reason: pods metric {W} above target")
    (found,) = overview([hpa()], {}, [told], now=NOW)
    assert last_rescale(found, NOW) == "60m, waiting above target"


def test_a_new_rescale_is_a_line_though_the_replicas_read_the_same() -> None:
    lines = Lines(["workload", "replicas"], header=False)
    assert lines.after(("n", "a"), ["x", "3"], "11:00") == ["x          3"]
    assert lines.after(("n", "a"), ["x", "3"], "11:00") == []
    assert lines.after(("n", "a"), ["x", "3"], "11:05") == ["x          3"]


def test_a_drift_is_a_mark_and_a_line_below() -> None:
    drifted = one(drift=(Drift("changed", "spec.maxReplicas changed by x"), Drift("rule", "it is gone")))
    assert "   Steady *   " in overview_table([drifted], NOW, namespaces=False, wide=False)
    assert "   changed, rule   " in overview_table([drifted], NOW, namespaces=False, wide=True)
    assert footnotes([drifted, drifted]) == [
        "* llm/vllm, llm/vllm: spec.maxReplicas changed by x",
        "* llm/vllm, llm/vllm: it is gone",
    ]


@pytest.mark.parametrize(("columns", "spared"), [(100, 0), (90, 1), (80, 2), (70, 3), (60, 4)])
def test_a_narrow_terminal_keeps_the_state(columns: int, spared: int) -> None:
    drawn = overview_table([one()], NOW, namespaces=False, wide=False, columns=columns).splitlines()
    assert max(map(width, drawn)) <= columns
    titles = ["WORKLOAD", "ENGINE", "SIGNAL", "REPLICAS", "LIMITS", "STATE", "LAST RESCALE", "AGE"]
    gone = ["AGE", "ENGINE", "LIMITS", "LAST RESCALE"][:spared]
    assert re.split(r" {3,}", drawn[0]) == [title for title in titles if title not in gone]


def test_a_screen_is_cleared_once_and_then_drawn_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.get_terminal_size", lambda: (40, 6))
    screen = Screen(Question("llm"), wide=False)
    first, second = screen.drawn([one()], NOW), screen.drawn([one()] * 20, NOW)
    assert first.startswith("\x1b[2J\x1b[H")
    assert second.startswith("\x1b[HWORKLOAD")
    assert second.count("\n") == 5
    assert "... and 17 lines more" in second
    assert second.endswith("\x1b[K\n\x1b[J")
    third = screen.drawn([], NOW, ["could not list events: \x1b[2J"])
    assert "No LLM autoscalers found.\x1b[K\ncould not list events: \\x1b[2J\x1b[K\n" in third


@pytest.mark.parametrize("words", [[], ["-o", "wide"], ["-o", "name"], ["hpa/vllm"], ["-w"]])
def test_no_text_of_the_cluster_moves_the_cursor(words: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    conditions = limited(EVIL)
    conditions[0]["message"] = EVIL
    others = {"manager": EVIL, "time": "2030", "fieldsV1": {"f:spec": {f"f:{EVIL}": {}}}}
    mine = {**OURS, "managedFields": [*OURS["managedFields"], others]}
    found = hpa(conditions=conditions, current_metrics=[reported(W, EVIL)], **mine)
    found["spec"]["scaleTargetRef"]["name"] = EVIL
    reader = Recorded(horizontalpodautoscalers=[found], events=[event(f"New size: 3; reason: {EVIL}")])
    done = run(reader, *words, monkeypatch=monkeypatch)
    assert done.stdout
    for bad in ("\x1b", "\u202e", "\r"):
        assert bad not in done.stdout + done.stderr


@pytest.mark.parametrize(
    "value", ["-9223372036854775808m", "-9223372036854775808", "9223372036854775807E", "nonsense"]
)
def test_a_number_that_is_none_is_not_shown_as_one(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    reader = Recorded(horizontalpodautoscalers=[hpa(current_metrics=[reported(W, value)])])
    row = run(reader, monkeypatch=monkeypatch).stdout.splitlines()[1]
    assert "waiting 0/5" not in row
    if value.endswith("m"):
        assert "waiting <unknown>/5" in row
        assert "Broken: value" in row


@pytest.mark.parametrize(
    ("message", "hop", "word"),
    [
        ("unable to get metrics for resource cpu: unable to fetch metrics from resource metrics API: the server could "
         "not find the requested resource (get pods.metrics.k8s.io)", "metrics API", "metrics-server"),
        ("unable to get metrics for resource cpu: unable to fetch metrics from resource metrics API: the server is "
         "currently unable to handle the request (get pods.metrics.k8s.io)", "metrics API", "metrics-server"),
        ("failed to get cpu utilization: missing request for cpu in container main of Pod vllm-0", "target",
         "container main requests no cpu"),
        ("failed to get cpu utilization: unable to get metrics for resource cpu: no metrics returned from resource "
         "metrics API", "sample", "has no cpu of any pod"),
    ],
)  # fmt: skip
def test_failures_of_cpu_and_memory(message: str, hop: str, word: str) -> None:
    found = failures.explain(f"the HPA was unable to compute the replica count: {message}")
    assert found.hop == hop
    assert word in found.why
