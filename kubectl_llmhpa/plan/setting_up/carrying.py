"""What scales a workload, read into the form of another backend: limits, behavior and targets have one in each.

What one form has and the other cannot say is refused rather than dropped.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from decimal import Decimal

from kubectl_llmhpa import quantities
from kubectl_llmhpa.api import HPAS, SCALED_OBJECTS, Json
from kubectl_llmhpa.backends import scaled_object
from kubectl_llmhpa.engines import Kind, SignalSource
from kubectl_llmhpa.errors import LlmHpaError
from kubectl_llmhpa.plan.setting_up import scalers
from kubectl_llmhpa.plan.setting_up.rivals import Live

_PODS = "Pods AverageValue"
_PAUSED = "autoscaling.keda.sh/paused"


def over(live: Live, sources: Mapping[str, SignalSource], *, keda: bool) -> Live:
    """The live HPA as a ScaledObject (`keda`), or the ScaledObject as an HPA; as it is where it has the form already.

    `sources` are the engine's signals. Raises LlmHpaError, with the part, for what cannot be carried over.
    """
    if live.keda == keda:
        return live
    return _scaled_object(live, sources) if keda else _hpa(live, sources)


def _scaled_object(live: Live, sources: Mapping[str, SignalSource]) -> Live:
    if scalers.counts_peaks(live.object):
        raise LlmHpaError(
            f"move HPA {live.object['metadata']['namespace']}/{live.name} to KEDA",
            "the peak that it counts is not carried over",
            "give it another policy first (enable --policy load), and after the move --policy anticipate again",
        )
    by_name = {source.api_name: name for name, source in sources.items()}
    targets: dict[str, Decimal] = {}
    for metric in live.object["spec"].get("metrics") or ():
        identity = (metric.get("pods") or {}).get("metric") or {}
        signal = by_name.get(identity.get("name", ""))
        if metric["type"] != "Pods" or identity.get("selector") or signal is None:
            raise _refusal(
                live, f"its {_words(metric)}, which is none of this engine's signals", "KEDA's queries"
            )
        targets[signal] = quantities.parse(metric["pods"]["target"]["averageValue"])
    least, most = scalers.limits(live)
    spec: Json = {
        "minReplicaCount": least,
        "maxReplicaCount": most,
        "triggers": [
            {"type": "prometheus", "name": signal, "metadata": {"threshold": f"{value.normalize():f}"}}
            for signal, value in targets.items()
        ],
    }
    behavior = scalers.behavior(live.object)
    if behavior is not None:
        spec["advanced"] = {"horizontalPodAutoscalerConfig": {"behavior": behavior}}
    return _in_form(live, SCALED_OBJECTS.kind, spec)


def _hpa(live: Live, sources: Mapping[str, SignalSource]) -> Live:
    spec, annotations = live.object["spec"], live.object["metadata"].get("annotations") or {}
    where = "an HPA on metrics of pods"
    if any(key.startswith(_PAUSED) for key in annotations):
        raise _refusal(live, "the pause that it is in", where, "take the pause off first")
    if "idleReplicaCount" in spec:
        raise _refusal(live, "its idleReplicaCount", where)
    if (spec.get("advanced") or {}).get("scalingModifiers"):
        raise _refusal(live, "its scalingModifiers", where)
    if scalers.counts_peaks(live.object):
        raise _refusal(
            live, "the peak that it counts", where, "give it another policy first: enable --policy load"
        )
    metrics: list[Json] = []
    for trigger in spec.get("triggers") or ():
        if trigger.get("name") == scaled_object.QUEUE:
            continue  # goes with the zero replicas, which planning refuses
        source = sources.get(trigger.get("name", ""))
        if trigger.get("type") != "prometheus" or source is None:
            said = trigger.get("name") or trigger.get("type")
            raise _refusal(live, f"its trigger {said}, which is none of this engine's signals", where)
        if source.kind in (Kind.LATENCY, Kind.RATE) or _PODS not in source.forms:
            raise _refusal(live, f"its target for {source.signal}, which is no number of one pod", where)
        target = quantities.show(Decimal(str(trigger["metadata"]["threshold"])))
        metrics.append({
            "type": "Pods",
            "pods": {
                "metric": {"name": source.api_name},
                "target": {"type": "AverageValue", "averageValue": target},
            },
        })  # fmt: skip
    least, most = scalers.limits(live)
    made: Json = {"minReplicas": least, "maxReplicas": most, "metrics": metrics}
    behavior = scalers.behavior(live.object)
    if behavior is not None:
        made["behavior"] = behavior
    return _in_form(live, HPAS.kind, made)


def _in_form(live: Live, kind: str, spec: Json) -> Live:
    resource = SCALED_OBJECTS if kind == SCALED_OBJECTS.kind else HPAS
    made = {
        "apiVersion": resource.api_version,
        "kind": kind,
        "metadata": copy.deepcopy(live.object["metadata"]),
    }
    return Live(resource, {**made, "spec": spec}, live.ours)


def _words(metric: Json) -> str:
    """`Resource metric cpu`."""
    kind = str(metric["type"])
    source = metric.get(kind[:1].lower() + kind[1:]) or {}
    name = source.get("name") or (source.get("metric") or {}).get("name") or ""
    return f"{kind} metric {name}"


def _refusal(live: Live, part: str, where: str, remedy: str = "") -> LlmHpaError:
    return LlmHpaError(
        f"move {live.resource.kind} {live.object['metadata']['namespace']}/{live.name} to another backend",
        f"{part} has no counterpart in {where}",
        remedy or "take it out first",
    )
