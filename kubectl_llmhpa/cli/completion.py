"""`completion`: the script that lets a shell complete `kubectl-llm_hpa`."""

from __future__ import annotations

import click

#: The program as a shell finds it.
PROGRAM = "kubectl-llm_hpa"


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish", "powershell"]))
def completion(shell: str) -> None:
    """Print the completion script of a shell for `kubectl-llm_hpa`.

    It is for those who call the program by that name. `kubectl llm-hpa` is completed by kubectl itself: its own
    completion is to be loaded (`kubectl completion --help`), and a program `kubectl_complete-llm_hpa` is to be on
    your PATH. pip and pipx put it there; Krew links the plugin only, so link it once as in the last example.

    Workloads, HPAs, namespaces and contexts are completed from the cluster, by the connection flags that are typed
    already, in two seconds or not at all.

    \b
    Examples:
      # Bash, for this shell and for all that come
      source <(kubectl llm-hpa completion bash)
      kubectl llm-hpa completion bash > ~/.local/share/bash-completion/completions/kubectl-llm_hpa
      # Zsh, in ~/.zshrc after compinit
      source <(kubectl llm-hpa completion zsh)
      # Fish
      kubectl llm-hpa completion fish > ~/.config/fish/completions/kubectl-llm_hpa.fish
      # PowerShell, in $PROFILE
      kubectl llm-hpa completion powershell | Out-String | Invoke-Expression
      # After `kubectl krew install llm-hpa`, so that kubectl completes it
      ln -s kubectl-llm_hpa ~/.krew/bin/kubectl_complete-llm_hpa
    """
    from click.shell_completion import get_completion_class

    from kubectl_llmhpa.cli.group import COMPLETE_VARIABLE, cli

    kind = get_completion_class(shell)
    assert kind is not None
    click.echo(kind(cli, {}, PROGRAM, COMPLETE_VARIABLE).source())
