"""From what is there and what is wished to the objects that `enable` writes. No writes here."""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from kubectl_llmhpa import __version__, hpa, policy, quantities
from kubectl_llmhpa.api import MANAGER, PLAN_HASH_ANNOTATION, VERSION_ANNOTATION, Json
from kubectl_llmhpa.backends import adapter_rules, ownership
from kubectl_llmhpa.engines import SignalSource
from kubectl_llmhpa.errors import LlmHpaError
from kubectl_llmhpa.plan import journal, scraping
from kubectl_llmhpa.plan.journal import Journal
from kubectl_llmhpa.plan.look import Surroundings
from kubectl_llmhpa.plan.sight import EngineSight
from kubectl_llmhpa.workloads import Workload


@dataclass(frozen=True)
class Wishes:
    """The flags of `enable`; None and empty mean: keep what is live, else the default."""

    min_replicas: int | None = None
    max_replicas: int | None = None
    preset: str | None = None
    targets: Mapping[str, Decimal] = field(default_factory=dict)
    scrape_interval: str | None = None
    scale_down_window: int | None = None
    scale_down: bool | None = None
    name: str | None = None
    prometheus: str = ""
    adopt: bool = False
    reset_defaults: bool = False
    edit_adapter: bool | None = None
    """True: edit the adapter's ConfigMap whoever owns it; False: never; None: unless it is reverted at once."""


@dataclass(frozen=True)
class Plan:
    """What `enable` will write, and why."""

    workload: Workload
    hpa: Json
    monitor: Json | None
    """None: the pods are scraped already by somebody else's object."""
    selection: str
    """The Prometheus that will scrape, or by whom the pods are scraped already."""
    rules: Mapping[str, Json]
    metrics: tuple[str, ...]
    journal: Journal
    adopted: bool
    """What others made, or changed of ours, is taken over (it was asked for, or an earlier run began it)."""
    notes: tuple[str, ...]
    reasons: tuple[str, ...]


def check_rivals(workload: Workload, around: Surroundings, wishes: Wishes) -> Json | None:
    """The HPA that already scales the workload (ours, or one to adopt), None when there is none.

    Raises LlmHpaError when a second autoscaler would come about: both would stop (AmbiguousSelector).
    """
    attempted = f"enable autoscaling of {workload.reference} in namespace {workload.namespace!r}"
    if workload.rival is not None:
        rival = workload.rival
        raise LlmHpaError(attempted, rival.problem, rival.remedy, detail=rival.detail)
    if workload.counted_per_replica > 1:
        raise LlmHpaError(
            attempted, f"its scale selector matches {workload.counted_per_replica} pods a replica, so an HPA on "
            f"metrics of pods would ask for {workload.counted_per_replica} times the replicas that are needed",
            "scale it by an External metric, or in a form whose selector matches one pod a replica (LeaderWorkerSet)",
        )  # fmt: skip
    for scaled in around.scaled_objects:
        reference = {
            "apiVersion": workload.resource.api_version,
            "kind": "Deployment",
            **scaled["spec"]["scaleTargetRef"],
        }
        if workload.is_target_of(reference):
            raise LlmHpaError(
                attempted, f"KEDA's ScaledObject {scaled['metadata']['name']} already scales it, and two autoscalers "
                "on one workload stop each other", "delete the ScaledObject first, or leave the workload to KEDA",
            )  # fmt: skip
    rivals = [one for one in around.hpas if workload.is_target_of(one["spec"]["scaleTargetRef"])]
    if not rivals:
        return None
    names = ", ".join(one["metadata"]["name"] for one in rivals)
    if len(rivals) > 1:
        raise LlmHpaError(
            attempted, f"several HPAs already target it ({names}), so none of them works", "keep one"
        )
    known = around.journal is not None and around.journal.adopts(rivals[0])
    if not hpa.is_ours(rivals[0]) and not wishes.adopt and not known:
        raise LlmHpaError(
            attempted, f"HorizontalPodAutoscaler {names} already scales it and was not made by {MANAGER}",
            "take it over with --adopt (disable gives it back as it was), or delete it",
        )  # fmt: skip
    if wishes.name and wishes.name != names:
        raise LlmHpaError(
            attempted, f"HorizontalPodAutoscaler {names} already scales it", f"leave out --name {wishes.name}"
        )
    return rivals[0]


def make(
    workload: Workload,
    sight: EngineSight,
    around: Surroundings,
    wishes: Wishes,
    scraped: Mapping[str, float] | None,
) -> Plan:
    """The plan. `scraped` are the samples that others' scrape jobs have of these pods (None: not known).

    Raises LlmHpaError when the wishes contradict each other, or nothing can be planned.
    """
    live = check_rivals(workload, around, wishes)
    adopted = live is not None and not hpa.is_ours(live)
    wanted, reasons, notes = _policy(sight, wishes, None if adopted else live)
    name = live["metadata"]["name"] if live else wishes.name or workload.name
    _check_name(workload, around, name)
    low, high = _limits(workload, wishes, live)
    spec_owner = {"labels": journal.labels_for(workload), "annotations": {VERSION_ANNOTATION: __version__}}
    scaler = hpa.render(
        name=name, namespace=workload.namespace, scale_target=workload.scale_target, min_replicas=low,
        max_replicas=high, targets=wanted.targets, behavior=wanted.behavior, **spec_owner,
    )  # fmt: skip
    if live is not None and not adopted:
        _keep_live(scaler, live, wishes)
    scaler["metadata"]["annotations"][PLAN_HASH_ANNOTATION] = _hash(scaler["spec"])
    metrics = tuple(
        one["pods"]["metric"]["name"] for one in scaler["spec"]["metrics"] if one["type"] == "Pods"
    )
    scrape = scraping.monitor(
        workload,
        sight,
        around,
        scraped,
        interval=wishes.scrape_interval,
        wanted=wishes.prometheus,
        reset=wishes.reset_defaults,
    )
    rules = _rules(sight, around, metrics)
    notes += _adapter_notes(around, rules, wishes)
    monitor, selection = scrape.object, scrape.by
    ignored = {"--scrape-interval": wishes.scrape_interval, "--prometheus": wishes.prometheus}
    if monitor is None and any(ignored.values()):
        flags = " and ".join(flag for flag, value in ignored.items() if value)
        notes.append(f"{flags}: not applied, the pods are scraped already by {selection}, which is not ours")
    book = Journal(
        pod_monitor=monitor["metadata"]["name"] if monitor else "", hpa=name, metrics=tuple(sorted(metrics)),
        adopted=live if adopted else None,
    )  # fmt: skip
    return Plan(
        workload, scaler, monitor, selection, rules, metrics, book.merged(around.journal), adopted or wishes.adopt,
        (*workload.notes, *notes), tuple(reasons),
    )  # fmt: skip


def _policy(
    sight: EngineSight, wishes: Wishes, live: Json | None
) -> tuple[policy.Policy, list[str], list[str]]:
    """The policy as this version would write it, why, and what differs from the live one."""
    wanted = policy.decide(
        sight.facts,
        preset=wishes.preset or "load",
        targets=wishes.targets or None,
        scale_down_window=300 if wishes.scale_down_window is None else wishes.scale_down_window,
        scale_down=wishes.scale_down is not False,
    )
    reasons = [f"{one.signal} {one.value.normalize():f}: {one.reason}" for one in wanted.targets]
    notes: list[str] = []
    if live is not None and not wishes.reset_defaults and not wishes.preset and not wishes.targets:
        fresh = {one.metric: one.value for one in wanted.targets}
        kept = {
            one["pods"]["metric"]["name"]: hpa_target(one)
            for one in live["spec"]["metrics"]
            if one["type"] == "Pods"
        }
        if fresh != kept:
            now = ", ".join(f"{metric} {value.normalize():f}" for metric, value in kept.items())
            new = ", ".join(f"{metric} {value.normalize():f}" for metric, value in fresh.items())
            notes.append(
                f"kept the live targets ({now}); this version's are {new}: --reset-defaults applies them"
            )
            reasons = [f"{metric} {value.normalize():f}: kept" for metric, value in kept.items()]
    if not (
        live is None or wishes.reset_defaults or _behavior(live, wanted.behavior, wishes) == wanted.behavior
    ):
        notes.append(
            "kept the live behavior, which is not this version's default: --reset-defaults applies that"
        )
    return wanted, [*reasons, *wanted.reasons], notes


def hpa_target(metric: Json) -> Decimal:
    """The per-pod target of a Pods metric of an HPA."""
    return quantities.parse(metric["pods"]["target"]["averageValue"])


def _limits(workload: Workload, wishes: Wishes, live: Json | None) -> tuple[int, int]:
    attempted = f"enable autoscaling of {workload.reference} in namespace {workload.namespace!r}"
    low = wishes.min_replicas
    high = wishes.max_replicas
    if live is not None:
        low = live["spec"].get("minReplicas", 1) if low is None else low
        high = live["spec"]["maxReplicas"] if high is None else high
    low = 1 if low is None else low
    if high is None:
        raise LlmHpaError(attempted, "it is not said how far it may scale", "give --max N")
    if low < 1:
        raise LlmHpaError(
            attempted,
            "an engine at zero replicas exposes no metric that could bring it back",
            "use --min 1 or more",
        )
    if high < low:
        raise LlmHpaError(attempted, f"--max {high} is below --min {low}", "raise --max")
    return low, high


def _keep_live(scaler: Json, live: Json, wishes: Wishes) -> None:
    """Day 2: what no flag speaks of stays as it is in the cluster."""
    if wishes.reset_defaults:
        return
    if not wishes.preset and not wishes.targets:
        scaler["spec"]["metrics"] = live["spec"]["metrics"]
    scaler["spec"]["behavior"] = _behavior(live, scaler["spec"]["behavior"], wishes)


def _behavior(live: Json, wanted: Json, wishes: Wishes) -> Json:
    """The live behavior with what flags speak of."""
    kept: Json | None = copy.deepcopy(live["spec"].get("behavior"))
    if kept is None:
        return wanted
    if wishes.scale_down_window is not None:
        kept["scaleDown"]["stabilizationWindowSeconds"] = wanted["scaleDown"]["stabilizationWindowSeconds"]
    if wishes.scale_down is not None:
        kept["scaleDown"]["selectPolicy"] = wanted["scaleDown"]["selectPolicy"]
    return kept


def _rules(sight: EngineSight, around: Surroundings, metrics: tuple[str, ...]) -> dict[str, Json]:
    """Rules for the names that nobody serves, and ours that were lost from the file since the adapter read it.

    A rule of somebody else's for such a name will serve it as soon as there are samples, so it gets no second one.
    """
    sources: dict[str, SignalSource] = {one.api_name: one for one in sight.facts.signals.values()}
    ours = {name: adapter_rules.rule_for(sources[name]) for name in metrics if name in sources}
    theirs = {
        name
        for name in ours
        for rule in around.rules
        if rule not in ours.values()
        and rule not in around.recorded.values()
        and adapter_rules.serves(rule, name)
    }
    return {
        name: rule
        for name, rule in ours.items()
        if name not in theirs
        and (
            f"pods/{name}" not in around.served
            or (name in around.recorded and around.recorded[name] not in around.rules)
        )
    }


def _adapter_notes(around: Surroundings, rules: Mapping[str, Json], wishes: Wishes) -> list[str]:
    """What the owner of the adapter's configuration has to know; refusal where an edit would not last.

    Raises LlmHpaError when the configuration is reverted within minutes, or may not be edited.
    """
    if not rules:
        return []
    adapter = around.adapter
    where = f"configmap {adapter.namespace}/{adapter.config_map}"
    owner = ownership.external_owner(adapter.deployment)
    fragment = adapter_rules.values_fragment(list(rules.values())).rstrip()
    if wishes.edit_adapter is False or (owner and owner[0] != "Helm" and wishes.edit_adapter is None):
        kind = f"it belongs to {owner[0]} ({owner[1]})" if owner else "it may not be edited"
        raise LlmHpaError(
            f"add {len(rules)} rules to {where}", kind,
            "add the lines below to its source and run enable again, or force the edit with --edit-adapter=yes",
            detail=fragment,
        )  # fmt: skip
    if owner and owner[0] == "Helm":
        return [
            f"{where} belongs to Helm ({owner[1]}): the next `helm upgrade` drops the rules that are added now unless "
            f"its values have them too:\n{fragment}"
        ]
    if owner:
        return [f"{where} belongs to {owner[0]} ({owner[1]}), which will revert the rules that are added now"]
    return []


def _check_name(workload: Workload, around: Surroundings, name: str) -> None:
    """Refuse a name under which another workload's HPA lives already."""
    for other in around.hpas:
        target = other["spec"]["scaleTargetRef"]
        if other["metadata"]["name"] == name and not workload.is_target_of(target):
            raise LlmHpaError(
                f"create HorizontalPodAutoscaler {workload.namespace}/{name}",
                f"one of that name scales {target['kind']}/{target['name']}",
                "choose another name with --name",
            )


def _hash(spec: Json) -> str:
    return hashlib.sha256(json.dumps(spec, sort_keys=True).encode()).hexdigest()[:16]
