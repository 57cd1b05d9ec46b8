"""The small language of the command line: `NAME:key=value,key=value` and durations with fractions."""

from __future__ import annotations

import re

from kubectl_llmhpa.errors import LlmHpaError

_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
_PART = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(ms|[hms])")
_LONGEST_S = 366 * 86400.0


def seconds(attempted: str, text: str) -> float:
    """The seconds of `1h30m`, `1.5s` or `80ms`. Raises LlmHpaError for what is no duration, or more than a year."""
    parts = _PART.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise LlmHpaError(attempted, f"{text!r} is not a duration", "write it as 80ms, 2s, 5m or 1h30m")
    found = sum(float(number) * _UNITS[unit] for number, unit in parts)
    if found > _LONGEST_S:
        raise LlmHpaError(attempted, f"{text} is more than a year")
    return found


def pairs(attempted: str, text: str) -> dict[str, str]:
    """`key=value,key=value` as a mapping. Raises LlmHpaError for a part without `=`, and for a key given twice."""
    found: dict[str, str] = {}
    for part in filter(None, (one.strip() for one in text.split(","))):
        key, equals, value = part.partition("=")
        if not equals or not key or not value:
            raise LlmHpaError(attempted, f"{part!r} is not of the form key=value")
        if key in found:
            raise LlmHpaError(attempted, f"{key} is given twice")
        found[key] = value
    return found
