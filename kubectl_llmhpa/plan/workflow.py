"""`enable` and `disable` as steps: what is written in which order, and what is waited for in between."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from kubectl_llmhpa import engines
from kubectl_llmhpa.api import HPAS, POD_MONITORS, PODS, Json, Reader, Resource, Writer
from kubectl_llmhpa.backends import prometheus_adapter
from kubectl_llmhpa.errors import ApiError, LlmHpaError
from kubectl_llmhpa.findings import Finding
from kubectl_llmhpa.hpa import is_ours
from kubectl_llmhpa.plan import enable, hops, journal, look, objects, preflight, scraping, steps
from kubectl_llmhpa.plan.enable import Plan, Wishes
from kubectl_llmhpa.plan.look import Surroundings
from kubectl_llmhpa.plan.rules import AdapterRules
from kubectl_llmhpa.plan.sight import EngineSight, engine_of
from kubectl_llmhpa.plan.steps import Change, Step
from kubectl_llmhpa.workloads import Workload, pods


@dataclass(frozen=True)
class Prepared:
    """A plan with what it was made from."""

    sight: EngineSight
    around: Surroundings
    plan: Plan
    findings: tuple[Finding, ...]


def prepare(reader: Reader, workload: Workload, wishes: Wishes, hint: str = "") -> Prepared:
    """Look at everything and plan; `hint` is the user's `vllm@0.20`. Reads only. Raises LlmHpaError."""
    sight = engine_of(reader, workload, hint)
    around = look.around(reader, workload)
    found = pods(reader, workload)
    samples: Mapping[str, float] | None = None
    if around.server and not around.blind:
        metric = next(iter(sight.facts.signals.values())).metric
        # without what our own PodMonitor brought: Prometheus shows it for a while after `disable` removed it
        job = f"{workload.namespace}/{scraping.monitor_name(workload)}"
        others = look.scraped(reader, around.server, workload, metric, besides=job)
        samples = {name: others[name] for pod in found if (name := pod["metadata"]["name"]) in others}
    plan = enable.make(workload, sight, around, wishes, samples)
    limit = plan.hpa["spec"]["maxReplicas"]
    longest = engines.longest_generation(sight.body)
    findings = preflight.findings(reader, workload, found, limit, longest)
    return Prepared(sight, around, plan, tuple(findings))


def warm_up(writer: Writer, prepared: Prepared) -> None:
    """Send the pod one token's worth of work, so that it exposes its series. Raises LlmHpaError."""
    models = prepared.sight.facts.models
    pod = prepared.sight.pod["metadata"]["name"]
    namespace = prepared.plan.workload.namespace
    root = PODS.path(namespace, f"{pod}:{prepared.sight.port}", "proxy")
    try:
        model = models[0] if models else writer.get(f"{root}/v1/models")["data"][0]["id"]
        writer.post(f"{root}/v1/completions", {"model": model, "prompt": "hello", "max_tokens": 1})
    except (ApiError, LookupError, TypeError) as error:
        if isinstance(error, ApiError) and error.forbidden:
            raise
        problem = error.message if isinstance(error, ApiError) else "its list of models is empty"
        raise LlmHpaError(
            f"send one token to pod {pod} in namespace {namespace!r}", problem,
            "send it a request yourself, or leave out --warm: the HPA starts with the first request",
        ) from error  # fmt: skip


class Enabling:
    """The steps of one `enable` run, and its waits."""

    def __init__(
        self, writer: Writer, prepared: Prepared, *, wait: bool, timeout: float, progress: hops.Progress
    ) -> None:
        """`timeout` in seconds, for all waits together."""
        self._writer = writer
        self._prepared = prepared
        self._wait = wait
        self._timeout = timeout
        self._progress = progress
        self._began = time.monotonic()

    def steps(self) -> list[Step]:
        """The steps in order."""
        plan, around = self._prepared.plan, self._prepared.around
        result: list[Step] = []
        if plan.monitor:
            result.append(_Scrape(self._writer, plan.monitor, self._sampled, force=plan.adopted))
        result.append(
            AdapterRules(
                self._writer,
                around.adapter,
                plan.rules,
                expected=frozenset(plan.rules if self._can_see else ()),
                report=lambda text: self._progress("adapter", text, time.monotonic() - self._began, False),
            )
        )
        result.append(objects.OwnObject(self._writer, HPAS, plan.hpa, adopt=plan.adopted))
        return result

    def run(self, report: Callable[[Change], None]) -> str:
        """Write the journal, do the steps, wait for the rest of the chain.

        Returns `active`, `armed` (the engine shows no series yet) or `written` (nothing was waited for).
        Raises LlmHpaError; what this run wrote is undone unless only the last waits failed.
        """
        plan = self._prepared.plan
        self._say("engine", _engine_line(self._prepared.sight))
        if not plan.monitor:
            self._say("scrape object", f"none written: the pods are scraped already by {plan.selection}")
        else:
            self._say(
                "scrape object",
                f"podmonitor {plan.monitor['metadata']['name']}, selected by {plan.selection}",
            )
        fresh = self._prepared.around.journal is None
        journal.save(self._writer, plan.workload, plan.journal)
        try:
            steps.run(self.steps(), report)
        except steps.UndoError:
            raise  # the journal stays: disable needs it
        except LlmHpaError:
            if fresh:
                journal.delete(self._writer, plan.workload)
            raise
        if not self._wait:
            return "written"
        if self._prepared.sight.facts.armed:
            return "armed"
        adapter = self._prepared.around.adapter
        self._hop(hops.metric_names(self._writer, adapter, plan.metrics))
        self._hop(hops.value(self._writer, adapter, plan.workload, plan.metrics[0]))
        self._hop(hops.scaling_active(self._writer, plan.workload, plan.hpa["metadata"]["name"]))
        return "active"

    @property
    def _can_see(self) -> bool:
        """Whether samples can be waited for before the rules are written."""
        around = self._prepared.around
        return bool(
            self._wait and around.server and not around.blind and not self._prepared.sight.facts.armed
        )

    def _sampled(self) -> None:
        """Between the PodMonitor and the rules: wait until Prometheus has samples, where it can be asked."""
        plan, around = self._prepared.plan, self._prepared.around
        if not self._can_see or around.server is None or plan.monitor is None:
            if around.blind and self._wait:
                self._say("scrape target", f"not visible ({around.blind.message})")
            return
        self._hop(
            hops.scrape_target(self._writer, around.server, plan.workload, plan.monitor["metadata"]["name"])
        )
        names = {one.api_name: one.metric for one in self._prepared.sight.facts.signals.values()}
        for metric in [names.get(one, one) for one in plan.metrics[:1]]:
            self._hop(hops.sample(self._writer, around.server, plan.workload, metric))

    def _hop(self, hop: hops.Hop) -> None:
        hops.wait(hop, self._began, self._timeout, self._progress)

    def _say(self, name: str, text: str) -> None:
        self._progress(name, text, time.monotonic() - self._began, True)


class _Scrape(objects.OwnObject):
    """The PodMonitor, and the wait for its first samples."""

    def __init__(self, writer: Writer, monitor: Json, sampled: Callable[[], None], *, force: bool) -> None:
        super().__init__(writer, POD_MONITORS, monitor, force=force)
        self._sampled = sampled

    def do(self) -> list[Change]:
        """See `Step.do`."""
        changes = super().do()
        self._sampled()
        return changes


def disable(writer: Writer, workload: Workload, report: Callable[[Change], None], say: steps.Report) -> bool:
    """Remove what `enable` made for a workload, finished or not; False when there is nothing.

    The HPA goes first (replicas stay), then the rules unless another HPA anywhere uses their names, then the
    PodMonitor, then the journal. Raises LlmHpaError; running it again goes on where it stopped.
    """
    book = journal.load(writer, workload)
    if book is None:
        return False
    if book.hpa:
        _drop_hpa(writer, workload, book, report)
    _drop_rules(writer, workload, book, report, say)
    if book.pod_monitor:
        _drop(writer, POD_MONITORS, workload.namespace, book.pod_monitor, report)
    journal.delete(writer, workload)
    return True


def _drop_hpa(
    writer: Writer, workload: Workload, book: journal.Journal, report: Callable[[Change], None]
) -> None:
    live = objects.read(writer, HPAS, workload.namespace, book.hpa)
    if not book.adopts(live):
        _drop(writer, HPAS, workload.namespace, book.hpa, report)
        return
    before = book.adopted
    assert before is not None
    objects.restore(writer, HPAS, before)
    report(Change(HPAS, workload.namespace, book.hpa, objects.presentable(live), objects.presentable(before)))


def _drop_rules(
    writer: Writer,
    workload: Workload,
    book: journal.Journal,
    report: Callable[[Change], None],
    say: steps.Report,
) -> None:
    rules = _unused_rules(writer, workload, book, say)
    for change in rules.remove() if rules else []:
        report(change)


def _unused_rules(
    writer: Writer, workload: Workload, book: journal.Journal, say: steps.Report
) -> AdapterRules | None:
    """The adapter's rules if they may go: None, with the reason said, while another HPA anywhere uses them."""
    try:
        adapter = prometheus_adapter.find(writer, even_down=True)
    except ApiError:
        raise
    except LlmHpaError as error:
        say(f"the adapter's rules could not be looked at: {error}")
        return None
    rules = AdapterRules(writer, adapter, {}, report=say)
    names = rules.rules_in_place()
    users = [
        f"{one['metadata']['namespace']}/{one['metadata']['name']}"
        for one in (writer.get(HPAS.path()).get("items") or [] if names else [])
        if (one["metadata"]["namespace"], one["metadata"]["name"]) != (workload.namespace, book.hpa)
        and names & set(_pod_metrics(one))
    ]
    if users:
        use = "uses" if len(users) == 1 else "use"
        say(f"{len(names)} adapter rules stay: {', '.join(users[:5])} {use} them")
        return None
    return rules


def _drop(
    writer: Writer, resource: Resource, namespace: str, name: str, report: Callable[[Change], None]
) -> None:
    live = objects.read(writer, resource, namespace, name)
    if live is None or not is_ours(live):
        return
    writer.delete(resource, namespace, name, uid=live["metadata"]["uid"])
    report(Change(resource, namespace, name, objects.presentable(live), None))


def _pod_metrics(scaler: Json) -> list[str]:
    return [
        one["pods"]["metric"]["name"] for one in scaler["spec"].get("metrics") or [] if one["type"] == "Pods"
    ]


def _engine_line(sight: EngineSight) -> str:
    facts = sight.facts
    now = ", ".join(
        f"{name} {source.value:g}" for name, source in facts.signals.items() if source.value is not None
    )
    version = f" {facts.version}" if facts.version else ""
    return f"{facts.engine}{version} on port {sight.port}{sight.path}: {now or facts.evidence}"


def preview(writer: Writer, prepared: Prepared, *, server: bool) -> list[Change]:
    """What `Enabling.run` would write. `server` lets the API server check it and fill in its defaults.

    Raises LlmHpaError where the server would refuse.
    """
    run = Enabling(writer, prepared, wait=False, timeout=0, progress=lambda *_: None)
    if server:
        return [change for step in run.steps() for change in step.changes()]
    plan = prepared.plan
    changes = []
    for resource, wanted in ((POD_MONITORS, plan.monitor), (HPAS, plan.hpa)):
        if wanted is not None:
            name = wanted["metadata"]["name"]
            live = objects.read(writer, resource, plan.workload.namespace, name)
            changes.append(Change(resource, plan.workload.namespace, name, objects.presentable(live), wanted))
    changes[-1:-1] = AdapterRules(writer, prepared.around.adapter, plan.rules).changes()
    return changes


def preview_disable(reader: Writer, workload: Workload, say: steps.Report) -> list[Change]:
    """What `disable` would remove, in its order."""
    book = journal.load(reader, workload)
    if book is None:
        return []
    changes = []
    for resource, name in ((HPAS, book.hpa), (POD_MONITORS, book.pod_monitor)):
        live = objects.read(reader, resource, workload.namespace, name) if name else None
        if live is not None and is_ours(live):
            after = objects.presentable(book.adopted) if book.adopts(live) else None
            changes.append(Change(resource, workload.namespace, name, objects.presentable(live), after))
        if resource is HPAS:
            rules = _unused_rules(reader, workload, book, say)
            changes += rules.removal() if rules else []
    return changes
