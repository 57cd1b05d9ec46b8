"""Bad usage in one sentence and where to look, as kubectl says it; click's own text takes four lines and more."""

from __future__ import annotations

from difflib import get_close_matches

import click


def lines(error: click.ClickException, command: str) -> list[str]:
    """What to print for an error of click's in that command: what is wrong, then the help that tells more."""
    return [
        f"error: {_problem(error)}",
        f"See 'kubectl llm-hpa{f' {command}' if command else ''} --help' for usage.",
    ]


def _problem(error: click.ClickException) -> str:
    context = error.ctx if isinstance(error, click.UsageError) else None
    command = context.command if context is not None else None
    if isinstance(error, click.NoSuchCommand) and isinstance(command, click.Group) and context:
        names = [*command.list_commands(context), "--help", "--version"]
        nearest = _nearest(error.command_name, names)
        return f'unknown command "{error.command_name}"{nearest}'
    if isinstance(error, click.NoSuchOption) and command is not None:
        flags = [flag for one in command.params for flag in (*one.opts, *one.secondary_opts)]
        nearest = _nearest(error.option_name, [flag for flag in (*flags, "--help") if flag.startswith("--")])
        if isinstance(command, click.Group) and not nearest:
            behind = f"kubectl llm-hpa COMMAND {error.option_name} ..."
            return f"unknown flag {error.option_name} before the command; flags stand behind it: {behind}"
        return f"unknown flag {error.option_name}{nearest}"
    message = " ".join(error.format_message().split()).removesuffix(".")
    return message if message[1:2].isupper() else message[:1].lower() + message[1:]


def _nearest(word: str, names: list[str]) -> str:
    found = get_close_matches(word, names, n=1)
    return f"; did you mean {found[0]}?" if found else ""
