"""`bench`: load a workload from inside the cluster, watch it rescale, report."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import click

from kubectl_llmhpa.cli.connection import connect, connection_options
from kubectl_llmhpa.cli.enable import Duration
from kubectl_llmhpa.cli.workload_argument import workload_argument

if TYPE_CHECKING:
    from kubectl_llmhpa.bench.preparing import Options
    from kubectl_llmhpa.kube import Connection

#: The vendor guide's own benchmark.
_VENDOR = {"concurrency": 20, "num_prompts": 400, "input_len": 1500, "output_len": 100}


@click.command("bench", short_help="Load a workload from inside the cluster and watch it scale")
@workload_argument()
@click.option(
    "--concurrency", type=click.IntRange(1, 5000),
    help="Requests in flight at any time (default: 1.5 times what the HPA tolerates)",
)  # fmt: skip
@click.option("--duration", type=Duration(), help="How long the load is held (default 180s)")
@click.option(
    "--num-prompts", type=click.IntRange(1), help="End after this many requests, however long that takes"
)
@click.option("--input-len", type=click.IntRange(1, 1_000_000), help="Tokens of a prompt (default 256)")
@click.option("--output-len", type=click.IntRange(1, 1_000_000), help="Tokens of an answer (default 128)")
@click.option(
    "--preset", type=click.Choice(["vendor"]),
    help="vendor: 400 random prompts of 1500 tokens, 100 out, 20 at once, by vLLM's own generator",
)  # fmt: skip
@click.option(
    "--tool", type=click.Choice(["auto", "builtin", "vllm"]), default="auto", show_default=True,
    help="Who makes the load; auto is the built-in client, and vLLM's generator with --preset vendor",
)  # fmt: skip
@click.option(
    "--url", default="", help="Base URL to load, as pods reach it (default: the workload's Service)"
)
@click.option("--model", default="", help="Model name to ask for (default: what the engine says)")
@click.option("--image", default="", help="Image of the benchmark pod (default: the engine's own)")
@click.option(
    "--timeout", type=Duration(), default="10m", show_default=True, help="How long its pod may take to start"
)
@click.option("--keep", is_flag=True, help="Leave the Job in the cluster when done")
@click.option("-o", "--output", type=click.Choice(["json", "yaml"]), help="Output format of the report")
@connection_options
def bench(
    connection: Connection, workload: tuple[str, ...], concurrency: int | None, duration: int | None,
    num_prompts: int | None, input_len: int | None, output_len: int | None, preset: str | None, tool: str, url: str,
    model: str, image: str, timeout: int, keep: bool, output: str | None,
) -> int:  # fmt: skip
    """Load an LLM workload from a pod in its namespace and watch its autoscaler.

    By default so many requests are held in flight that the HPA has to scale up. The pod uses the engine's own image
    and asks for no GPU. It is removed at the end, also after Ctrl-C.

    Exit codes: 0 measured, 4 the HPA did not rescale though it had to, 5 the measurement is not valid.

    \b
    Examples:
      # Three minutes of load that must make the HPA scale up
      kubectl llm-hpa bench sts/vllm-inference
      # The vendor guide's benchmark
      kubectl llm-hpa bench sts/vllm-inference --preset vendor
      # A fixed load, as JSON
      kubectl llm-hpa bench deploy/llama --concurrency 16 --duration 60s -o json
    """
    from kubectl_llmhpa.bench import preparing, report, run, view
    from kubectl_llmhpa.bench.preparing import Options
    from kubectl_llmhpa.output import documents
    from kubectl_llmhpa.workloads import resolve

    if duration is not None and num_prompts is not None:
        raise click.UsageError("--duration and --num-prompts exclude each other")
    preset_values = _VENDOR if preset else {}
    if tool == "auto":
        tool = "vllm" if preset else "builtin"
    if duration is None and num_prompts is None:
        num_prompts = preset_values.get("num_prompts")
    if tool == "vllm" and num_prompts is None:
        raise click.UsageError("vLLM's generator counts requests: give --num-prompts")
    options = Options(
        tool=tool, concurrency=concurrency or preset_values.get("concurrency"),
        duration_s=180.0 if duration is None else float(duration), num_prompts=num_prompts,
        input_tokens=input_len or preset_values.get("input_len", 256),
        output_tokens=output_len or preset_values.get("output_len", 128),
        url=url, model=model, image=image, keep=keep, start_timeout_s=float(timeout),
    )  # fmt: skip
    _check(options)
    with connect(connection, read_only=False) as cluster:
        target = resolve(cluster, workload, cluster.namespace)
        plan = preparing.look(cluster, target, options)
        outcome = run.execute(cluster, plan, view.choose(sys.stderr, os.environ))
    found = report.of_outcome(outcome)
    if output:
        click.echo(documents.dump(report.document(found), output), nl=False)
    else:
        click.echo(report.text(found))
    return found.verdict.exit_code


def _check(options: Options) -> None:
    if options.num_prompts is None and options.duration_s < 1:
        raise click.UsageError("--duration must be at least 1s")
