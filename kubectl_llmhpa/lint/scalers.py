"""The metrics of an HPA, a ScaledObject or an AIBrix PodAutoscaler in one form, as far as a manifest tells.

Facts: the head of `hpa/metrics.py` (which field the controller reads); KEDA 2.21 makes an External metric of each
trigger, AverageValue unless `metricType` says Value (pkg/scalers/scaler.go, GetMetricTargetType).
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from kubectl_llmhpa import quantities
from kubectl_llmhpa.api import Json
from kubectl_llmhpa.engines import Engine, Kind, Signal
from kubectl_llmhpa.lint import names
from kubectl_llmhpa.lint.documents import Document, FieldPath
from kubectl_llmhpa.lint.model import HPA, SCALED_OBJECT, MalformedError
from kubectl_llmhpa.names.queries import words_in

if TYPE_CHECKING:
    from kubectl_llmhpa.lint.promql import Shape

_SOURCES = {
    "Pods": "pods",
    "Object": "object",
    "External": "external",
    "Resource": "resource",
    "ContainerResource": "containerResource",
}
#: The API server's (pkg/apis/autoscaling/v2/defaults.go) and KEDA's defaults.
_LEAST = {HPA: 1, SCALED_OBJECT: 0}
_KEDA_MOST = 100


@dataclass(frozen=True)
class Metric:
    """One metric. `path` is its place, `target_path` that of the number it is compared with.

    `source` is Pods, Object, External, Resource or ContainerResource; `form` is how the controller computes: `Value`,
    `AverageValue` or `Utilization`. `target` is None where there is none or it is no number, which `text` then shows.
    `body` is the metric source, or the trigger of KEDA, whose query is `query` and whose type is `trigger`.
    """

    path: FieldPath
    source: str
    name: str
    form: str
    target: Decimal | None
    text: str
    target_path: FieldPath
    body: Json
    trigger: str = ""
    query: str = ""

    @property
    def known(self) -> tuple[Engine, Signal] | None:
        """The engine and signal that it is; of a query the only one that it is made from."""
        if not self.trigger:
            return names.signal_of(self.name)
        found = {one[1].name: one for word in words_in(self.query) if (one := names.signal_of(word))}
        return next(iter(found.values())) if len(found) == 1 else None

    @property
    def engine(self) -> Engine | None:
        """The engine whose metrics it is, or its query asks for; None for none that we know."""
        if not self.trigger:
            known = names.signal_of(self.name)
            return known[0] if known else None
        return next((one[0] for word in words_in(self.query) if (one := names.signal_of(word))), None)

    @property
    def kind(self) -> Kind | None:
        """The kind of the signal; None for a query, in which functions may have made something else of it."""
        return None if self.trigger else names.kind_of(self.name)

    @functools.cached_property
    def shape(self) -> Shape | None:
        """What the query gives; None where there is none, or nobody can read it."""
        if not self.query:
            return None
        from kubectl_llmhpa.lint import promql

        try:
            return promql.read(self.query).shape
        except promql.NotPromQL:
            return None

    @property
    def shown(self) -> str:
        """What a sentence calls it."""
        return self.name if not self.trigger else f"trigger {self.name}"


def metrics(scaler: Document) -> list[Metric]:
    """The metrics of an HPA (autoscaling/v2 in all its versions) or a ScaledObject, in their order.

    Raises MalformedError where they are no list.
    """
    field = "triggers" if scaler.kind == SCALED_OBJECT else "metrics"
    if not isinstance(scaler.at("spec", field, default=[]), list):
        raise MalformedError(scaler, TypeError(f"spec.{field} is no list"))
    return list(_triggers(scaler) if scaler.kind == SCALED_OBJECT else _hpa_metrics(scaler))


def least(scaler: Document) -> int:
    """Fewest replicas, with the default."""
    field = "minReplicas" if scaler.kind == HPA else "minReplicaCount"
    return _whole(scaler, field, _LEAST[scaler.kind])


def most(scaler: Document) -> int:
    """Most replicas, with the default (an HPA has none: 0)."""
    field = "maxReplicas" if scaler.kind == HPA else "maxReplicaCount"
    return _whole(scaler, field, 0 if scaler.kind == HPA else _KEDA_MOST)


def behavior_path(scaler: Document) -> FieldPath:
    """Where its `behavior` stands."""
    if scaler.kind == HPA:
        return ("spec", "behavior")
    return ("spec", "advanced", "horizontalPodAutoscalerConfig", "behavior")


def number(value: Any) -> Decimal | None:
    """A quantity, or None for what the API server would not take as one."""
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        return None
    try:
        return quantities.parse(value)
    except (ValueError, ArithmeticError):
        return None


def _whole(scaler: Document, field: str, default: int) -> int:
    """A number of replicas. Raises MalformedError for what is none."""
    value = scaler.at("spec", field, default=default)
    if not isinstance(value, int) or isinstance(value, bool):
        raise MalformedError(scaler, TypeError(f"spec.{field} is {value!r} and no whole number"))
    return value


def _hpa_metrics(hpa: Document) -> Iterator[Metric]:
    for path, metric in hpa.items("spec", "metrics"):
        source = str(metric.get("type") or "")
        key = _SOURCES.get(source, "")
        body = metric.get(key)
        if not isinstance(body, dict):
            continue
        identity = body.get("metric") if isinstance(body.get("metric"), dict) else {}
        name = str((identity or {}).get("name") or body.get("name") or "")
        target = body.get("target") if isinstance(body.get("target"), dict) else {}
        form, field = _form(source, target or {})
        given = (target or {}).get(field)
        yield Metric(
            path, source, name, form, number(given), "" if given is None else str(given),
            (*path, key, "target", field), body,
        )  # fmt: skip


def _form(source: str, target: Json) -> tuple[str, str]:
    """How the controller computes, and the field that it reads."""
    if source in ("Resource", "ContainerResource"):
        field = "averageValue" if "averageValue" in target else "averageUtilization"
    elif source == "Pods":
        field = "averageValue"
    elif source == "External":
        field = "averageValue" if "averageValue" in target or "value" not in target else "value"
    else:
        field = "averageValue" if target.get("type") == "AverageValue" else "value"
    return {"averageUtilization": "Utilization", "averageValue": "AverageValue", "value": "Value"}[
        field
    ], field


def _triggers(scaled: Document) -> Iterator[Metric]:
    for path, trigger in scaled.items("spec", "triggers"):
        kind = str(trigger.get("type") or "")
        settings = trigger.get("metadata")
        settings = settings if isinstance(settings, dict) else {}
        if kind in ("cpu", "memory"):
            form = str(trigger.get("metricType") or settings.get("type") or "Utilization")
            yield Metric(
                path, "Resource", kind, form, number(settings.get("value")), str(settings.get("value", "")),
                (*path, "metadata", "value"), trigger, kind,
            )  # fmt: skip
            continue
        given = settings.get("threshold")
        yield Metric(
            path, "External", str(trigger.get("name") or f"{path[-1]} ({kind})"),
            str(trigger.get("metricType") or "AverageValue"), number(given), "" if given is None else str(given),
            (*path, "metadata", "threshold"), trigger, kind, str(settings.get("query") or ""),
        )  # fmt: skip
