"""Label selectors as the API server evaluates them (apimachinery pkg/apis/meta/v1 LabelSelector)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from kubectl_llmhpa.api import Json

_WITH_VALUES = ("In", "NotIn")
_OPERATORS = (*_WITH_VALUES, "Exists", "DoesNotExist")


def matches(selector: Json | None, labels: Mapping[str, str]) -> bool:
    """Whether a label selector matches: null matches nothing, an empty one everything."""
    return selector is not None and not unmet(selector, labels)


def unmet(selector: Json, labels: Mapping[str, str]) -> list[str]:
    """The requirements of a selector that the labels do not meet, as text."""
    return [_text(one) for one in _requirements(selector) if not _met(one, labels)]


def problem(selector: Json) -> str:
    """What makes a selector invalid, "" when nothing does: one such selector stops the controller that has it.

    Source: apimachinery pkg/apis/meta/v1 LabelSelectorAsSelector and pkg/labels NewRequirement.
    """
    for one in selector.get("matchExpressions") or []:
        operator, values = one.get("operator"), one.get("values") or []
        if operator not in _OPERATORS:
            return f"{one.get('key')} has the operator {operator!r}, which does not exist"
        if operator in _WITH_VALUES and not values:
            return f"{one['key']} {operator} has no values"
        if operator not in _WITH_VALUES and values:
            return f"{one['key']} {operator} has values"
    return ""


def required_labels(selector: Json) -> dict[str, str]:
    """Labels that make an object match, as far as any can; see `unmet` for what they do not meet."""
    labels = dict(selector.get("matchLabels") or {})
    requirements = list(_requirements(selector))
    for one in requirements:
        if one["operator"] not in ("In", "Exists") or one["key"] in labels:
            continue
        values = one.get("values") or ["true", "yes"]
        about = [each for each in requirements if each["key"] == one["key"]]
        fits = (value for value in values if all(_met(each, {one["key"]: value}) for each in about))
        labels[one["key"]] = next(fits, values[0])
    return labels


def _requirements(selector: Json) -> Iterable[Json]:
    for key, value in (selector.get("matchLabels") or {}).items():
        yield {"key": key, "operator": "In", "values": [value]}
    yield from selector.get("matchExpressions") or []


def _met(requirement: Json, labels: Mapping[str, str]) -> bool:
    key, values = requirement["key"], requirement.get("values") or []
    return {
        "In": key in labels and labels[key] in values,
        "NotIn": labels.get(key) not in values,
        "Exists": key in labels,
        "DoesNotExist": key not in labels,
    }.get(requirement["operator"], False)


def _text(requirement: Json) -> str:
    key, operator, values = requirement["key"], requirement["operator"], requirement.get("values") or []
    if operator == "In" and len(values) == 1:
        return f"{key}={values[0]}"
    return f"{key} {operator} {','.join(values)}".strip()
