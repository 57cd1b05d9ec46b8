"""From Kubernetes objects to the data of a sync: an autoscaling/v2 object, pods, and lists of the metrics APIs.

Defaults are those of pkg/apis/autoscaling/v2/defaults.go, which a live object has already and a file has not.
"""

from __future__ import annotations

from collections.abc import Sequence

from kubectl_llmhpa.api import Json
from kubectl_llmhpa.errors import LlmHpaError
from kubectl_llmhpa.hpa.arithmetic.model import (
    BEHAVIOR_TOLERANCE,
    DEFAULTS,
    Controller,
    Form,
    Metric,
    Pod,
    ScalingPolicy,
    ScalingRules,
    Source,
    Spec,
)
from kubectl_llmhpa.hpa.go import approximate, milli

_FIELDS: dict[str, Source] = {"Pods": "Pods", "Object": "Object", "External": "External"}
_UP = (ScalingPolicy("Pods", 4, 15), ScalingPolicy("Percent", 100, 15))
_DOWN = (ScalingPolicy("Percent", 100, 15),)


def spec(hpa: Json, controller: Controller = DEFAULTS) -> Spec:
    """What an HPA asks for. Raises LlmHpaError for a metric whose calculation is not here (CPU and memory)."""
    wanted = hpa.get("spec") or {}
    behavior = wanted.get("behavior")
    tolerances = [controller.tolerance, controller.tolerance]
    up = down = None
    if behavior is not None:
        up = _rules(behavior.get("scaleUp") or {}, 0, _UP)
        down = _rules(behavior.get("scaleDown") or {}, controller.downscale_window, _DOWN)
        for index, direction in enumerate(("scaleDown", "scaleUp")):
            own = (behavior.get(direction) or {}).get("tolerance")
            if own is not None and controller.minor >= BEHAVIOR_TOLERANCE:
                tolerances[index] = approximate(str(own))
    least = wanted.get("minReplicas")
    return Spec(
        metrics=tuple(metric(one) for one in wanted.get("metrics") or ()),
        min_replicas=1 if least is None else int(least),
        max_replicas=int(wanted.get("maxReplicas") or 0),
        up=up,
        down=down,
        tolerances=(tolerances[0], tolerances[1]),
        namespace=str((hpa.get("metadata") or {}).get("namespace") or ""),
        controller=controller,
    )


def metric(entry: Json) -> Metric:
    """One entry of `spec.metrics`.

    The field decides for Pods and External; for Object, `type` does, and a field that does not fit is refused. Raises
    LlmHpaError for Resource and ContainerResource.
    """
    kind = str(entry.get("type") or "")
    source = _FIELDS.get(kind)
    if source is None:
        raise LlmHpaError(
            "calculation", f"metrics of type {kind} are not calculated here", "see kubectl describe hpa"
        )
    body = entry.get(kind.lower()) or {}
    identity, target = body.get("metric") or {}, body.get("target") or {}
    form = _form(source, target)
    field = "averageValue" if form == "AverageValue" else "value"
    described = body.get("describedObject") or {}
    return Metric(
        source=source,
        name=str(identity.get("name") or ""),
        form=form,
        target=milli(str(target[field])) if form else 0,
        selector=printed(identity.get("selector")),
        described=(str(described.get("kind") or ""), str(described.get("name") or "")),
    )


def pods(objects: Sequence[Json]) -> tuple[Pod, ...]:
    """Pods as the API server hands them out."""
    return tuple(_pod(one) for one in objects)


def printed(selector: Json | None) -> str:
    """A label selector as the controller prints it into messages and reasons (%+v of a *LabelSelector)."""
    if selector is None:
        return "nil"
    labels = "".join(f"{key}: {value}," for key, value in sorted((selector.get("matchLabels") or {}).items()))
    expressions = "".join(
        f"LabelSelectorRequirement{{Key:{one.get('key', '')},Operator:{one.get('operator', '')},"
        f"Values:[{' '.join(one.get('values') or ())}],}},"
        for one in selector.get("matchExpressions") or ()
    )
    return (
        f"&LabelSelector{{MatchLabels:map[string]string{{{labels}}},"
        f"MatchExpressions:[]LabelSelectorRequirement{{{expressions}}},}}"
    )


def _form(source: Source, target: Json) -> Form:
    if source == "Object":
        said = target.get("type")
        if said == "Value" and target.get("value") is not None:
            return "Value"
        return "AverageValue" if said == "AverageValue" and target.get("averageValue") is not None else ""
    if target.get("averageValue") is not None:
        return "AverageValue"
    return "Value" if source == "External" and target.get("value") is not None else ""


def _rules(rules: Json, window: int, policies: tuple[ScalingPolicy, ...]) -> ScalingRules:
    own, given = rules.get("stabilizationWindowSeconds"), rules.get("policies")
    if given is not None:
        policies = tuple(
            ScalingPolicy(one["type"], int(one["value"]), int(one["periodSeconds"])) for one in given
        )
    return ScalingRules(window if own is None else int(own), rules.get("selectPolicy") or "Max", policies)


def _pod(pod: Json) -> Pod:
    metadata, status = pod.get("metadata") or {}, pod.get("status") or {}
    return Pod(
        name=str(metadata.get("name") or ""),
        phase=str(status.get("phase") or ""),
        ready=any(
            one.get("type") == "Ready" and one.get("status") == "True"
            for one in status.get("conditions") or ()
        ),
        deleting=metadata.get("deletionTimestamp") is not None,
    )
