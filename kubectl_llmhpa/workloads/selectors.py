"""Label selectors as text, the form in which a scale subresource gives them."""

from __future__ import annotations

import re

from kubectl_llmhpa.api import Json
from kubectl_llmhpa.errors import LlmHpaError

_OUTSIDE_PARENTHESES = re.compile(r",(?![^(]*\))")
_SET = re.compile(r"(?P<key>\S+)\s+(?P<operator>in|notin)\s*\((?P<values>[^)]*)\)")
_EQUAL = re.compile(r"(?P<key>[^\s!=]+)\s*(?P<operator>!=|==|=)\s*(?P<value>\S*)")
_EXISTS = re.compile(r"(?P<no>!?)\s*(?P<key>[^\s!=<>()]+)")


def label_selector(text: str) -> Json:
    """`a=b,c in (d,e),!f` as a LabelSelector: `{"matchLabels": {...}, "matchExpressions": [...]}`.

    The syntax is that of apimachinery pkg/labels/selector.go. Raises LlmHpaError for what a LabelSelector cannot
    say (`<`, `>`) and for what is no selector.
    """
    equal: dict[str, str] = {}
    expressions: list[Json] = []
    for part in filter(None, (one.strip() for one in _OUTSIDE_PARENTHESES.split(text))):
        if found := _SET.fullmatch(part):
            operator = "In" if found["operator"] == "in" else "NotIn"
            values = [value.strip() for value in found["values"].split(",")]
            expressions.append({"key": found["key"], "operator": operator, "values": values})
        elif found := _EQUAL.fullmatch(part):
            if found["operator"] == "!=":
                expressions.append({"key": found["key"], "operator": "NotIn", "values": [found["value"]]})
            else:
                equal[found["key"]] = found["value"]
        elif found := _EXISTS.fullmatch(part):
            expressions.append({"key": found["key"], "operator": "DoesNotExist" if found["no"] else "Exists"})
        else:
            raise LlmHpaError(
                f"read the label selector {text!r}", f"{part!r} cannot be said in a PodMonitor's selector",
                "write that object by hand, and use --scrape none",
            )  # fmt: skip
    selector: Json = {"matchLabels": equal} if equal else {}
    return selector | ({"matchExpressions": expressions} if expressions else {})
