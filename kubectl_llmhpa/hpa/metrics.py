"""The metrics of an HPA, spec and status put together.

What the controller reads (replica_calculator.go): Pods `averageValue` only; External `averageValue` if set, else
`value`; Object the field that `type` names; Resource `averageUtilization` or `averageValue`. `type` is otherwise
never looked at, and the API server does not check that it fits.

The status holds one number a metric, so what a metric asks for is the controller's calculation as if every pod had a
sample; `explain` reads the pods and knows better.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from kubectl_llmhpa import quantities
from kubectl_llmhpa.api import Json
from kubectl_llmhpa.hpa.go import approximate, milli, ratio
from kubectl_llmhpa.hpa.model import MetricView
from kubectl_llmhpa.hpa.ratios import TOLERANCE, by_ratio, by_total

_FIELD = {
    "Pods": "pods",
    "Object": "object",
    "External": "external",
    "Resource": "resource",
    "ContainerResource": "containerResource",
}


def metric_views(hpa: Json, *, stale: bool = False) -> tuple[MetricView, ...]:
    """One view per metric of the spec, in its order. `stale`: the status is no longer written, so show no value."""
    spec, status = hpa.get("spec") or {}, hpa.get("status") or {}
    current: Sequence[Json] = () if stale else status.get("currentMetrics") or ()
    replicas = int(status.get("currentReplicas") or 0)
    tolerances = _tolerances(spec)
    return tuple(_one(metric, current, replicas, tolerances) for metric in spec.get("metrics") or ())


def unmatched(hpa: Json) -> int:
    """Metrics that the controller could not compute: entries of type "" in `status.currentMetrics` (seen on 1.37)."""
    return sum(1 for entry in (hpa.get("status") or {}).get("currentMetrics") or () if not entry.get("type"))


def _one(metric: Json, current: Sequence[Json], replicas: int, tolerances: tuple[float, float]) -> MetricView:
    kind = metric.get("type") or ""
    source = metric.get(_FIELD.get(kind, "")) or {}
    identity = source.get("metric") or {}
    name = identity.get("name") or source.get("name") or ""
    target = source.get("target") or {}
    form, field, notes = _form(kind, target)
    asked = target.get(field)
    reported = _reported(kind, source, current).get(field) if field else None
    garbage = reported is not None and quantities.is_garbage(reported)
    # At 0 replicas the controller divides by nothing and reports the same number without a fault anywhere.
    now = None if reported is None or garbage or replicas == 0 else str(reported)
    share = _ratio(now, asked)
    vote = None
    state = "Garbage" if garbage and replicas else "Unknown"
    if share is not None:
        step, vote = _vote(kind, form, milli(str(now)), milli(str(asked)), replicas, tolerances)
        state = "OnTarget" if step == "within" else "Above" if share > 1 else "Below"
    percent = "%" if form == "Utilization" else ""
    return MetricView(
        name=name,
        type=kind,
        now=None if now is None else f"{now}{percent}",
        target="<unset>" if asked is None else f"{asked}{percent}",
        form=form,
        state=state,
        ratio=share,
        vote=vote,
        selector=_selector(identity.get("selector") or {}),
        notes=notes,
    )


def _form(kind: str, target: Json) -> tuple[str, str, tuple[str, ...]]:
    """(form, field that the controller reads, notes about a spec that says something else)."""
    said = target.get("type") or ""
    if kind in ("Resource", "ContainerResource"):
        field = "averageUtilization" if "averageUtilization" in target else "averageValue"
    elif kind == "Pods":
        field = "averageValue"
    elif kind == "External":
        field = "averageValue" if "averageValue" in target else "value"
    else:
        field = "averageValue" if said == "AverageValue" else "value"
    form = {"averageUtilization": "Utilization", "averageValue": "AverageValue", "value": "Value"}[field]
    if kind == "Object" and field not in target:
        return (
            form,
            field,
            (f"type {said} needs {field}, which is not set: the controller refuses the metric",),
        )
    if said and said != form:
        return (
            form,
            field,
            (f"type says {said}, but the controller reads {field} of a {kind} metric: it works as {form}",),
        )
    return form, field, ()


def _reported(kind: str, source: Json, current: Sequence[Json]) -> Json:
    """`current` of the status entry with the same type and the same metric; {} when there is none."""
    key = _FIELD.get(kind, "")
    for entry in current:
        if entry.get("type") != kind:
            continue
        other = entry.get(key) or {}
        same = ("metric", "name", "container", "describedObject")
        if all(_bare(source.get(part)) == _bare(other.get(part)) for part in same):
            return other.get("current") or {}
    return {}


def _bare(part: object) -> object:
    """A metric identifier or reference without empty fields, which the server drops or adds as it likes."""
    return {key: value for key, value in part.items() if value} if isinstance(part, dict) else part


def _vote(
    kind: str, form: str, usage: int, target: int, replicas: int, tolerances: tuple[float, float]
) -> tuple[str, int]:
    """How the number came about and the number, from the usage that the status shows. Both in milli-units."""
    if kind in ("Object", "External") and form == "AverageValue":
        return by_total(_total(usage, replicas), replicas, target, tolerances)
    return by_ratio(ratio(float(usage), float(target)), replicas, replicas, tolerances)


def _total(usage: int, replicas: int) -> int:
    """The total of which `usage` is the share of a replica, rounded up to a thousandth: a whole one where it may be."""
    most = usage * replicas
    whole = most // 1000 * 1000
    return whole if whole > most - replicas else most


def _ratio(now: str | None, asked: object) -> Decimal | None:
    if now is None or asked is None:
        return None
    try:
        value, target = quantities.parse(now), quantities.parse(str(asked))
        usable = milli(now) or not value, milli(str(asked)) > 0  # neither too large for the controller
    except ValueError:
        return None
    return value / target if target > 0 and all(usable) else None


def _tolerances(spec: Json) -> tuple[float, float]:
    """Relative tolerance (down, up): `behavior.scaleDown/scaleUp.tolerance` (1.33 alpha, 1.35 on), else 0.1."""
    behavior = spec.get("behavior") or {}
    found = []
    for direction in ("scaleDown", "scaleUp"):
        text = (behavior.get(direction) or {}).get("tolerance")
        try:
            found.append(TOLERANCE if text is None else approximate(str(text)))
        except ValueError:
            found.append(TOLERANCE)
    return found[0], found[1]


def _selector(selector: Json) -> str:
    labels = [f"{key}={value}" for key, value in sorted((selector.get("matchLabels") or {}).items())]
    for expression in selector.get("matchExpressions") or ():
        values = ",".join(expression.get("values") or ())
        labels.append(f"{expression.get('key')} {expression.get('operator')} ({values})")
    return ",".join(labels)
