"""The object that scales the workload, in the form of its backend: an HPA, or the ScaledObject that KEDA makes one of.

What is the same thing in both (limits, behavior, targets) is read and written here and nowhere else.
"""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from kubectl_llmhpa import __version__, hpa, names, policy, quantities
from kubectl_llmhpa.api import (
    HPAS,
    PLAN_HASH_ANNOTATION,
    SCALED_OBJECTS,
    TRIGGER_AUTHENTICATIONS,
    VERSION_ANNOTATION,
    Json,
    Resource,
)
from kubectl_llmhpa.backends import scaled_object
from kubectl_llmhpa.engines import SignalSource, is_peak, queue_share_in, told_seats
from kubectl_llmhpa.errors import LlmHpaError
from kubectl_llmhpa.plan import journal
from kubectl_llmhpa.plan.looking.holding import Holder
from kubectl_llmhpa.plan.setting_up.rivals import Live
from kubectl_llmhpa.plan.wishes import Wishes
from kubectl_llmhpa.policy import Policy, Target
from kubectl_llmhpa.workloads import Workload

#: Signals that are above 0 whenever an engine works.
_BUSY = ("running", "in-flight")
#: Keys of a Prometheus trigger, besides `serverAddress`, that say how Prometheus is reached (KEDA 2.21,
#: pkg/scalers/prometheus_scaler.go).
_ACCESS = (
    "authModes", "awsRegion", "customHeaders", "identityOwner", "namespace", "queryParameters", "timeout", "unsafeSsl",
)  # fmt: skip


@dataclass(frozen=True)
class Asked:
    """What either form is to say. `live` is ours: what no flag of `wishes` speaks of stays as it is there."""

    workload: Workload
    name: str
    policy: Policy
    least: int
    most: int
    live: Live | None
    wishes: Wishes


@dataclass(frozen=True)
class Scaler:
    """What is written: `object` under `resource`, and for KEDA how it logs in to Prometheus."""

    resource: Resource
    object: Json
    hpa_name: str
    authentication: Json | None = None
    takes_over: bool = False
    """KEDA takes an HPA over that is there already."""

    @property
    def name(self) -> str:
        return str(self.object["metadata"]["name"])

    @property
    def most(self) -> int:
        """Most replicas."""
        spec = self.object["spec"]
        return int(spec["maxReplicas"] if self.resource is HPAS else spec["maxReplicaCount"])

    @property
    def least(self) -> int:
        """Fewest replicas."""
        spec = self.object["spec"]
        return int(spec["minReplicas"] if self.resource is HPAS else spec["minReplicaCount"])

    @property
    def metrics(self) -> tuple[str, ...]:
        """The names of its Pods metrics, which rules have to serve; none for KEDA."""
        return pod_metrics(self.object) if self.resource is HPAS else ()

    @property
    def external(self) -> Mapping[str, Mapping[str, str]]:
        """The names of its External metrics, which rules have to serve too, with the labels that select the series."""
        return external_metrics(self.object) if self.resource is HPAS else {}


@dataclass(frozen=True)
class Access:
    """How a live ScaledObject has KEDA reach Prometheus: the URL, what else its triggers say of it, and the login."""

    address: str
    settings: Json
    authentication: Json | None


@dataclass(frozen=True)
class Question:
    """Whom KEDA asks (a URL), the matchers of the workload's series, and the labels that tell its pods apart."""

    address: str
    matchers: str
    by: str = "namespace, pod"


def access(live: Live | None, wishes: Wishes) -> Access | None:
    """What of the live access stays, None where it is to be made anew.

    A login belongs to the address that it is for, so one that others made is kept with its address; an address of
    theirs alone follows who scrapes. Raises LlmHpaError where triggers log in differently.
    """
    if live is None or not live.keda:
        return None
    triggers = [one for one in live.object["spec"].get("triggers") or () if one.get("type") == "prometheus"]
    every = [
        Access(
            str(one["metadata"].get("serverAddress", "")),
            {key: one["metadata"][key] for key in _ACCESS if key in one["metadata"]},
            one.get("authenticationRef"),
        )
        for one in triggers
    ]
    found = next((one for one in every if one.address), None)
    if found is None or not (live.ours or found.settings or found.authentication):
        return None
    if not live.ours and any(one != found for one in every):
        raise LlmHpaError(
            f"take over ScaledObject {live.object['metadata']['namespace']}/{live.name}",
            "its triggers reach Prometheus in different ways", "make them alike, or delete it",
        )  # fmt: skip
    if live.ours and wishes.reset_defaults:
        login = {key: value for key, value in found.settings.items() if key == "authModes"}
        return Access("", login, found.authentication)
    return found


def pod_metrics(scaler: Json) -> tuple[str, ...]:
    """The names of an HPA's Pods metrics."""
    metrics = scaler["spec"].get("metrics") or ()
    return tuple(one["pods"]["metric"]["name"] for one in metrics if one["type"] == "Pods")


def external_metrics(hpa: Json) -> dict[str, Mapping[str, str]]:
    """The names of an HPA's External metrics, with the labels that select the series of each."""
    found = [
        one["external"]["metric"] for one in hpa["spec"].get("metrics") or () if one["type"] == "External"
    ]
    return {one["name"]: (one.get("selector") or {}).get("matchLabels") or {} for one in found}


def limits(live: Live) -> tuple[int, int]:
    """Fewest and most replicas, with the defaults of the API server and of KEDA."""
    spec = live.object["spec"]
    if live.keda:
        return int(spec.get("minReplicaCount", 0)), int(spec.get("maxReplicaCount", 100))
    return int(spec.get("minReplicas", 1)), int(spec["maxReplicas"])


def behavior(scaler: Json) -> Json | None:
    """Its `behavior`, None where it has none."""
    spec = scaler["spec"]
    if scaler["kind"] == SCALED_OBJECTS.kind:
        spec = (spec.get("advanced") or {}).get("horizontalPodAutoscalerConfig") or {}
    found: Json | None = copy.deepcopy(spec.get("behavior"))
    return found


def targets(scaler: Json) -> dict[str, Decimal]:
    """Target by metric for an HPA, by the trigger's name for a ScaledObject; what is no target of ours is left out."""
    spec = scaler["spec"]
    if scaler["kind"] == SCALED_OBJECTS.kind:
        return {
            str(one["name"]): Decimal(str(one["metadata"]["threshold"]))
            for one in spec.get("triggers") or ()
            if one.get("type") == "prometheus"
            and one.get("name")
            and "threshold" in one["metadata"]
            and one["name"] != scaled_object.QUEUE
        }
    found = [one.get("pods") or one.get("external") or {} for one in spec.get("metrics") or ()]
    return {
        one["metric"]["name"]: quantities.parse(one["target"]["averageValue"])
        for one in found
        if "averageValue" in (one.get("target") or {})
    }


def queries(scaler: Json) -> dict[str, str]:
    """The queries of a ScaledObject by the names of its triggers; an HPA has none."""
    if scaler["kind"] != SCALED_OBJECTS.kind:
        return {}
    return {
        str(one.get("name")): str((one.get("metadata") or {}).get("query") or "")
        for one in scaler["spec"].get("triggers") or ()
    }


def counts_peaks(scaler: Json) -> bool:
    """Whether it asks for peaks of the last minutes instead of the numbers now."""
    if scaler["kind"] == HPAS.kind:
        return any(map(names.peak_minutes, external_metrics(scaler)))
    return any(map(is_peak, queries(scaler).values()))


def plain(asked: Asked, selected_by: Mapping[str, str]) -> Scaler:
    """The HPA on metrics of pods, and on numbers over all pods whose series have the labels `selected_by`."""
    workload, live = asked.workload, asked.live
    made = hpa.render(
        name=asked.name, namespace=workload.namespace, scale_target=workload.scale_target, min_replicas=asked.least,
        max_replicas=asked.most, targets=asked.policy.targets,
        behavior=kept_behavior(asked.policy.behavior, live, asked.wishes), selected_by=selected_by,
        **_marks(workload),
    )  # fmt: skip
    if _keeps_targets(live, asked.wishes):
        made["spec"]["metrics"] = live.object["spec"]["metrics"] if live else []
    return Scaler(HPAS, _hashed(made), asked.name)


def keda(
    asked: Asked,
    *,
    sources: Mapping[str, SignalSource],
    question: Question,
    adopts: str = "",
    reached: Access | None = None,
    holder: Holder | None = None,
) -> Scaler:
    """The ScaledObject on queries.

    `adopts` is the name of an HPA that KEDA takes over with it, `reached` is what `access` gives, `holder` holds
    requests where the fewest replicas are 0. Raises LlmHpaError for targets by which an engine at work may look idle
    then.
    """
    workload, name, live, wishes = asked.workload, asked.name, asked.live, asked.wishes
    chosen = _kept_targets(asked.policy.targets, live, wishes)
    if lost := sorted({each for one in chosen for each in one.reads} - sources.keys()):
        raise LlmHpaError(
            f"enable autoscaling of {workload.reference} in namespace {workload.namespace!r}",
            f"ScaledObject {name} scales by {', '.join(lost)}, and the engine does not show that now",
            f"bring it back (see: kubectl llm-hpa doctor {workload.reference} -n {workload.namespace}), or take what "
            "it shows: --reset-defaults",
        )
    empty = holder.empty if holder else ""
    marks = _marks(workload)
    authentication = None
    if wishes.token_secret:
        authentication = scaled_object.trigger_authentication(
            name=name, namespace=workload.namespace, secret=wishes.token_secret[0], key=wishes.token_secret[1], **marks
        )  # fmt: skip
    made = scaled_object.render(
        name=name, namespace=workload.namespace, scale_target=workload.scale_target, min_replicas=asked.least,
        max_replicas=asked.most, triggers=[
            *(
                scaled_object.trigger(one, sources, question.matchers, by=question.by, empty=empty)
                for one in chosen
            ),
            *([scaled_object.queue(holder.held, _queued(workload, chosen, live, wishes))] if holder else []),
        ],
        behavior=kept_behavior(asked.policy.behavior, live, wishes), address=question.address, hpa_name=adopts or name,
        fallback=_fallback(live, wishes), authentication=name if wishes.token_secret else "",
        unsafe_ssl=wishes.unsafe_ssl, transfer=bool(adopts), **marks,
    )  # fmt: skip
    if reached is not None:
        _keep_access(made["spec"]["triggers"], reached)
    return Scaler(SCALED_OBJECTS, _hashed(made), adopts or name, authentication, bool(adopts))


def owned(scaler: Scaler) -> list[journal.Owned]:
    """The journal's entries for what is written."""
    entries = [journal.Owned.of(scaler.resource, scaler.name)]
    if scaler.authentication is not None:
        entries.append(journal.Owned.of(TRIGGER_AUTHENTICATIONS, scaler.authentication["metadata"]["name"]))
    return entries


def _marks(workload: Workload) -> dict[str, dict[str, str]]:
    return {"labels": journal.labels_for(workload), "annotations": {VERSION_ANNOTATION: __version__}}


def _hashed(made: Json) -> Json:
    text = json.dumps(made["spec"], sort_keys=True)
    made["metadata"]["annotations"][PLAN_HASH_ANNOTATION] = hashlib.sha256(text.encode()).hexdigest()[:16]
    return made


def _keeps_targets(live: Live | None, wishes: Wishes) -> bool:
    return not (live is None or wishes.reset_defaults or wishes.preset or wishes.targets)


def _kept_targets(fresh: Sequence[Target], live: Live | None, wishes: Wishes) -> list[Target]:
    """The live thresholds of a ScaledObject, and what its queries count; their text follows the engine."""
    if live is None or not _keeps_targets(live, wishes):
        return list(fresh)
    known, asked = {one.signal: one for one in fresh}, queries(live.object)
    return [
        Target(
            signal,
            known[signal].metric if signal in known else "",
            value,
            "kept",
            _peak(asked.get(signal, "")),
            told_seats(asked.get(signal, "")),
        )
        for signal, value in targets(live.object).items()
    ] or list(fresh)


def _peak(query: str) -> policy.Peak | None:
    return replace(policy.PEAK, memory=queue_share_in(query)[1]) if is_peak(query) else None


def _queued(workload: Workload, chosen: Sequence[Target], live: Live | None, wishes: Wishes) -> Decimal:
    """How many held requests each pod is to take: as many as it is to run, unless that was edited."""
    load = next((one.value for one in chosen if one.signal in _BUSY), None)
    if load is None:
        said = ", ".join(one.signal for one in chosen)
        raise LlmHpaError(
            f"let {workload.reference} in namespace {workload.namespace!r} go to zero replicas",
            f"its targets ({said}) are 0 while an engine works without a queue, and it would be put to sleep under "
            "its requests",
            "add one that counts them, for example --signal running=4",
        )
    if live is not None and live.keda and _keeps_targets(live, wishes):
        for one in live.object["spec"].get("triggers") or ():
            if one.get("name") == scaled_object.QUEUE:
                return Decimal(str(one["metadata"]["threshold"]))
    return load


def kept_behavior(wanted: Json, live: Live | None, wishes: Wishes) -> Json:
    """The live behavior with what flags speak of."""
    kept = None if live is None or wishes.reset_defaults else behavior(live.object)
    if kept is None or kept == wanted:  # the same in the order in which it is written
        return wanted
    if wishes.scale_down_window is not None or wishes.scale_down is not None:
        kept = scaled_object.in_full(kept)
    if wishes.scale_down_window is not None:
        kept["scaleDown"]["stabilizationWindowSeconds"] = wanted["scaleDown"]["stabilizationWindowSeconds"]
    if wishes.scale_down is not None:
        kept["scaleDown"]["selectPolicy"] = wanted["scaleDown"]["selectPolicy"]
    return kept


def _fallback(live: Live | None, wishes: Wishes) -> scaled_object.Fallback | None:
    if wishes.fallback is not None:
        return scaled_object.Fallback(wishes.fallback)
    given = live.object["spec"].get("fallback") if live and live.keda and not wishes.reset_defaults else None
    if not given:
        return None
    return scaled_object.Fallback(
        replicas=given["replicas"],
        failures=given["failureThreshold"],
        behavior=given.get("behavior", "static"),
    )


def _keep_access(triggers: Sequence[Json], live: Access) -> None:
    """Fill in what no flag speaks of."""
    for one in triggers:
        one["metadata"] = {**live.settings, **one["metadata"]}
        if live.authentication is not None:
            one.setdefault("authenticationRef", copy.deepcopy(live.authentication))
