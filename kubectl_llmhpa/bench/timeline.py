"""What the autoscaler did during a run: its HPA, its events and the workload, watched side by side."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from urllib.parse import urlencode

from kubectl_llmhpa import hpa as autoscaler
from kubectl_llmhpa import quantities
from kubectl_llmhpa.api import EVENTS, HPAS, Json, Reader, Resource
from kubectl_llmhpa.errors import ApiError


@dataclass(frozen=True)
class Entry:
    """One thing that happened. `at` is the wall clock (seconds since 1970), `kind` one of load, rescale, desired,
    ready, metric, warning, note."""

    at: float
    kind: str
    text: str


@dataclass(frozen=True)
class Scaling:
    """The autoscaler and its workload from one moment on, `at` as for an entry.

    `current` and `desired` replicas are those of the HPA's status (None without an HPA, or before it has them),
    `ready` the workload's (None until it was seen). `values` are the metrics by name as the HPA saw them, percent for a
    utilization; None: the HPA has no value.
    """

    at: float
    current: int | None
    desired: int | None
    ready: int | None
    values: Mapping[str, float | None]


@dataclass
class Timeline:
    """Collects entries and scalings until `stop`.

    `signals` are those of the HPA's metrics by name, `now` is the latest view of the HPA, `ready` the workload's ready
    replicas.
    """

    reader: Reader
    namespace: str
    signals: Mapping[str, str] = field(default_factory=dict)
    clock: Callable[[], float] = time.time
    entries: list[Entry] = field(default_factory=list)
    scalings: list[Scaling] = field(default_factory=list)
    now: autoscaler.HpaView | None = None
    ready: int | None = None
    desired: int | None = None
    rescaled_at: list[float] = field(default_factory=list)
    _seen: set[str] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _stopped: threading.Event = field(default_factory=threading.Event)

    def start(self, hpa: Json | None, workload: Resource, name: str, limit_s: float) -> None:
        """Watch in the background for at most `limit_s`. `hpa` is the object now, None without one."""
        plans: list[tuple[Resource, str, Callable[[str, Json], None]]] = [
            (workload, f"metadata.name={name}", self.on_workload)
        ]
        if hpa is not None:
            self.on_hpa("ADDED", hpa)
            which = hpa["metadata"]["name"]
            about = f"involvedObject.kind=HorizontalPodAutoscaler,involvedObject.name={which}"
            self._forget_old_events(about)
            plans += [(HPAS, f"metadata.name={which}", self.on_hpa), (EVENTS, about, self.on_event)]
        for resource, selector, react in plans:
            threading.Thread(
                target=self._follow, args=(resource, selector, react, limit_s), daemon=True
            ).start()

    def stop(self) -> None:
        self._stopped.set()

    def note(self, kind: str, text: str, at: float | None = None) -> None:
        """Add an entry of one's own."""
        with self._lock:
            self.entries.append(Entry(self.clock() if at is None else at, kind, text))

    def move(self, kind: str, at: float) -> None:
        """Puts the first entry of a kind to another time."""
        with self._lock:
            for position, entry in enumerate(self.entries):
                if entry.kind == kind:
                    self.entries[position] = replace(entry, at=at)
                    return

    def first_rescale(self, since: float) -> float | None:
        """Seconds from `since` to the first time that more replicas were wanted; None if that never came."""
        later = [at - since for at in self.rescaled_at if at >= since]
        return min(later) if later else None

    def on_hpa(self, _type: str, obj: Json) -> None:
        """A new state of the HPA."""
        view = autoscaler.view(obj, ready=self.ready)
        before, self.now = self.now, view
        if self.desired is not None and view.desired != self.desired and view.desired > 0:
            if view.desired > self.desired:
                self.rescaled_at.append(self.clock())
            self.note("desired", f"desired replicas {self.desired} -> {view.desired}")
        if view.desired > 0:
            self.desired = view.desired
        if before is not None and before.state != view.state and not view.healthy:
            self.note("warning", f"{view.state}: {view.why}")
        self._record()

    def on_event(self, _type: str, event: Json) -> None:
        """An event about the HPA, at the time it arrived; those from before the start and repetitions are left out."""
        key = _event_key(event)
        if _type == "DELETED" or key in self._seen:
            return
        self._seen.add(key)
        rescales = autoscaler.rescales([event])
        if rescales:
            reason = autoscaler.in_words(rescales[0].reason, self.signals)
            why = f"; reason: {reason}" if reason else ""
            self.note("rescale", f"SuccessfulRescale: new size {rescales[0].size}{why}")
        elif event.get("type") == "Warning":
            self.note("warning", f"{event.get('reason')}: {event.get('message')}")

    def on_workload(self, _type: str, obj: Json) -> None:
        """A new state of the workload: how many of its replicas are ready."""
        status = obj.get("status") or {}
        ready = int(status.get("readyReplicas") or 0)
        if self.ready is not None and ready != self.ready:
            self.note("ready", f"ready replicas {self.ready} -> {ready}")
        self.ready = ready
        self._record()

    def _record(self) -> None:
        """Adds a scaling where something changed."""
        view = self.now
        found = Scaling(
            at=self.clock(),
            current=None if view is None else view.current,
            desired=None if view is None or not view.desired else view.desired,
            ready=self.ready,
            values={} if view is None else {metric.name: number(metric.now) for metric in view.metrics},
        )
        with self._lock:
            if not self.scalings or replace(self.scalings[-1], at=found.at) != found:
                self.scalings.append(found)

    def _forget_old_events(self, selector: str) -> None:
        """Events that are there already are not of this run. Told by identity: clocks may differ."""
        try:
            listed = self.reader.get(
                f"{EVENTS.path(self.namespace)}?{urlencode({'fieldSelector': selector})}"
            )
        except ApiError:
            return
        self._seen |= {_event_key(event) for event in listed.get("items") or []}

    def _follow(
        self, resource: Resource, selector: str, react: Callable[[str, Json], None], limit_s: float
    ) -> None:
        try:
            for event in self.reader.watch(
                resource, self.namespace, field_selector=selector, timeout=limit_s
            ):
                if self._stopped.is_set():
                    return
                react(event.type, event.object)
        except ApiError as error:
            if not self._stopped.is_set():
                self.note("warning", f"{resource.plural} cannot be watched: {error.message}")


def number(value: str | None) -> float | None:
    """A value or target of a metric view as a number; None for no value and for one that is no number."""
    try:
        return None if value is None else float(quantities.parse(value.removesuffix("%")))
    except ValueError:
        return None


def _event_key(event: Json) -> str:
    series = event.get("series") or {}
    return f"{event['metadata'].get('uid')}/{event.get('count') or series.get('count')}"
