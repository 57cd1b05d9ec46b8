"""Durations as kubectl prints them: `5s`, `3m12s`, `2h5m`, `4d`.

Source: k8s.io/apimachinery pkg/util/duration/duration.go, HumanDuration.
"""

from __future__ import annotations

from datetime import datetime, timezone


def human_duration(seconds: float) -> str:
    """The short form of a duration in seconds; up to two seconds in the future count as now."""
    whole = int(seconds)
    if whole < -1:
        return "<invalid>"
    if whole < 0:
        return "0s"
    if whole < 120:
        return f"{whole}s"
    minutes, hours, days = whole // 60, whole // 3600, whole // 86400
    if minutes < 10:
        return _two(minutes, "m", whole % 60, "s")
    if minutes < 180:
        return f"{minutes}m"
    if hours < 8:
        return _two(hours, "h", minutes % 60, "m")
    if hours < 48:
        return f"{hours}h"
    if hours < 192:
        return _two(days, "d", hours % 24, "h")
    if hours < 24 * 365 * 2:
        return f"{days}d"
    if hours < 24 * 365 * 8:
        return _two(days // 365, "y", days % 365, "d")
    return f"{days // 365}y"


def age(timestamp: str | None, now: datetime) -> str:
    """How long ago an RFC 3339 time was; `<unknown>` when there is none, as kubectl says."""
    moment = parse_time(timestamp)
    return "<unknown>" if moment is None else human_duration((now - moment).total_seconds())


def parse_time(timestamp: str | None) -> datetime | None:
    """An RFC 3339 time of the API server, or None for anything else."""
    if not timestamp:
        return None
    try:
        moment = datetime.fromisoformat(timestamp.replace("Z", "+00:00"))
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)


def _two(large: int, large_unit: str, small: int, small_unit: str) -> str:
    return f"{large}{large_unit}{small}{small_unit}" if small else f"{large}{large_unit}"
