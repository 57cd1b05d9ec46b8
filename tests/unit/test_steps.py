"""The step runner: everything is checked before the first write, and a failure takes back what was begun."""

from __future__ import annotations

import pytest

from kubectl_llmhpa.errors import LlmHpaError
from kubectl_llmhpa.plan import steps
from kubectl_llmhpa.plan.steps import Change, UndoError


class Noted:
    """Writes down what it is told; `fails` are the calls that fail."""

    def __init__(self, log: list[str], name: str, *, single_write: bool = False, fails: str = "") -> None:
        self.single_write = single_write
        self._log, self._name, self._fails = log, name, fails

    def _do(self, call: str) -> None:
        self._log.append(f"{call} {self._name}")
        if call in self._fails.split():
            raise LlmHpaError(f"{call} {self._name}", "no")

    def changes(self) -> list[Change]:
        return []

    def validate(self) -> None:
        self._do("validate")

    def do(self) -> list[Change]:
        self._do("do")
        return []

    def undo(self) -> None:
        self._do("undo")


def ran(*made: Noted) -> None:
    steps.run(made, lambda _: None)


def test_all_are_checked_before_the_first_is_done() -> None:
    log: list[str] = []
    ran(Noted(log, "a"), Noted(log, "b"))
    assert log == ["validate a", "validate b", "do a", "do b"]


def test_a_first_step_of_one_write_is_not_asked_about_twice() -> None:
    log: list[str] = []
    ran(Noted(log, "a", single_write=True), Noted(log, "b", single_write=True))
    assert log == ["validate b", "do a", "do b"]


def test_a_check_that_fails_leaves_everything_as_it_was() -> None:
    log: list[str] = []
    with pytest.raises(LlmHpaError, match="validate b"):
        ran(Noted(log, "a", single_write=True), Noted(log, "b", fails="validate"))
    assert log == ["validate b"]


def test_a_step_that_fails_is_undone_with_those_before_it() -> None:
    log: list[str] = []
    with pytest.raises(LlmHpaError, match="do b"):
        ran(Noted(log, "a"), Noted(log, "b", fails="do"), Noted(log, "c"))
    assert log[3:] == ["do a", "do b", "undo b", "undo a"]


def test_what_cannot_be_undone_is_said() -> None:
    log: list[str] = []
    with pytest.raises(UndoError, match=r"undo a: no.*run disable"):
        ran(Noted(log, "a", fails="undo"), Noted(log, "b", fails="do"))


def test_what_is_said_once_is_not_said_again() -> None:
    log: list[str] = []
    say = steps.once(log.append)
    for text in ("a", "b", "a"):
        say(text)
    assert log == ["a", "b"]
