"""The command line from within: what a process of its own would end with and print."""

from __future__ import annotations

import pytest

from kubectl_llmhpa.cli.main import main


def ended(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    """The exit code, stdout and stderr of `kubectl llm-hpa WORDS`."""
    with pytest.raises(SystemExit) as stop:
        main(list(words))
    out, err = capsys.readouterr()
    return int(stop.value.code or 0), out, err
