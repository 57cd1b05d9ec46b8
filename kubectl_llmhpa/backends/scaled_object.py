"""KEDA's ScaledObject, and how KEDA logs in to Prometheus.

Facts: KEDA 2.21, pkg/scalers/prometheus_scaler.go (a query must give one element; without `ignoreNullValues: "false"`
an empty answer, NaN and infinity are 0 and no error), controllers/keda/hpa.go (what is copied to the HPA, what is
compared), apis/keda/v1alpha1/scaledobject_webhook.go (names, what a missing `pollingInterval` spares).

With a fewest replica count of 1 or more KEDA's own loop moves nothing, so neither `pollingInterval` nor
`cooldownPeriod` is written: its webhook warns of both. With 0 it is the loop that wakes the workload, and that puts it
to sleep once no trigger has been active for the cooldown (pkg/scaling/executor/scale_scaledobjects.go); a ScaledObject
that was never active is put to sleep after `initialCooldownPeriod`, by default at once. A query that fails keeps it
from both, so those of the engine give 0 while there is no pod, by the word of what holds the requests.

Without a fallback an error freezes the HPA, which says so; `restoreToOriginalReplicaCount` is left out, so that the
replicas stay as they are when the ScaledObject goes.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from kubectl_llmhpa.api import SCALED_OBJECTS, TRIGGER_AUTHENTICATIONS, Json
from kubectl_llmhpa.backends import one_number
from kubectl_llmhpa.engines import Kind, SignalSource
from kubectl_llmhpa.errors import LlmHpaError
from kubectl_llmhpa.policy import Target

#: Label keys, separated by commas, that KEDA does not copy from the ScaledObject to its HPA.
EXCLUDED_LABELS = "scaledobject.keda.sh/hpa-excluded-labels"
#: Lets the ScaledObject take over the HPA that it names.
TRANSFER = "scaledobject.keda.sh/transfer-hpa-ownership"

#: The name of the trigger on the queue that wakes a workload at zero replicas: no signal of its engine.
QUEUE = "picker-queue"
#: How often KEDA looks at that queue, in seconds: as often as it is scraped at best.
POLL_SECONDS = 5

#: KEDA puts the ScaledObject's name into a label's value, and refuses longer names of HPAs too.
_LONGEST_NAME = 63
#: The API server's defaults for a behavior that is there (pkg/apis/autoscaling/v2/defaults.go).
_UP: Json = {
    "stabilizationWindowSeconds": 0,
    "selectPolicy": "Max",
    "policies": [
        {"type": "Pods", "value": 4, "periodSeconds": 15},
        {"type": "Percent", "value": 100, "periodSeconds": 15},
    ],
}
#: KEDA's own default, in seconds.
_COOLDOWN = 300
_DOWN: Json = {"selectPolicy": "Max", "policies": [{"type": "Percent", "value": 100, "periodSeconds": 15}]}


@dataclass(frozen=True)
class Trigger:
    """One metric: its signal, the query that gives one number for all pods, the target, and how the HPA takes it.

    `AverageValue`: the number is a sum over pods, and each pod is to have `threshold` of it. A pod without a sample is
    no part of the sum, which the window of scale-down bridges. `Value`: the number is compared as it is, and multiplies
    the ready pods.
    """

    signal: str
    query: str
    threshold: Decimal
    metric_type: str
    activation: Decimal = Decimal(0)
    """Only a number above it keeps the workload from zero replicas."""


@dataclass(frozen=True)
class Fallback:
    """What KEDA asks for while queries fail: `replicas`, after more than `failures` of them in a row.

    The behavior is the only one that takes no replica away. While it is active the HPA shows a made-up number, and
    the ScaledObject is Ready.
    """

    replicas: int
    failures: int = 3
    behavior: str = "currentReplicasIfHigher"


def trigger(
    target: Target,
    sources: Mapping[str, SignalSource],
    matchers: str,
    *,
    by: str = "namespace, pod",
    empty: str = "",
) -> Trigger:
    """The trigger for a target per pod (for a latency: of all requests, in seconds); `sources` are the engine's.

    A ratio is the sum of the pods' ratios, so that total / target is a number of pods as it is for counts; a mean would
    ask for fewer pods than there are. `matchers` select the workload's series, `by` are the labels that tell its pods
    apart. `empty` is a query for 0 while there is no pod, where the workload may go to zero; what a cache still holds
    is no reason to stay then, so a ratio never is one.
    """
    source = sources[target.signal]
    metric_type = "Value" if source.kind is Kind.LATENCY else "AverageValue"
    query = one_number.query(target, sources, matchers, by=by)
    if not empty:
        return Trigger(target.signal, query, target.value, metric_type)
    never = Decimal(1_000_000) if source.kind is Kind.RATIO else Decimal(0)
    return Trigger(target.signal, f"({query}) or {empty}", target.value, metric_type, never)


def queue(held: str, threshold: Decimal) -> Trigger:
    """The trigger on the requests that are held while there is no pod: one of them wakes the workload."""
    return Trigger(QUEUE, held, threshold, "AverageValue")


def render(
    *,
    name: str,
    namespace: str,
    scale_target: Json,
    min_replicas: int,
    max_replicas: int,
    triggers: Sequence[Trigger],
    behavior: Json,
    address: str,
    labels: Mapping[str, str],
    annotations: Mapping[str, str],
    hpa_name: str,
    fallback: Fallback | None = None,
    authentication: str = "",
    unsafe_ssl: bool = False,
    transfer: bool = False,
) -> Json:
    """A ScaledObject with one Prometheus trigger for each metric.

    At zero `min_replicas` the workload sleeps after the window of scale-down. `address` is Prometheus' URL as KEDA's
    operator reaches it, `authentication` the name of a TriggerAuthentication with a bearer token, `unsafe_ssl` takes
    any certificate, `transfer` takes over the HPA `hpa_name`. Raises LlmHpaError for a name that KEDA refuses.
    """
    _check_names(namespace, name, hpa_name)
    marks = {**annotations, EXCLUDED_LABELS: ",".join(sorted(labels))}
    if transfer:
        marks[TRANSFER] = "true"
    spec: Json = {
        "scaleTargetRef": {key: scale_target[key] for key in ("apiVersion", "kind", "name")},
        "minReplicaCount": min_replicas,
        "maxReplicaCount": max_replicas,
        "advanced": {"horizontalPodAutoscalerConfig": {"name": hpa_name, "behavior": in_full(behavior)}},
        "triggers": [_rendered(one, address, authentication, unsafe_ssl) for one in triggers],
    }
    if min_replicas == 0:
        cooldown = spec["advanced"]["horizontalPodAutoscalerConfig"]["behavior"]["scaleDown"].get(
            "stabilizationWindowSeconds", _COOLDOWN
        )
        spec |= {
            "pollingInterval": POLL_SECONDS,
            "cooldownPeriod": cooldown,
            "initialCooldownPeriod": cooldown,
        }
    if fallback is not None:
        spec["fallback"] = {
            "failureThreshold": fallback.failures,
            "replicas": fallback.replicas,
            "behavior": fallback.behavior,
        }
    return {
        "apiVersion": SCALED_OBJECTS.api_version,
        "kind": SCALED_OBJECTS.kind,
        "metadata": {"name": name, "namespace": namespace, "labels": dict(labels), "annotations": marks},
        "spec": spec,
    }


def trigger_authentication(
    *,
    name: str,
    namespace: str,
    secret: str,
    key: str,
    labels: Mapping[str, str],
    annotations: Mapping[str, str],
) -> Json:
    """A TriggerAuthentication that takes the bearer token from a key of a Secret in the same namespace."""
    return {
        "apiVersion": TRIGGER_AUTHENTICATIONS.api_version,
        "kind": TRIGGER_AUTHENTICATIONS.kind,
        "metadata": {
            "name": name,
            "namespace": namespace,
            "labels": dict(labels),
            "annotations": dict(annotations),
        },
        "spec": {"secretTargetRef": [{"parameter": "bearerToken", "name": secret, "key": key}]},
    }


def in_full(behavior: Json) -> Json:
    """A behavior with everything that the API server would add to it.

    KEDA compares its own with the HPA's in depth (updateHPAIfNeeded), so a part left out is a difference for ever, and
    every look of KEDA's a write.
    """
    up, down = behavior.get("scaleUp") or {}, behavior.get("scaleDown") or {}
    return copy.deepcopy({**behavior, "scaleUp": {**_UP, **up}, "scaleDown": {**_DOWN, **down}})


def _rendered(one: Trigger, address: str, authentication: str, unsafe_ssl: bool) -> Json:
    metadata = {
        "serverAddress": address,
        "query": one.query,
        "threshold": f"{one.threshold.normalize():f}",
        "ignoreNullValues": "false",
    }
    if one.activation:
        metadata["activationThreshold"] = f"{one.activation.normalize():f}"
    if unsafe_ssl:
        metadata["unsafeSsl"] = "true"
    made: Json = {
        "type": "prometheus",
        "name": one.signal,
        "metricType": one.metric_type,
        "metadata": metadata,
    }
    if authentication:
        metadata["authModes"] = "bearer"
        made["authenticationRef"] = {"name": authentication}
    return made


def _check_names(namespace: str, *names: str) -> None:
    for name in names:
        if len(name) > _LONGEST_NAME:
            raise LlmHpaError(
                f"write {SCALED_OBJECTS.kind} {namespace}/{name}",
                f"its name has {len(name)} characters, and KEDA takes no more than {_LONGEST_NAME}",
                "give a shorter one with --name",
            )
