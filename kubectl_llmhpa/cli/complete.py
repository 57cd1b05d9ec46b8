"""`kubectl_complete-llm_hpa`: candidates for the words typed so far, as kubectl's own mechanism asks."""

from __future__ import annotations

import sys

from click.shell_completion import ShellComplete

from kubectl_llmhpa.cli.main import cli


def main() -> None:
    """Print one candidate a line, then the directive (4: no file completion); silent on any failure."""
    words = sys.argv[1:]
    try:
        completion = ShellComplete(cli, {}, "kubectl llm-hpa", "_COMPLETE")
        for item in completion.get_completions(words[:-1], words[-1] if words else ""):
            print(f"{item.value}\t{item.help}" if item.help else item.value)
    except Exception:  # noqa: BLE001 a completion must never disturb the shell
        return
    print(":4")
