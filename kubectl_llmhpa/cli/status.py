"""`status` as click has it: its options and its help; `status_run` does it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from kubectl_llmhpa.cli import candidates, status_run
from kubectl_llmhpa.cli.connection import connection_options
from kubectl_llmhpa.cli.value_types import FieldSelector, LabelSelector

if TYPE_CHECKING:
    from kubectl_llmhpa.kube import Connection


@click.command()
@click.argument(
    "names", nargs=-1, metavar="[TYPE/NAME | TYPE NAME]...", shell_complete=candidates.workloads_and_hpas
)
@click.option("-A", "--all-namespaces", is_flag=True, help="Look in all namespaces")
@click.option("-l", "--selector", type=LabelSelector(), default="", help="Label selector for the HPAs")
@click.option(
    "--field-selector",
    type=FieldSelector(),
    default="",
    help="Field selector for the HPAs, such as metadata.name=x",
)
@click.option(
    "--state", "states", default="", metavar="STATE,...", help="Only those in a state, such as Broken,AtMax"
)
@click.option(
    "--sort-by",
    default="",
    metavar="FIELD",
    help="A column (state, signal), or a field of the HPA as kubectl's",
)
@click.option("--no-headers", is_flag=True, help="Leave the table's header out")
@click.option("-w", "--watch", is_flag=True, help="Go on and show every change")
@click.option("-o", "--output", type=click.Choice(["wide", "json", "yaml", "name"]), help="Output format")
@connection_options
def status(
    names: tuple[str, ...],
    all_namespaces: bool,
    selector: str,
    field_selector: str,
    states: str,
    sort_by: str,
    no_headers: bool,
    watch: bool,
    output: str | None,
    connection: Connection,
) -> None:
    """Show LLM autoscalers: signal now and target, replicas, and why they move or not.

    Every HPA that uses an inference engine's metrics, or scales pods that run one, is shown, whoever made it, and
    every ScaledObject of KEDA that does. With one TYPE/NAME (a workload, hpa/NAME or scaledobject/NAME) the metrics
    with their votes, the conditions and the last rescales are shown.

    \b
    Examples:
      kubectl llm-hpa status -A
      kubectl llm-hpa status sts/vllm-inference
      kubectl llm-hpa status -A --state Broken,NoCapacity,AtMax --sort-by state
      kubectl llm-hpa status -w
    """
    if watch and output not in (None, "wide"):
        raise click.UsageError(f"-w shows tables and cannot be combined with -o {output}")
    if all_namespaces and names:
        raise click.UsageError("a workload name cannot be given across all namespaces")
    status_run.run(
        names=names, all_namespaces=all_namespaces, selector=selector, field_selector=field_selector, states=states,
        sort_by=sort_by, no_headers=no_headers, watch=watch, output=output, connection=connection,
    )  # fmt: skip
