"""Label selectors as the API server evaluates them (apimachinery pkg/apis/meta/v1 LabelSelector)."""

from __future__ import annotations

from collections.abc import Mapping

from kubectl_llmhpa.api import Json


def matches(selector: Json | None, labels: Mapping[str, str]) -> bool:
    """Whether a label selector matches: null matches nothing, an empty one everything."""
    return selector is not None and not unmet(selector, labels)


def unmet(selector: Json, labels: Mapping[str, str]) -> list[str]:
    """The requirements of a selector that the labels do not meet, as text."""
    found = [
        f"{key}={value}"
        for key, value in (selector.get("matchLabels") or {}).items()
        if labels.get(key) != value
    ]
    for expression in selector.get("matchExpressions") or []:
        key, operator = expression["key"], expression["operator"]
        values: list[str] = expression.get("values") or []
        met = {
            "In": key in labels and labels[key] in values,
            "NotIn": labels.get(key) not in values,
            "Exists": key in labels,
            "DoesNotExist": key not in labels,
        }.get(operator, False)
        if not met:
            found.append(f"{key} {operator} {','.join(values)}".strip())
    return found


def required_labels(selector: Json) -> dict[str, str]:
    """Labels that make an object match: `matchLabels`, the first value of each `In`, `Exists` as true."""
    labels = dict(selector.get("matchLabels") or {})
    for expression in selector.get("matchExpressions") or []:
        if expression["operator"] == "In":
            labels.setdefault(expression["key"], expression["values"][0])
        elif expression["operator"] == "Exists":
            labels.setdefault(expression["key"], "true")
    return labels
