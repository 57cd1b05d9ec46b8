"""`enable`: scrape, rule and HPA for one workload, and the wait until the metric reaches the HPA."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from kubectl_llmhpa.api import LONGEST_WINDOW
from kubectl_llmhpa.cli.connection import connect, connection_options
from kubectl_llmhpa.cli.from_bench import check, from_bench_options, measured
from kubectl_llmhpa.cli.helm_option import helm_of, helm_option
from kubectl_llmhpa.cli.messages import found, notes, say
from kubectl_llmhpa.cli.shared_options import (
    dry_run_option,
    edit_adapter_option,
    engine_option,
    kedas_prometheus_options,
)
from kubectl_llmhpa.cli.value_types import (
    Duration,
    LabelSelector,
    NamespacedName,
    ObjectName,
    Parts,
    Policy,
    SignalTarget,
)
from kubectl_llmhpa.cli.workload_argument import workload_argument
from kubectl_llmhpa.errors import ExitCode, LlmHpaError

if TYPE_CHECKING:
    from pathlib import Path

    from kubectl_llmhpa.kube import Cluster, Connection
    from kubectl_llmhpa.plan.setting_up.enabling import Prepared
    from kubectl_llmhpa.plan.wishes import Wishes
    from kubectl_llmhpa.workloads import Workload

#: `spec.replicas` is an int32.
MOST_REPLICAS = 2**31 - 1
SCRAPERS = ("auto", "prometheus-operator", "arms", "google", "victoriametrics", "azure", "none")


@click.command("enable", short_help="Scale an LLM workload from its engine's own metrics")
@workload_argument(required=False)
@click.option(
    "-l",
    "--selector",
    type=LabelSelector(),
    default="",
    help="Every LLM workload with such pods, for example app=vllm",
)
@click.option(
    "--min", "min_replicas", type=click.IntRange(min=0),
    help="Fewest replicas (default 1); 0 with KEDA, where an endpoint picker holds requests",
)  # fmt: skip
@click.option(
    "--max", "max_replicas", type=click.IntRange(min=1), help="Most replicas (required the first time)"
)
@click.option(
    "--policy", "preset", type=Policy(),
    help="load (default); latency or cost: more or less room; anticipate: for bursts that come again; vendor: "
    "the queue-length recipe, waiting 5",
)  # fmt: skip
@click.option(
    "--signal", "signals", type=SignalTarget(), multiple=True,
    help="Own target per pod, for example running=4, instead of the default policy's, on top of those of --policy; may "
    "be repeated",
)  # fmt: skip
@from_bench_options
@click.option("--scale-down-window", type=Duration(), help="How long a lower load must last (default 5m)")
@click.option("--scale-down", type=click.Choice(["enabled", "disabled"]), help="Whether replicas may go down")
@engine_option
@click.option("--name", type=ObjectName(), help="Name of the HPA (default: the workload's)")
@click.option(
    "--backend", type=click.Choice(["auto", "prometheus-adapter", "ack", "keda"]), default="auto", show_default=True,
    help="Who hands the numbers to the HPA; auto says what it took and why",
)  # fmt: skip
@click.option(
    "--only", "parts", type=Parts(), metavar="PARTS",
    help="Write only these parts: scrape,hpa (a namespace's team), rules (who owns the adapter)",
)  # fmt: skip
@click.option(
    "--scrape", type=click.Choice(SCRAPERS), default="auto", show_default=True,
    help="Who scrapes, where auto is wrong; none: nothing is written for it",
)  # fmt: skip
@click.option("--scrape-interval", type=Duration(), help="How often the engine is scraped (default 5s)")
@click.option("--prometheus", type=NamespacedName(), help="The Prometheus object that is to scrape")
@kedas_prometheus_options
@click.option(
    "--fallback", type=click.IntRange(min=1), metavar="REPLICAS",
    help="KEDA only: so many replicas, if there are fewer, while the metric cannot be read. It hides the fault: the "
    "HPA looks healthy meanwhile. Without it the replicas stay as they are and the HPA says why",
)  # fmt: skip
@click.option("--adopt", is_flag=True, help="Take over an HPA or ScaledObject that was made by hand")
@click.option(
    "--reset-defaults", is_flag=True, help="Apply this version's defaults to what earlier runs wrote"
)
@edit_adapter_option
@helm_option("Add the rules to the values of the adapter's release, by `helm upgrade` with this chart")
@click.option(
    "--install-custom-metrics-api", "install_api", is_flag=True,
    help="Register the metrics APIs that the adapter lacks: custom.metrics.k8s.io where it serves CPU and memory only, "
    "external.metrics.k8s.io where the policy needs it and nobody has it",
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
    "--export", "folder", type=click.Path(file_okay=False), metavar="DIR",
    help="Write everything as files for `kubectl apply -k DIR` and change nothing",
)  # fmt: skip
@dry_run_option("Print what would be written; server: after the API server has checked it")
@click.option("--diff", "show_diff", is_flag=True, help="Print the changes as a diff and write nothing")
@click.option("-o", "--output", type=click.Choice(["yaml", "name"]), help="Print the objects, or their names")
@connection_options
def enable(
    connection: Connection,
    workload: tuple[str, ...],
    selector: str,
    wait: bool,
    timeout: int,
    dry_run: str,
    show_diff: bool,
    output: str | None,
    engine: str,
    warm: bool,
    folder: str | None,
    from_bench: Path | None,
    trust_bench: bool,
    **flags: Any,
) -> int:
    """Scale an LLM workload from its engine's own metrics.

    Detects the engine from a live pod, has it scraped, sees to it that its metrics are served (by rules in the metric
    adapter, or by KEDA), creates the HorizontalPodAutoscaler (with KEDA a ScaledObject, of which KEDA makes one), and
    waits until the metric has arrived there. What it writes goes away with disable.

    \b
    Examples:
      # Between 1 and 3 replicas, with the default policy
      kubectl llm-hpa enable sts/vllm-inference --min 1 --max 3
      # What would be written
      kubectl llm-hpa enable sts/vllm-inference --max 3 --dry-run=server -o yaml
      # One target of one's own, through KEDA
      kubectl llm-hpa enable deploy/vllm --max 8 --signal running=12 --backend keda
      # The targets that a benchmark of it found
      kubectl llm-hpa enable deploy/vllm --max 8 --from-bench bench.json
      # Every LLM workload of a team, with one change of the adapter
      kubectl llm-hpa enable -l team=search --max 4
      # Files for a GitOps repository
      kubectl llm-hpa enable deploy/vllm --max 8 --export ./autoscaling
    """  # fmt: skip
    from kubectl_llmhpa.plan.looking import warming

    if bool(workload) == bool(selector):
        raise click.UsageError("name one workload (TYPE/NAME), or select several with -l")
    if selector and flags["name"]:
        raise click.UsageError("--name and -l exclude each other: several HPAs cannot have one name")
    if selector and from_bench:
        raise click.UsageError("--from-bench and -l exclude each other: it was measured on one workload")
    wishes = _wishes({**flags, "exporting": folder is not None})
    report = None
    if from_bench is not None:
        wishes, report = measured(from_bench, wishes)
    writes = dry_run == "none" and not show_diff and folder is None
    with connect(connection, read_only=not writes and dry_run != "server") as cluster:
        prepared, refused = _prepare(cluster, workload, selector, wishes, engine, writes=writes)
        if report is not None and from_bench is not None and not trust_bench:
            check(from_bench, report, prepared[0])
        if warm and writes:
            for one in prepared:
                if one.sight.facts.armed:
                    warming.warm_up(cluster, one.plan.workload, one.sight)
            prepared, refused = _prepare(cluster, workload, selector, wishes, engine, writes=writes)
        for one in prepared:
            _warn(one, writes=writes)
        if folder is not None:
            _export(cluster, prepared, folder)
        elif not writes:
            _preview(cluster, prepared, dry_run=dry_run, output=output, show_diff=show_diff)
        else:
            _write(cluster, prepared, wait=wait, timeout=timeout, output=output)
        return ExitCode.ERROR if refused else ExitCode.OK


def _wishes(flags: dict[str, Any]) -> Wishes:
    from kubectl_llmhpa.plan.wishes import PARTS, Wishes

    low, high = flags["min_replicas"], flags["max_replicas"]
    if low is not None and high is not None and low > high:
        raise click.UsageError(f"--max {high} is below --min {low}")
    if max(low or 0, high or 0) > MOST_REPLICAS:
        raise click.UsageError(f"--min and --max must be {MOST_REPLICAS} or less")
    if (flags["scale_down_window"] or 0) > LONGEST_WINDOW:
        raise click.UsageError(f"--scale-down-window must be {LONGEST_WINDOW // 60}m or less")
    given = flags.pop("signals")
    targets = dict(given)
    if len(targets) < len(given):
        raise click.UsageError("--signal names a signal twice")
    interval = flags.pop("scrape_interval")
    if interval == 0:
        raise click.UsageError("--scrape-interval must be 1s or more")
    scale_down = flags.pop("scale_down")
    flags["prometheus"] = flags["prometheus"] or ""
    flags["parts"] = flags["parts"] or frozenset(PARTS)
    return Wishes(
        targets=targets,
        scrape_interval=None if interval is None else f"{interval}s",
        scale_down=None if scale_down is None else scale_down == "enabled",
        **flags,
    )


def _prepare(
    cluster: Cluster, words: tuple[str, ...], selector: str, wishes: Wishes, engine: str, *, writes: bool
) -> tuple[list[Prepared], int]:
    """What is planned for each workload, and how many of those selected were refused, each with its sentence."""
    from kubectl_llmhpa.plan import pinning
    from kubectl_llmhpa.plan.once import Once
    from kubectl_llmhpa.plan.permitted import Permitted
    from kubectl_llmhpa.plan.setting_up import enabling
    from kubectl_llmhpa.workloads import resolve

    def prepare(target: Workload) -> Prepared:
        if writes:
            pinning.recover(cluster, target, say)
        return enabling.prepare(reader, target, wishes, engine)

    reader = Once(Permitted(cluster))
    if words:
        return [prepare(resolve(reader, words, cluster.namespace))], 0
    prepared, refused = [], 0
    for target in enabling.selected(reader, selector, say):
        try:
            prepared.append(prepare(target))
        except LlmHpaError as error:
            refused += 1
            say(f"error: {target.reference}: {error}")
    if not prepared:
        raise LlmHpaError(
            f"enable the workloads with pods -l {selector}", f"{refused} found, none of them can be enabled",
            "see above",
        )  # fmt: skip
    return prepared, refused


def _write(
    cluster: Cluster, prepared: list[Prepared], *, wait: bool, timeout: int, output: str | None
) -> None:
    from kubectl_llmhpa.cli.presenting import Written
    from kubectl_llmhpa.plan.setting_up import enabling

    written = Written(output)
    run = enabling.Enabling(
        cluster,
        prepared,
        wait=wait,
        timeout=timeout,
        progress=written.progress,
        helm=helm_of(cluster, prepared[0].wishes.helm_chart),
    )
    with written.running("enable again goes on from here, disable takes back what was written"):
        outcomes = run.run(written)
    for one in prepared:
        _conclude(one, outcomes[one.plan.workload.reference], cluster)


def _conclude(one: Prepared, outcome: str, cluster: Cluster) -> None:
    """Say what became of one workload."""
    plan = one.plan
    target = plan.workload
    if outcome == "armed":
        say(
            f"armed: {one.sight.facts.engine} exposes no series before its first request; the HPA starts with "
            "it (--warm sends one token now)"
        )
    elif outcome == "waiting":
        say(
            f"{target.reference} waits for rules: who owns the metric adapter runs kubectl llm-hpa enable "
            f"{target.reference} -n {target.namespace} --max {plan.scaler.most} --only rules"
        )
    elif outcome == "active":
        where = f" -n {target.namespace}" if cluster.connection.namespace else ""
        say(
            f"{target.reference} scales between {plan.scaler.least} and {plan.scaler.most} replicas by "
            f"hpa/{plan.scaler.hpa_name}; watch it: kubectl llm-hpa status {target.reference}{where} -w"
        )


def _preview(
    cluster: Cluster, prepared: list[Prepared], *, dry_run: str, output: str | None, show_diff: bool
) -> None:
    """Print what would be written; the server's dry run also fills in its defaults."""
    from kubectl_llmhpa.cli.presenting import diff, documents, success_line
    from kubectl_llmhpa.plan.setting_up import enabling

    helm = helm_of(cluster, prepared[0].wishes.helm_chart)
    changes = enabling.preview(cluster, prepared, server=dry_run == "server", helm=helm)
    if show_diff:
        click.echo("".join(diff(change) for change in changes), nl=False)
    elif output == "yaml":
        click.echo(
            documents([one.after for one in changes if one.after and "apiVersion" in one.after]), nl=False
        )
    else:
        for change in changes:
            click.echo(change.reference if output == "name" else success_line(change, dry_run))


def _warn(prepared: Prepared, *, writes: bool) -> None:
    """Say what to know of the plan; where it is written, what cannot work is refused with the same words later."""
    from kubectl_llmhpa.plan.setting_up import enabling

    facts = prepared.sight.facts
    if not prepared.sight.body and not facts.armed:
        how = f"{facts.source.value} ({facts.evidence})"
        say(f"note: the metrics page was not read; {facts.engine} is known from its {how}")
    for reason in prepared.plan.reasons:
        say(f"policy: {reason}")
    found(prepared.findings, enabling.impossible(prepared) if writes else None)
    notes(prepared.plan.notes)


def _export(cluster: Cluster, prepared: list[Prepared], folder: str) -> None:
    """Write the plan as files."""
    from kubectl_llmhpa.plan.setting_up import export_files

    helm = helm_of(cluster, prepared[0].wishes.helm_chart)
    for path in export_files.write(cluster, prepared, folder, helm):
        click.echo(path)
