"""From what is there and what is wished to the objects that `enable` writes. No writes here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from kubectl_llmhpa import policy
from kubectl_llmhpa.api import Json
from kubectl_llmhpa.backends import adapter_rules, choosing, external_rules, prometheus_adapter
from kubectl_llmhpa.backends.model import KEDA, PROMETHEUS_ADAPTER, Choice
from kubectl_llmhpa.engines import SignalSource
from kubectl_llmhpa.errors import LlmHpaError
from kubectl_llmhpa.findings import Finding
from kubectl_llmhpa.monitoring import prometheus
from kubectl_llmhpa.plan.journal import Journal, Owned
from kubectl_llmhpa.plan.looking import holding as holding_requests
from kubectl_llmhpa.plan.looking.holding import Holding
from kubectl_llmhpa.plan.looking.look import Surroundings
from kubectl_llmhpa.plan.looking.sight import EngineSight
from kubectl_llmhpa.plan.looking.targets import Target
from kubectl_llmhpa.plan.setting_up import (
    adapter_notes,
    asking,
    carrying,
    external_api,
    foreign_marks,
    rivals,
    scalers,
    scraping,
)
from kubectl_llmhpa.plan.setting_up.rivals import Live
from kubectl_llmhpa.plan.setting_up.scalers import Asked, Scaler
from kubectl_llmhpa.plan.setting_up.scraping import Scrape
from kubectl_llmhpa.plan.wishes import SCALER, SCRAPE, Wishes
from kubectl_llmhpa.workloads import Workload

_NO_POD = (
    "at zero replicas there is no pod to measure, so an HPA on metrics of pods would never bring it back"
)


@dataclass(frozen=True)
class Plan:
    """What `enable` will write, and why."""

    workload: Workload
    backend: Choice
    scaler: Scaler
    scrape: Scrape
    server: prometheus.Server | None
    """The Prometheus that the backend asks, where the API server leads to it."""
    rules: Mapping[str, Json]
    """Rules to add to the adapter, by the name that each serves."""
    metrics: tuple[str, ...]
    """The names that the HPA asks the custom metrics API for."""
    external: Mapping[str, Mapping[str, str]]
    """Those that it asks the external one for, with the labels that select the series."""
    journal: Journal
    adopted: bool
    """What others made, or changed of ours, is taken over (it was asked for, or an earlier run began it)."""
    notes: tuple[str, ...]
    reasons: tuple[str, ...]
    findings: tuple[Finding, ...] = ()
    most_before: int = 0
    """Most replicas of what scales it now, 0 where nothing does."""

    @property
    def listed(self) -> list[str]:
        """The names that an adapter is to list for the HPA, as `prometheus_adapter.listed` has them."""
        return [*(f"pods/{name}" for name in self.metrics), *(f"external/{name}" for name in self.external)]


def make(
    workload: Workload,
    sight: EngineSight,
    around: Surroundings,
    wishes: Wishes,
    scraped: Sequence[Target] | None,
    pods: tuple[Json, ...] = (),
    holding: Holding | None = None,
    label: Mapping[str, str] | None = None,
) -> Plan:
    """The plan. `scraped` are the scrape targets that these pods are already (None: not known).

    `holding` is what was seen of what holds requests at zero replicas. A plan for zero without it tells whom KEDA
    would ask, which is where to look for it, and is not to be written. Nor is one with External metrics of an adapter
    without their `label`, where the series that others scrape have to be found by one. Raises LlmHpaError when the
    wishes contradict each other, or nothing can be planned.
    """
    live = rivals.check(workload, around, wishes)
    kept = live if live is not None and live.ours else None
    backend = _backend(workload, sight, around, wishes, live)
    keda = backend.backend == KEDA
    marks = foreign_marks.of(live, workload, keda=keda)
    if wishes.moving and kept is not None:
        kept = carrying.over(kept, sight.facts.signals, keda=keda)
    wanted, reasons, notes = _policy(sight, wishes, kept, external=keda, peaks=not keda)
    peaks = not keda and any(one.peak for one in wanted.targets)
    if peaks and (why := external_api.problem(around.adapter, register=wishes.install_api)):
        raise why
    if wishes.moving:
        notes = []  # what is kept is what was asked for
    notes += marks.notes
    name = live.name if live else wishes.name or workload.name
    rivals.check_name(workload, around, name)
    low, high = _limits(workload, wishes, live, keda=keda)
    asked = Asked(workload, name, wanted, low, high, kept, wishes)
    scrape = scraping.monitor(
        workload, sight, around, scraped, interval=wishes.scrape_interval, wanted=wishes.prometheus,
        reset=wishes.reset_defaults, scrape=wishes.scrape, named=peaks,
    )  # fmt: skip
    server, findings = around.server, scrape.findings
    if keda:
        scaler, server, blocked, more = _by_keda(asked, live, sight, around, scrape, pods, holding)
        findings = (*findings, *blocked)
        notes += more
    else:
        _no_keda_flags(wishes)
        _same_prometheus(around, wishes, scrape)
        scaler = scalers.plain(asked, label or scrape.selected_by)
    marks.on(scaler.object)
    rules = {} if keda else _rules(sight, around, scaler, wanted, scrape, wishes)
    notes += adapter_notes.notes(around, rules, wishes)
    if around.adapter is not None and not keda:
        adapter_notes.check_labels(around, scaler.metrics, scrape.pod_label)
        findings = (*findings, *prometheus_adapter.findings(around.adapter))
    notes += _not_applied(scrape, wishes)
    book = Journal(
        objects=_owned(scrape, scaler, wishes), metrics=tuple(sorted([*scaler.metrics, *scaler.external])),
        adopted=live.object if live is not None and not live.ours else None,
    )  # fmt: skip
    taken = wishes.adopt or (live is not None and not live.ours)
    return Plan(
        workload, backend, scaler, scrape, server, rules, scaler.metrics, scaler.external,
        book.merged(around.journal), taken, (*workload.notes, *scrape.notes, *notes), tuple(reasons), findings,
        scalers.limits(live)[1] if live else 0,
    )  # fmt: skip


def _by_keda(
    asked: Asked,
    live: Live | None,
    sight: EngineSight,
    around: Surroundings,
    scrape: Scrape,
    pods: tuple[Json, ...],
    holding: Holding | None,
) -> tuple[Scaler, prometheus.Server | None, tuple[Finding, ...], list[str]]:
    """The ScaledObject, the Prometheus that KEDA asks, what keeps KEDA from it, and what to know."""
    workload, wishes = asked.workload, asked.wishes
    notes: list[str] = []
    reached = scalers.access(live, wishes)
    question = asking.question(workload, around, wishes, scrape, pods, reached.address if reached else "")
    if reached is not None and live is not None and live.ours:
        notes += asking.kept(question, around, wishes, scrape)
    server = asking.server(question, around)
    holder = None
    if asked.least == 0 and holding is not None:
        holder = holding_requests.judge(workload, sight.facts.engine, holding)
        notes += holding_requests.notes(holder, pods)
    scaler = scalers.keda(
        asked, sources=sight.facts.signals, question=question, reached=reached, holder=holder,
        adopts=live.name if live is not None and not live.keda else "",
    )  # fmt: skip
    return scaler, server, asking.blocked(around, scrape, server), notes


def _backend(
    workload: Workload, sight: EngineSight, around: Surroundings, wishes: Wishes, live: Live | None
) -> Choice:
    """The backend, and why. Raises LlmHpaError where none serves, or where it would change under a live autoscaler."""
    pods = _against_pods(workload, around, wishes, live)
    names = [one.api_name for one in sight.facts.signals.values() if "Pods AverageValue" in one.forms]
    serving = ""
    if live is not None and live.ours:
        serving = KEDA if live.keda else around.adapter.kind if around.adapter else PROMETHEUS_ADAPTER
    elif live is not None and live.keda:
        serving = KEDA
    moves = serving and wishes.backend not in (choosing.AUTO, serving) and not wishes.moving
    if moves and live is not None and live.ours:
        raise LlmHpaError(
            f"enable autoscaling of {workload.reference} with the backend {wishes.backend}",
            f"{live.resource.kind} {live.name} scales it through {serving}",
            f"move it without a gap: kubectl llm-hpa migrate {workload.reference} -n {workload.namespace} --to "
            f"{wishes.backend}",
        )
    needed = names
    if KEDA not in (serving, wishes.backend) and not pods:
        wanted, _, _ = _policy(
            sight, wishes, live if live is not None and live.ours else None, external=False, peaks=True
        )
        needed = [one.served_as for one in wanted.targets]
    return choosing.choose(
        wishes.backend, needed, around.served, live=serving, adapter=around.adapter,
        adapter_problem=around.adapter_problem, keda=around.keda, pods=pods, register=wishes.install_api,
    )  # fmt: skip


def _against_pods(workload: Workload, around: Surroundings, wishes: Wishes, live: Live | None) -> str:
    """Why metrics of pods cannot serve it, empty where they can."""
    if _least(wishes, live) == 0 and not wishes.moving:
        return f"{_NO_POD}, and the API server refuses minReplicas 0 for it"
    if workload.counted_per_replica > 1:
        return (
            f"the scale selector of {workload.reference} matches {workload.counted_per_replica} pods a replica, so "
            f"an HPA on metrics of pods would ask for {workload.counted_per_replica} times the replicas that are needed"
        )
    preset = policy.PRESETS.get(wishes.preset or "")
    if preset is None or not preset.peak or wishes.backend not in (choosing.AUTO, KEDA):
        return ""
    served = external_api.problem(around.adapter, register=wishes.install_api) is None
    return "" if served and not (around.keda and not around.keda.problem) else policy.ONE_NUMBER


def _policy(
    sight: EngineSight, wishes: Wishes, live: Live | None, *, external: bool, peaks: bool
) -> tuple[policy.Policy, list[str], list[str]]:
    """The policy as this version would write it, why, and what differs from the live one."""
    keeps = live is not None and not wishes.reset_defaults and scalers.counts_peaks(live.object)
    wanted = policy.decide(
        sight.facts,
        preset=wishes.preset or ("anticipate" if keeps else "load"),
        targets=wishes.targets or None,
        on_top=wishes.preset is not None,
        origins=wishes.origins,
        scale_down_window=300 if wishes.scale_down_window is None else wishes.scale_down_window,
        scale_down=wishes.scale_down is not False,
        external=external,
        peaks=peaks,
    )
    reasons = [f"{one.signal} {one.value.normalize():f}: {one.reason}" for one in wanted.targets]
    notes: list[str] = []
    if live is not None and not wishes.reset_defaults and not wishes.preset and not wishes.targets:
        fresh = {one.signal if live.keda else one.served_as: one.value for one in wanted.targets}
        kept = scalers.targets(live.object)
        if fresh != kept:
            now = ", ".join(f"{metric} {value.normalize():f}" for metric, value in kept.items())
            new = ", ".join(f"{metric} {value.normalize():f}" for metric, value in fresh.items())
            notes.append(
                f"kept the live targets ({now}); this version's are {new}: --reset-defaults applies them"
            )
            reasons = [f"{metric} {value.normalize():f}: kept" for metric, value in kept.items()]
    if live is not None and not wishes.reset_defaults:
        shape = scalers.behavior(live.object)
        if shape is not None and scalers.kept_behavior(wanted.behavior, live, wishes) != wanted.behavior:
            notes.append(
                "kept the live behavior, which is not this version's default: --reset-defaults applies that"
            )
    return wanted, [*reasons, *wanted.reasons], notes


def _least(wishes: Wishes, live: Live | None) -> int:
    if wishes.min_replicas is not None:
        return wishes.min_replicas
    return 1 if live is None else scalers.limits(live)[0]


def _limits(workload: Workload, wishes: Wishes, live: Live | None, *, keda: bool) -> tuple[int, int]:
    attempted = f"enable autoscaling of {workload.reference} in namespace {workload.namespace!r}"
    low = _least(wishes, live)
    high = wishes.max_replicas
    if live is not None and high is None:
        high = scalers.limits(live)[1]
    if high is None:
        raise LlmHpaError(attempted, "it is not said how far it may scale", "give --max N")
    if low == 0 and not keda:
        where = f"{workload.reference} -n {workload.namespace}"
        first = f"kubectl llm-hpa enable {where} --min 1 first"
        if not wishes.moving:
            first = f"use --min 1 or more, or kubectl llm-hpa migrate {where} --to keda first"
        raise LlmHpaError(attempted, _NO_POD, first)
    if high < low:
        raise LlmHpaError(attempted, f"--max {high} is below --min {low}", "raise --max")
    return low, high


def _owned(scrape: Scrape, scaler: Scaler, wishes: Wishes) -> tuple[Owned, ...]:
    objects = []
    if scrape.object is not None and SCRAPE in wishes.parts:
        objects.append(Owned.of(scrape.resource, scrape.object["metadata"]["name"]))
    if SCALER in wishes.parts:
        objects += scalers.owned(scaler)
    return tuple(objects)


def _not_applied(scrape: Scrape, wishes: Wishes) -> list[str]:
    """A note on flags that say how to scrape, where others scrape already."""
    given = {"--scrape-interval": wishes.scrape_interval, "--prometheus": wishes.prometheus}
    flags = " and ".join(flag for flag, value in given.items() if value)
    if scrape.object is not None or SCRAPE not in wishes.parts or not flags:
        return []
    return [f"{flags}: not applied, the pods are scraped already by {scrape.by}, which is not ours"]


def _no_keda_flags(wishes: Wishes) -> None:
    given = {
        "--fallback": wishes.fallback is not None,
        "--prometheus-token-secret": wishes.token_secret is not None,
        "--prometheus-url": bool(wishes.prometheus_url),
    }
    flags = ", ".join(flag for flag, said in given.items() if said)
    if flags:
        raise LlmHpaError(flags, "only KEDA asks Prometheus by itself", "add --backend keda, or leave it out")


def _same_prometheus(around: Surroundings, wishes: Wishes, scrape: Scrape) -> None:
    """Refuse a Prometheus whose samples the adapter would never see.

    One that nobody named is refused only where the adapter is known to ask another Prometheus, and not something that
    may join several (Thanos, a receiver of remote writes).
    """
    server, chosen = around.server, scrape.selection
    if server is None or chosen is None or not around.server_pods or wishes.parts == {SCRAPE}:
        return
    if server.namespace == chosen.namespace and around.server_pods.items() <= chosen.pod_labels.items():
        return
    asks = f"the adapter asks {server.namespace}/{server.service}, which is another one"
    lost = "so no sample would reach the HPA"
    other = "use --backend keda, which asks the one that scrapes"
    if wishes.prometheus:
        raise LlmHpaError(
            f"scrape with --prometheus {wishes.prometheus}",
            f"{asks}, {lost}",
            f"leave out --prometheus, or {other}",
        )
    single = around.server_pods.get("app.kubernetes.io/name") == "prometheus"
    if single and not chosen.remote_write:
        raise LlmHpaError(
            "have the pods scraped by the Prometheus that the metric adapter asks",
            f"only {chosen.reference} selects the namespace, and {asks}, {lost}",
            f"let the adapter's Prometheus select the namespace (its podMonitorNamespaceSelector), or {other}",
        )


def _rules(
    sight: EngineSight,
    around: Surroundings,
    scaler: Scaler,
    wanted: policy.Policy,
    scrape: Scrape,
    wishes: Wishes,
) -> dict[str, Json]:
    """Rules for the names that nobody serves, and ours that were lost from the file since the adapter read it.

    With `reset_defaults`, also ours of another version, whose text is another; in an export also those that are there,
    so that it has the same files once it is applied.
    A rule of somebody else's for such a name will serve it as soon as there are samples, so it gets no second one.
    """
    sources: dict[str, SignalSource] = {one.api_name: one for one in sight.facts.signals.values()}
    labels = {"namespace_label": scrape.namespace_label, "pod_label": scrape.pod_label}
    ours = {
        name: adapter_rules.rule_for(sources[name], **labels) for name in scaler.metrics if name in sources
    }
    ours |= {
        one.served_as: external_rules.rule_for(one, sight.facts.signals, **labels)
        for one in wanted.targets
        if one.served_as in scaler.external
    }
    theirs = {
        name
        for name in ours
        for rule in _listed(around, ours[name])
        if rule not in ours.values()
        and rule not in around.recorded.values()
        and adapter_rules.serves(rule, name)
    }
    return {
        name: rule
        for name, rule in ours.items()
        if name not in theirs
        and (
            adapter_rules.listed_as(name, rule) not in around.served
            or (name in around.recorded and around.recorded[name] not in _listed(around, rule))
            or (wishes.reset_defaults and around.recorded.get(name, rule) != rule)
            or (wishes.exporting and rule in _listed(around, rule))
        )
    }


def _listed(around: Surroundings, rule: Json) -> Sequence[Json]:
    """The rules of the adapter's file in the list that a rule of ours belongs to."""
    return around.rules if adapter_rules.list_of(rule) == adapter_rules.CUSTOM else around.external_rules
