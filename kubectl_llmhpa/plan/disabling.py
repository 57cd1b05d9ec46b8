"""`disable`: exactly what `enable` made for a workload goes, finished or not, and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from kubectl_llmhpa.api import (
    API_SERVICES,
    HPAS,
    SCALED_OBJECTS,
    TRIGGER_AUTHENTICATIONS,
    VM_POD_SCRAPES,
    Json,
    Reader,
    Resource,
    Writer,
)
from kubectl_llmhpa.backends.model import KEDA, PROMETHEUS_ADAPTER
from kubectl_llmhpa.errors import ApiError, LlmHpaError
from kubectl_llmhpa.hpa import is_ours
from kubectl_llmhpa.plan import handover, journal, objects, steps
from kubectl_llmhpa.plan.adapter import metrics_api, rule_steps
from kubectl_llmhpa.plan.adapter.rule_steps import Unused
from kubectl_llmhpa.plan.adapter.rule_users import Leaving
from kubectl_llmhpa.plan.journal import Journal, Owned
from kubectl_llmhpa.plan.permissions import rights
from kubectl_llmhpa.plan.permitted import Permitted
from kubectl_llmhpa.plan.setting_up import scraping
from kubectl_llmhpa.plan.steps import Change
from kubectl_llmhpa.plan.wishes import RULES, SCALER, SCRAPE
from kubectl_llmhpa.workloads import Workload

_SCALERS = (HPAS, SCALED_OBJECTS)


def disable(
    writer: Writer,
    workload: Workload,
    report: Callable[[Change], None],
    say: steps.Report,
    helm: rule_steps.Helm | None = None,
) -> bool:
    """Remove what `enable` made for a workload, finished or not; False when there is nothing.

    What scales it goes first (replicas stay), then the rules unless anybody else uses their names or the adapter is
    not the caller's, then the rest, then the journal. Raises LlmHpaError, before the first change where the caller may
    not make them all, or where the journal is lost; running it again goes on where it stopped.
    """
    book = journal.load(writer, workload)
    if book is None:
        _not_lost(writer, workload)
        return False
    _permitted(writer, workload, book)
    leaving = _leaving(workload, book)
    rules = _rules(writer, workload, leaving, say, helm) if book.metrics else None
    if rules is not None:
        journal.save(writer, workload, replace(book, leaving=True))
    sleeps = any(_lets_sleep(writer, workload, one) for one in _scalers(book))
    for one in _scalers(book):
        _drop_scaler(writer, workload, book, one, report)
    if sleeps:
        say(
            f"{workload.reference} keeps the replicas that it has; where those are 0, nothing wakes it any more: "
            f"kubectl -n {workload.namespace} scale {workload.reference.lower()} --replicas=1"
        )
    _drop_rules(writer, rules, leaving, report, say)
    for one in _others(book):
        drop(writer, one.resource, workload.namespace, one.name, report)
        copy = scraping.drop_left_behind(writer, one.resource, workload.namespace, one.name)
        if copy is not None:
            report(_copy_goes(one, workload.namespace, copy))
    journal.delete(writer, workload)
    return True


def _not_lost(reader: Reader, workload: Workload) -> None:
    """Raise LlmHpaError where something of ours scales the workload, and somebody has deleted the journal of it."""
    reader = Permitted(reader)
    for resource in _SCALERS:
        try:
            live = objects.read(reader, resource, workload.namespace, workload.name)
        except ApiError:  # one that may not be read was not enabled by the caller
            continue
        if live is not None and is_ours(live) and workload.is_target_of(live["spec"]["scaleTargetRef"]):
            raise LlmHpaError(
                f"disable {workload.reference} in namespace {workload.namespace!r}",
                f"configmap/{journal.name_for(workload)}, which says what was made for it, is gone",
                f"let enable write it anew, then disable: kubectl llm-hpa enable {workload.reference} -n "
                f"{workload.namespace}",
            )


def _lets_sleep(reader: Reader, workload: Workload, scaler: Owned) -> bool:
    """Whether it is a ScaledObject that takes the workload to zero replicas."""
    if scaler.resource != SCALED_OBJECTS:
        return False
    live = objects.read(reader, SCALED_OBJECTS, workload.namespace, scaler.name)
    return live is not None and live["spec"].get("minReplicaCount", 0) == 0


def disable_rules(
    writer: Writer,
    workload: Workload,
    report: Callable[[Change], None],
    say: steps.Report,
    helm: rule_steps.Helm | None = None,
) -> bool:
    """Take out the rules that no HPA and no journal names, and nothing else: what the adapter's owner does later.

    False when there are none. Raises LlmHpaError.
    """
    rules = _rules(writer, workload, Leaving(), say, helm)
    if rules is None or not rules.removal():
        return False
    _drop_rules(writer, rules, Leaving(), report, say)
    return True


def preview_rules(
    reader: Writer, workload: Workload, say: steps.Report, helm: rule_steps.Helm | None = None
) -> list[Change]:
    """What `disable_rules` would remove."""
    rules = _rules(reader, workload, Leaving(), say, helm)
    return rules.removal() if rules else []


def preview(
    reader: Writer, workload: Workload, say: steps.Report, helm: rule_steps.Helm | None = None
) -> list[Change]:
    """What `disable` would remove, in its order."""
    book = journal.load(reader, workload)
    if book is None:
        _not_lost(reader, workload)
        return []
    changes = [
        change for one in _scalers(book) if (change := _removal(reader, workload, book, one)) is not None
    ]
    leaving = _leaving(workload, book)
    rules = _rules(reader, workload, leaving, say, helm) if book.metrics else None
    for group in rules.idle() if rules else ():
        registered, users = metrics_api.removal(reader, group, leaving.scalers)
        if registered is not None and not users:
            name = metrics_api.name_of(group)
            changes.append(Change(API_SERVICES, "", name, objects.presentable(registered), None))
    changes += rules.removal() if rules else []
    for one in _others(book):
        removal = _removal(reader, workload, book, one)
        copy = scraping.left_behind(reader, one.resource, workload.namespace, one.name)
        changes += [] if removal is None else [removal]
        changes += [] if copy is None else [_copy_goes(one, workload.namespace, copy)]
    return changes


def _rules(
    writer: Writer,
    workload: Workload,
    leaving: Leaving,
    say: steps.Report,
    helm: rule_steps.Helm | None,
) -> Unused | None:
    """The rules that may go; None, with the reason said, where the adapter cannot be found or is not the caller's.

    Raises LlmHpaError where they cannot be taken out as they are asked to be.
    """
    try:
        rules = rule_steps.unused(writer, leaving, say, helm)
        if rules is None:
            return None
        needed = rights.for_disable(
            workload.namespace, parts=(RULES,), backend=rules.adapter.kind, adapter=rules.adapter
        )
        lacking = rights.sentence(rights.missing(writer, needed))
        if not lacking:
            rules.removal()
    except ApiError as error:
        if not error.forbidden:
            raise
        lacking = [error.attempted]
    if not lacking:
        return rules
    say(
        f"the adapter's rules stay: you may not {lacking[0]}; who owns the adapter takes them out with kubectl llm-hpa "
        f"disable {workload.reference} -n {workload.namespace} --only rules"
    )
    return None


def _permitted(writer: Writer, workload: Workload, book: Journal) -> None:
    """Ask for every right on what is the workload's own. Raises LlmHpaError."""
    namespace, login = workload.namespace, TRIGGER_AUTHENTICATIONS
    backends = {KEDA if one.resource == SCALED_OBJECTS else PROMETHEUS_ADAPTER for one in _scalers(book)}
    scrapes = {one.resource for one in _others(book) if one.resource != login}
    flags = ("--prometheus-token-secret",) if book.names(login) else ()
    asked = [
        *(
            rights.for_disable(namespace, parts=(SCALER,), backend=one, flags=flags)
            for one in sorted(backends)
        ),
        *(rights.for_disable(namespace, parts=(SCRAPE,), backend=KEDA, scrape=one) for one in scrapes),
    ]
    rights.require(
        writer,
        (right for several in asked for right in several if right.namespace == namespace),
        f"disable {workload.reference} in namespace {namespace!r}",
        f"kubectl llm-hpa rbac {workload.reference} --for disable -n {namespace}",
    )


def _drop_rules(
    writer: Writer,
    rules: Unused | None,
    leaving: Leaving,
    report: Callable[[Change], None],
    say: steps.Report,
) -> None:
    if rules is None:
        return
    # the API before the rules: without them it would answer 404
    for group in rules.idle():
        for change in metrics_api.remove(writer, group, say, leaving.scalers):
            report(change)
            rules = rules.unregistered(group)
    for change in rules.remove():
        report(change)


def drop(
    writer: Writer,
    resource: Resource,
    namespace: str,
    name: str,
    report: Callable[[Change], None],
    *,
    ours: bool = False,
) -> None:
    """Delete an object if it is there and ours, which `ours` says where its marks do not."""
    live = objects.read(writer, resource, namespace, name)
    if live is None or not (ours or is_ours(live)):
        return
    writer.delete(resource, namespace, name, uid=live["metadata"]["uid"])
    if resource == SCALED_OBJECTS:
        handover.wait_gone(writer, namespace, name)
    report(Change(resource, namespace, name, objects.presentable(live), None))


def _drop_scaler(
    writer: Writer, workload: Workload, book: Journal, one: Owned, report: Callable[[Change], None]
) -> None:
    live = objects.read(writer, one.resource, workload.namespace, one.name)
    before = book.adopted
    if before is not None and book.adopts(live):
        objects.restore(writer, one.resource, before)
        report(_given_back(one, workload.namespace, live, before))
        return
    if live is not None and one.resource == SCALED_OBJECTS and before is not None and is_ours(live):
        scaler = handover.release(writer, live)
        report(Change(one.resource, workload.namespace, one.name, objects.presentable(live), None))
        if book.adopts(scaler):
            objects.restore(writer, HPAS, before)
            report(
                _given_back(Owned.of(HPAS, before["metadata"]["name"]), workload.namespace, scaler, before)
            )
        handover.wait_gone(writer, workload.namespace, one.name)
        return
    drop(writer, one.resource, workload.namespace, one.name, report, ours=book.moves(live))


def _copy_goes(one: Owned, namespace: str, copy: Json) -> Change:
    return Change(VM_POD_SCRAPES, namespace, one.name, objects.presentable(copy), None)


def _given_back(one: Owned, namespace: str, live: Json | None, before: Json) -> Change:
    return Change(one.resource, namespace, one.name, objects.presentable(live), objects.presentable(before))


def _removal(reader: Reader, workload: Workload, book: Journal, one: Owned) -> Change | None:
    live = objects.read(reader, one.resource, workload.namespace, one.name)
    if live is None or not (is_ours(live) or book.adopts(live) or book.moves(live)):
        return None
    after = objects.presentable(book.adopted) if book.adopts(live) else None
    return Change(one.resource, workload.namespace, one.name, objects.presentable(live), after)


def _leaving(workload: Workload, book: Journal) -> Leaving:
    return Leaving.of(workload, book.metrics, {(workload.namespace, one.name) for one in _scalers(book)})


def _scalers(book: Journal) -> Sequence[Owned]:
    """What scales: a ScaledObject before an HPA, which may be the one that KEDA holds."""
    found = [one for one in book.objects if one.resource in _SCALERS]
    return sorted(found, key=lambda one: one.resource == HPAS)


def _others(book: Journal) -> Sequence[Owned]:
    return [one for one in book.objects if one.resource not in _SCALERS]
