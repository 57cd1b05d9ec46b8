"""What of `status` is read without click is read as click would read it, and bad usage is left to click."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubectl_llmhpa.cli import status_words
from kubectl_llmhpa.cli.status import status
from kubectl_llmhpa.cli.typed_connection import PREFIX, connection_of

WORDS = [
    "-A", "--all-namespaces", "--no-headers", "-n", "--namespace", "--namespace=x", "-nx", "-o", "--output",
    "--output=json", "-ojson", "wide", "yaml", "sts/vllm", "hpa/a", "--context", "--context=c", "-w", "-l", "--",
    "-h", "--help", "-An", "", "-", "--name=x", "-o=json", "--state", "x=y",
]  # fmt: skip


def by_click(words: Sequence[str]) -> dict[str, Any]:
    """The same by click; only what was given."""
    found = status.make_context("status", list(words)).params
    connection = connection_of(found)
    if found["all_namespaces"] and connection.namespace:
        raise click.UsageError("-A and -n")
    rest = {name: value for name, value in found.items() if not name.startswith(PREFIX) and value}
    return {"names": (), "output": None, **rest, "connection": connection}


@pytest.mark.parametrize(
    "line",
    [
        "", "-A", "-n team", "--namespace=team sts/vllm", "sts/vllm -n team -o json", "-A -o wide --no-headers",
        "sts vllm", "--context prod -A", "-o name",
    ],
)  # fmt: skip
def test_the_usual_lines_need_no_click(line: str) -> None:
    assert status_words.read(["status", *line.split()]) == by_click(line.split())


@given(st.lists(st.sampled_from(WORDS), max_size=5))
def test_what_is_read_is_what_click_reads(words: list[str]) -> None:
    found = status_words.read(["status", *words])
    if found is not None:
        assert found == by_click(words)


@pytest.mark.parametrize(
    "line",
    [
        "-w", "-A sts/vllm", "-A -n team", "-n", "-n -A", "-o html", "--help", "-l app=x", "-nteam", "--server=x",
        "-v 8", "--sort-by state", "--namespace=",
    ],
)  # fmt: skip
def test_all_else_is_left_to_click(line: str) -> None:
    assert status_words.read(["status", *line.split()]) is None


@pytest.mark.parametrize("words", [[], ["detect"], ["--help", "status"], ["-A", "status"]])
def test_other_commands_are_left_to_click(words: list[str]) -> None:
    assert status_words.read(words) is None
