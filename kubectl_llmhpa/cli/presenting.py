"""How changes are shown: kubectl's success lines, a diff, or the objects themselves."""

from __future__ import annotations

import contextlib
import difflib
import os
import shutil
import sys
from collections.abc import Iterator, Sequence

import click
import yaml

from kubectl_llmhpa.api import Json
from kubectl_llmhpa.cli.messages import say
from kubectl_llmhpa.output import terminal
from kubectl_llmhpa.plan.steps import Change

_SUFFIX = {"none": "", "client": " (dry run)", "server": " (server dry run)"}


def success_line(change: Change, dry_run: str) -> str:
    """`podmonitor.monitoring.coreos.com/x created (server dry run)`."""
    return change.line + _SUFFIX[dry_run]


def documents(objects: Sequence[Json]) -> str:
    """Several objects as one YAML stream."""
    return yaml.dump_all(objects, Dumper=yaml.CSafeDumper, sort_keys=False, width=10_000, explicit_start=True)


def diff(change: Change) -> str:
    """A unified diff of one object, empty when nothing changes."""
    name = f"{change.resource.full_name}/{change.namespace}/{change.name}"
    before, after = (
        "" if one is None else yaml.dump(one, Dumper=yaml.CSafeDumper, width=10_000)
        for one in (change.before, change.after)
    )
    lines = difflib.unified_diff(
        before.splitlines(keepends=True), after.splitlines(keepends=True), f"live/{name}", f"planned/{name}"
    )
    return "".join(lines)


class HopLines:
    """Progress on stderr: a line per hop when it turns good, rewritten in place on a terminal till then."""

    def __init__(self) -> None:
        self._live = terminal.live(sys.stderr, os.environ)
        self._mark = click.style("✓", fg="green") if terminal.colour(sys.stderr, os.environ) else "✓"
        self._last = ""

    def __call__(self, name: str, text: str, seconds: float, good: bool) -> None:
        """See `hops.Progress`."""
        line = terminal.one_line(f"{name:<14} {text}")
        if good:
            self.clear()
            click.echo(f"{self._mark if self._live else 'ok'} {line}  ({seconds:.1f} s)", err=True)
            self._last = ""
        elif self._live:
            self.clear()
            click.echo(f"… {line}"[: shutil.get_terminal_size().columns - 1], nl=False, err=True)
        elif line != self._last:
            click.echo(f"-- {line}  ({seconds:.1f} s)", err=True)
            self._last = line

    def clear(self) -> None:
        """Wipe the line that is rewritten in place."""
        if self._live:
            click.echo("\r\x1b[K", nl=False, err=True)


class Written:
    """The changes of a run as they are made: a success line each, or names, or at the end the objects as YAML."""

    def __init__(self, output: str | None) -> None:
        self.progress = HopLines()
        self._output = output
        self._objects: list[Json] = []

    def __call__(self, change: Change) -> None:
        """Show one, as it is made."""
        self.progress.clear()
        if change.after and "apiVersion" in change.after:
            self._objects.append(change.after)
        if self._output is None:
            click.echo(success_line(change, "none"))
        elif self._output == "name":
            click.echo(change.reference)

    def say(self, text: str) -> None:
        """A line beside the changes."""
        self.progress.clear()
        say(text)

    @contextlib.contextmanager
    def running(self, interrupted: str) -> Iterator[None]:
        """Around the run; `interrupted` is what to know after Ctrl-C."""
        try:
            yield
        except KeyboardInterrupt:
            self.say(interrupted)
            raise
        finally:
            self.progress.clear()
        if self._output == "yaml":
            click.echo(documents(self._objects), nl=False)
