"""`explain`: the calculation of an HPA on live numbers, and what would change it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from kubectl_llmhpa.cli.connection import connect, connection_options
from kubectl_llmhpa.cli.printed_commands import completed
from kubectl_llmhpa.cli.workload_argument import workload_argument

if TYPE_CHECKING:
    from kubectl_llmhpa.explain import Explanation
    from kubectl_llmhpa.kube import Connection


@click.command()
@workload_argument(hpas=True)
@click.option(
    "--what-if",
    default="",
    metavar="NAME=VALUE,...",
    help="Calculate with other numbers: signals (a count in all, a ratio per pod), replicas, pods-ready, min, max, "
    "target.SIGNAL",
)
@click.option("-o", "--output", type=click.Choice(["json", "yaml"]), help="Output format")
@connection_options
def explain(workload: tuple[str, ...], what_if: str, output: str | None, connection: Connection) -> None:
    """Explain why an HPA asks for its replicas, line by line, and what would change that.

    The calculation is the controller's own, on what the controller reads now. TYPE/NAME is a workload, hpa/NAME or
    scaledobject/NAME.

    \b
    Examples:
      kubectl llm-hpa explain sts/vllm
      kubectl llm-hpa explain sts/vllm --what-if waiting=40,max=10
      kubectl llm-hpa explain hpa/vllm -o json
    """
    if what_if:  # bad usage is told before anything is connected to
        from kubectl_llmhpa.explain import what_if as wishes

        wishes.parse(what_if)
    with connect(connection, read_only=True) as cluster:
        from kubectl_llmhpa.explain import find, look, replay

        found = [look(cluster, hpa) for hpa in find(cluster, workload, cluster.namespace)]
    explained = [
        replay(wishes.apply(one, what_if), before=one, what_if=what_if) if what_if else replay(one)
        for one in found
    ]
    _show(explained, output)


def _show(explained: list[Explanation], output: str | None) -> None:
    import os
    import sys

    from kubectl_llmhpa.cli import explain_text
    from kubectl_llmhpa.cli.explain_document import item
    from kubectl_llmhpa.output import documents, terminal

    if output in documents.FORMATS:
        content = {"items": [item(one) for one in explained]}
        click.echo(documents.dump(documents.document("Explanation", content), output), nl=False)
        return
    colour = terminal.colour(sys.stdout, os.environ)
    click.echo(completed("\n\n".join(explain_text.block(one, colour=colour) for one in explained)))
