"""`status`: every autoscaler of LLM pods, its signals, and why it moves or not."""

from __future__ import annotations

import os
import queue
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import TYPE_CHECKING
from urllib.parse import urlencode

import click

from kubectl_llmhpa.api import (
    API_SERVICES,
    DEPLOYMENTS,
    EVENTS,
    HPAS,
    SCALED_OBJECTS,
    STATEFUL_SETS,
    Json,
    Reader,
    Resource,
)
from kubectl_llmhpa.cli.connection import connect, connection_options
from kubectl_llmhpa.errors import ApiError, LlmHpaError

if TYPE_CHECKING:
    from kubectl_llmhpa.hpa import Autoscaler
    from kubectl_llmhpa.kube import Connection

#: A live view looks again after this many seconds without a change of an HPA: ready pods change too.
LOOK_AGAIN_SECONDS = 5.0
#: Changes that come within this time are shown together.
SETTLE_SECONDS = 0.2


@dataclass
class Question:
    """What was asked: the workload (or all), the namespace (None: all of them), the label selector, the form."""

    workload: tuple[Resource, str] | None
    namespace: str | None
    selector: str
    wide: bool
    warned: set[str] = field(default_factory=set)


@click.command()
@click.argument("workload", nargs=-1, metavar="[TYPE/NAME]")
@click.option("-A", "--all-namespaces", is_flag=True, help="Look in all namespaces")
@click.option("-l", "--selector", default="", help="Label selector for the HPAs")
@click.option("-w", "--watch", is_flag=True, help="Go on and show every change")
@click.option("-o", "--output", type=click.Choice(["wide", "json", "yaml", "name"]), help="Output format")
@connection_options
def status(
    workload: tuple[str, ...],
    all_namespaces: bool,
    selector: str,
    watch: bool,
    output: str | None,
    connection: Connection,
) -> None:
    """Show LLM autoscalers: signal now and target, replicas, and why they move or not.

    Every HPA that uses an inference engine's metrics is shown, whoever made it, and every ScaledObject of KEDA that
    does. With TYPE/NAME the metrics with their votes, the conditions and the last rescales of that workload are shown.

    \b
    Examples:
      kubectl llm-hpa status -A
      kubectl llm-hpa status sts/vllm-inference
      kubectl llm-hpa status -w
    """
    from kubectl_llmhpa.workloads import identify, parse

    if watch and output not in (None, "wide"):
        raise click.UsageError(f"-w shows tables and cannot be combined with -o {output}")
    if all_namespaces and workload:
        raise click.UsageError("a workload name cannot be given across all namespaces")
    if workload:
        parse(workload)  # bad usage is told before anything is connected to
    with connect(connection, read_only=True) as cluster:
        meant = identify(cluster, workload, cluster.namespace) if workload else None
        target = (meant.resource, meant.name) if meant else None
        namespace = None if all_namespaces else cluster.namespace
        question = Question(target, namespace, selector, output == "wide")
        if watch:
            _watch(cluster, question)
        else:
            found = _look(cluster, question, _list(cluster, HPAS, question))
            _show(question, found, output)
            _warn_of_lost_rules(cluster, found)


def _look(reader: Reader, question: Question, hpas: list[Json]) -> list[Autoscaler]:
    """The autoscalers among `hpas`, with what else is needed: KEDA's objects, then at most four lists at once."""
    from kubectl_llmhpa.hpa import overview, ready_replicas, scaled_objects

    scaled = _scaled_objects(reader, question, hpas)
    targets = [(hpa, (hpa.get("spec") or {}).get("scaleTargetRef") or {}) for hpa in hpas]
    kedas = [(one, scaled_objects.scale_target(one)) for one in scaled]
    if question.workload is not None:
        targets = [one for one in targets if _is(one[1], *question.workload)]
        kedas = [one for one in kedas if _is(one[1], *question.workload)]
    kinds = {reference.get("kind") for _, reference in (*targets, *kedas)}
    where = question.namespace
    lists = {
        resource.plural: resource.path(where)
        for resource in (DEPLOYMENTS, STATEFUL_SETS)
        if resource.kind in kinds
    }
    if targets:
        lists["events"] = _events(where, HPAS)
    if any(scaled_objects.state(one).fault for one, _ in kedas):
        lists["events of ScaledObjects"] = _events(where, SCALED_OBJECTS)
    answers = dict(zip(lists, reader.get_many(list(lists.values())), strict=True))
    found = {name: _items(answer, f"list {name}", question) for name, answer in answers.items()}
    workloads = [
        {"kind": resource.kind, **item}
        for resource in (DEPLOYMENTS, STATEFUL_SETS)
        for item in found.get(resource.plural, ())
    ]
    shown = overview(
        [hpa for hpa, _ in targets],
        ready_replicas(workloads),
        [*found.get("events", ()), *found.get("events of ScaledObjects", ())],
        now=_now(),
        every=question.workload is not None,
        scaled_objects=[one for one, _ in kedas],
    )
    return _with_keda(reader, shown)


def _with_keda(reader: Reader, found: list[Autoscaler]) -> list[Autoscaler]:
    """KEDA itself is looked at where it serves one of these: its HPAs do not tell when it is away."""
    if not any(one.scaled_object and one.exists for one in found):
        return found
    from kubectl_llmhpa.backends import keda
    from kubectl_llmhpa.hpa import cut_off
    from kubectl_llmhpa.plan.permitted import Permitted

    permitted = Permitted(reader)
    (answer,) = permitted.get_many([API_SERVICES.path()])
    try:
        here = keda.find(permitted, [] if isinstance(answer, ApiError) else answer.get("items") or [])
    except ApiError:
        return found
    if here is None or not here.problem:
        return found
    return [cut_off(one, here.problem) if one.scaled_object else one for one in found]


def _scaled_objects(reader: Reader, question: Question, hpas: list[Json]) -> list[Json]:
    """KEDA's ScaledObjects; none where KEDA is not installed. That they may not be read matters to HPAs of KEDA only.

    With a label selector, which is for HPAs, those alone that have an HPA among `hpas`.
    """
    from kubectl_llmhpa.hpa import scaled_objects

    (answer,) = reader.get_many([SCALED_OBJECTS.path(question.namespace)])
    asked_for = {scaled_objects.of_hpa(hpa) for hpa in hpas} - {""}
    if isinstance(answer, ApiError) and (answer.not_found or not asked_for):
        return []
    found = _items(answer, f"list {SCALED_OBJECTS.plural}", question)
    if question.selector:
        found = [one for one in found if one["metadata"]["name"] in asked_for]
    return found


def _events(namespace: str | None, about: Resource) -> str:
    return f"{EVENTS.path(namespace)}?{urlencode({'fieldSelector': f'involvedObject.kind={about.kind}'})}"


def _show(question: Question, found: list[Autoscaler], output: str | None) -> None:
    from kubectl_llmhpa.cli.status_text import block, overview_table
    from kubectl_llmhpa.output import documents

    if output in documents.FORMATS:
        items = [_item(one) for one in found]
        click.echo(documents.dump(documents.document("Status", {"items": items}), output), nl=False)
        return
    if not found:
        _nothing(question)
    elif output == "name":
        for one in found:
            name = f"{HPAS.full_name}/{one.view.name}"
            click.echo(name if one.exists else f"{SCALED_OBJECTS.full_name}/{one.scaled_object}")
    elif question.workload is not None and not question.wide:
        click.echo("\n\n".join(block(one, _now()) for one in found))
    else:
        everywhere = question.namespace is None
        click.echo(overview_table(found, _now(), namespaces=everywhere, wide=question.wide, header=True))


def _warn_of_lost_rules(reader: Reader, found: list[Autoscaler]) -> None:
    """Say which metrics the adapter's next restart would lose; only looked at where an autoscaler of ours is shown."""
    if not any(one.ours for one in found):
        return
    from kubectl_llmhpa.cli.main import printable
    from kubectl_llmhpa.plan import lost_rules
    from kubectl_llmhpa.plan.permitted import Permitted

    for finding in lost_rules.findings(Permitted(reader)):
        click.echo(f"{finding.severity}: {printable(str(finding))}", err=True)


def _item(one: Autoscaler) -> Json:
    """One autoscaler of a document: the view's own fields, whose it is, our word for each metric, the rescales."""
    from kubectl_llmhpa.output.documents import plain

    item: Json = plain(one.view)
    for metric in item["metrics"]:
        metric["signal"] = one.signals.get(metric["name"])
    return {
        **item,
        "engine": one.engine,
        "ours": one.ours,
        "scaledObject": one.scaled_object or None,
        "rescales": plain(one.rescales),
    }


def _nothing(question: Question) -> None:
    if question.workload is not None:
        resource, name = question.workload
        short = "sts" if resource == STATEFUL_SETS else resource.kind.lower()
        raise LlmHpaError(
            f"{resource.kind.lower()} {name} in namespace {question.namespace!r}",
            "no HPA scales it",
            f"make one: kubectl llm-hpa enable {short}/{name} -n {question.namespace} --max N",
        )
    where = "any namespace" if question.namespace is None else f"{question.namespace} namespace"
    click.echo(f"No LLM autoscalers found in {where}.", err=True)


def _watch(reader: Reader, question: Question) -> None:
    """Redraw on a terminal; elsewhere print a line whenever an autoscaler's line has changed."""
    from kubectl_llmhpa.cli.status_text import Lines, block, headers, row
    from kubectl_llmhpa.output.tables import table
    from kubectl_llmhpa.output.terminal import CLEAR, live

    redraw = live(sys.stdout, os.environ)
    titles = headers(namespaces=question.namespace is None, wide=question.wide)
    lines = Lines(titles)
    for hpas in _changes(reader, question):
        found, now = _look(reader, question, hpas), _now()
        rows = [
            (one, row(one, now, namespaces=question.namespace is None, wide=question.wide)) for one in found
        ]
        if not redraw:
            for one, cells in rows:
                for line in lines.after((one.view.namespace, one.view.name), cells):
                    click.echo(line)
        elif question.workload is not None and not question.wide:
            click.echo(CLEAR + "\n\n".join(block(one, now) for one in found))
        else:
            click.echo(CLEAR + table(titles, [cells for _, cells in rows]))


def _changes(reader: Reader, question: Question) -> Iterator[list[Json]]:
    """The HPAs after every change of one of them, and every LOOK_AGAIN_SECONDS."""
    inbox: queue.SimpleQueue[object] = queue.SimpleQueue()

    def follow() -> None:
        try:
            for event in reader.watch(HPAS, question.namespace or "", label_selector=question.selector):
                inbox.put(event)
        except BaseException as error:  # noqa: BLE001 - it is raised again in the thread that can show it
            inbox.put(error)

    known: dict[str, Json] = {}
    threading.Thread(target=follow, name="watch", daemon=True).start()
    while True:
        with suppress(queue.Empty):
            wait = LOOK_AGAIN_SECONDS
            while True:
                _apply(known, inbox.get(timeout=wait))
                wait = SETTLE_SECONDS
        yield list(known.values())


def _apply(known: dict[str, Json], event: object) -> None:
    from kubectl_llmhpa.api import WatchEvent

    if isinstance(event, BaseException):
        raise event
    assert isinstance(event, WatchEvent)
    uid = str(event.object["metadata"].get("uid"))
    if event.type == "DELETED":
        known.pop(uid, None)
    else:
        known[uid] = event.object


def _list(reader: Reader, resource: Resource, question: Question) -> list[Json]:
    query = f"?{urlencode({'labelSelector': question.selector})}" if question.selector else ""
    items: list[Json] = reader.get(resource.path(question.namespace) + query).get("items") or []
    return items


def _items(answer: Json | ApiError, attempted: str, question: Question) -> list[Json]:
    """The items of a list; a list that may not be read is said once and counts as empty."""
    if isinstance(answer, ApiError):
        if attempted not in question.warned:
            question.warned.add(attempted)
            click.echo(f"warning: could not {attempted}: {answer.message or answer.reason}", err=True)
        return []
    return answer.get("items") or []


def _is(reference: Json, resource: Resource, name: str) -> bool:
    return reference.get("kind") == resource.kind and reference.get("name") == name


def _now() -> datetime:
    return datetime.now(timezone.utc)
