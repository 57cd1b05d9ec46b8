"""`migrate`: what scales a workload moves to another backend, by a plan that is printed first."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from kubectl_llmhpa.backends.model import BACKENDS
from kubectl_llmhpa.cli.connection import connect, connection_options
from kubectl_llmhpa.cli.helm_option import helm_of, helm_option
from kubectl_llmhpa.cli.messages import found, notes, say
from kubectl_llmhpa.cli.printed_commands import completed
from kubectl_llmhpa.cli.shared_options import dry_run_option, edit_adapter_option, kedas_prometheus_options
from kubectl_llmhpa.cli.value_types import Duration
from kubectl_llmhpa.cli.workload_argument import workload_argument
from kubectl_llmhpa.errors import ExitCode

if TYPE_CHECKING:
    from kubectl_llmhpa.kube import Cluster, Connection
    from kubectl_llmhpa.plan.setting_up.enabling import Prepared


@click.command("migrate", short_help="Move a workload's autoscaler to another metric backend")
@workload_argument()
@click.option(
    "--to", type=click.Choice(BACKENDS), required=True, help="Who is to hand the numbers to the HPA"
)
@kedas_prometheus_options
@edit_adapter_option
@helm_option("Change the rules in the values of the adapter's release, by `helm upgrade` with this chart")
@click.option(
    "--timeout", type=Duration(), default="5m", show_default=True,
    help="How long to wait altogether; then everything is taken back",
)  # fmt: skip
@dry_run_option("Print the plan; server: after the API server has checked it")
@click.option("-o", "--output", type=click.Choice(["yaml", "name"]), help="Print the objects, or their names")
@connection_options
def migrate(
    connection: Connection,
    workload: tuple[str, ...],
    to: str,
    prometheus_url: str,
    token_secret: tuple[str, str] | None,
    unsafe_ssl: bool,
    edit_adapter: bool | None,
    helm_chart: str,
    timeout: int,
    dry_run: str,
    output: str | None,
) -> int:
    """Move a workload's autoscaler to another metric backend, without a gap.

    The HPA stays the same object under the same name, with its limits, behavior and targets, and the replicas never
    fall below what they are. Each step is checked; when a check fails, everything is taken back and the old backend
    serves on. A run that was interrupted is finished by the same command.

    \b
    Examples:
      # See what would be done
      kubectl llm-hpa migrate sts/vllm-inference --to keda --dry-run=server
      # Let KEDA serve it, and move back
      kubectl llm-hpa migrate sts/vllm-inference --to keda
      kubectl llm-hpa migrate sts/vllm-inference --to prometheus-adapter
    """
    from kubectl_llmhpa.plan import migrating, pinning
    from kubectl_llmhpa.plan.once import Once
    from kubectl_llmhpa.plan.permitted import Permitted
    from kubectl_llmhpa.plan.wishes import Wishes
    from kubectl_llmhpa.workloads import resolve

    wishes = Wishes(
        prometheus_url=prometheus_url, token_secret=token_secret, unsafe_ssl=unsafe_ssl, helm_chart=helm_chart,
        edit_adapter=edit_adapter,
    )  # fmt: skip
    with connect(connection, read_only=dry_run == "client") as cluster:
        reader = Once(Permitted(cluster))
        target = resolve(reader, workload, cluster.namespace)
        if dry_run == "none":
            pinning.recover(cluster, target, say)
        prepared = migrating.prepare(reader, target, to, wishes)
        if migrating.arrived(prepared):
            say(f"nothing to move: {target.reference} reads from {to} already")
        else:
            _introduce(prepared, to, writes=dry_run == "none", quiet=dry_run != "none" and output is None)
        if dry_run == "none":
            _write(cluster, prepared, to, timeout=timeout, output=output)
        elif not migrating.arrived(prepared):
            _preview(cluster, prepared, dry_run=dry_run, output=output)
    return ExitCode.OK


def _introduce(prepared: Prepared, to: str, *, writes: bool, quiet: bool) -> None:
    """Say what will be done, and what will not come along.

    `quiet` leaves the plan to what is printed later; where it `writes`, so is the finding by which it cannot work.
    """
    from kubectl_llmhpa.plan import migrating
    from kubectl_llmhpa.plan.setting_up import enabling

    notes((*migrating.losses(prepared), *prepared.plan.notes))
    found(prepared.plan.findings, enabling.impossible(prepared) if writes else None)
    if not quiet:
        click.echo("\n".join(_plan(prepared, to)), err=True)


def _plan(prepared: Prepared, to: str) -> list[str]:
    from kubectl_llmhpa.output.terminal import one_line
    from kubectl_llmhpa.plan import migrating

    plan = prepared.plan
    title = f"{plan.workload.reference} moves to {to} with hpa/{plan.scaler.hpa_name}:"
    numbered = [f"{number:>3}. {line}" for number, line in enumerate(migrating.lines(prepared), start=1)]
    return [one_line(line) for line in (title, *numbered)]


def _preview(cluster: Cluster, prepared: Prepared, *, dry_run: str, output: str | None) -> None:
    """The plan on stdout, or the object that will scale the workload."""
    from kubectl_llmhpa.cli.presenting import documents
    from kubectl_llmhpa.plan import migrating

    if dry_run == "server":
        helm = helm_of(cluster, prepared.wishes.helm_chart)
        migrating.Migrating(
            cluster, prepared, timeout=0, progress=lambda *_: None, say=lambda _: None, helm=helm
        ).validate()
    scaler = prepared.plan.scaler
    if output == "yaml":
        click.echo(documents([one for one in (scaler.authentication, scaler.object) if one]), nl=False)
    elif output == "name":
        click.echo(f"{scaler.resource.full_name}/{scaler.name}")
    else:
        suffix = {"client": " (dry run)", "server": " (server dry run)"}[dry_run]
        title, *numbered = _plan(prepared, prepared.plan.backend.backend)
        click.echo(completed("\n".join((title.removesuffix(":") + suffix + ":", *numbered))))


def _write(cluster: Cluster, prepared: Prepared, to: str, *, timeout: int, output: str | None) -> None:
    from kubectl_llmhpa.cli.presenting import Written
    from kubectl_llmhpa.plan import migrating

    written = Written(output)
    helm = helm_of(cluster, prepared.wishes.helm_chart)
    run = migrating.Migrating(
        cluster, prepared, timeout=timeout, progress=written.progress, say=written.say, helm=helm
    )
    moved = not migrating.arrived(prepared)
    with written.running("migrate again goes on from here; the replicas stay as they are till then"):
        run.run(written)
    if moved:
        target, name = prepared.plan.workload, prepared.plan.scaler.hpa_name
        say(f"{target.reference} is scaled by hpa/{name} from {to} now")
