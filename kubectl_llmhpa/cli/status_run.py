"""What `status` does: every autoscaler of LLM pods, its signals, and why it moves or not. Without click."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timezone
from threading import Thread
from typing import TYPE_CHECKING, NamedTuple

from kubectl_llmhpa.api import HPAS, SCALED_OBJECTS, Json, Reader, scaler_named, type_and_name
from kubectl_llmhpa.kube import Cluster, Connection

if TYPE_CHECKING:
    from kubectl_llmhpa.status.overview import Autoscaler
    from kubectl_llmhpa.status.question import Question


#: What was read, until the process ends: taking 1,000 HPAs apart takes 30 ms.
_KEPT: list[object] = []


class Form(NamedTuple):
    """How it is shown: `output` as in `-o`, the order, the states that are shown, the header. `warned`: what was."""

    warned: set[str]
    output: str | None = None
    sort_by: str = ""
    states: str = ""
    header: bool = True

    @property
    def wide(self) -> bool:
        return self.output == "wide"


def run(
    *,
    connection: Connection,
    names: tuple[str, ...] = (),
    all_namespaces: bool = False,
    selector: str = "",
    field_selector: str = "",
    states: str = "",
    sort_by: str = "",
    no_headers: bool = False,
    watch: bool = False,
    output: str | None = None,
) -> None:
    """See `status`; the arguments are its parameters."""
    asked = _asked(names)  # bad usage is told before anything is connected to
    if states or sort_by:
        from kubectl_llmhpa.status import sorting

        sorting.states(states)
        sorting.check_order(sort_by)
    form = Form(set(), output, sort_by, states, not no_headers)
    if all_namespaces:  # the context's namespace is of no interest, so no kubectl is started to tell it
        connection = connection._replace(namespace=connection.namespace or "default")
    with Cluster(connection, read_only=True) as cluster:
        from kubectl_llmhpa.status.question import Question

        namespace = None if all_namespaces else cluster.namespace
        named = tuple(_named(cluster, kind, name) for kind, name in asked)
        question = Question(namespace, selector, field_selector, named)
        if watch:
            _watch(cluster, question, form)
        else:
            _once(cluster, question, form)


def _once(reader: Reader, question: Question, form: Form) -> None:
    """Read, judge and show."""
    from kubectl_llmhpa.status.question import read

    gc.disable()  # a long list is parsed twice as fast, and the process ends soon
    Thread(target=_load, args=(question,), daemon=True).start()
    scalers = read(reader, question)
    from kubectl_llmhpa.status.look import around, judged

    hpas, seen = around(reader, question, scalers)
    found = judged(question, hpas, seen, _now())
    _KEPT.append((scalers, hpas, seen, found))
    _warn(form, seen.unread, _lost(found, seen.lost))
    _show(question, form, found)
    _missing(reader, question, found)


def _load(question: Question) -> None:
    """What judges the HPAs, loaded while they are read; of all namespaces, some will scale on CPU alone."""
    import kubectl_llmhpa.cli.status_text
    import kubectl_llmhpa.status.look

    if question.namespace is None:
        import kubectl_llmhpa.engines  # noqa: F401  # tells from a template what it runs


def _asked(words: Sequence[str]) -> list[tuple[str, str]]:
    """`sts/a hpa/b` or `sts a b` as types and names. Raises LlmHpaError for anything else."""
    if not words:
        return []
    if len(words) > 1 and not any("/" in word for word in words):
        return [type_and_name((words[0], name)) for name in words[1:]]
    return [type_and_name(word) for word in words]


def _named(reader: Reader, kind: str, name: str) -> tuple[str, str]:
    """The kind and name of what is meant: an autoscaler itself, or the workload that is scaled for it."""
    if scaler := scaler_named(kind):
        return scaler.kind, name
    from kubectl_llmhpa.workloads import identify

    meant = identify(reader, (kind, name), reader.namespace)
    return meant.resource.kind, meant.name


def _show(question: Question, form: Form, found: list[Autoscaler]) -> None:
    from kubectl_llmhpa.cli.status_text import block, footnotes, overview_table
    from kubectl_llmhpa.output.terminal import colour, escape

    found = _chosen(form, found)
    if form.output in ("json", "yaml"):
        from kubectl_llmhpa.output import documents

        items = [_item(one) for one in found]
        print(documents.dump(documents.document("Status", {"items": items}), form.output), end="")
    elif form.output == "name":
        for one in found:
            name = f"{HPAS.full_name}/{one.view.name}"
            print(escape(name if one.exists else f"{SCALED_OBJECTS.full_name}/{one.scaled_object}"))
    elif not found:
        _nothing(question, form)
    elif len(question.named) == 1 and not form.wide:
        from kubectl_llmhpa.cli.printed_commands import completed

        print(completed("\n\n".join(block(one, _now()) for one in found)))
    else:
        print(overview_table(
            found, _now(), namespaces=question.namespace is None, wide=form.wide, header=form.header,
            colour=colour(sys.stdout, os.environ),
        ))  # fmt: skip
        if sys.stdout.isatty():
            for line in footnotes(found):
                print(escape(line), file=sys.stderr)


def _chosen(form: Form, found: list[Autoscaler]) -> list[Autoscaler]:
    if not (form.states or form.sort_by):
        return found
    from kubectl_llmhpa.status import sorting

    return sorting.ordered(sorting.with_states(found, form.states), form.sort_by)


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
        "drift": plain(one.drift),
    }


def _warn(form: Form, unread: Iterable[tuple[str, str]], lost: Iterable[str]) -> None:
    """Say on stderr what could not be read, and which rules the adapter's next restart would lose; each once."""
    from kubectl_llmhpa.output.terminal import one_line

    lines = [f"could not {attempted}: {why}" for attempted, why in unread]
    for line in (*lines, *lost):
        if line not in form.warned:
            form.warned.add(line)
            print(f"warning: {one_line(line)}", file=sys.stderr)


def _lost(found: Sequence[Autoscaler], lost: Mapping[str, str]) -> list[str]:
    """The rules that are lost to what is shown, where that does not say so itself."""
    used = {metric.name for one in found for metric in one.view.metrics}
    return [] if sys.stdout.isatty() else [text for metric, text in lost.items() if metric in used]


def _nothing(question: Question, form: Form) -> None:
    if not question.named or form.states:
        where = "any namespace" if question.namespace is None else f"{question.namespace} namespace"
        state = f" in state {form.states}" if form.states else ""
        print(f"No LLM autoscalers{state} found in {where}.", file=sys.stderr)


def _missing(reader: Reader, question: Question, found: Sequence[Autoscaler]) -> None:
    """Raise LlmHpaError for the first name that nothing was found for."""
    there = {(one.view.target.kind, one.view.target.name) for one in found}
    there |= {(HPAS.kind, one.view.name) for one in found if one.exists}
    there |= {(SCALED_OBJECTS.kind, one.scaled_object) for one in found}
    for kind, name in question.named:
        if (kind, name) in there:
            continue
        from kubectl_llmhpa.workloads import missing, unscaled

        namespace = question.namespace or reader.namespace
        scaler = scaler_named(kind)
        raise (
            missing.absent(reader, scaler, namespace, name)
            if scaler
            else unscaled(reader, kind, namespace, name)
        )


def _watch(reader: Reader, question: Question, form: Form) -> None:
    """Redraw on a terminal; elsewhere print a line whenever an autoscaler's line has changed."""
    import queue
    import signal

    from kubectl_llmhpa.cli.status_text import Lines, Screen, headers, row
    from kubectl_llmhpa.output.terminal import live
    from kubectl_llmhpa.status.following import REDRAW, frames

    inbox: queue.SimpleQueue[object] = queue.SimpleQueue()
    everywhere = question.namespace is None
    screen = Screen(question, wide=form.wide) if live(sys.stdout, os.environ) else None
    if screen is not None and hasattr(signal, "SIGWINCH"):
        signal.signal(signal.SIGWINCH, lambda *_: inbox.put(REDRAW))
    lines = Lines(headers(namespaces=everywhere, wide=form.wide), header=form.header)
    for found, seen in frames(reader, question, _now, inbox):
        chosen, now = _chosen(form, found), _now()
        if screen is not None:
            notes = [f"could not {attempted}: {why}" for attempted, why in seen.unread]
            print(screen.drawn(chosen, now, notes), end="", flush=True)
            continue
        _warn(form, seen.unread, seen.lost.values())
        for one in chosen:
            cells = row(one, now, namespaces=everywhere, wide=form.wide)
            for line in lines.after((one.view.namespace, one.view.name), cells, str(one.view.last_scale)):
                print(line, flush=True)


def _now() -> datetime:
    return datetime.now(timezone.utc)
