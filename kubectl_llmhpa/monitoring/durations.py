"""Prometheus durations (`1m30s`, `500ms`): prometheus/common model.ParseDuration."""

from __future__ import annotations

import re

_UNITS = {"y": 31536000.0, "w": 604800.0, "d": 86400.0, "h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
_PART = re.compile(r"(\d+)(ms|[ywdhms])")


def seconds(text: str) -> float:
    """The seconds of a duration; what is none counts as 0."""
    return sum(int(number) * _UNITS[unit] for number, unit in _PART.findall(text))
