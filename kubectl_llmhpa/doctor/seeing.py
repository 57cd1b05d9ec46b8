"""The reader of one diagnosis: nothing is asked twice, nothing without the right to, and what was refused is noted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from urllib.parse import unquote

from kubectl_llmhpa.api import Json, Reader
from kubectl_llmhpa.doctor.facts import Problem
from kubectl_llmhpa.errors import ApiError, LlmHpaError
from kubectl_llmhpa.plan.once import Once
from kubectl_llmhpa.plan.permitted import EVERYTHING, Permitted, Right, needed


class Seeing(Once):
    """`unseen` is what was refused."""

    def __init__(self, reader: Reader) -> None:
        super().__init__(Permitted(reader))
        self._refused: dict[str, None] = {}

    @property
    def unseen(self) -> tuple[str, ...]:
        """The rights that were missing, in the order in which they were needed."""
        return tuple(self._refused)

    def get(self, path: str, *, accept: str = "application/json") -> Json:
        """See `api.Reader.get`."""
        try:
            return super().get(path, accept=accept)
        except ApiError as error:
            self._note(path, error)
            raise

    def get_text(self, path: str, *, timeout: float | None = None) -> str:
        """See `api.Reader.get_text`."""
        try:
            return super().get_text(path, timeout=timeout)
        except ApiError as error:
            self._note(path, error)
            raise

    def get_many(self, paths: Sequence[str]) -> list[Json | ApiError]:
        """See `api.Reader.get_many`."""
        answers = super().get_many(paths)
        for path, answer in zip(paths, answers, strict=True):
            if isinstance(answer, ApiError):
                self._note(path, answer)
        return answers

    def may(
        self, verb: str, group: str, resource: str, subresource: str = "", namespace: str = "", name: str = ""
    ) -> bool:
        """See `api.Reader.may`."""
        allowed = super().may(verb, group, resource, subresource, namespace, name)
        asked = Right(verb, group, resource, subresource, namespace)
        if not allowed and asked != EVERYTHING:  # whom that is refused lacks nothing that was to be seen
            self._refuse(asked)
        return allowed

    def know(self, path: str, answer: Json) -> None:
        """What a path would give, where a list has told it already."""
        self._answers.setdefault((path, "application/json"), answer)

    def items(self, path: str) -> list[Json] | None:
        """The items of a list; none where the kind does not exist, None where they could not be read."""
        try:
            return list(self.get(path).get("items") or [])
        except ApiError as error:
            if error.unavailable:
                raise
            return [] if error.not_found else None

    def _note(self, path: str, error: ApiError) -> None:
        if error.forbidden and error.code != 401:  # who is asking is not known: no right is missing
            right = needed(path)
            if right is not None:
                self._refuse(right)

    def _refuse(self, right: Right) -> None:
        self._refused[str(replace(right, name="", subresource=unquote(right.subresource)))] = None


def problem(error: LlmHpaError) -> Problem:
    """A failure as facts have it."""
    if isinstance(error, ApiError):
        return Problem(
            error.problem, error.remedy, error.code, error.forbidden, error.reason == ApiError.BACKEND
        )
    return Problem(error.problem, error.remedy)
