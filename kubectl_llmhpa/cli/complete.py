"""`kubectl_complete-llm_hpa`: candidates for the words typed so far, as kubectl's own mechanism asks.

kubectl (1.26 and newer) runs the program of this name that it finds on PATH with the words after `llm-hpa`, and reads
one candidate a line, with a help text after a tab, and at last a directive of Cobra's.
"""

from __future__ import annotations

import sys

from click.shell_completion import ShellComplete

from kubectl_llmhpa.cli.group import cli
from kubectl_llmhpa.cli.main import unfolded

#: What the shell does besides: complete files, no files, folders only.
_DIRECTIVES = {"file": 0, "plain": 4, "dir": 16}


def main() -> None:
    """Print candidates and the directive; silent on any failure."""
    words = sys.argv[1:] or [""]
    try:
        completion = ShellComplete(cli, {}, "kubectl llm-hpa", "_COMPLETE")
        items = completion.get_completions(unfolded(words[:-1]), words[-1])
    except Exception:  # noqa: BLE001 a completion must never disturb the shell
        return
    for item in items:
        if item.type == "plain":
            print(f"{item.value}\t{item.help}" if item.help else item.value)
    print(f":{_DIRECTIVES[items[0].type if items else 'plain']}")
