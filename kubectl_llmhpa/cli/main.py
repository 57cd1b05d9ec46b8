"""The entry point: commands loaded when asked for, and the one place where errors become exit codes."""

from __future__ import annotations

import gc
import importlib
import os
import re
import sys
from typing import TYPE_CHECKING

import click

from kubectl_llmhpa import __version__
from kubectl_llmhpa.errors import ExitCode, LlmHpaError

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

#: command -> (module that holds a click command of the same name, one line for the overview)
COMMANDS = {
    "detect": ("kubectl_llmhpa.cli.detect", "Show which engines run here and what can be scaled"),
    "enable": ("kubectl_llmhpa.cli.enable", "Scale an LLM workload from its engine's own metrics"),
    "status": ("kubectl_llmhpa.cli.status", "Show LLM autoscalers, their signals and why they move or not"),
    "lint": ("kubectl_llmhpa.cli.lint", "Say what in manifests or live autoscalers cannot work"),
    "explain": ("kubectl_llmhpa.cli.explain", "Explain an autoscaler's replicas, and what would change them"),
    "doctor": (
        "kubectl_llmhpa.cli.doctor",
        "Show which hop from the engine to its replicas is broken, and the fix",
    ),
    "bench": ("kubectl_llmhpa.cli.bench", "Load a workload from inside the cluster and watch it scale"),
    "simulate": ("kubectl_llmhpa.cli.simulate", "Replay a load against an autoscaler and other policies"),
    "migrate": ("kubectl_llmhpa.cli.migrate", "Move a workload's autoscaler to another metric backend"),
    "disable": ("kubectl_llmhpa.cli.disable", "Remove exactly what enable added"),
    "rbac": ("kubectl_llmhpa.cli.rbac", "Print the least roles that a command needs"),
    "completion": ("kubectl_llmhpa.cli.completion", "Print the completion script of a shell"),
}
#: In which the scripts of `completion` ask.
COMPLETE_VARIABLE = "_KUBECTL_LLM_HPA_COMPLETE"

_SHORT_WITH_VALUE = re.compile(r"(-[A-Za-z])=(.*)", re.DOTALL)

_GENERAL_HELP = """Autoscale LLM inference pods from queue depth, running requests and KV-cache use.

\b
Examples:
  # See which engines run in this namespace
  kubectl llm-hpa detect
  # Scale a StatefulSet between 1 and 3 replicas
  kubectl llm-hpa enable sts/vllm-inference --min 1 --max 3
  # See every LLM autoscaler of the cluster
  kubectl llm-hpa status -A
  # Load it and watch it rescale
  kubectl llm-hpa bench sts/vllm-inference
  # Remove everything that enable added
  kubectl llm-hpa disable sts/vllm-inference
"""


class LazyGroup(click.Group):
    """A group that imports a command's module only when that command is used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """In the order in which they are used."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return one command."""
        if cmd_name not in COMMANDS:
            return None
        command = getattr(importlib.import_module(COMMANDS[cmd_name][0]), cmd_name)
        assert isinstance(command, click.Command)
        return command

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Commands by name, without importing any, then the group's own options."""
        from click.shell_completion import CompletionItem

        commands = [(name, text) for name, (_, text) in COMMANDS.items() if name.startswith(incomplete)]
        items = [CompletionItem(name, help=text) for name, text in commands]
        return items + click.Command.shell_complete(self, ctx, incomplete)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The overview, without importing any command."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


@click.group(
    cls=LazyGroup, name="kubectl llm-hpa", help=_GENERAL_HELP,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)  # fmt: skip
@click.version_option(__version__, prog_name="kubectl-llm-hpa", message="%(prog)s %(version)s")
def cli() -> None:
    """See `_GENERAL_HELP`."""


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit with a documented code."""
    words = unfolded(sys.argv[1:] if arguments is None else arguments)
    try:
        outcome = cli.main(
            words, prog_name="kubectl llm-hpa", complete_var=COMPLETE_VARIABLE, standalone_mode=False
        )
        code = outcome if isinstance(outcome, int) else ExitCode.OK
        sys.stdout.flush()
    except click.ClickException as error:
        from kubectl_llmhpa.cli import usage

        for line in usage.lines(error, words[0] if words and words[0] in COMMANDS else ""):
            click.echo(printable(line), err=True)
        code = ExitCode.ERROR
    except click.exceptions.Exit as stop:
        code = stop.exit_code
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted", err=True)
        code = ExitCode.INTERRUPTED
    except BrokenPipeError:  # the reader of a pipe went away: nothing to say and nobody to say it to
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = ExitCode.ERROR
    except LlmHpaError as error:
        _show_traceback(words)
        click.echo(f"error: {printable(str(error))}", err=True)
        for line in error.detail.splitlines():
            click.echo(printable(line), err=True)
        code = error.exit_code
    except Exception as error:  # noqa: BLE001 a defect of ours still ends in one sentence
        _show_traceback(words)
        click.echo(
            f"error: kubectl-llm-hpa {__version__} failed in a way it should not: "
            f"{type(error).__name__}: {printable(str(error))}; please report it with the output of -v 8",
            err=True,
        )
        code = ExitCode.ERROR
    gc.freeze()  # no last search for garbage: the process ends
    sys.exit(int(code))


def unfolded(words: list[str]) -> list[str]:
    """The words with kubectl's `-o=yaml` and `-v=8` as two each, which is how click reads them."""
    result: list[str] = []
    for word in words:
        match = _SHORT_WITH_VALUE.fullmatch(word)
        result += match.groups() if match else (word,)
    return result


def printable(text: str) -> str:
    """Text from the cluster on one line, with control characters made visible."""
    from kubectl_llmhpa.output.terminal import escape

    return escape(" ".join(text.split("\n")))


def _show_traceback(words: list[str]) -> None:
    """Print the traceback where `-v 8` (or more) asks for it."""
    if wants_traceback(words):
        import traceback

        traceback.print_exc()


def wants_traceback(words: list[str]) -> bool:
    """Whether the command line holds `-v N`, `-vN` or `--v=N` with N of 8 or more."""
    for position, word in enumerate(words):
        name, _, value = word.partition("=")
        if name.startswith("-v") and name[2:].isdigit():
            name, value = "-v", name[2:]
        if name in ("-v", "--v") and not value and position + 1 < len(words):
            value = words[position + 1]
        if name in ("-v", "--v") and value.isdigit() and int(value) >= 8:
            return True
    return False
