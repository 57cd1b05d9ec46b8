"""Rescales as the core/v1 events of an HPA tell them.

Events alone lose data (spam filter of 25 per object, merging from the 10th similar one on, an hour to live); they
give the reason text, the HPA's status gives the truth.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from kubectl_llmhpa.api import Json

_RESCALE = re.compile(
    r"(?P<combined>\(combined from similar events\): )?New size: (?P<size>\d+); reason: (?P<reason>.*)",
    re.DOTALL,
)


class Rescale(NamedTuple):
    """One `SuccessfulRescale`: RFC 3339 time, new size, reason (may be empty), how many events were merged into it."""

    time: str
    size: int
    reason: str
    count: int  # type: ignore[assignment]  # the name of a method of tuples, which nobody asks for
    combined: bool = False


def rescales(events: Sequence[Json]) -> list[Rescale]:
    """The rescales among the events, oldest first; others are left out."""
    found = []
    for event in events:
        if event.get("reason") != "SuccessfulRescale":
            continue
        match = _RESCALE.fullmatch(event.get("message") or event.get("note") or "")
        if match is None:
            continue
        series = event.get("series") or {}
        found.append(
            Rescale(
                time=_time(event),
                size=int(match["size"]),
                reason=match["reason"].strip(),
                count=int(event.get("count") or series.get("count") or 1),
                combined=match["combined"] is not None,
            )
        )
    return sorted(found, key=lambda rescale: rescale.time)


def in_words(reason: str, signals: Mapping[str, str]) -> str:
    """The reason of a rescale in our words: `waiting above target`. `signals` are they by the names of metrics."""
    plain = re.sub(r"^(pods|external|\w+) metric ", "", reason)
    plain = re.sub(r"\(&LabelSelector\{[^)]*\}\)", "", plain)
    for metric, signal in signals.items():
        plain = plain.replace(metric, signal)
    return plain.replace("(nil)", "")


def of_hpa(hpa: Json, events: Sequence[Json]) -> list[Json]:
    """The events about one HPA, told by namespace, name and (where both have one) uid."""
    metadata = hpa.get("metadata") or {}
    return [event for event in events if _about(event, metadata)]


def _about(event: Json, metadata: Json) -> bool:
    about = event.get("involvedObject") or event.get("regarding") or {}
    if about.get("kind") != "HorizontalPodAutoscaler" or about.get("name") != metadata.get("name"):
        return False
    if about.get("namespace", "") != metadata.get("namespace", ""):
        return False
    return not about.get("uid") or not metadata.get("uid") or about["uid"] == metadata["uid"]


def _time(event: Json) -> str:
    series = event.get("series") or {}
    return str(
        event.get("lastTimestamp")
        or series.get("lastObservedTime")
        or event.get("eventTime")
        or (event.get("metadata") or {}).get("creationTimestamp")
        or ""
    )
