"""`migrate`: what scales a workload moves to another backend, and the workload keeps its replicas.

The HPA stays the same object (uid and name), so what the HPA controller remembers of the last minutes stays too. While
neither backend serves it, it cannot read its metrics, and then it keeps the replicas. Its lower limit is lifted to
the replicas there are, until the new backend's values have been seen. The old backend is let go of last.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import replace

from kubectl_llmhpa.api import HPAS, SCALED_OBJECTS, TRIGGER_AUTHENTICATIONS, Json, Reader, Writer
from kubectl_llmhpa.backends.model import KEDA
from kubectl_llmhpa.errors import ApiError, LlmHpaError
from kubectl_llmhpa.hpa import scaled_objects
from kubectl_llmhpa.monitoring import prometheus
from kubectl_llmhpa.plan import disabling, handover, journal, objects, steps
from kubectl_llmhpa.plan.adapter import rule_steps
from kubectl_llmhpa.plan.adapter.rule_users import Leaving
from kubectl_llmhpa.plan.handover_steps import FromKeda, Hands, ToKeda
from kubectl_llmhpa.plan.journal import Journal, Move
from kubectl_llmhpa.plan.setting_up import enabling, hops, rivals, scalers
from kubectl_llmhpa.plan.setting_up.enabling import Enabling, Prepared
from kubectl_llmhpa.plan.setting_up.hops import Hop, HopState
from kubectl_llmhpa.plan.steps import Change, Step
from kubectl_llmhpa.plan.wishes import Wishes
from kubectl_llmhpa.workloads import Workload, pods, ready_pods

_QUERY_SECONDS = 15.0
#: What a Prometheus behind a token answers to who has none: KEDA's operator has it, the caller does not show it.
_UNAUTHORIZED = 401


def prepare(reader: Reader, workload: Workload, to: str, wishes: Wishes) -> Prepared:
    """Look at everything and plan the move to a backend. Reads only.

    Raises LlmHpaError when nothing of ours scales the workload, or when something of it cannot be carried over.
    """
    prepared = enabling.prepare(reader, workload, replace(wishes, backend=to, moving=True))
    attempted = f"move autoscaling of {workload.reference} to {to}"
    adopted = prepared.around.journal.adopted if prepared.around.journal else None
    if adopted is not None and adopted["kind"] == SCALED_OBJECTS.kind and to != KEDA:
        raise LlmHpaError(
            attempted,
            f"ScaledObject {adopted['metadata']['name']} was made by others and taken over with --adopt, and disable "
            "could not give it back once it is gone",
            "disable, delete it, then enable",
        )
    engine = prepared.sight.facts.engine
    if prepared.sight.facts.armed and not arrived(prepared):
        raise LlmHpaError(
            attempted, f"{engine} exposes no series before its first request, so nothing can be checked",
            "send it a request first",
        )  # fmt: skip
    return prepared


def arrived(prepared: Prepared) -> bool:
    """Whether the wanted backend serves the workload already, and no move is under way."""
    book = prepared.around.journal
    return (book is None or book.move is None) and _live(prepared).resource == prepared.plan.scaler.resource


def lines(prepared: Prepared) -> list[str]:
    """The plan in words: one line a step, with what is checked after it."""
    plan, live = prepared.plan, _live(prepared)
    name = plan.scaler.hpa_name
    count = len(plan.scaler.object["spec"].get("triggers") or plan.metrics)
    before = f"it reads {'its values' if count == 1 else f'all {count} values'}, replicas are not below what they were"
    told: list[str] = []
    if plan.scrape.object is not None:
        told.append(
            f"{plan.scrape.resource.kind} {plan.scrape.object['metadata']['name']} is written as enable writes it; "
            "check: the pods are scraped"
        )
    if plan.backend.backend == KEDA:
        if plan.scaler.authentication is not None:
            told.append(f"TriggerAuthentication {plan.scaler.authentication['metadata']['name']} is written")
        told += [
            f"Prometheus is asked KEDA's {count} queries; check: each gives exactly one number",
            f"ScaledObject {plan.scaler.name} is written, and KEDA takes hpa/{name} over as it stands, with the "
            f"replicas there are as its lower limit; check: it is the same object, {before}, the ScaledObject is Ready",
            f"the lower limit is {plan.scaler.least} again; check: KEDA has written it",
            "rules in the adapter's file that no other HPA uses are removed; check: every other name is still listed",
        ]
        return told
    if plan.rules:
        told.append(
            f"{len(plan.rules)} rules are added for the adapter; check: every name that was listed is listed, and these"
        )
    told += [
        f"the adapter is asked for {count} metrics; check: each has a value for the workload's pods",
        f"ScaledObject {live.name} is deleted, and hpa/{name} stays, with the replicas that it has",
        f"hpa/{name} gets the adapter's metrics, with the replicas there are as its lower limit; check: {before}",
        f"the lower limit is {plan.scaler.least} again",
    ]
    if _has_login(live.object):
        told.append(f"TriggerAuthentication {live.name} is deleted (Prometheus' token; the Secret stays)")
    return told


def losses(prepared: Prepared) -> list[str]:
    """What the other form has no place for, in words for the user."""
    live = _live(prepared)
    if not live.keda or prepared.plan.backend.backend == KEDA:
        return []
    spec = live.object["spec"]
    told = []
    if "fallback" in spec:
        told.append(
            f"the fallback to {spec['fallback'].get('replicas')} replicas goes: an HPA keeps its replicas while it "
            "cannot read a metric"
        )
    if _has_login(live.object):
        told.append("the login of KEDA to Prometheus goes: a move back needs --prometheus-token-secret again")
    return told


class Migrating(Enabling):
    """The steps of one move, and its waits. A failed check takes everything back."""

    command = "migrate"

    def __init__(
        self,
        writer: Writer,
        prepared: Prepared,
        *,
        timeout: float,
        progress: hops.Progress,
        say: steps.Report,
        helm: rule_steps.Helm | None = None,
    ) -> None:
        """`timeout` in seconds, for all waits together; `say` hears what is left to know."""
        super().__init__(writer, [prepared], wait=True, timeout=timeout, progress=progress, helm=helm)
        self._one = prepared
        self._tell = say
        self._move = _move(prepared)

    def validate(self) -> None:
        """Let the server check every step. Raises LlmHpaError."""
        for step in self.steps():
            step.validate()

    def run(self, report: Callable[[Change], None]) -> dict[str, str]:
        """Do the steps, then what the old backend leaves behind goes.

        Raises LlmHpaError; the workload is on the old backend then, and works there as it did, unless the failure says
        that it has moved.
        """
        one, plan = self._one, self._one.plan
        keda = plan.backend.backend == KEDA
        if not arrived(one):
            self._possible(one)
            self._permitted(one)
            earlier = one.around.journal or Journal()
            journal.save(self._writer, plan.workload, replace(plan.journal, move=self._move))
            try:
                steps.run(self.steps(), report)
            except steps.UndoError:
                raise
            except LlmHpaError:
                if earlier.move is None:
                    journal.save(self._writer, plan.workload, earlier)
                raise
            if not keda:
                self._forget_keda(report)
            metrics = plan.journal.metrics if keda else plan.metrics
            journal.save(self._writer, plan.workload, _ended(plan.journal, plan.scaler, metrics))
        if keda and plan.journal.metrics:
            self._forget_rules(report)
            journal.save(self._writer, plan.workload, _ended(plan.journal, plan.scaler, plan.metrics))
        return {plan.workload.reference: "active"}

    def _scaler(self, one: Prepared) -> list[Step]:
        plan = one.plan
        hands = Hands(self._writer, plan.workload, self._move, lambda hop: self._hop(one, hop))
        if plan.backend.backend == KEDA:
            result: list[Step] = [_Asked(lambda: self._soon(one, self._queries(one)))]
            if plan.scaler.authentication is not None:
                result.append(
                    objects.OwnObject(self._writer, TRIGGER_AUTHENTICATIONS, plan.scaler.authentication)
                )
            return [*result, ToKeda(hands, plan.scaler)]
        return [
            _Asked(lambda: self._values(one)),
            FromKeda(hands, plan.scaler, _scaled_object_of(self._move, one)),
        ]

    def _queries(self, one: Prepared) -> Hop:
        """Every query of the ScaledObject gives exactly one finite number, where Prometheus can be asked.

        And every ready pod has a sample: KEDA's sum over the pods takes one without for idle.
        """
        plan = one.plan
        server = plan.server

        def look() -> HopState:
            if server is None:
                return HopState(True, "not asked: Prometheus is outside the cluster")
            try:
                missing = self._without_sample(one, server)
                if missing:
                    return HopState(False, f"Prometheus has no sample of pod {', '.join(missing[:3])}")
                shown = []
                for trigger in plan.scaler.object["spec"]["triggers"]:
                    found = prometheus.query(self._reader, server, trigger["metadata"]["query"])
                    if len(found) != 1 or not math.isfinite(found[0].value):
                        gave = f"{len(found)} elements" if len(found) != 1 else str(found[0].value)
                        need = f"the query for {trigger['name']} gives {gave}, where one number is needed"
                        return HopState(False, need)
                    shown.append(f"{trigger['name']} {found[0].value:g}")
            except ApiError as error:
                if error.code == _UNAUTHORIZED and plan.scaler.authentication is None:
                    raise LlmHpaError(
                        f"ask Prometheus {server.namespace}/{server.service}", error.message,
                        "name the Secret with its token: --prometheus-token-secret NAME[:KEY]",
                    ) from error  # fmt: skip
                if not error.forbidden and error.code != _UNAUTHORIZED:
                    raise
                return HopState(True, f"not asked, KEDA has to: {error.message}")
            return HopState(True, ", ".join(shown))

        return Hop("queries", look, "see that Prometheus scrapes the workload's pods")

    def _without_sample(self, one: Prepared, server: prometheus.Server) -> list[str]:
        """The ready pods of which Prometheus has no sample."""
        scrape, workload = one.plan.scrape, one.plan.workload
        metric = next(iter(one.sight.facts.signals.values())).metric
        selector = f'{{__name__="{metric}",{scrape.namespace_label}="{workload.namespace}"}}'
        found = prometheus.query(self._reader, server, f"group by ({scrape.pod_label}) ({selector})")
        have = {sample.labels.get(scrape.pod_label, "") for sample in found}
        return sorted({pod["metadata"]["name"] for pod in ready_pods(pods(self._reader, workload))} - have)

    def _soon(self, one: Prepared, hop: Hop) -> None:
        """For what the samples that are there have to answer."""
        hops.wait(hop, time.monotonic(), min(_QUERY_SECONDS, self._timeout), self._named(one))

    def _values(self, one: Prepared) -> None:
        adapter, plan = one.around.adapter, one.plan
        assert adapter is not None, "chosen as the backend"
        self._hop(one, hops.metric_names(self._reader, adapter, plan.listed))
        for metric in plan.metrics:
            self._hop(one, hops.value(self._reader, adapter, plan.workload, metric))

    def _forget_keda(self, report: Callable[[Change], None]) -> None:
        """What KEDA needed, once the HPA reads from the adapter."""
        namespace = self._one.plan.workload.namespace
        for owned in self._one.plan.journal.objects:
            if owned.resource == TRIGGER_AUTHENTICATIONS:
                disabling.drop(self._writer, owned.resource, namespace, owned.name, report)
            elif owned.resource == SCALED_OBJECTS:
                handover.wait_gone(self._writer, namespace, owned.name)

    def _forget_rules(self, report: Callable[[Change], None]) -> None:
        """The adapter's rules, unless somebody uses them or they are not ours to take out."""
        if self._one.around.adapter is None:
            return
        say = steps.once(self._tell)
        try:
            leaving = Leaving.of(self._one.plan.workload, self._one.plan.journal.metrics)
            rules = rule_steps.unused(self._writer, leaving, say, self._helm)
            if rules is None or not rules.removal():
                return
        except LlmHpaError as error:
            say(f"the adapter's rules stay: {error}")
            return
        try:
            for change in rules.remove():
                report(change)
        except LlmHpaError as error:
            raise LlmHpaError(
                f"take the rules out after the move of {self._one.plan.workload.reference}, which KEDA serves now",
                str(error), "run this again",
            ) from error  # fmt: skip


class _Asked:
    """A check between two steps; it changes nothing."""

    def __init__(self, ask: Callable[[], None]) -> None:
        self._ask = ask

    def changes(self) -> list[Change]:
        """See `Step.changes`."""
        return []

    def validate(self) -> None:
        """See `Step.validate`."""

    def do(self) -> list[Change]:
        """See `Step.do`."""
        self._ask()
        return []

    def undo(self) -> None:
        """See `Step.undo`."""


def _live(prepared: Prepared) -> rivals.Live:
    found = rivals.check(prepared.plan.workload, prepared.around, prepared.wishes)
    assert found is not None, "planning refuses a move of nothing"
    return found


def _move(prepared: Prepared) -> Move:
    """What the journal is to know: what scales now, and the HPA that changes hands."""
    book = prepared.around.journal
    if book is not None and book.move is not None:
        return book.move
    live = _live(prepared)
    name = scaled_objects.hpa_name(live.object) if live.keda else live.name
    found = next((one for one in prepared.around.hpas if one["metadata"]["name"] == name), None)
    if found is None:
        raise LlmHpaError(
            f"move ScaledObject {prepared.plan.workload.namespace}/{live.name}", "KEDA has made no HPA of it",
            f"see: kubectl -n {prepared.plan.workload.namespace} describe scaledobject {live.name}",
        )  # fmt: skip
    return Move(live.object, found["metadata"]["uid"])


def _scaled_object_of(move: Move, prepared: Prepared) -> str:
    """The name of the ScaledObject that is there, or may be, when the HPA comes back."""
    if move.scaler["kind"] == SCALED_OBJECTS.kind:
        return str(move.scaler["metadata"]["name"])
    return prepared.plan.scaler.name


def _ended(book: Journal, scaler: scalers.Scaler, metrics: tuple[str, ...]) -> Journal:
    """The journal after the move: what scales now in the place of what did."""
    scales = (HPAS, SCALED_OBJECTS, TRIGGER_AUTHENTICATIONS)
    kept = tuple(one for one in book.objects if one.resource not in scales)
    return replace(book, objects=(*kept, *scalers.owned(scaler)), metrics=tuple(sorted(metrics)), move=None)


def _has_login(scaler: Json) -> bool:
    return any(one.get("authenticationRef") for one in scaler["spec"].get("triggers") or ())
