"""`explain` on the command line: the page, the documents, and bad usage before anything is asked."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from typing import Any

import pytest
from click.testing import CliRunner, Result

from kubectl_llmhpa.cli import explain as explain_module
from kubectl_llmhpa.errors import LlmHpaError
from tests.unit.hpa_objects import W, hpa
from tests.unit.test_explain_look import BASE, LIST, Answers, seen_answers


def run(monkeypatch: pytest.MonkeyPatch, *words: str, twice: bool = False) -> Result:
    items = [{"describedObject": {"name": "vllm-0"}, "value": "11"}]
    hpas = [hpa(replicas=(1, 1)), *([hpa(replicas=(1, 1), name="other")] if twice else [])]
    answers = seen_answers({f"{LIST}/pods/*/{W}?labelSelector=app=vllm": {"items": items}})
    reader: Any = Answers(answers | {f"{BASE}/vllm": hpas[0], BASE: {"items": hpas}})

    @contextlib.contextmanager
    def connected(connection: object, *, read_only: bool) -> Iterator[Any]:
        assert read_only
        yield reader

    monkeypatch.setattr(explain_module, "connect", connected)
    return CliRunner().invoke(explain_module.explain, list(words))


def test_the_page(monkeypatch: pytest.MonkeyPatch) -> None:
    found = run(monkeypatch, "hpa/vllm")
    assert found.exit_code == 0
    assert found.stdout.splitlines()[0] == "Name:        vllm"
    assert "\x1b" not in found.stdout


@pytest.mark.parametrize("form", ["json", "yaml"])
def test_a_document(monkeypatch: pytest.MonkeyPatch, form: str) -> None:
    found = run(monkeypatch, "hpa", "vllm", "-o", form, "--what-if", "waiting=3")
    assert found.exit_code == 0
    if form == "json":
        document = json.loads(found.stdout)
        assert (document["kind"], document["items"][0]["whatIf"]) == ("Explanation", "waiting=3")
        assert document["items"][0]["metrics"][0]["total"] == "3"


def test_two_hpas_of_one_workload_are_both_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    found = run(monkeypatch, "sts/vllm", twice=True)
    assert [line for line in found.stdout.splitlines() if line.startswith("Name:")] == [
        "Name:        vllm", "Name:        other"
    ]  # fmt: skip


@pytest.mark.parametrize("words", [("vllm",), ("sts/a/b",), ("hpa/vllm", "--what-if", "waiting")])
def test_bad_usage_is_told_before_anything_is_asked(
    monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    monkeypatch.setattr(explain_module, "connect", None)
    found = CliRunner().invoke(explain_module.explain, list(words))
    assert isinstance(found.exception, LlmHpaError)
