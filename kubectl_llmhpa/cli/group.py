"""The command line as click has it: a group whose commands are loaded when asked for."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

import click

from kubectl_llmhpa import __version__

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
