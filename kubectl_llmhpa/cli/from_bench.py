"""`--from-bench`: a saved benchmark as what `enable` is asked for."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kubectl_llmhpa.errors import ExitCode, LlmHpaError

if TYPE_CHECKING:
    from collections.abc import Callable

    from kubectl_llmhpa.bench.report.model import Report
    from kubectl_llmhpa.plan.setting_up.enabling import Prepared
    from kubectl_llmhpa.plan.wishes import Wishes


def from_bench_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """`--from-bench FILE` and `--trust-bench`."""
    for option in (
        click.option(
            "--trust-bench", is_flag=True,
            help="Take --from-bench though it was measured on another workload, model or engine version",
        ),
        click.option(
            "--from-bench", type=click.Path(path_type=Path), metavar="FILE",
            help="Measured targets instead of the policy's: what bench --sweep --save wrote; with them the window of "
            "scale-in, and replicas where rates were given",
        ),
    ):  # fmt: skip
        command = option(command)
    return command


def measured(path: Path, wishes: Wishes) -> tuple[Wishes, Report]:
    """The wishes with what the benchmark says where no flag does. Raises LlmHpaError where it says nothing."""
    from dataclasses import replace

    from kubectl_llmhpa.bench.advice import advice
    from kubectl_llmhpa.bench.report import load

    attempted = f"--from-bench {path}"
    if wishes.preset or wishes.targets:
        raise click.UsageError("--from-bench excludes --policy and --signal: it says what to ask for")
    report = load(path)
    if report.verdict.exit_code == ExitCode.MEASUREMENT_INVALID:
        raise LlmHpaError(attempted, report.verdict.text, "measure it again")
    said = advice(report.sizing, attempted)

    def first(given: int | None, told: int | None) -> int | None:
        return told if given is None else given

    return replace(
        wishes,
        targets=said.targets,
        origins=said.origins,
        min_replicas=first(wishes.min_replicas, said.min_replicas),
        max_replicas=first(wishes.max_replicas, said.max_replicas),
        scale_down_window=first(wishes.scale_down_window, said.scale_down_window),
    ), report


def check(path: Path, report: Report, prepared: Prepared) -> None:
    """Refuse a benchmark of something else."""
    from kubectl_llmhpa.bench.advice import check as compare

    compare(report, prepared.plan.workload, prepared.sight.facts, f"--from-bench {path}")
