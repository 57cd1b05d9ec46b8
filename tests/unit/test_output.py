"""Ages, tables, escapes and documents."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from decimal import Decimal

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from kubectl_llmhpa.output.ages import age, human_duration
from kubectl_llmhpa.output.documents import document, dump
from kubectl_llmhpa.output.tables import fields, table
from kubectl_llmhpa.output.terminal import colour, escape, live

MINUTE, HOUR, DAY = 60, 3600, 86400
YEAR = 365 * DAY


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-2, "<invalid>"),
        (-1, "0s"),
        (-0.5, "0s"),
        (0, "0s"),
        (1.9, "1s"),
        (119, "119s"),
        (2 * MINUTE, "2m"),
        (2 * MINUTE + 1, "2m1s"),
        (10 * MINUTE - 1, "9m59s"),
        (10 * MINUTE + 59, "10m"),
        (3 * HOUR - 1, "179m"),
        (3 * HOUR, "3h"),
        (3 * HOUR + 5 * MINUTE, "3h5m"),
        (8 * HOUR - 1, "7h59m"),
        (8 * HOUR + 59 * MINUTE, "8h"),
        (2 * DAY - 1, "47h"),
        (2 * DAY, "2d"),
        (2 * DAY + HOUR, "2d1h"),
        (8 * DAY - 1, "7d23h"),
        (8 * DAY + 23 * HOUR, "8d"),
        (2 * YEAR - 1, "729d"),
        (2 * YEAR, "2y"),
        (2 * YEAR + DAY, "2y1d"),
        (8 * YEAR - 1, "7y364d"),
        (8 * YEAR + 100 * DAY, "8y"),
    ],
)
def test_durations_are_those_of_kubectl(seconds: float, text: str) -> None:
    assert human_duration(seconds) == text


def test_ages_of_server_times() -> None:
    now = datetime(2026, 11, 24, 12, 0, 0, tzinfo=timezone.utc)
    assert age("2026-11-24T11:56:48Z", now) == "3m12s"
    assert age("2026-11-24T11:59:55.500000Z", now + timedelta(seconds=1)) == "5s"
    assert age(None, now) == age("", now) == age("yesterday", now) == "<unknown>"


def test_a_table_looks_like_that_of_kubectl() -> None:
    text = table(["name", "last rescale"], [["vllm-inference", "3m"], ["a", ""]])
    assert text.splitlines() == [
        "NAME             LAST RESCALE",
        "vllm-inference   3m",
        "a                <none>",
    ]


def test_numbers_and_spaces_in_cells_stay_as_they_are() -> None:
    assert table(["a", "b"], [["007", "1e5"]]).splitlines()[1] == "007   1e5"


def test_an_empty_table_has_its_header() -> None:
    assert table(["name", "age"], []) == "NAME   AGE"


def test_a_table_without_header_and_with_indent() -> None:
    assert table(["name"], [["a"]], header=False, indent="  ") == "  a"


def test_fields_align_their_values() -> None:
    assert fields([("Name", "x"), ("Namespace", "")]).splitlines() == [
        "Name:        x",
        "Namespace:   <none>",
    ]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("vllm-0 größer 模型", "vllm-0 größer 模型"),
        ("a\x1b[31mb", "a\\x1b[31mb"),
        ("a\nb\tc\rd", "a\\nb\\tc\\rd"),
        ("a\u202eb", "a\\u202eb"),
        ("\x9b2J", "\\x9b2J"),
    ],
)
def test_text_of_the_cluster_cannot_steer_the_terminal(text: str, shown: str) -> None:
    assert escape(text) == shown
    assert table(["a"], [[text]]).splitlines()[1] == shown


@given(st.text())
def test_whatever_is_escaped_is_printable(text: str) -> None:
    assert escape(text).isprintable()


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("terminal", "env", "redraws", "colours"),
    [
        (True, {"TERM": "xterm"}, True, True),
        (True, {"TERM": "xterm", "NO_COLOR": "1"}, True, False),
        (True, {"TERM": "xterm", "NO_COLOR": ""}, True, True),
        (True, {"TERM": "dumb"}, False, False),
        (True, {}, False, False),
        (False, {"TERM": "xterm"}, False, False),
    ],
)
def test_what_a_stream_can_show(terminal: bool, env: dict[str, str], redraws: bool, colours: bool) -> None:
    stream = Terminal() if terminal else io.StringIO()
    assert (live(stream, env), colour(stream, env)) == (redraws, colours)


@dataclass(frozen=True)
class Fact:
    now_value: Decimal | None
    names: tuple[str, ...]


def test_documents_carry_their_schema_and_plain_values() -> None:
    made = document("Status", {"items": [Fact(Decimal("0.8"), ("a",)), Fact(None, ())]})
    expected = {
        "schemaVersion": "llm-hpa/v1alpha1",
        "kind": "Status",
        "items": [{"nowValue": 0.8, "names": ["a"]}, {"nowValue": None, "names": []}],
    }
    assert json.loads(dump(made, "json")) == expected
    assert yaml.safe_load(dump(made, "yaml")) == expected
    assert list(made)[:2] == ["schemaVersion", "kind"]
