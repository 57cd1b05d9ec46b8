"""`detect`: which engines run here, what each exposes, and what can be scaled by it."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from kubectl_llmhpa.cli.connection import connect, connection_options
from kubectl_llmhpa.cli.messages import say
from kubectl_llmhpa.cli.printed_commands import completed
from kubectl_llmhpa.cli.shared_options import engine_option
from kubectl_llmhpa.cli.value_types import LabelSelector
from kubectl_llmhpa.cli.workload_argument import workload_argument
from kubectl_llmhpa.errors import ExitCode, LlmHpaError

if TYPE_CHECKING:
    from kubectl_llmhpa.kube import Connection

#: Keys that say nothing about a body alone.
_CLUSTER_ONLY = ("form", "versionSource", "evidence", "lookalike")


@click.command("detect", short_help="Show which engines run here and what can be scaled")
@workload_argument(required=False)
@click.option("-A", "--all-namespaces", is_flag=True, help="Look in all namespaces")
@click.option("-l", "--selector", type=LabelSelector(), default="", help="Label selector for the pods")
@engine_option
@click.option(
    "--body", type=click.Path(), metavar="FILE|-", help="Read a saved metrics page instead of a cluster"
)
@click.option("--command", default="", help="With --body: the command line that the engine was started with")
@click.option("--image", default="", help="With --body: the image that it runs in")
@click.option("-o", "--output", type=click.Choice(["wide", "json", "yaml"]), help="Output format")
@connection_options
def detect(
    workload: tuple[str, ...],
    all_namespaces: bool,
    selector: str,
    engine: str,
    body: str | None,
    command: str,
    image: str,
    output: str | None,
    connection: Connection,
) -> int:
    """Show which engines run here, what each exposes now, and what can be scaled by it.

    One ready pod of each pod template is asked for its metrics page; the numbers are those of that pod. Without the
    right to the pod proxy, or where a mesh or a network policy blocks it, Prometheus, the metrics API, the command
    line, labels and the image tell what they can. Seats are the requests that one pod runs at once; ~ marks a number
    that only a flag, or its default, speaks for.

    \b
    Examples:
      # The engines of this namespace, and of all namespaces
      kubectl llm-hpa detect
      kubectl llm-hpa detect -A -o wide
      # One workload, with all that is known of it
      kubectl llm-hpa detect sts/vllm-inference -o yaml
      # A saved metrics page, without a cluster
      curl -s localhost:8000/metrics | kubectl llm-hpa detect --body - -o json
    """
    for flag, value in (("--command", command), ("--image", image)):
        if value and body is None:
            raise click.UsageError(f"{flag} needs --body: in a cluster the pods tell")
    if body is not None:
        if workload or all_namespaces or selector:
            raise click.UsageError("--body reads no cluster: leave out TYPE/NAME, -A and -l")
        _show_body(read_body(body), command, image, engine, output)
        return ExitCode.OK
    if workload and (all_namespaces or selector):
        raise click.UsageError("TYPE/NAME excludes -A and -l")
    _show_cluster(connection, workload, all_namespaces, selector, engine, output)
    return ExitCode.OK


def _show_cluster(
    connection: Connection,
    workload: tuple[str, ...],
    everywhere: bool,
    selector: str,
    hint: str,
    output: str | None,
) -> None:
    with connect(connection, read_only=True) as cluster:
        # kubectl starts while these load
        from kubectl_llmhpa.cli import detect_documents, detect_text
        from kubectl_llmhpa.output import documents
        from kubectl_llmhpa.output.terminal import one_line
        from kubectl_llmhpa.plan.looking import detecting

        namespace = None if everywhere else cluster.namespace
        counter = Counter()
        try:
            found = detecting.survey(
                cluster, detecting.Question(workload, namespace, selector, hint), counter
            )
        finally:
            counter.clear()
    if output in documents.FORMATS:
        content = {
            "items": [detect_documents.workload(one) for one in found.detections],
            "others": list(found.others),
            "prometheus": found.prometheus or None,
        }
        click.echo(documents.dump(documents.document("Detection", content), output), nl=False)
        return
    if found.others:
        shown = ", ".join(found.others[:3]) + (", ..." if len(found.others) > 3 else "")
        say(f"{len(found.others)} more asked, which show no engine: {shown}")
    if not found.detections:
        where = "any namespace" if namespace is None else f"{namespace} namespace"
        say(f"No engines found in {where}.")
        return
    wide = output == "wide"
    if workload and not wide:
        click.echo(completed("\n\n".join(map(detect_text.workload_block, found.detections))))
    else:
        click.echo(detect_text.workloads_table(found.detections, namespaces=namespace is None, wide=wide))
    lines = detect_text.lines_below(found.detections)
    if workload:
        lines += detect_text.to_copy(found.detections)
    if lines:
        click.echo(completed("\n" + "\n".join(map(one_line, lines))))


class Counter:
    """Progress on stderr as one line that is rewritten in place; nothing where that is no terminal."""

    def __init__(self) -> None:
        from kubectl_llmhpa.output.terminal import live

        self._live = live(sys.stderr, os.environ)

    def __call__(self, what: str, done: int, of: int) -> None:
        """`asking pods 12/50`."""
        if self._live:
            click.echo(f"\r\x1b[K{what} {done}/{of}", nl=False, err=True)

    def clear(self) -> None:
        """Wipe the line."""
        if self._live:
            click.echo("\r\x1b[K", nl=False, err=True)


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
    from kubectl_llmhpa.cli import detect_documents, detect_text, finding_document
    from kubectl_llmhpa.output import documents
    from kubectl_llmhpa.output.terminal import one_line
    from kubectl_llmhpa.plan.looking import sanity

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
        content["findings"] = [finding_document.item(one) for one in found]
        click.echo(documents.dump(documents.document("Body", content), output), nl=False)
        return
    lines = map(one_line, detect_text.finding_lines(found))
    click.echo("\n".join([block, *lines]))
