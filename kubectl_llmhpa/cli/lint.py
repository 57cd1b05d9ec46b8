"""`lint`: what in these manifests, or in these live objects, cannot work."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from kubectl_llmhpa.cli.connection import connect, connection_options
from kubectl_llmhpa.cli.messages import say
from kubectl_llmhpa.cli.printed_commands import completed
from kubectl_llmhpa.cli.workload_argument import workload_argument
from kubectl_llmhpa.errors import ExitCode, LlmHpaError

if TYPE_CHECKING:
    from kubectl_llmhpa.kube import Connection
    from kubectl_llmhpa.lint.documents import Manifests
    from kubectl_llmhpa.lint.registry import Report

FAIL_ON = ("error", "warning", "info", "never")


@click.command()
@workload_argument(required=False, hpas=True)
@click.option(
    "-f", "--filename", "files", multiple=True, type=click.Path(), metavar="PATH|-",
    help="File, folder (with all below it) or - for stdin; may be repeated. No cluster is asked then",
)  # fmt: skip
@click.option("-A", "--all-namespaces", is_flag=True, help="Judge the objects of all namespaces")
@click.option(
    "--fail-on", type=click.Choice(FAIL_ON), default="error", show_default=True,
    help="Exit with 1 for findings of this severity or worse",
)  # fmt: skip
@click.option("--ignore", multiple=True, metavar="CODE", help="Leave a finding out; may be repeated")
@click.option("-o", "--output", type=click.Choice(["json", "yaml", "sarif"]), help="Output format")
@connection_options
def lint(
    workload: tuple[str, ...],
    files: tuple[str, ...],
    all_namespaces: bool,
    fail_on: str,
    ignore: tuple[str, ...],
    output: str | None,
    connection: Connection,
) -> int:
    """Say what in HPAs, ScaledObjects, adapter rules and scrape objects cannot work, or works badly.

    Manifests are judged without a cluster, and together: an HPA beside the Deployment that it scales is held against
    its engine and flags. Without -f the objects of the namespace are judged, or one workload with what scales it.
    An annotation kubectl-llm-hpa/lint-ignore: CODE, or a comment "# llm-hpa:ignore CODE" on the line or above it,
    silences a finding. Exit codes: 0 clean, 1 findings, 2 something could not be read.

    \b
    Examples:
      # Manifests of a repository, as a check in CI
      kubectl llm-hpa lint -f deploy/
      # What a chart makes
      helm template my-chart | kubectl llm-hpa lint -f -
      # Objects of a cluster
      kubectl llm-hpa lint -n llm
      kubectl llm-hpa lint deploy/vllm
    """
    codes = _codes(ignore)
    if files:
        if workload or all_namespaces:
            raise click.UsageError("-f reads no cluster: leave out TYPE/NAME and -A")
        manifests, report = _of_files(files, codes)
    else:
        if workload and all_namespaces:
            raise click.UsageError("TYPE/NAME excludes -A")
        try:
            manifests, report = _of_cluster(connection, workload, all_namespaces, codes)
        except LlmHpaError as error:
            error.exit_code = ExitCode.COULD_NOT_LOOK
            raise
    _show(manifests, report, output)
    if manifests.unreadable:
        return ExitCode.COULD_NOT_LOOK
    bad = FAIL_ON[: FAIL_ON.index(fail_on) + 1] if fail_on != "never" else ()
    return ExitCode.ERROR if any(one.finding.severity in bad for one in report.found) else ExitCode.OK


def _codes(ignore: Sequence[str]) -> set[str]:
    """The codes of `--ignore`, which may be several with commas. Raises UsageError for one that there is not."""
    from kubectl_llmhpa.findings import RULES

    codes = {code for word in ignore for code in re.split(r"[,\s]+", word) if code}
    if unknown := sorted(codes - RULES.keys()):
        raise click.UsageError(f"--ignore {unknown[0]}: there is no finding of that code")
    return codes


def _of_files(files: Sequence[str], ignore: set[str]) -> tuple[Manifests, Report]:
    from kubectl_llmhpa.lint import documents, registry

    manifests = documents.read(files)
    return manifests, registry.run(manifests.documents, ignore)


def _of_cluster(
    connection: Connection, words: tuple[str, ...], everywhere: bool, ignore: set[str]
) -> tuple[Manifests, Report]:
    from dataclasses import replace

    with connect(connection, read_only=True) as cluster:
        # kubectl starts while these load
        from kubectl_llmhpa.lint import live, registry
        from kubectl_llmhpa.lint.documents import Manifests

        meant = live.meant(cluster, words) if words else None
        documents, notes = live.read(cluster, None if everywhere else cluster.namespace)
    report = registry.run(documents, ignore)
    if meant is not None:
        report = replace(
            report,
            found=live.of_object(report.found, documents, *meant),
            ignored=live.of_object(report.ignored, documents, *meant),
        )
    return Manifests((), notes=tuple(notes)), report


def _show(manifests: Manifests, report: Report, output: str | None) -> None:
    from kubectl_llmhpa.cli import lint_text
    from kubectl_llmhpa.output import documents, terminal

    for one in manifests.unreadable:
        say(f"error: {one}")
    if output == "sarif":
        from kubectl_llmhpa.lint import sarif

        click.echo(documents.dump(sarif.render(report, manifests.unreadable), "json"), nl=False)
        return
    if output:
        click.echo(documents.dump(lint_text.document(report, manifests), output), nl=False)
        return
    for note in (*manifests.notes, *report.notes):
        say(note)
    for line in lint_text.lines(report.found, colour=terminal.colour(sys.stdout, os.environ)):
        click.echo(completed(line))
    say(lint_text.summary(report))
