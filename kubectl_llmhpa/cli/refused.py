"""What is said to somebody who may not do what a command does: the command by which an administrator allows it."""

from __future__ import annotations

from collections.abc import Sequence

from kubectl_llmhpa.cli.printed_commands import namespace_of
from kubectl_llmhpa.errors import ApiError, LlmHpaError

#: Commands that need no rights in a cluster, or print those of others.
_WITHOUT = ("rbac", "completion")


def with_remedy(error: LlmHpaError, words: Sequence[str]) -> LlmHpaError:
    """The error of a command line, with the roles that it needs where the API server has refused it."""
    lacks = isinstance(error, ApiError) and error.code == 403 and error.remedy
    if lacks and words and words[0] not in _WITHOUT:
        roles = f"kubectl llm-hpa rbac --for {words[0]} {namespace_of(words)}".rstrip()
        return LlmHpaError(
            error.attempted, error.problem, f"an administrator grants it by: {roles}",
            detail=error.detail, exit_code=error.exit_code,
        )  # fmt: skip
    return error
