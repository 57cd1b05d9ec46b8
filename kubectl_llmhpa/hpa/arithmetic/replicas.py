"""How many replicas one metric asks for: the controller's replica calculator.

Source: pkg/controller/podautoscaler/replica_calculator.go and metrics/utilization.go, the same in Kubernetes 1.34 to
1.37 but for overflows of a Value. Every operation has Go's rounding: averages of pods are whole milli-units, ratios are
doubles.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from kubectl_llmhpa.hpa.arithmetic.model import Pod
from kubectl_llmhpa.hpa.go import (
    MAX_INT32,
    MAX_INT64,
    ceil32,
    ceil64,
    divided,
    ratio,
    wrap64,
)
from kubectl_llmhpa.hpa.ratios import Step, by_ratio, by_total

NO_PODS = "no pods returned by selector while calculating replica count"
NO_SAMPLES = "did not receive metrics for targeted pods (pods might be unready)"


@dataclass(frozen=True, slots=True)
class Proposal:
    """What one metric asks for.

    `usage` is what `status.currentMetrics` shows, in milli-units: the average per pod, or the value. `ratio` is what is
    held against the tolerance, `final` the ratio after pods without a sample were filled in, `count` what it was
    multiplied by (0: nothing). The pods by name: `missing` run without a sample, `pending` do not run yet, `ignored`
    are being deleted or have failed. On the way up missing and pending count 0; on the way down missing count the
    target, pending are left out.
    """

    replicas: int
    usage: int
    ratio: float
    step: Step
    final: float
    count: int = 0
    missing: tuple[str, ...] = ()
    pending: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()


def of_pods(
    samples: Mapping[str, int],
    pods: Sequence[Pod],
    current: int,
    target: int,
    tolerances: tuple[float, float],
) -> Proposal | str:
    """A Pods metric: the average over the pods that have a sample, against `target`; or why there is none.

    Readiness plays no part. A sample of a pod that is not in `pods` counts, as in the controller.
    """
    if not pods:
        return NO_PODS
    counted = 0
    missing, pending, ignored = [], [], []
    for pod in pods:
        if pod.deleting or pod.phase == "Failed":
            ignored.append(pod.name)
        elif pod.phase == "Pending":
            pending.append(pod.name)
        elif pod.name not in samples:
            missing.append(pod.name)
        else:
            counted += 1
    if ignored or pending:
        out = {*ignored, *pending}
        samples = {name: value for name, value in samples.items() if name not in out}
    if not samples:
        return NO_SAMPLES
    total, size = wrap64(sum(samples.values())), len(samples)
    usage = divided(total, size)
    first = final = ratio(float(usage), float(target))
    lifted = bool(pending) and first > 1.0
    step: Step
    if not lifted and not missing:
        step, replicas = by_ratio(first, counted, current, tolerances)
        size = counted
    else:
        low, high = 1.0 - tolerances[0], 1.0 + tolerances[1]
        if missing and first < 1.0:
            total, size = wrap64(total + target * len(missing)), size + len(missing)
        elif missing and first > 1.0:
            size += len(missing)
        if lifted:
            size += len(pending)
        final = ratio(float(divided(total, size)), float(target))
        step, replicas = "filled", ceil32(final * size)
        if low <= final <= high:
            step, replicas = "held-within", current
        elif (first < 1.0 < final) or (final < 1.0 < first):
            step, replicas = "held-turn", current
        elif (final < 1.0 and replicas > current) or (final > 1.0 and replicas < current):
            step, replicas = "held-count", current
    return Proposal(replicas, usage, first, step, final, size, tuple(missing), tuple(pending), tuple(ignored))


def of_value(
    usage: int,
    pods: Sequence[Pod],
    current: int,
    target: int,
    tolerances: tuple[float, float],
    *,
    saturating: bool = True,
) -> Proposal | str:
    """An Object or External metric with a Value: the ratio times the ready pods; or why there is no number.

    `saturating`: False is Kubernetes 1.34, where more than the largest int32 turned negative.
    """
    first = ratio(float(usage), float(target))
    if current == 0:
        return Proposal(ceil32(first), usage, first, "from-zero", first)
    if 1.0 - tolerances[0] <= first <= 1.0 + tolerances[1]:
        return Proposal(current, usage, first, "within", first)
    if not pods:
        return f"unable to calculate ready pods: {NO_PODS}"
    ready = sum(1 for pod in pods if pod.ready and pod.phase == "Running")
    wanted = first * ready
    replicas = MAX_INT32 if saturating and wanted > MAX_INT32 else ceil32(wanted)
    return Proposal(replicas, usage, first, "formula", first, ready)


def of_object_average(
    total: int, status_replicas: int, target: int, tolerances: tuple[float, float]
) -> Proposal:
    """An Object metric with an AverageValue: the total by the target."""
    first = ratio(float(total), float(target) * float(status_replicas))
    usage = ceil64(ratio(float(total), float(status_replicas)))
    step, replicas = by_total(total, status_replicas, target, tolerances)
    return Proposal(replicas, usage, first, step, first)


def of_external_average(
    total: int, status_replicas: int, target: int, tolerances: tuple[float, float]
) -> Proposal:
    """An External metric with an AverageValue: as for an Object, but held at the largest int32 and int64."""
    proposal = of_object_average(total, status_replicas, target, tolerances)
    replicas, usage = proposal.replicas, proposal.usage
    if proposal.step == "formula" and ratio(float(total), float(target)) > MAX_INT32:
        replicas = MAX_INT32
    if float(total) >= float(MAX_INT64):
        usage = MAX_INT64
    return Proposal(replicas, usage, proposal.ratio, proposal.step, proposal.final)


def sum_for_value(values: Sequence[int], *, saturating: bool = True) -> int:
    """The series of an External metric with a Value, added up; `saturating` as in `of_value`."""
    total = 0
    for value in values:
        if saturating and value > 0 and total > MAX_INT64 - value:
            return MAX_INT64
        total = wrap64(total + value)
    return total


def sum_for_average(values: Sequence[int]) -> int:
    """The series of an External metric with an AverageValue, added up: a negative sum is taken for an overflow."""
    total = 0
    for value in values:
        total = wrap64(total + value)
        if total < 0:
            return MAX_INT64
    return total
