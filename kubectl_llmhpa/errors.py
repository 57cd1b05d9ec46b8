"""What can go wrong, said in one sentence, with the exit code it ends in.

Every failure that a user can meet is an `LlmHpaError`: what was attempted on which object, what went
wrong, what to do. `cli.main` is the one place that turns it into stderr text and an exit code.
"""

from __future__ import annotations

import enum


class ExitCode(enum.IntEnum):
    """Exit codes of every command (1 for bad usage too, as kubectl does)."""

    OK = 0
    ERROR = 1
    COULD_NOT_LOOK = 2
    SLO_NOT_MET = 3
    NO_RESCALE = 4
    MEASUREMENT_INVALID = 5
    INTERRUPTED = 130


class LlmHpaError(Exception):
    """A failure with its remedy: `attempted: problem; remedy`."""

    exit_code: ExitCode = ExitCode.ERROR

    def __init__(
        self,
        attempted: str,
        problem: str,
        remedy: str = "",
        *,
        detail: str = "",
        exit_code: ExitCode | None = None,
    ) -> None:
        """`attempted` names the action and the object, `problem` the cause, `remedy` what to do.

        `detail` holds lines to copy (YAML), shown below the sentence.
        """
        self.attempted = attempted
        self.problem = problem
        self.remedy = remedy
        self.detail = detail
        if exit_code is not None:
            self.exit_code = exit_code
        super().__init__(str(self))

    def __str__(self) -> str:
        sentence = f"{self.attempted}: {self.problem}" if self.attempted else self.problem
        return f"{sentence}; {self.remedy}" if self.remedy else sentence


class ApiError(LlmHpaError):
    """An answer of the API server that is not a success.

    `code` is the HTTP status (0 when there was no answer), `reason` the server's machine word
    (`NotFound`, `Forbidden`, `Conflict`, ...; `BACKEND` where a program behind its proxy answered), `message` its
    own sentence.
    """

    BACKEND = "Backend"

    def __init__(self, attempted: str, code: int, reason: str, message: str, remedy: str = "") -> None:
        self.code = code
        self.reason = reason
        self.message = message
        super().__init__(attempted, message or reason or f"HTTP {code}", remedy)

    @property
    def not_found(self) -> bool:
        return self.code == 404

    @property
    def forbidden(self) -> bool:
        return self.code in (401, 403) and self.reason != self.BACKEND

    @property
    def conflict(self) -> bool:
        return self.code == 409

    @property
    def unavailable(self) -> bool:
        return self.code in (0, 502, 503, 504)
