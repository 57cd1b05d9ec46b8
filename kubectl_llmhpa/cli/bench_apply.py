"""`bench --apply`: the measured targets, written through the same plan as `enable` writes."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from kubectl_llmhpa.cli.messages import found, notes, say
from kubectl_llmhpa.errors import ExitCode, LlmHpaError

if TYPE_CHECKING:
    from kubectl_llmhpa.bench.report import Report
    from kubectl_llmhpa.kube import Cluster
    from kubectl_llmhpa.workloads import Workload

_TIMEOUT_S = 300


def apply(cluster: Cluster, workload: Workload, report: Report, *, yes: bool) -> None:
    """Shows what would change, asks, and writes it. Raises LlmHpaError where the sweep gives no targets."""
    from kubectl_llmhpa.bench.advice import advice
    from kubectl_llmhpa.cli import presenting
    from kubectl_llmhpa.plan.once import Once
    from kubectl_llmhpa.plan.setting_up import enabling
    from kubectl_llmhpa.plan.wishes import Wishes

    attempted = f"write the measured targets of {workload.reference}"
    if report.verdict.exit_code == ExitCode.MEASUREMENT_INVALID:
        raise LlmHpaError(attempted, report.verdict.text, exit_code=ExitCode.MEASUREMENT_INVALID)
    said = advice(report.sizing, attempted)
    wishes = Wishes(
        targets=said.targets, origins=said.origins, min_replicas=said.min_replicas, max_replicas=said.max_replicas,
        scale_down_window=said.scale_down_window,
    )  # fmt: skip
    prepared = enabling.prepare(Once(cluster), workload, wishes)
    for reason in prepared.plan.reasons:
        say(f"policy: {reason}")
    found(prepared.findings, enabling.impossible(prepared))
    notes(prepared.plan.notes)
    shown = "".join(presenting.diff(change) for change in enabling.preview(cluster, [prepared], server=False))
    if not shown:
        say("nothing to write: the targets are as measured")
        return
    click.echo(shown, err=True, nl=False)
    if not yes:
        if not sys.stdin.isatty():
            raise LlmHpaError(attempted, "nobody can be asked", "say --yes to write it")
        if not click.confirm("Write this?", err=True):
            raise LlmHpaError(attempted, "not confirmed")
    written = presenting.Written(None)
    run = enabling.Enabling(cluster, [prepared], wait=True, timeout=_TIMEOUT_S, progress=written.progress)
    with written.running("enable again goes on from here, disable takes back what was written"):
        # stdout has the report, maybe as a document
        run.run(lambda change: click.echo(presenting.success_line(change, "none"), err=True))
