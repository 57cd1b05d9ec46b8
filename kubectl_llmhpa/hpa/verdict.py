"""One word and one sentence for what an HPA is doing, from its conditions.

Reasons and messages: pkg/controller/podautoscaler/horizontal.go. The order of the rules is the order in which a
person would want to know: broken, switched off, at a limit, moving, held, steady.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from kubectl_llmhpa import quantities
from kubectl_llmhpa.api import Json, moment
from kubectl_llmhpa.hpa import failures
from kubectl_llmhpa.hpa.model import Condition, MetricView

#: Pods that are not ready this long after the last rescale are not starting any more.
STARTING = timedelta(minutes=15)

#: Built-in kinds, which all have a scale subresource.
SCALABLE = ("Deployment", "StatefulSet", "ReplicaSet", "ReplicationController")

Verdict = tuple[str, str]


def judge(
    hpa: Json,
    conditions: Sequence[Condition],
    metrics: Sequence[MetricView],
    *,
    invalid: int,
    ready: int | None,
    now: datetime | None,
) -> Verdict:
    """(state, why). `invalid` counts metrics that the controller could not compute, `ready` is None if unknown."""
    found = {condition.type: condition for condition in conditions}
    if not found:
        return "New", "the controller has not looked at it yet"
    broken = _broken(
        found, ready, kind=((hpa.get("spec") or {}).get("scaleTargetRef") or {}).get("kind") or ""
    )
    if broken is not None:
        return broken
    if garbage := [metric.name for metric in metrics if metric.state == "Garbage"]:
        return "Broken: value", (
            f"{', '.join(garbage)} is NaN or infinite at its source; the HPA takes that for 0 and votes for the minimum"
        )
    state, why = _working(hpa, found, metrics, ready, now)
    unknown = [metric.name for metric in metrics if metric.now is None]
    if invalid or (unknown and len(unknown) < len(metrics)):
        names = ", ".join(unknown) or "a metric"
        return "Degraded", f"{why}; {names} cannot be computed, so it scales up on the others and never down"
    return state, why


def _broken(found: Mapping[str, Condition], ready: int | None, *, kind: str) -> Verdict | None:
    able, active = found.get("AbleToScale"), found.get("ScalingActive")
    if able is not None and able.status == "False":
        if able.reason == "FailedGetScale":
            cause = "" if kind in SCALABLE else ": it does not exist, or its kind has no scale subresource"
            return (
                "Broken: target",
                f"the scale of the workload cannot be read ({_inner(able.message)}){cause}",
            )
        return "Broken: effect", f"the new size cannot be written ({_inner(able.message)})"
    if active is None or active.status != "False":
        return None
    match active.reason:
        case "ScalingDisabled":
            return (
                "Disabled",
                "the workload has 0 replicas, which switches the HPA off; scale it to 1 to go on",
            )
        case "AmbiguousSelector":
            return "Broken: autoscaler", f"another HPA controls the same pods ({_inner(active.message)})"
        case "InvalidSelector":
            return (
                "Broken: target",
                f"the workload's scale has no usable pod selector ({_inner(active.message)})",
            )
        case "InvalidMetricSourceType":
            return "Broken: autoscaler", active.message
    failure = failures.explain(active.message)
    if failure.waits and ready == 0:
        return "Armed", "no pod is ready yet, so there is no sample yet"
    return f"Broken: {failure.hop}", failure.why


def _working(
    hpa: Json,
    found: Mapping[str, Condition],
    metrics: Sequence[MetricView],
    ready: int | None,
    now: datetime | None,
) -> Verdict:
    spec, status = hpa.get("spec") or {}, hpa.get("status") or {}
    current, desired = int(status.get("currentReplicas") or 0), int(status.get("desiredReplicas") or 0)
    limited, able = found.get("ScalingLimited"), found.get("AbleToScale")
    limit = limited.reason if limited is not None and limited.status == "True" else ""
    held = able.reason if able is not None else ""
    if (missing := _not_ready(status, current, desired, ready, now)) is not None:
        return missing
    if limit == "TooManyReplicas":
        return "AtMax", f"the load asks for more than the maximum of {spec.get('maxReplicas')}"
    if limit == "ScaleUpLimit":
        return "ScalingUp", _up_limit(spec, current)
    if desired > current:
        return "ScalingUp", f"going from {current} to {desired}"
    if limit == "ScaleDownLimit":
        if _disabled(spec, "scaleDown"):
            return "Steady", "fewer replicas would do, but scale-down is disabled (selectPolicy Disabled)"
        return "ScalingDown", "fewer replicas would do; the scale-down policies take them away step by step"
    if desired < current:
        return "ScalingDown", f"going from {current} to {desired}"
    if held == "ScaleDownStabilized" and current > int(spec.get("minReplicas") or 1):
        seconds = _window(spec, "scaleDown", 300)
        return (
            "Stabilizing",
            f"fewer replicas would do; the highest vote of the last {seconds} s still counts",
        )
    if held == "ScaleUpStabilized":
        seconds = _window(spec, "scaleUp", 0)
        return (
            "Stabilizing",
            f"more replicas are wanted; the lowest vote of the last {seconds} s still counts",
        )
    if limit == "TooFewReplicas" or held == "ScaleDownStabilized":
        return "Steady", f"at the minimum of {spec.get('minReplicas', 1)}; the load asks for no more"
    if current == 0:
        return "Steady", "scaled to zero; an External or Object metric above its target brings it back"
    return "Steady", _steady(metrics, current)


def _not_ready(
    status: Json, current: int, desired: int, ready: int | None, now: datetime | None
) -> Verdict | None:
    if ready is None or ready >= current or current == 0:
        return None
    missing = current - ready
    pods = "pod is" if missing == 1 else "pods are"
    last = moment(status.get("lastScaleTime"))
    if now is None or (last is not None and now - last <= STARTING):
        return ("ScalingUp", f"{missing} of {current} {pods} not ready yet") if desired >= current else None
    return "NoCapacity", (
        f"{missing} of {current} {pods} not ready, and the last rescale is too long ago for a start: no node or GPU "
        "for them, or they do not start (kubectl get pods tells)"
    )


def _steady(metrics: Sequence[MetricView], current: int) -> str:
    above = [metric for metric in metrics if metric.state == "Above" and (metric.vote or 0) > current]
    if above:
        return (
            f"{_reading(above[0])} is above the target, yet held: pods without a sample count as 0 on the way up (they "
            "load, or the selector matches pods that serve nothing)"
        )
    near = [metric for metric in metrics if metric.state == "OnTarget" and metric.ratio is not None]
    over = [metric for metric in near if metric.ratio is not None and metric.ratio > 1]
    if over:
        return f"{_reading(over[0])} is above the target, but within the tolerance"
    if near:
        return f"{_reading(near[0])} is on target"
    votes = [metric.vote for metric in metrics if metric.vote is not None]
    if votes and max(votes) < current:
        return "the load asks for fewer replicas, yet held: pods without a sample count as on target on the way down"
    return f"the load fits {current} replica{'' if current == 1 else 's'}"


def _up_limit(spec: Json, current: int) -> str:
    policies = ((spec.get("behavior") or {}).get("scaleUp") or {}).get("policies") or ()
    if _disabled(spec, "scaleUp"):
        return "more replicas are wanted, but scale-up is disabled (selectPolicy Disabled)"
    if current == 0 and policies and all(policy.get("type") == "Percent" for policy in policies):
        return "stuck at 0: every scale-up policy is a percentage, and a percentage of 0 is 0"
    return "more replicas are wanted; the scale-up policies add them step by step"


def _reading(metric: MetricView) -> str:
    now = quantities.human(metric.now) if metric.now and not metric.now.endswith("%") else metric.now
    target = metric.target if metric.target.endswith("%") else quantities.human(metric.target)
    return f"{metric.name} {now}/{target}"


def _disabled(spec: Json, direction: str) -> bool:
    return ((spec.get("behavior") or {}).get(direction) or {}).get("selectPolicy") == "Disabled"


def _window(spec: Json, direction: str, default: int) -> int:
    value = ((spec.get("behavior") or {}).get(direction) or {}).get("stabilizationWindowSeconds")
    return default if value is None else int(value)


def _inner(message: str) -> str:
    """The cause, without the controller's preamble."""
    for preamble in (
        "the HPA controller was unable to get the target's current scale: ",
        "the HPA controller was unable to update the target scale: ",
    ):
        message = message.removeprefix(preamble)
    return message
