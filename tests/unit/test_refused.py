"""What somebody reads who may not do what a command does."""

from __future__ import annotations

import pytest

from kubectl_llmhpa.cli.refused import with_remedy
from kubectl_llmhpa.errors import ApiError, ExitCode, LlmHpaError
from kubectl_llmhpa.kube import failures


@pytest.mark.parametrize(
    ("line", "roles"),
    [
        ("status", "--for status"),
        ("status -A", "--for status -A"),
        ("explain sts/x -n llm", "--for explain -n llm"),
        ("lint -nllm", "--for lint -n llm"),
        ("disable --namespace=llm sts/x", "--for disable -n llm"),
    ],
)
def test_the_roles_are_those_of_the_command(line: str, roles: str) -> None:
    error = ApiError("read pods", 403, "Forbidden", "forbidden", "ask somebody")
    error.exit_code = ExitCode.COULD_NOT_LOOK
    told = with_remedy(error, line.split())
    assert str(told) == f"read pods: forbidden; an administrator grants it by: kubectl llm-hpa rbac {roles}"
    assert told.exit_code == ExitCode.COULD_NOT_LOOK


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (ApiError("read pods", 403, "Forbidden", "forbidden", "ask somebody"), "rbac -n llm"),
        (
            failures.from_status("apply x", 403, "Forbidden", "x is forbidden: exceeded quota: q"),
            "enable sts/x",
        ),
        (ApiError("read pods", 404, "NotFound", "not found"), "status"),
        (LlmHpaError("read x", "no such file"), "lint -f x"),
    ],
)
def test_other_errors_stay(error: LlmHpaError, line: str) -> None:
    assert with_remedy(error, line.split()) is error
