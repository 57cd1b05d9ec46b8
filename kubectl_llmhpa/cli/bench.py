"""`bench`: load a workload from inside the cluster, watch it rescale, derive targets, prove them."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

import click

from kubectl_llmhpa.cli import bench_apply
from kubectl_llmhpa.cli import bench_options as given
from kubectl_llmhpa.cli.connection import connect, connection_options
from kubectl_llmhpa.cli.messages import say
from kubectl_llmhpa.cli.printed_commands import completed
from kubectl_llmhpa.cli.workload_argument import workload_argument
from kubectl_llmhpa.errors import LlmHpaError

if TYPE_CHECKING:
    from kubectl_llmhpa.bench.outcome import Outcome
    from kubectl_llmhpa.bench.preparing import Options, Plan
    from kubectl_llmhpa.bench.report import Report
    from kubectl_llmhpa.kube import Connection

#: The vendor guide's own benchmark.
_VENDOR = {"concurrency": 20, "num_prompts": 400, "input_len": 1500, "output_len": 100}
_POINT_S = 30.0


@click.command("bench", short_help="Measure a workload under load, derive its targets, prove them")
@workload_argument(required=False)
@given.mode_options
@given.load_options
@given.generator_options
@given.result_options
@connection_options
def bench(connection: Connection, workload: tuple[str, ...], **flags: Any) -> int:
    """Load an LLM workload from a pod in its namespace: watch its autoscaler, or find what it should aim at.

    By default so many requests are held in flight that the HPA has to scale up. The pod uses the engine's own image
    and asks for no GPU. It is removed at the end, also after Ctrl-C. What serves requests of others already is loaded
    only when you say so.

    Exit codes: 0 measured, 3 the SLO was not met, 4 the HPA did not rescale though it had to, 5 the measurement is not
    valid.

    \b
    Examples:
      # Three minutes of load that must make the HPA scale up
      kubectl llm-hpa bench sts/vllm-inference
      # How much one pod can take within an SLO, and the targets that follow
      kubectl llm-hpa bench sts/vllm-inference --sweep --slo ttft=2s,tpot=80ms --save bench.json
      # The same, and write the targets
      kubectl llm-hpa bench sts/vllm-inference --sweep --slo ttft=2s,tpot=80ms --apply
      # Does the HPA scale out within its deadline, and in again?
      kubectl llm-hpa bench sts/vllm-inference --prove
      # What users see while the load climbs to 12 requests per second and falls again
      kubectl llm-hpa bench sts/vllm-inference --profile ramp --rate 12 --duration 10m --html report.html
      # The vendor guide's benchmark
      kubectl llm-hpa bench sts/vllm-inference --preset vendor
      # A page of a run that was saved, without a cluster
      kubectl llm-hpa bench --from bench.json --html report.html
      # A fixed load, as JSON
      kubectl llm-hpa bench deploy/llama --concurrency 16 --duration 60s -o json
    """  # fmt: skip
    from dataclasses import replace

    from kubectl_llmhpa.bench import preparing, view
    from kubectl_llmhpa.bench.advice import check
    from kubectl_llmhpa.bench.report import load, of_outcome
    from kubectl_llmhpa.plan import pinning
    from kubectl_llmhpa.workloads import resolve

    if flags["saved"] and not flags["profile"]:
        if workload:
            raise click.UsageError("TYPE/NAME and --from exclude each other")
        _tell(load(flags["saved"]), flags)
        return 0
    if not workload:
        raise click.UsageError("missing argument 'TYPE/NAME' (or --from FILE)")
    mode = _mode(flags)
    options = _options(mode, flags)
    saved = load(flags["saved"]) if flags["saved"] else None
    if saved is not None:
        if saved.sweep is None:
            raise LlmHpaError(
                f"compute the peak from {flags['saved']}", "it has no sweep", "name the peak with --rate"
            )
        options = replace(options, measured=saved.sweep)
    with connect(connection, read_only=False) as cluster:
        target = resolve(cluster, workload, cluster.namespace)
        pinning.remove_orphans(cluster, target, say)
        pinning.recover(cluster, target, say)
        chosen = _module(mode)
        plan = preparing.look(cluster, target, options, chosen.work)
        if saved is not None:
            attempted = f"compute the peak from {flags['saved']}"
            check(saved, target, plan.sight.facts, attempted, otherwise="name the peak with --rate")
        _guard(plan, yes=flags["yes"])
        outcome: Outcome = chosen.execute(cluster, plan, view.choose(sys.stderr, os.environ))
        report = replace(of_outcome(outcome), context=cluster.context)
        _tell(report, flags)
        if flags["apply"]:
            bench_apply.apply(cluster, target, report, yes=flags["yes"])
    return report.verdict.exit_code


def _mode(flags: dict[str, Any]) -> str:
    """Which mode the flags ask for. Raises UsageError for flags that do not go together."""
    asked = [name for name in ("sweep", "profile", "prove") if flags[name]]
    if len(asked) > 1:
        raise click.UsageError(f"--{asked[0]} and --{asked[1]} exclude each other")
    mode = asked[0] if asked else "plain"
    only = {
        "points": ("sweep",), "replicas": ("sweep", "prove"), "apply": ("sweep",), "arrivals": ("sweep",),
        "rate": ("profile",), "no_scale_in": ("prove",), "preset": ("plain",), "num_prompts": ("plain",),
        "duration": ("plain", "sweep", "profile"), "concurrency": ("plain", "sweep"),
    }  # fmt: skip
    for flag, modes in only.items():
        if flags[flag] and mode not in modes:
            name = flag.replace("_", "-")
            if "plain" in modes:
                raise click.UsageError(f"--{name} does not go with --{mode}")
            raise click.UsageError(f"--{name} goes with --{modes[0]}")
    if flags["saved"] and (flags["profile"] not in given.SHAPES or flags["rate"]):
        raise click.UsageError("--from goes with --profile step or ramp, without --rate")
    if flags["clients"] > 1 and mode == "sweep":
        raise click.UsageError("--clients does not go with --sweep: one client goes from point to point")
    if flags["duration"] is not None and flags["num_prompts"] is not None:
        raise click.UsageError("--duration and --num-prompts exclude each other")
    if flags["duration"] is not None and flags["duration"] < 1:
        raise click.UsageError("--duration must be at least 1s")
    return mode


def _options(mode: str, flags: dict[str, Any]) -> Options:
    from kubectl_llmhpa.bench.preparing import Options
    from kubectl_llmhpa.bench.sizing.model import Arrivals, Slo

    preset: dict[str, int] = _VENDOR if flags["preset"] else {}
    tool, duration, prompts = flags["tool"], flags["duration"], flags["num_prompts"]
    if tool == "auto":
        tool = "vllm" if flags["preset"] else "builtin"
    if duration is None and prompts is None:
        prompts = preset.get("num_prompts")
    if tool != "builtin" and mode == "plain" and prompts is None:
        raise click.UsageError("an engine's own generator counts requests: give --num-prompts")
    if tool != "builtin" and (mode in ("profile", "prove") or flags["clients"] > 1):
        raise click.UsageError(f"--{'clients' if flags['clients'] > 1 else mode} needs --tool builtin")
    if tool != "builtin" and len(flags["models"] or ()) > 1:
        raise click.UsageError("several --model need --tool builtin: an engine's own generator asks for one")
    usual = _POINT_S if mode == "sweep" else 180.0
    return Options(
        tool=tool, concurrency=flags["concurrency"] or preset.get("concurrency"),
        duration_s=usual if duration is None else float(duration), num_prompts=prompts,
        input_tokens=flags["input_len"] or preset.get("input_len", 256),
        output_tokens=flags["output_len"] or preset.get("output_len", 128),
        url=flags["url"], models=flags["models"] or (), image=flags["image"], keep=flags["keep"],
        start_timeout_s=float(flags["timeout"]), clients=flags["clients"], slo=flags["slo"] or Slo(),
        points=flags["points"] or (), replicas=flags["replicas"], scale_in=not flags["no_scale_in"],
        sync_s=float(flags["sync_period"]), arrivals=flags["arrivals"] or Arrivals(),
        stages=given.profile(flags["profile"], flags["rate"], duration) if mode == "profile" else (),
        unscaled=flags["profile"] in given.SHAPES and not flags["rate"],
    )  # fmt: skip


def _module(mode: str) -> Any:
    """The file of a mode."""
    from importlib import import_module

    return import_module(f"kubectl_llmhpa.bench.modes.{mode}")


def _guard(plan: Plan, *, yes: bool) -> None:
    """Nothing that serves others is loaded without a word. Raises LlmHpaError where nobody can be asked."""
    traffic = plan.traffic
    if traffic is None:
        return
    say(f"now: {traffic.text}")
    if traffic.idle or yes:
        return
    attempted = f"benchmark {plan.workload.reference}"
    if not sys.stdin.isatty():
        raise LlmHpaError(attempted, f"it may be in use: {traffic.text}", "say --yes to load it all the same")
    if not click.confirm("It is not idle. Load it all the same?", err=True):
        raise LlmHpaError(attempted, "not confirmed")


def _tell(report: Report, flags: dict[str, Any]) -> None:
    """The report on stdout, and the files that were asked for."""
    from kubectl_llmhpa.bench import report as reports
    from kubectl_llmhpa.output import documents, files

    if flags["save"]:
        files.write(flags["save"], documents.dump(reports.document(report), "json"))
    if flags["html"]:
        files.write(flags["html"], reports.page(report))
    if flags["markdown"]:
        files.write(flags["markdown"], reports.markdown(report))
    if flags["output"]:
        click.echo(documents.dump(reports.document(report), flags["output"]), nl=False)
    else:
        click.echo(completed(reports.text(report)))
