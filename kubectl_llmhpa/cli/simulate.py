"""`simulate`: an autoscaler beside others on the same load, by the controller's own arithmetic."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kubectl_llmhpa.cli.connection import connect, connection_options
from kubectl_llmhpa.cli.messages import say
from kubectl_llmhpa.cli.printed_commands import completed
from kubectl_llmhpa.cli.value_types import OutputFile
from kubectl_llmhpa.cli.workload_argument import workload_argument

if TYPE_CHECKING:
    from kubectl_llmhpa.engines import EngineFacts
    from kubectl_llmhpa.kube import Connection
    from kubectl_llmhpa.simulate import Comparison, Question, World
    from kubectl_llmhpa.simulate.history import Past
    from kubectl_llmhpa.simulate.requests import Requests
    from kubectl_llmhpa.simulate.scalers import Candidate
    from kubectl_llmhpa.simulate.service import Service

_BALANCES = ("random", "round-robin", "least-loaded")
_FILES = (".yaml", ".yml", ".json")


@dataclass(frozen=True)
class Subject:
    """What is there already: its autoscalers, and what the cluster says of its pods (None, empty: nothing).

    The fields are those of `simulate.live.Live`, which is not loaded where no cluster is asked.
    """

    candidates: tuple[Candidate, ...] = ()
    engine: EngineFacts | None = None
    start_up: tuple[float, ...] = ()
    gpus: int = 1
    ordered: bool = False
    notes: tuple[str, ...] = ()
    past: Past | None = None
    workload: str = ""


# fmt: off
@click.command()
@workload_argument(required=False, hpas=True)
@click.option(
    "-f", "--filename", type=click.Path(), default="", metavar="PATH|-",
    help="Take HPAs and ScaledObjects from a file; no cluster is asked",
)
@click.option(
    "--trace", type=click.Path(path_type=Path),
    help="Requests of a trace file: Azure LLM inference (CSV) or Mooncake (JSON lines)",
)
@click.option("--skip-bad", is_flag=True, help="Leave out and count rows of the trace that cannot be right")
@click.option(
    "--times", type=click.IntRange(1, 1000), default=1, show_default=True,
    help="So many copies of the trace on top of each other, each begun at another moment",
)
@click.option(
    "--load", default="", metavar="SHAPE:KEY=VALUE,...",
    help="Made-up requests: constant:rate=5, ramp:to=20, step:high=20, day:peak=40, bursty:peak=20",
)
@click.option(
    "--history", default="", metavar="TIME",
    help="The load that the workload had in so long (24h), by its own Prometheus; and seats, where a pod was full",
)
@click.option(
    "--slo", default="ttft=2s", show_default=True, metavar="KEY=TIME,...",
    help="What a request must keep: ttft, tpot (time per token after the first), e2e",
)
@click.option(
    "--goal", type=click.FloatRange(1, 100), default=99.0, show_default=True, metavar="PERCENT",
    help="How many of the requests are to keep it",
)
@click.option(
    "--policy", default="load,vendor", show_default=True, metavar="A,B,...",
    help="What to compare with: policies of enable, and files with an HPA or a ScaledObject",
)
@click.option(
    "--tune", is_flag=True,
    help="Find the highest target for running requests with which the policy load keeps the goal on this load, with "
    "half of the misses that it allows",
)
@click.option(
    "--min", "least", type=click.IntRange(1),
    help="Fewest replicas of a policy (default: as the autoscaler has it, or 1)",
)
@click.option(
    "--max", "most", type=click.IntRange(1, 1000),
    help="Most replicas of a policy (default: as the autoscaler has it, or 10)",
)
@click.option("--replicas", type=click.IntRange(1), help="Ready pods at the start (default: the fewest)")
@click.option(
    "--seats", type=click.IntRange(1, 100_000),
    help="Requests that one pod runs at once (default: what the engine says, or 64)",
)
@click.option(
    "--service", default="", metavar="KEY=VALUE,...",
    help="How fast a pod is: step, per-request, overhead (times), prefill (tokens per second), chunk, kv (tokens)",
)
@click.option(
    "--from-bench", type=click.Path(path_type=Path), multiple=True, metavar="FILE",
    help="Fit --service to what bench --sweep saved, or to results of vLLM's or SGLang's benchmark of one pod; repeat "
    "it for each concurrency",
)  # fmt: skip
@click.option(
    "--start-up", default="", metavar="TIME,...",
    help="From a replica asked for to a ready pod; of several one is drawn (default: as the pods took, or 120s)",
)
@click.option(
    "--in-order/--all-at-once", "ordered", default=None,
    help="Whether pods start one after the other (default: as a StatefulSet's do, unless it is Parallel)",
)
@click.option(
    "--grace", default="30s", show_default=True, metavar="TIME",
    help="How long a pod that is taken away may go on with its requests",
)
@click.option(
    "--scrape-interval", default="15s", show_default=True, metavar="TIME", help="How often Prometheus scrapes"
)
@click.option(
    "--sync-period", default="15s", show_default=True, metavar="TIME", help="How often the HPA controller looks"
)
@click.option(
    "--balance", type=click.Choice(_BALANCES), default="random", show_default=True,
    help="How requests are spread over pods",
)
@click.option(
    "--gpus", type=click.IntRange(1, 1000), help="GPUs of one pod (default: what the pods ask for, or 1)"
)
@click.option("--seed", type=int, default=0, show_default=True, help="The same seed gives the same run")
@click.option("--html", type=OutputFile(Path), help="Write a page with the timelines to this file")
@click.option("-o", "--output", type=click.Choice(["json", "yaml"]), help="Output format")
@connection_options
def simulate(
    connection: Connection, workload: tuple[str, ...], filename: str, trace: Path | None, skip_bad: bool, times: int,
    load: str, history: str, slo: str, goal: float, policy: str, tune: bool, least: int | None, most: int | None,
    replicas: int | None, seats: int | None, service: str, from_bench: tuple[Path, ...], start_up: str,
    ordered: bool | None, grace: str, scrape_interval: str, sync_period: str, balance: str, gpus: int | None, seed: int,
    html: Path | None, output: str | None,
) -> None:
    # fmt: on
    """Simulate an autoscaler on a load, beside other policies and beside fixed replicas.

    The autoscaler of TYPE/NAME is taken from the cluster, or that of -f from a file; without either only the policies
    are compared. Pods are a model, the HPA's arithmetic is the controller's own. Nothing is changed.

    \b
    Examples:
      # What is in the cluster against what enable would write, on a day's load
      kubectl llm-hpa simulate sts/vllm --load day:peak=20
      # The load that it really had
      kubectl llm-hpa simulate sts/vllm --history 24h --policy load,anticipate
      # The target that this load needs, and the command that writes it
      kubectl llm-hpa simulate sts/vllm --history 24h --slo ttft=1s --tune
      # A file against a trace, without a cluster
      kubectl llm-hpa simulate -f hpa.yaml --trace trace.csv --slo ttft=2s,tpot=80ms
      # Two policies for a pod that takes five minutes to start
      kubectl llm-hpa simulate --load step:high=30 --start-up 5m --seats 64 --max 8
    """
    if workload and filename:
        raise click.UsageError("-f reads no cluster: leave out TYPE/NAME")
    if (trace is not None) + bool(load) + bool(history) != 1:
        raise click.UsageError(
            "give one of --trace FILE, --load SHAPE and --history TIME, for example --load day:peak=20"
        )
    if history and not workload:
        raise click.UsageError("--history is that of a workload: name it")
    if not trace and (skip_bad or times > 1):
        raise click.UsageError("--skip-bad and --times are for --trace")
    from dataclasses import replace

    from kubectl_llmhpa.simulate import Question, Slo, World, compare, scalers
    from kubectl_llmhpa.simulate.words import pairs, seconds

    wanted = Slo.parse(slo)
    curve = pairs("--service", service)
    given_starts = tuple(seconds("--start-up", one.strip()) for one in start_up.split(",") if one.strip())
    world = World(
        start_up=given_starts or (120.0,), grace=seconds("--grace", grace),
        scrape=_above_zero("--scrape-interval", scrape_interval), sync=_above_zero("--sync-period", sync_period),
        balance=balance, seed=seed,  # type: ignore[arg-type]
    )  # fmt: skip
    notes: list[str] = []
    given = _given(trace, load, skip_bad=skip_bad, times=times, seed=seed, notes=notes)
    subject = _subject(connection, workload, filename, _long_enough(history) if history else 0.0)
    notes += subject.notes
    requests = given or _past(subject, seed)
    pod = _pod(curve, seats, from_bench, subject, notes)
    world = replace(world, ordered=subject.ordered if ordered is None else ordered)
    if not given_starts:
        world = _measured(world, subject, notes)
    candidates, ours = _candidates(subject, policy, least, most, pod.seats, f"{pod.seats} seats")
    question = Question(
        requests, pod, world, wanted, goal=goal / 100, gpus=gpus or subject.gpus, replicas=replicas
    )
    if not candidates and not tune:
        raise click.UsageError("nothing to simulate: give TYPE/NAME, -f FILE, --policy or --tune")
    if tune:
        candidates += _tuned(question, ours, notes, alone=not candidates)
    found = compare(question, scalers.told_apart(candidates), _progress())
    _show(found, notes, subject.workload, html, output)


def _above_zero(option: str, text: str) -> float:
    from kubectl_llmhpa.simulate.words import seconds

    value = seconds(option, text)
    if value < 0.1:
        raise click.UsageError(f"{option} must be at least 100ms")
    return value


def _given(
    trace: Path | None, load: str, *, skip_bad: bool, times: int, seed: int, notes: list[str]
) -> Requests | None:
    """The requests of a trace or of a made-up load, None for those of the workload's own history."""
    from kubectl_llmhpa.simulate import loads, traces

    if load:
        return loads.load(load, seed=seed)
    if trace is None:
        return None
    remedy = "mend the file, or leave such rows out with --skip-bad"
    read = traces.read(trace, option="--trace", skip_bad=skip_bad, remedy=remedy)
    if read.skipped:
        notes.append(f"{read.skipped} rows of the trace are left out, the first for {read.fault}")
    return traces.superposed(read.requests, times, seed=seed)


def _past(subject: Subject, seed: int) -> Requests:
    from kubectl_llmhpa.simulate import history

    assert subject.past is not None
    return history.requests(subject.past, seed=seed)


def _long_enough(text: str) -> float:
    from kubectl_llmhpa.simulate import history
    from kubectl_llmhpa.simulate.words import seconds

    value = seconds("--history", text)
    if not history.SHORTEST_S <= value <= history.LONGEST_S:
        raise click.UsageError(
            f"--history must be between {history.SHORTEST_S // 60}m and {history.LONGEST_S // 3600}h"
        )
    return value


def _subject(connection: Connection, workload: tuple[str, ...], filename: str, past: float) -> Subject:
    """The autoscaler that is there, from a file or from the cluster; with the load of so many `past` seconds."""
    if filename:
        from kubectl_llmhpa.simulate import files

        candidates, ordered = files.read(filename)
        return Subject(tuple(candidates), ordered=ordered)
    if not workload:
        return Subject()
    with connect(connection, read_only=True) as cluster:
        from kubectl_llmhpa.simulate import live

        seen = live.look(cluster, workload, cluster.namespace, seconds=past)
    return Subject(**vars(seen))


def _pod(
    curve: dict[str, str], seats: int | None, bench: tuple[Path, ...], subject: Subject, notes: list[str]
) -> Service:
    """The service curve: a fitted or the default one, over which goes what is given."""
    from kubectl_llmhpa.simulate import service_of

    told = subject.engine.seats if subject.engine is not None else None
    if seats is None and "seats" not in curve and told is not None:
        seats = told.value
        notes.append(f"{told.value} seats: {told.evidence}")
    if not bench:
        return service_of(curve, seats=seats)
    from dataclasses import replace

    from kubectl_llmhpa.simulate import fitting

    results = fitting.read(bench)
    if seats is None and "seats" not in curve:
        seats = results.seats
    pod = service_of(curve, seats=seats)
    if results.kv_tokens and "kv" not in curve:
        pod = replace(pod, kv_tokens=results.kv_tokens)
    found = fitting.fit(results.runs, pod)
    left = [name for name, told in (("seats", results.seats), ("KV cache", results.kv_tokens)) if not told]
    notes.append(
        f"the service curve is {found.service.origin}: throughput within {found.throughput_error:.0%}, mean TTFT "
        f"within {found.ttft_error:.0%}" + (f"; {' and '.join(left)} are not in a sweep" if left else "")
    )
    return service_of(curve, seats=seats, base=found.service)


def _measured(world: World, subject: Subject, notes: list[str]) -> World:
    from dataclasses import replace

    if not subject.start_up:
        notes.append("pods are assumed to be ready 120s after they are asked for: give --start-up")
        return world
    times = subject.start_up
    notes.append(f"start-up is drawn from what {len(times)} pods took, {times[0]:.0f}s to {times[-1]:.0f}s")
    return replace(world, start_up=times)


def _candidates(
    subject: Subject, policy: str, least: int | None, most: int | None, seats: int, evidence: str
) -> tuple[list[Candidate], dict[str, Any]]:
    """What is there first, then every policy in the order given; and what all of our policies are made with."""
    from dataclasses import replace

    from kubectl_llmhpa.engines import Seats
    from kubectl_llmhpa.simulate import files, scalers

    found = list(subject.candidates)
    spec = found[0].scaling.spec if found else None
    low = least or (spec.min_replicas if spec else 1)
    high = most or (max(spec.max_replicas, low) if spec else max(10, low))
    if high < low:
        raise click.UsageError(f"--max {high} is below --min {low}")
    external = bool(found) and found[0].external
    facts = subject.engine or scalers.facts_for(found, seats, evidence)
    facts = replace(facts, seats=Seats(seats, evidence, proved=True))
    ours: dict[str, Any] = {"facts": facts, "least": low, "most": high, "external": external}
    for word in filter(None, (one.strip() for one in policy.split(","))):
        if word.endswith(_FILES) or "/" in word:
            found += files.read(word)[0]
        else:
            found.append(scalers.of_policy(word, **ours))
    return found, ours


def _tuned(question: Question, ours: Mapping[str, Any], notes: list[str], *, alone: bool) -> list[Candidate]:
    """The tuned policy; where there is none a note, or an error if it is `alone`."""
    from functools import partial

    from kubectl_llmhpa.errors import LlmHpaError
    from kubectl_llmhpa.simulate import tuning
    from kubectl_llmhpa.simulate.compare import attained, percent, possible

    possible(question)
    found = tuning.tuned(partial(attained, question), question.goal, **ours, tell=_progress())
    if found is not None:
        return [found]
    problem = f"no target for running requests keeps the SLO for {percent(question.goal)} on this load"
    if alone:
        raise LlmHpaError("--tune", problem, "name a --policy to see how near one comes, and with how many replicas")
    notes.append(problem)
    return []


def _progress() -> Callable[[str], None]:
    """Who is told what is being simulated: a person at a terminal."""
    if not sys.stderr.isatty():
        return lambda _: None

    return lambda what: say(f"simulating {what} ...")


def _show(
    found: Comparison, notes: list[str], workload: str, html: Path | None, output: str | None
) -> None:
    from kubectl_llmhpa.cli import simulate_text
    from kubectl_llmhpa.output import documents, files

    told = [*notes, *found.notes]
    if html is not None:
        from kubectl_llmhpa.cli import simulate_html

        files.write(html, simulate_html.page(found, told))
    if output:
        click.echo(documents.dump(simulate_text.document(found, told, workload), output), nl=False)
    else:
        click.echo(completed(simulate_text.text(found, told, workload)))
