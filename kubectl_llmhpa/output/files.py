"""Files that a user names for what a command writes."""

from __future__ import annotations

from pathlib import Path

from kubectl_llmhpa.errors import ExitCode, LlmHpaError


def write(name: str | Path, text: str, *, failing: ExitCode = ExitCode.ERROR) -> None:
    """Write it in UTF-8. Raises LlmHpaError, which ends in the exit code `failing`, where that is not possible."""
    try:
        Path(name).write_text(text, encoding="utf-8")
    except OSError as error:
        raise LlmHpaError(
            f"write {name}",
            error.strerror or str(error),
            "name a file that can be written",
            exit_code=failing,
        ) from error
