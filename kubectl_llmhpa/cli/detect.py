"""`detect`: which engines run here, what each exposes, and what can be scaled by it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from kubectl_llmhpa.cli.connection import connection_options
from kubectl_llmhpa.errors import ExitCode, LlmHpaError

if TYPE_CHECKING:
    from kubectl_llmhpa.kube import Connection

#: Keys that say nothing about a body alone.
_CLUSTER_ONLY = ("form", "versionSource", "evidence", "lookalike")


@click.command("detect", short_help="Show which engines run here and what can be scaled")
@click.option("--body", metavar="FILE|-", help="Read a saved metrics page instead of a cluster")
@click.option("--command", default="", help="With --body: the command line that the engine was started with")
@click.option("--image", default="", help="With --body: the image that it runs in")
@click.option("--engine", default="", metavar="NAME[@VERSION]", help="The engine, where nothing else tells")
@click.option("-o", "--output", type=click.Choice(["wide", "json", "yaml"]), help="Output format")
@connection_options
def detect(
    body: str | None, command: str, image: str, engine: str, output: str | None, connection: Connection
) -> int:
    """Show which engines run here, what each exposes now, and what can be scaled by it."""
    for flag, value in (("--command", command), ("--image", image)):
        if value and body is None:
            raise click.UsageError(f"{flag} needs --body: in a cluster the pods tell")
    del connection
    if body is None:
        raise click.UsageError("give --body")
    _show_body(read_body(body), command, image, engine, output)
    return ExitCode.OK


def read_body(name: str) -> str:
    """The text of a file, or of stdin for `-`. Raises LlmHpaError when it cannot be read."""
    try:
        content = sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
    except OSError as error:
        raise LlmHpaError(
            f"read {name}", error.strerror or str(error), "name a saved metrics page"
        ) from error
    return content.decode("utf-8", "replace")


def _show_body(text: str, command: str, image: str, hint: str, output: str | None) -> None:
    """What a saved metrics page is, as `identify` sees it."""
    from kubectl_llmhpa import engines
    from kubectl_llmhpa.cli import detect_documents, detect_text
    from kubectl_llmhpa.output import documents
    from kubectl_llmhpa.plan import sanity

    clues = engines.clues([command] if command else [], image=image)
    try:
        facts = engines.identify(text, clues, hint=hint)
        content = detect_documents.engine(facts)
        found = sanity.of_facts("", facts)
        block = detect_text.engine_block(facts)
    except engines.NotAnEngine as error:
        content = detect_documents.no_engine(error, str(error))
        found = sanity.of_refusal("", error, clues, text)
        block = detect_text.no_engine_block(error)
    if output in documents.FORMATS:
        content = {key: item for key, item in content.items() if key not in _CLUSTER_ONLY}
        content["findings"] = detect_documents.findings(found)
        click.echo(documents.dump(documents.document("Body", content), output), nl=False)
        return
    click.echo("\n".join([block, *detect_text.finding_lines(found)]))
