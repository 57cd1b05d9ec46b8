"""The step runner: check, do, verify, and undo what this run did when a later step fails."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from kubectl_llmhpa.api import Json, Resource
from kubectl_llmhpa.errors import LlmHpaError


@dataclass(frozen=True)
class Change:
    """One object before and after; `before` None means created, `after` None deleted."""

    resource: Resource
    namespace: str
    name: str
    before: Json | None
    after: Json | None

    @property
    def verb(self) -> str:
        """kubectl's word for it."""
        if self.before is None:
            return "created"
        if self.after is None:
            return "deleted"
        return "unchanged" if self.before == self.after else "configured"

    @property
    def reference(self) -> str:
        """`horizontalpodautoscaler.autoscaling/x`."""
        return f"{self.resource.full_name}/{self.name}"

    @property
    def line(self) -> str:
        """`horizontalpodautoscaler.autoscaling/x created`."""
        return f"{self.reference} {self.verb}"


class UndoError(LlmHpaError):
    """A step failed and could not be undone wholly: something of this run is left in the cluster."""


Report = Callable[[str], None]


def once(report: Report) -> Report:
    """A report that passes on each text only the first time."""
    told: set[str] = set()

    def say(text: str) -> None:
        if text not in told:
            told.add(text)
            report(text)

    return say


class Step(Protocol):
    """One part of a plan. All methods may raise LlmHpaError."""

    def changes(self) -> list[Change]:
        """What `do` would change, without changing it (the check; empty or unchanged: nothing to do)."""

    def validate(self) -> None:
        """Ask the server whether it would accept the changes (server-side dry run)."""

    def do(self) -> list[Change]:
        """Make the changes, wait for their effect and verify it."""

    def undo(self) -> None:
        """Take back what `do` did in this run; called also when `do` itself failed half-way."""


def run(steps: Sequence[Step], report: Callable[[Change], None]) -> None:
    """Let the server check all steps, then do them in order.

    When one fails, it and those before it are undone in reverse order and the failure is raised, with a
    note of anything that could not be undone (UndoError). Ctrl-C undoes nothing: the journal knows, and the next run
    finishes.
    """
    for number, step in enumerate(steps):
        # a first step of one write is refused or made as a whole: asking before adds nothing
        if number or not getattr(step, "single_write", False):
            step.validate()
    begun: list[Step] = []
    for step in steps:
        begun.append(step)
        try:
            for change in step.do():
                report(change)
        except LlmHpaError as failure:
            left = [problem for one in reversed(begun) if (problem := _undo(one))]
            if left:
                raise UndoError(
                    failure.attempted,
                    f"{failure.problem} (and undoing failed: {'; '.join(left)})",
                    "run disable to remove what is left",
                ) from failure
            raise


def _undo(step: Step) -> str:
    try:
        step.undo()
    except LlmHpaError as error:
        return str(error)
    return ""
