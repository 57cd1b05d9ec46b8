"""What a command says on stderr beside its data, whatever may be in the text."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import click

from kubectl_llmhpa.cli.printed_commands import completed
from kubectl_llmhpa.output.terminal import one_line

if TYPE_CHECKING:
    from kubectl_llmhpa.findings import Finding


def say(text: str) -> None:
    """One line; control characters in it are made visible, and its commands act on the cluster that was typed."""
    click.echo(one_line(completed(text)), err=True)


def notes(texts: Iterable[str]) -> None:
    """Notes, of which one may have several lines."""
    for note in texts:
        for line in f"note: {note}".splitlines():
            say(line)


def found(findings: Iterable[Finding], refused: Finding | None) -> None:
    """Findings, but for the one with which the run will be refused in a moment."""
    for finding in findings:
        if finding != refused:
            say(f"{finding.severity}: {finding}")
