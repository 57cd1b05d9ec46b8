"""`enable` as steps: what is written in which order, and what is waited for in between.

Several workloads are one run: the adapter's rules are for engines and not for workloads, so they are written, and the
adapter is restarted, once.
"""

from __future__ import annotations

import dataclasses
import functools
import time
import urllib.parse
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from kubectl_llmhpa import engines
from kubectl_llmhpa.api import HPAS, POD_MONITORS, PODS, TRIGGER_AUTHENTICATIONS, Json, Reader, Writer
from kubectl_llmhpa.backends.model import KEDA
from kubectl_llmhpa.errors import ApiError, LlmHpaError
from kubectl_llmhpa.findings import Finding
from kubectl_llmhpa.monitoring import prometheus
from kubectl_llmhpa.plan import handover, journal, objects, steps
from kubectl_llmhpa.plan.adapter import rule_steps
from kubectl_llmhpa.plan.looking import holding, look, preflight, seats_history, targets
from kubectl_llmhpa.plan.looking.look import Surroundings
from kubectl_llmhpa.plan.looking.sight import EngineSight, engine_of
from kubectl_llmhpa.plan.looking.targets import Target
from kubectl_llmhpa.plan.permissions import rights
from kubectl_llmhpa.plan.permitted import Permitted
from kubectl_llmhpa.plan.setting_up import earlier_export, hops, keda_hops, own_label, planning, scraping
from kubectl_llmhpa.plan.setting_up.planning import Plan
from kubectl_llmhpa.plan.steps import Change, Step
from kubectl_llmhpa.plan.wishes import RULES, SCALER, SCRAPE, Wishes
from kubectl_llmhpa.workloads import Workload, owners_of, pods


@dataclass(frozen=True)
class Prepared:
    """A plan with what it was made from."""

    sight: EngineSight
    around: Surroundings
    wishes: Wishes
    plan: Plan
    findings: tuple[Finding, ...]
    looked: Reader | None = None
    """What has read all this a moment ago."""


def selected(reader: Reader, selector: str, say: steps.Report) -> list[Workload]:
    """The workloads that have pods with these labels, in the order of their names; what cannot scale is said.

    Raises LlmHpaError when no pod has them.
    """
    path = f"{PODS.path(reader.namespace)}?labelSelector={urllib.parse.quote(selector)}"
    found = reader.get(path).get("items") or []
    if not found:
        raise LlmHpaError(
            f"find workloads with pods -l {selector} in namespace {reader.namespace!r}", "no pod has these labels",
            f"see: kubectl get pods -n {reader.namespace} --show-labels",
        )  # fmt: skip
    workloads: dict[str, Workload] = {}
    problems: set[str] = set()
    for owner in owners_of(reader, found):
        if isinstance(owner, LlmHpaError):
            problems.add(str(owner))
        else:
            workloads.setdefault(owner.reference, owner)
    for problem in sorted(problems):
        say(f"left out: {problem}")
    return [workloads[reference] for reference in sorted(workloads)]


def prepare(reader: Reader, workload: Workload, wishes: Wishes, hint: str = "") -> Prepared:
    """Look at everything and plan; `hint` is the user's `vllm@0.20`. Reads only. Raises LlmHpaError."""
    sight = engine_of(reader, workload, hint)
    around = look.around(reader, workload, wishes.prometheus, wishes.scrape, wishes.backend)
    if wishes.exporting:
        around = earlier_export.as_ours(around)
    found = pods(reader, workload)
    scraped: Sequence[Target] | None = None
    if around.server:
        metric = next(iter(sight.facts.signals.values())).metric
        try:
            scraped = targets.found(reader, around.server, found, sight.port, metric)
        except ApiError as error:
            around = dataclasses.replace(around, blind=error)
    plan = planning.make(workload, sight, around, wishes, scraped, tuple(found))
    if scraped and around.server and (seats := _seats(reader, around.server, plan, sight, found)):
        sight = dataclasses.replace(sight, facts=dataclasses.replace(sight.facts, seats=seats))
        plan = planning.make(workload, sight, around, wishes, scraped, tuple(found))
    if plan.scaler.least == 0:
        seen = holding.look(reader, workload, found, plan.server)
        plan = planning.make(workload, sight, around, wishes, scraped, tuple(found), seen)
    if plan.external and not plan.scrape.selected_by:
        names = {one.metric for one in sight.facts.signals.values()}
        label = own_label.find(reader, plan.server, workload, plan.scrape, found, names)
        plan = planning.make(workload, sight, around, wishes, scraped, tuple(found), label=label)
    # KEDA may be to ask another one, maybe with a token
    if plan.server is not None and plan.server != around.server:
        around = dataclasses.replace(around, blind=prometheus.reachable(reader, plan.server))
    longest = engines.longest_generation(sight.body)
    findings = preflight.findings(reader, workload, found, plan.scaler.most, longest, before=plan.most_before)
    return Prepared(sight, around, wishes, plan, (*plan.findings, *findings), reader)


def _seats(
    reader: Reader, server: prometheus.Server, plan: Plan, sight: EngineSight, found: Sequence[Json]
) -> engines.Seats | None:
    labels = {"namespace_label": plan.scrape.namespace_label, "pod_label": plan.scrape.pod_label}
    return seats_history.look(reader, server, plan.workload, sight.facts, found, **labels)


def impossible(prepared: Prepared) -> Finding | None:
    """The finding by which what is to be written cannot work, if any; rules alone are of use to others too."""
    errors = (one for one in prepared.plan.findings if one.severity == "error")
    return next(errors, None) if {SCRAPE, SCALER} & prepared.wishes.parts else None


class Enabling:
    """The steps of one `enable` run for one or several workloads, and its waits."""

    command = "enable"

    def __init__(
        self,
        writer: Writer,
        prepared: Sequence[Prepared],
        *,
        wait: bool,
        timeout: float,
        progress: hops.Progress,
        helm: rule_steps.Helm | None = None,
    ) -> None:
        """`timeout` in seconds, for all waits together; `helm` where the rules go into the values of a release."""
        self._writer = writer
        self._reader = Permitted(writer)
        self._prepared = prepared
        self._wait = wait
        self._timeout = timeout
        self._progress = progress
        self._helm = helm
        self._began = time.monotonic()

    def steps(self) -> list[Step]:
        """The steps in order: all scrape objects, then the rules, then what scales."""
        result: list[Step] = []
        for one in self._prepared:
            if one.plan.scrape.object is not None and SCRAPE in one.wishes.parts:
                seen = one.around.pod_monitors if one.plan.scrape.resource is POD_MONITORS else None
                result.append(_Scrape(self._writer, one.plan, functools.partial(self._sampled, one), seen))
        result += self._rules()
        for one in self._prepared:
            if SCALER in one.wishes.parts:
                result += self._scaler(one)
        return result

    def run(self, report: Callable[[Change], None]) -> dict[str, str]:
        """Write the journals, do the steps, wait for the rest of the chain.

        Returns for each workload's reference `active`, `armed` (the engine shows no series yet), `waiting` (the names
        of its metrics are not served yet, and their rules are somebody else's to write) or `written` (nothing was
        waited for). Raises LlmHpaError; what this run wrote is undone unless only the last waits failed.
        """
        for one in self._prepared:
            self._introduce(one)
            self._possible(one)
            self._permitted(one)
            self._prometheus_runs(one)
        begun = [one for one in self._prepared if one.plan.journal.objects]
        fresh = [one for one in begun if one.around.journal is None]
        try:
            for one in begun:
                if one.plan.journal != one.around.journal:
                    journal.save(self._writer, one.plan.workload, one.plan.journal)
            steps.run(self.steps(), report)
        except steps.UndoError:
            raise  # the journal stays: disable needs it
        except LlmHpaError:
            for one in fresh:
                journal.delete(self._writer, one.plan.workload)
            raise
        return {one.plan.workload.reference: self._outcome(one) for one in self._prepared}

    def _prometheus_runs(self, one: Prepared) -> None:
        """Refuse while no Prometheus runs: the chain cannot close, and an adapter that restarts now lists nothing."""
        server, blind = one.plan.server, one.around.blind
        if server is None or blind is None or not prometheus.down(blind):
            return
        if self._wait or one.plan.rules:
            raise LlmHpaError(
                f"ask Prometheus {server.namespace}/{server.service}",
                blind.message,
                "correct the address" if blind.not_found else "see that its pod is ready",
            )

    def _possible(self, one: Prepared) -> None:
        """Refuse what cannot work. Raises LlmHpaError with the finding that says so."""
        found, workload = impossible(one), one.plan.workload
        if found is not None:
            raise LlmHpaError(
                f"{self.command} {workload.reference} in namespace {workload.namespace!r}",
                f"{found.seen}; {found.why}", f"{found.fix} [{found.code}]",
            )  # fmt: skip

    def _permitted(self, one: Prepared) -> None:
        """Ask for every right that the writes need, before the first of them. Raises LlmHpaError."""
        if self._reader.unlimited:
            return
        plan, parts = one.plan, set(one.wishes.parts)
        if plan.scrape.object is None:
            parts.discard(SCRAPE)
        if not plan.rules:
            parts.discard(RULES)
        metric = plan.metrics[0] if plan.metrics and self._wait else ""
        backend, workload = plan.backend.backend, plan.workload
        needed = rights.for_enable(
            workload.namespace, parts=parts, backend=backend, adapter=one.around.adapter,
            scrape=plan.scrape.resource, metric=metric, flags=_flags(one.wishes),
        )  # fmt: skip
        attempted = f"{self.command} {workload.reference} in namespace {workload.namespace!r}"
        options = f"--for {self.command} --backend {backend} -n {workload.namespace}"
        remedy = f"kubectl llm-hpa rbac {workload.reference} {options}"
        rights.require(self._writer, needed, attempted, remedy)

    def _introduce(self, one: Prepared) -> None:
        plan = one.plan
        self._say(one, "engine", _engine_line(one.sight))
        if plan.scrape.object is None:
            self._say(one, "scrape object", f"none written: the pods are scraped already by {plan.scrape.by}")
        elif SCRAPE in one.wishes.parts:
            kind, name = plan.scrape.resource.kind.lower(), plan.scrape.object["metadata"]["name"]
            why = f"{plan.scrape.scraper}: {plan.scrape.reason}"
            self._say(one, "scrape object", f"{kind} {name}, selected by {plan.scrape.by} ({why})")
        self._say(one, "backend", f"{plan.backend.backend}: {plan.backend.reason}")

    def _rules(self) -> list[Step]:
        """One step for the rules of all workloads."""
        wanted = [
            one for one in self._prepared if RULES in one.wishes.parts and one.around.adapter is not None
        ]
        rules = {name: rule for one in wanted for name, rule in one.plan.rules.items()}
        adapter = wanted[0].around.adapter if wanted else None
        if adapter is None:
            return []
        first = wanted[0]
        server = first.plan.server if first.around.blind is None else None
        return rule_steps.adding(
            self._writer,
            adapter,
            rules,
            expected={
                name
                for one in wanted
                if self._can_see(one) and SCRAPE in one.wishes.parts
                for name in one.plan.rules
            },
            server=server,
            report=lambda text: self._progress("adapter", text, time.monotonic() - self._began, False),
            helm_release=self._helm,
            register=first.wishes.install_api,
            looked=first.looked,
        )

    def _scaler(self, one: Prepared) -> list[Step]:
        plan = one.plan
        result: list[Step] = []
        if plan.scaler.authentication is not None:
            result.append(
                objects.OwnObject(self._writer, TRIGGER_AUTHENTICATIONS, plan.scaler.authentication)
            )
        kind = handover.Taken if plan.scaler.takes_over else objects.OwnObject
        seen = one.around.hpas if plan.scaler.resource is HPAS else one.around.scaled_objects
        result.append(
            kind(self._writer, plan.scaler.resource, plan.scaler.object, adopt=plan.adopted, seen=seen)
        )
        return result

    def _outcome(self, one: Prepared) -> str:
        plan = one.plan
        if not self._wait or SCALER not in one.wishes.parts:
            return "written"
        keda = plan.backend.backend == KEDA
        adapter = None if keda else one.around.adapter
        if not keda and (adapter is None or (RULES not in one.wishes.parts and plan.rules)):
            return "waiting"
        if one.sight.facts.armed:
            return "armed"
        if adapter is None:
            self._hop(one, keda_hops.ready(self._reader, plan.workload, plan.scaler.name))
            self._hop(one, keda_hops.scaling_active(self._reader, plan.workload, plan.scaler.name))
            return "active"
        known = adapter.registered if plan.external else adapter
        self._hop(one, hops.metric_names(self._reader, known, plan.listed))
        if plan.metrics:
            self._hop(one, hops.value(self._reader, adapter, plan.workload, plan.metrics[0]))
        for name, labels in plan.external.items():
            self._hop(one, hops.number(self._reader, plan.workload, name, labels))
        self._hop(one, hops.scaling_active(self._reader, plan.workload, plan.scaler.hpa_name))
        return "active"

    def _can_see(self, one: Prepared) -> bool:
        """Whether samples can be waited for before the rules are written."""
        around = one.around
        return bool(self._wait and one.plan.server and not around.blind and not one.sight.facts.armed)

    def _sampled(self, one: Prepared) -> None:
        """Between the scrape object and the rules: wait until Prometheus has samples, where it can be asked."""
        plan, around = one.plan, one.around
        if not self._can_see(one) or plan.server is None:
            if around.blind and self._wait:
                self._say(one, "scrape target", f"not visible ({around.blind.message})")
            return
        every = plan.backend.backend == KEDA and plan.workload.counted_per_replica == 1
        self._hop(
            one,
            hops.scrape_target(self._reader, plan.server, plan.workload, plan.scrape, every=every),
        )
        metric = next(iter(one.sight.facts.signals.values())).metric
        self._hop(one, hops.sample(self._reader, plan.server, plan.workload, plan.scrape, metric))

    def _hop(self, one: Prepared, hop: hops.Hop) -> None:
        hops.wait(hop, self._began, self._timeout, self._named(one))

    def _say(self, one: Prepared, name: str, text: str) -> None:
        self._named(one)(name, text, time.monotonic() - self._began, True)

    def _named(self, one: Prepared) -> hops.Progress:
        """The progress of one workload: with its name where there are several."""
        if len(self._prepared) == 1:
            return self._progress
        about = f"{one.plan.workload.reference}: "
        return lambda name, text, seconds, good: self._progress(name, about + text, seconds, good)


class _Scrape(objects.OwnObject):
    """The scrape object, and the wait for its first samples."""

    def __init__(
        self, writer: Writer, plan: Plan, sampled: Callable[[], None], seen: Sequence[Json] | None
    ) -> None:
        assert plan.scrape.object is not None
        super().__init__(writer, plan.scrape.resource, plan.scrape.object, force=plan.adopted, seen=seen)
        self._sampled = sampled

    def do(self) -> list[Change]:
        """See `Step.do`."""
        changes = super().do()
        self._sampled()
        return changes

    def undo(self) -> None:
        """See `Step.undo`."""
        super().undo()
        if self._before is None and self._after is not None:
            scraping.drop_left_behind(self._writer, self._resource, *self._place)


def _flags(wishes: Wishes) -> list[str]:
    """The flags that need rights of their own, in the words of `rights`."""
    given = {
        "--prometheus-token-secret": wishes.token_secret is not None,
        "--helm": bool(wishes.helm_chart),
        "--install-custom-metrics-api": wishes.install_api,
    }
    return [flag for flag, said in given.items() if said]


def _engine_line(sight: EngineSight) -> str:
    facts = sight.facts
    now = ", ".join(
        f"{name} {source.value:g}" for name, source in facts.signals.items() if source.value is not None
    )
    version = f" {facts.version}" if facts.version else ""
    return f"{facts.engine}{version} on port {sight.port}{sight.path}: {now or facts.evidence}"


def preview(
    writer: Writer, prepared: Sequence[Prepared], *, server: bool, helm: rule_steps.Helm | None = None
) -> list[Change]:
    """What `Enabling.run` would write. `server` lets the API server check it and fill in its defaults.

    Raises LlmHpaError where the server would refuse.
    """
    run = Enabling(writer, prepared, wait=False, timeout=0, progress=lambda *_: None, helm=helm)
    changes: list[Change] = []
    for step in run.steps():
        if server or not isinstance(step, objects.OwnObject):
            changes += step.changes()
        else:
            changes.append(step.planned())
    return changes
