"""`doctor`: which hop between the engine and its replicas is broken, why, and what mends it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from kubectl_llmhpa.cli.connection import connect, connection_options
from kubectl_llmhpa.cli.messages import say
from kubectl_llmhpa.cli.printed_commands import completed
from kubectl_llmhpa.cli.shared_options import engine_option
from kubectl_llmhpa.cli.value_types import NamespacedName, OutputFile
from kubectl_llmhpa.cli.workload_argument import workload_argument
from kubectl_llmhpa.errors import ExitCode, LlmHpaError

if TYPE_CHECKING:
    from kubectl_llmhpa.doctor import Diagnosis, Facts
    from kubectl_llmhpa.kube import Connection


@click.command("doctor", short_help="Show which hop from the engine to its replicas is broken, and the fix")
@workload_argument(required=False, hpas=True)
@click.option(
    "--prometheus", type=NamespacedName(), default="", help="The Prometheus object that has the samples"
)
@engine_option
@click.option(
    "--record",
    type=OutputFile(),
    metavar="FILE",
    help="Also write what was seen to a file, without secrets",
)
@click.option(
    "--facts", type=click.Path(), metavar="FILE", help="Judge what --record wrote, without a cluster"
)
@click.option("-o", "--output", type=click.Choice(["json", "yaml"]), help="Output format")
@connection_options
def doctor(
    workload: tuple[str, ...],
    prometheus: str,
    engine: str,
    record: str | None,
    facts: str | None,
    output: str | None,
    connection: Connection,
) -> int:
    """Look at every hop from the engine's metrics page to the last pod, in order, and name the first broken one.

    TYPE/NAME is a workload, hpa/NAME or scaledobject/NAME, also one that enable did not make. Each hop says what was
    asked and what came back; hops behind a broken one are not judged. Nothing is changed. What may not be read with
    your rights is named, and does not stop the walk.

    Exit code: 0 healthy or armed, 1 a broken hop, 2 it could not be looked at.

    \b
    Examples:
      kubectl llm-hpa doctor sts/vllm
      kubectl llm-hpa doctor scaledobject/vllm -n models -o json
      # For a bug report, and to see what it says
      kubectl llm-hpa doctor sts/vllm --record facts.json
      kubectl llm-hpa doctor --facts facts.json
    """
    if (facts is None) == (not workload):
        raise click.UsageError("give TYPE/NAME, or --facts FILE")
    if facts is not None and (record or prometheus or engine):
        raise click.UsageError("--facts reads no cluster: leave out --record, --prometheus and --engine")
    seen = _read(facts) if facts is not None else _looked(connection, workload, prometheus, engine)
    if record:
        _write(record, seen)
    from kubectl_llmhpa.doctor import diagnose

    result = diagnose(seen)
    _show(result, output)
    return ExitCode.ERROR if result.broken else ExitCode.OK


def _looked(connection: Connection, workload: tuple[str, ...], prometheus: str, engine: str) -> Facts:
    try:
        with connect(connection, read_only=True) as cluster:
            from kubectl_llmhpa.doctor import look

            return look(cluster, workload, cluster.namespace, wanted=prometheus, hint=engine)
    except LlmHpaError as error:
        error.exit_code = ExitCode.COULD_NOT_LOOK
        raise


def _read(name: str) -> Facts:
    from kubectl_llmhpa.doctor import codec

    try:
        text = Path(name).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        problem = getattr(error, "strerror", None) or str(error)
        raise LlmHpaError(
            f"read {name}", problem, "name a file that --record wrote", exit_code=ExitCode.COULD_NOT_LOOK
        ) from error
    return codec.load(text, name)


def _write(name: str, seen: Facts) -> None:
    from kubectl_llmhpa.doctor import codec
    from kubectl_llmhpa.output import files

    files.write(name, codec.dump(seen), failing=ExitCode.COULD_NOT_LOOK)
    say(f"wrote {name}")


def _show(result: Diagnosis, output: str | None) -> None:
    import os
    import sys

    from kubectl_llmhpa.cli import doctor_text
    from kubectl_llmhpa.output import documents, terminal

    if output in documents.FORMATS:
        document = documents.document("Diagnosis", doctor_text.content(result))
        click.echo(documents.dump(document, output), nl=False)
        return
    colour = terminal.colour(sys.stdout, os.environ)
    text = doctor_text.text(result, live=terminal.live(sys.stdout, os.environ), colour=colour)
    click.echo(completed(text))
