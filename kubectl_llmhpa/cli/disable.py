"""`disable`: remove exactly what enable added."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from kubectl_llmhpa.cli import messages
from kubectl_llmhpa.cli.connection import connect, connection_options
from kubectl_llmhpa.cli.helm_option import helm_of, helm_option
from kubectl_llmhpa.cli.shared_options import dry_run_option
from kubectl_llmhpa.cli.value_types import LabelSelector
from kubectl_llmhpa.cli.workload_argument import workload_argument
from kubectl_llmhpa.errors import ExitCode

if TYPE_CHECKING:
    from collections.abc import Callable

    from kubectl_llmhpa.kube import Cluster, Connection
    from kubectl_llmhpa.plan.adapter.rule_steps import Helm
    from kubectl_llmhpa.plan.steps import Change, Report
    from kubectl_llmhpa.workloads import Workload


@click.command("disable", short_help="Remove exactly what enable added")
@workload_argument(required=False)
@click.option(
    "-l",
    "--selector",
    type=LabelSelector(),
    default="",
    help="Every workload with such pods, for example app=vllm",
)
@click.option(
    "--only", type=click.Choice(["rules"]),
    help="rules: take out what no HPA uses any more and leave the rest (for who owns the adapter)",
)  # fmt: skip
@helm_option("The chart of the adapter's release, where the rules are in its values (enable --helm)")
@dry_run_option("Print what would be removed")
@click.option("--diff", "show_diff", is_flag=True, help="Print the changes as a diff and remove nothing")
@click.option("-o", "--output", type=click.Choice(["name"]), help="Print only the names of what is changed")
@connection_options
def disable(
    connection: Connection,
    workload: tuple[str, ...],
    selector: str,
    only: str | None,
    helm_chart: str,
    dry_run: str,
    show_diff: bool,
    output: str | None,
) -> int:
    """Remove exactly what enable added, also when it was interrupted.

    Replicas stay as they are. An adopted HPA or ScaledObject is given back as it was. The adapter's rules stay as
    long as another HPA of the cluster uses them.

    \b
    Examples:
      # Give the cluster back as it was
      kubectl llm-hpa disable sts/vllm-inference
      # Every workload of a team
      kubectl llm-hpa disable -l team=search
      # With the rules in the values of the adapter's release
      kubectl llm-hpa disable deploy/vllm --helm prometheus-community/prometheus-adapter
    """
    from kubectl_llmhpa.cli.presenting import diff, success_line
    from kubectl_llmhpa.plan import disabling, pinning, steps
    from kubectl_llmhpa.plan.setting_up import enabling
    from kubectl_llmhpa.workloads import identify, resolve

    def report(change: Change) -> None:
        if show_diff:
            click.echo(diff(change), nl=False)
        else:
            click.echo(change.reference if output == "name" else success_line(change, dry_run))

    say = steps.once(messages.say)
    if bool(workload) == bool(selector):
        raise click.UsageError("name one workload (TYPE/NAME), or select several with -l")
    look_only = dry_run != "none" or show_diff
    with connect(connection, read_only=look_only) as cluster:
        helm = helm_of(cluster, helm_chart)
        targets = (
            [identify(cluster, workload, cluster.namespace)]
            if workload
            else enabling.selected(cluster, selector, say)
        )
        for target in targets:
            if look_only:
                found = _preview(cluster, target, only=only, report=report, say=say, helm=helm)
            else:
                pinning.recover(cluster, target, say)
                remove = disabling.disable_rules if only else disabling.disable
                found = remove(cluster, target, report, say, helm)
            if not found:
                if workload:
                    resolve(cluster, workload, cluster.namespace)  # one that does not exist is an error
                why = "no rule is without a user" if only else f"{target.reference} was not enabled"
                say(f"nothing to remove: {why}")
    return ExitCode.OK


def _preview(
    cluster: Cluster,
    target: Workload,
    *,
    only: str | None,
    report: Callable[[Change], None],
    say: Report,
    helm: Helm | None,
) -> bool:
    """Report what would be removed; whether there is anything."""
    from kubectl_llmhpa.plan import disabling

    look = disabling.preview_rules if only else disabling.preview
    changes = look(cluster, target, say, helm)
    for change in changes:
        report(change)
    return bool(changes)
