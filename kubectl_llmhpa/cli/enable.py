"""`enable`: scrape, rule and HPA for one workload, and the wait until the metric reaches the HPA."""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any

import click

from kubectl_llmhpa.cli.connection import connect, connection_options
from kubectl_llmhpa.cli.workload_argument import workload_argument
from kubectl_llmhpa.errors import ExitCode, LlmHpaError

if TYPE_CHECKING:
    from kubectl_llmhpa.kube import Cluster, Connection
    from kubectl_llmhpa.plan.workflow import Prepared

_DURATION = re.compile(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?")


class Duration(click.ParamType[int]):
    """A Go duration of whole seconds (`5s`, `1m30s`), received in seconds."""

    name = "duration"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """The seconds; fails with a sentence that shows the form."""
        match = _DURATION.fullmatch(str(value))
        if not match or not any(match.groups()):
            self.fail(f"{value!r} is not a duration such as 30s or 5m", param, ctx)
        hours, minutes, seconds = (int(part or 0) for part in match.groups())
        return hours * 3600 + minutes * 60 + seconds


class SignalTarget(click.ParamType[tuple[str, Decimal]]):
    """`NAME=TARGET`."""

    name = "name=target"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, Decimal]:
        """The signal and its per-pod target."""
        signal, _, number = str(value).partition("=")
        try:
            return signal, Decimal(number)
        except InvalidOperation:
            self.fail(f"{value!r} is not of the form running=4 or kv-cache=0.8", param, ctx)


@click.command("enable", short_help="Scale an LLM workload from its engine's own metrics")
@workload_argument
@click.option("--min", "min_replicas", type=click.IntRange(min=0), help="Fewest replicas (default 1)")
@click.option("--max", "max_replicas", type=click.IntRange(min=1), help="Most replicas")
@click.option("--policy", "preset", help="load (default), or vendor: the queue-length recipe, waiting 5")
@click.option(
    "--signal", "signals", type=SignalTarget(), multiple=True,
    help="Own target per pod instead of the policy's, for example running=4; may be repeated",
)  # fmt: skip
@click.option("--scrape-interval", type=Duration(), help="How often the engine is scraped (default 5s)")
@click.option("--scale-down-window", type=Duration(), help="How long a lower load must last (default 5m)")
@click.option("--scale-down", type=click.Choice(["enabled", "disabled"]), help="Whether replicas may go down")
@click.option("--engine", default="", metavar="NAME[@VERSION]", help="The engine, where nothing else tells")
@click.option("--name", help="Name of the HPA (default: the workload's)")
@click.option("--prometheus", metavar="NAMESPACE/NAME", help="The Prometheus object that is to scrape")
@click.option("--adopt", is_flag=True, help="Take over an HPA that was made by hand")
@click.option(
    "--reset-defaults", is_flag=True, help="Apply this version's defaults to what earlier runs wrote"
)
@click.option(
    "--edit-adapter", type=click.Choice(["auto", "yes", "no"]), default="auto", show_default=True,
    help="Whether rules may be added to the adapter's ConfigMap; auto refuses where Argo CD or Flux revert it",
)  # fmt: skip
@click.option(
    "--warm", is_flag=True, help="Send one token to an engine that exposes no series before it has worked"
)
@click.option(
    "--wait/--no-wait", default=True, show_default=True, help="Wait until the metric reaches the HPA"
)
@click.option(
    "--timeout", type=Duration(), default="5m", show_default=True, help="How long to wait altogether"
)
@click.option(
    "--dry-run", type=click.Choice(["none", "client", "server"]), default="none", show_default=True,
    help="Print what would be written; server: after the API server has checked it",
)  # fmt: skip
@click.option("--diff", "show_diff", is_flag=True, help="Print the changes as a diff and write nothing")
@click.option("-o", "--output", type=click.Choice(["yaml", "name"]), help="Print the objects, or their names")
@connection_options
def enable(
    connection: Connection,
    workload: tuple[str, ...],
    preset: str | None,
    signals: tuple[tuple[str, Decimal], ...],
    scrape_interval: int | None,
    scale_down: str | None,
    warm: bool,
    wait: bool,
    timeout: int,
    dry_run: str,
    show_diff: bool,
    output: str | None,
    edit_adapter: str,
    engine: str,
    **flags: Any,
) -> int:
    """Scale an LLM workload from its engine's own metrics.

    Detects the engine from a live pod, has it scraped, adds the rules that the metric adapter lacks, creates the
    HorizontalPodAutoscaler, and waits until the metric has arrived there. What it writes goes away with disable.

    \b
    Examples:
      # Between 1 and 3 replicas, with the default policy
      kubectl llm-hpa enable sts/vllm-inference --min 1 --max 3
      # What would be written
      kubectl llm-hpa enable sts/vllm-inference --max 3 --dry-run=server -o yaml
      # One target of one's own
      kubectl llm-hpa enable deploy/vllm --max 8 --signal running=12
    """  # fmt: skip
    from kubectl_llmhpa.plan import workflow
    from kubectl_llmhpa.plan.enable import Wishes
    from kubectl_llmhpa.workloads import resolve

    if preset and signals:
        raise click.UsageError("--policy and --signal exclude each other")
    if scrape_interval == 0:
        raise click.UsageError("--scrape-interval must be 1s or more")
    wishes = Wishes(
        preset=preset, targets=dict(signals),
        scrape_interval=None if scrape_interval is None else f"{scrape_interval}s",
        scale_down=None if scale_down is None else scale_down == "enabled",
        edit_adapter={"auto": None, "yes": True, "no": False}[edit_adapter], **_plain(flags),
    )  # fmt: skip
    writes = dry_run == "none" and not show_diff
    with connect(connection, read_only=not writes and dry_run != "server") as cluster:
        target = resolve(cluster, workload, cluster.namespace)
        prepared = workflow.prepare(cluster, target, wishes, engine)
        if warm and writes and prepared.sight.facts.armed:
            workflow.warm_up(cluster, prepared)
            prepared = workflow.prepare(cluster, target, wishes, engine)
        _warn(prepared)
        if not writes:
            _preview(cluster, prepared, dry_run=dry_run, output=output, show_diff=show_diff)
            return ExitCode.OK
        return _write(cluster, prepared, wait=wait, timeout=timeout, output=output)


def _write(cluster: Cluster, prepared: Prepared, *, wait: bool, timeout: int, output: str | None) -> int:
    from kubectl_llmhpa.cli.presenting import HopLines, documents, success_line
    from kubectl_llmhpa.plan import workflow
    from kubectl_llmhpa.plan.steps import Change

    written: list[Change] = []

    progress = HopLines()

    def report(change: Change) -> None:
        progress.clear()
        written.append(change)
        if output is None:
            click.echo(success_line(change, "none"))
        elif output == "name":
            click.echo(change.reference)

    run = workflow.Enabling(cluster, prepared, wait=wait, timeout=timeout, progress=progress)
    try:
        outcome = run.run(report)
    except KeyboardInterrupt:
        progress.clear()
        click.echo("enable again goes on from here, disable takes back what was written", err=True)
        raise
    finally:
        progress.clear()
    if output == "yaml":
        click.echo(
            documents([one.after for one in written if one.after and "apiVersion" in one.after]), nl=False
        )
    name = prepared.plan.hpa["metadata"]["name"]
    spec = prepared.plan.hpa["spec"]
    if outcome == "armed":
        click.echo(
            f"armed: {prepared.sight.facts.engine} exposes no series before its first request; the HPA starts with "
            "it (--warm sends one token now)", err=True,
        )  # fmt: skip
    elif outcome == "active":
        target = prepared.plan.workload
        where = f" -n {target.namespace}" if cluster.connection.namespace else ""
        click.echo(
            f"{target.reference} scales between {spec['minReplicas']} and {spec['maxReplicas']} replicas by "
            f"hpa/{name}; watch it: kubectl llm-hpa status {target.reference}{where} -w", err=True,
        )  # fmt: skip
    return ExitCode.OK


def _preview(
    cluster: Cluster, prepared: Prepared, *, dry_run: str, output: str | None, show_diff: bool
) -> None:
    """Print what would be written; the server's dry run also fills in its defaults."""
    from kubectl_llmhpa.cli.presenting import diff, documents, success_line
    from kubectl_llmhpa.plan import workflow

    changes = workflow.preview(cluster, prepared, server=dry_run == "server")
    if show_diff:
        click.echo("".join(diff(change) for change in changes), nl=False)
    elif output == "yaml":
        click.echo(
            documents([one.after for one in changes if one.after and "apiVersion" in one.after]), nl=False
        )
    else:
        for change in changes:
            click.echo(change.reference if output == "name" else success_line(change, dry_run))


def _warn(prepared: Prepared) -> None:
    from kubectl_llmhpa.cli.main import printable

    facts = prepared.sight.facts
    if not prepared.sight.body and not facts.armed:
        how = printable(f"{facts.source.value} ({facts.evidence})")
        click.echo(f"note: the metrics page was not read; {facts.engine} is known from its {how}", err=True)
    for reason in prepared.plan.reasons:
        click.echo(f"policy: {printable(reason)}", err=True)
    for finding in prepared.findings:
        click.echo(f"{finding.severity}: {printable(str(finding))}", err=True)
    for note in prepared.plan.notes:
        click.echo("\n".join(printable(line) for line in f"note: {note}".splitlines()), err=True)


def _plain(flags: dict[str, Any]) -> dict[str, Any]:
    """The flags whose names are those of `Wishes`; `--prometheus` left out is an empty string there."""
    if flags.get("prometheus") is None:
        flags["prometheus"] = ""
    elif str(flags["prometheus"]).count("/") != 1:
        raise LlmHpaError(f"read --prometheus {flags['prometheus']}", "it is not of the form NAMESPACE/NAME")
    return flags
