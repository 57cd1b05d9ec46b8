"""The entry point: commands loaded when asked for, and the one place where errors become exit codes."""

from __future__ import annotations

import contextlib
import os
import re
import sys
from collections.abc import Iterator

from kubectl_llmhpa import __version__
from kubectl_llmhpa.errors import ExitCode, LlmHpaError

#: How kubectl's flags begin that say which cluster.
_OF_THE_CONNECTION = ("--kubeconfig", "--context", "--cluster", "--server", "-s")
_SHORT_WITH_VALUE = re.compile(r"(-[A-Za-z])=(.*)", re.DOTALL)


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit with a documented code."""
    words = unfolded(sys.argv[1:] if arguments is None else arguments)
    with _cluster_kept(words):
        try:
            code = _run(words)
            sys.stdout.flush()
        except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 each has its code and its sentence
            code = _failed(error, words)
    if arguments is None:
        _leave(code)
    sys.exit(code)


@contextlib.contextmanager
def _cluster_kept(words: list[str]) -> Iterator[None]:
    """Commands that are printed meanwhile act on the cluster that the words speak of."""
    if not any(word.startswith(_OF_THE_CONNECTION) for word in words):
        yield
        return
    from kubectl_llmhpa.cli import printed_commands

    printed_commands.keep(words)
    yield
    printed_commands.keep(())


def _run(words: list[str]) -> int:
    """Run a command and return its code; `status` as it is mostly asked for without click, which takes 20 ms."""
    from kubectl_llmhpa.cli import status_words

    asked = status_words.read(words)
    if asked is not None:
        from kubectl_llmhpa.cli import status_run

        status_run.run(**asked)
        return ExitCode.OK
    from kubectl_llmhpa.cli.group import COMPLETE_VARIABLE, cli

    outcome = cli.main(
        words or ["--help"],
        prog_name="kubectl llm-hpa",
        complete_var=COMPLETE_VARIABLE,
        standalone_mode=False,
    )
    return outcome if isinstance(outcome, int) else ExitCode.OK


def _failed(error: Exception | KeyboardInterrupt, words: list[str]) -> int:
    """Say what went wrong and return the exit code."""
    import click

    from kubectl_llmhpa.cli.messages import say

    match error:
        case click.ClickException():
            from kubectl_llmhpa.cli import usage
            from kubectl_llmhpa.cli.group import COMMANDS

            for line in usage.lines(error, words[0] if words and words[0] in COMMANDS else ""):
                say(line)
            return ExitCode.ERROR
        case click.exceptions.Exit():
            return error.exit_code
        case click.Abort() | KeyboardInterrupt():
            say("interrupted")
            return ExitCode.INTERRUPTED
        case BrokenPipeError():  # the reader of a pipe went away: nothing to say and nobody to say it to
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return ExitCode.ERROR
        case LlmHpaError():
            from kubectl_llmhpa.cli.refused import with_remedy

            _show_traceback(words)
            say(f"error: {with_remedy(error, words)}")
            for line in error.detail.splitlines():
                say(line)
            return error.exit_code
        case Exception():  # a defect of ours still ends in one sentence
            _show_traceback(words)
            say(
                f"error: kubectl-llm-hpa {__version__} failed in a way it should not: "
                f"{type(error).__name__}: {error}; please report it with the output of -v 8"
            )
            return ExitCode.ERROR
    raise error


def _leave(code: int) -> None:
    """End the process without taking Python apart, which takes 5 ms; connections end with it."""
    sys.stderr.flush()
    os._exit(code)


def unfolded(words: list[str]) -> list[str]:
    """The words with kubectl's `-o=yaml` and `-v=8` as two each, which is how click reads them."""
    result: list[str] = []
    for word in words:
        match = _SHORT_WITH_VALUE.fullmatch(word)
        result += match.groups() if match else (word,)
    return result


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
