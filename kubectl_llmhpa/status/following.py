"""`status -w`: the HPAs after every change of one of them, and the rescales that such changes are.

A rescale is seen in the HPA's own status, which nobody drops: `lastScaleTime` moves, and the same write says what the
size was and what it shall be. An event, where one comes, gives the reason.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime

from kubectl_llmhpa.api import HPAS, Json, Reader, WatchEvent
from kubectl_llmhpa.status.look import Around, around, judged, target
from kubectl_llmhpa.status.overview import Autoscaler, Resized
from kubectl_llmhpa.status.question import Question, read, read_with

#: What is around the HPAs is read again after so many seconds: ready pods change too.
LOOK_AGAIN_SECONDS = 5.0
#: After a rescale that is done once more than so many seconds after the last time: its event has come.
EVENT_SECONDS = 1.0
#: The adapter's rules are compared again after so many: nobody waits for that.
RULES_AGAIN_SECONDS = 60.0
#: Changes that come within this time are shown together.
SETTLE_SECONDS = 0.2

#: Sent to the inbox when the terminal changed its size.
REDRAW = object()


@dataclass
class Seen:
    """The HPAs as the watch has them, by uid, with the last rescale of each that was seen happening.

    `news`: one was seen whose event was not asked for yet.
    """

    hpas: dict[str, Json] = field(default_factory=dict)
    resized: dict[str, Resized] = field(default_factory=dict)
    news: bool = False

    def apply(self, event: WatchEvent, now: str) -> bool:
        """Take a change in; whether it was one. `now` is an RFC 3339 time."""
        uid = str(event.object["metadata"].get("uid"))
        if event.type == "DELETED":
            self.resized.pop(uid, None)
            return self.hpas.pop(uid, None) is not None
        before, self.hpas[uid] = self.hpas.get(uid), event.object
        if before is None:
            return True
        if (found := resized(before, event.object, now)) is not None:
            self.resized[uid] = found
            self.news = True
        return bool(before != event.object)

    def told(self, one: Autoscaler) -> Autoscaler:
        """An autoscaler with its last rescale, if it was seen."""
        found = self.resized.get(str((one.object.get("metadata") or {}).get("uid")))
        return one._replace(resized=found) if found is not None else one


def resized(before: Json, after: Json, now: str) -> Resized | None:
    """The rescale between two states of one HPA, None when there was none.

    Its own has a new `lastScaleTime`, and the status written then says from what to what. A size that is neither the
    old one nor what the HPA wanted was set by somebody else.
    """
    old, new = before.get("status") or {}, after.get("status") or {}
    was, wanted = int(old.get("currentReplicas") or 0), int(old.get("desiredReplicas") or 0)
    size, wants = int(new.get("currentReplicas") or 0), int(new.get("desiredReplicas") or 0)
    if new.get("lastScaleTime") and new["lastScaleTime"] != old.get("lastScaleTime"):
        return Resized(size, wants, str(new["lastScaleTime"])) if size != wants else None
    if size not in (was, wanted) and old.get("conditions"):
        return Resized(was, size, now, by_hand=True)
    return None


def frames(
    reader: Reader, question: Question, clock: Callable[[], datetime], inbox: queue.SimpleQueue[object]
) -> Iterator[tuple[list[Autoscaler], Around]]:
    """The autoscalers, and what is around them, at once, after every change, and every LOOK_AGAIN_SECONDS.

    Raises what the watch raises.

    `inbox` takes REDRAW: the same again.
    """
    asked, seen = around(reader, question, read(reader, question))
    hpas = Seen({str(one["metadata"].get("uid")): one for one in asked})
    yield judged(question, asked, seen, clock()), seen
    threading.Thread(target=_follow, args=(reader, question, inbox), name="watch", daemon=True).start()
    looked = compared = time.monotonic()
    while True:
        changed = _collect(inbox, hpas, clock, until=looked + LOOK_AGAIN_SECONDS)
        since = time.monotonic() - looked
        if not changed or since >= LOOK_AGAIN_SECONDS or (hpas.news and since >= EVENT_SECONDS):
            hpas.news = False
            fresh = time.monotonic() >= compared + RULES_AGAIN_SECONDS
            known = read_with(reader, question, list(hpas.hpas.values()))
            asked, seen = around(reader, question, known, None if fresh else seen.lost)
            looked = time.monotonic()
            compared = looked if fresh else compared
        else:
            asked = [
                one
                for one in hpas.hpas.values()
                if question.means(HPAS.kind, one["metadata"]["name"], target(one))
            ]
        yield [hpas.told(one) for one in judged(question, asked, seen, clock())], seen


def _collect(
    inbox: queue.SimpleQueue[object], hpas: Seen, clock: Callable[[], datetime], *, until: float
) -> bool:
    """Wait for changes and take them in; False when none came until then. What the watch raised is raised here."""
    changed = False
    while True:
        wait = SETTLE_SECONDS if changed else max(0.0, until - time.monotonic())
        try:
            event = inbox.get(timeout=wait)
        except queue.Empty:
            return changed
        if isinstance(event, BaseException):
            raise event
        if event is REDRAW:
            return True
        assert isinstance(event, WatchEvent)
        changed |= hpas.apply(event, clock().isoformat())
        if changed and time.monotonic() > until:
            return True


def _follow(reader: Reader, question: Question, inbox: queue.SimpleQueue[object]) -> None:
    try:
        for event in reader.watch(
            HPAS, question.namespace or "",
            field_selector=question.field_selector, label_selector=question.label_selector,
        ):  # fmt: skip
            inbox.put(event)
    except BaseException as error:  # noqa: BLE001 - it is raised again in the thread that can show it
        inbox.put(error)
