"""How long new pods take: every moment of a start, by when its watch told it here, and the way from load to relief.

A pod's own conditions have whole seconds and the node's clock; what a watch tells has this tool's clock, to which all
else in the report belongs, and comes a few milliseconds later.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from kubectl_llmhpa.api import EVENTS, PODS, Json, Reader, Resource
from kubectl_llmhpa.bench.observed import Lag, PodStart
from kubectl_llmhpa.bench.sizing.model import ColdStart
from kubectl_llmhpa.bench.timeline import Scaling
from kubectl_llmhpa.errors import ApiError
from kubectl_llmhpa.workloads import Workload, engine_container, is_ready

_PULLED = "involvedObject.kind=Pod,reason=Pulled"


@dataclass
class PodWatch:
    """Follows the workload's pods in the background until `stop`. Times are the wall clock.

    `note` gets a kind and a sentence for what happens to a pod; `ended` says by pod how the engine that was there at
    first came to an end.
    """

    reader: Reader
    workload: Workload
    note: Callable[[str, str], None]
    clock: Callable[[], float] = time.time
    ended: dict[str, str] = field(default_factory=dict)
    _known: set[str] = field(default_factory=set)
    _starts: dict[str, PodStart] = field(default_factory=dict)
    _restarts: dict[str, int] = field(default_factory=dict)
    _pulled: dict[str, float] = field(default_factory=dict)
    _leaving: set[str] = field(default_factory=set)
    _nodes: dict[str, str] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _stopped: threading.Event = field(default_factory=threading.Event)

    def start(self, there: Iterable[Json], limit_s: float) -> None:
        """Watch for at most `limit_s`; `there` are the pods that are no new ones."""
        for pod in there:
            self._known.add(pod["metadata"]["uid"])
            self._nodes[pod["metadata"]["name"]] = pod["spec"].get("nodeName") or ""
            self._restarts[pod["metadata"]["uid"]] = _restarts(pod)
        for resource, fields, labels, react in (
            (PODS, "", self.workload.selector, self.on_pod),
            (EVENTS, _PULLED, "", self.on_pulled),
        ):
            threading.Thread(
                target=self._follow, args=(resource, fields, labels, react, limit_s), daemon=True
            ).start()

    def stop(self) -> None:
        self._stopped.set()

    def on_pod(self, kind: str, pod: Json) -> None:
        """A new state of a pod."""
        uid, name, now = pod["metadata"]["uid"], pod["metadata"]["name"], self.clock()
        leaves = kind == "DELETED" or "deletionTimestamp" in pod["metadata"]
        with self._lock:
            self._nodes[name] = pod["spec"].get("nodeName") or ""
            if leaves and uid not in self._leaving:
                self._leaving.add(uid)
                self.note("pod", f"pod {name} goes away")
                self.ended.setdefault(name, f"pod {name} went away")
            restarts = _restarts(pod)
            if restarts > self._restarts.get(uid, 0):
                self.ended.setdefault(name, f"the engine of pod {name} ended ({_why_ended(pod)})")
                self.note("warning", self.ended[name])
            self._restarts[uid] = restarts
            if uid in self._known or leaves:
                return
            if uid not in self._starts:
                self.note("pod", f"pod {name} is there")
            was = self._starts.get(uid, PodStart(name, now))
            self._starts[uid] = replace(
                was,
                scheduled=was.scheduled or (now if pod["spec"].get("nodeName") else None),
                started=was.started or (now if _runs(pod) else None),
                ready=was.ready or (now if is_ready(pod) else None),
            )

    def on_pulled(self, kind: str, event: Json) -> None:
        """The image of a container is on the node; of several the last one counts."""
        if kind != "DELETED":
            with self._lock:
                self._pulled.setdefault(event["involvedObject"].get("uid", ""), self.clock())

    def sampled(self, name: str, busy: bool) -> None:
        """A pod's metrics were read; `busy`: it has generated tokens."""
        now = self.clock()
        with self._lock:
            for uid, was in self._starts.items():
                if was.pod == name and uid not in self._leaving:
                    self._starts[uid] = replace(
                        was,
                        first_sample=was.first_sample or now,
                        first_token=was.first_token or (now if busy else None),
                    )

    def nodes(self, only: str = "") -> tuple[str, ...]:
        """Where the pods were, those that went included; `only` of the pod of this name."""
        with self._lock:
            found = {node for pod, node in self._nodes.items() if only in ("", pod)}
        return tuple(sorted(found - {""}))

    def starts(self, zero: float) -> tuple[PodStart, ...]:
        """What came up, in order, in seconds from `zero`."""
        with self._lock:
            found = [replace(one, pulled=self._pulled.get(uid)) for uid, one in self._starts.items()]
        return tuple(_from(one, zero) for one in sorted(found, key=lambda one: one.created))

    def _follow(
        self, resource: Resource, fields: str, labels: str, react: Callable[[str, Json], None], limit_s: float
    ) -> None:
        try:
            for event in self.reader.watch(
                resource, self.workload.namespace, field_selector=fields, label_selector=labels, timeout=limit_s
            ):  # fmt: skip
                if self._stopped.is_set():
                    return
                react(event.type, event.object)
        except ApiError as error:
            if not self._stopped.is_set():
                self.note("warning", f"{resource.plural} cannot be watched: {error.message}")


def cold_start(starts: Sequence[PodStart]) -> ColdStart | None:
    """The slowest start, each part from the one before; None where no pod became ready.

    A moment that was not seen adds nothing: the next part counts from the last one that was.
    """
    ready = [one for one in starts if one.ready is not None]
    if not ready:
        return None
    slowest = max(ready, key=lambda one: (one.ready or 0.0) - one.created)
    parts: dict[str, float | None] = {}
    last = slowest.created
    for name in _MOMENTS:
        at = getattr(slowest, name)
        parts[name] = None if at is None else round(max(0.0, at - last), 2)
        last = last if at is None else max(last, at)
    total = None if slowest.first_token is None else round(slowest.first_token - slowest.created, 2)
    return ColdStart(**parts, total=total, pods=len(ready))


def lag(
    scalings: Sequence[Scaling], above: Callable[[str, float], bool], starts: Sequence[PodStart], zero: float
) -> Lag:
    """The way from the load's start at `zero` to the first new pod that takes some of it.

    `above` says whether a metric's value is more than the HPA tolerates.
    """
    after = [one for one in scalings if one.at >= zero]
    first = scalings[0].desired if scalings else None
    base = next((one.desired for one in reversed(scalings) if one.at < zero and one.desired), first)
    metric = next(
        (one.at for one in after if any(v is not None and above(name, v) for name, v in one.values.items())),
        None,
    )
    decision = next((one.at for one in after if one.desired and base and one.desired > base), None)

    def earliest(name: str) -> float | None:
        return min((at for one in starts if (at := getattr(one, name)) is not None and at >= 0), default=None)

    return Lag(
        None if metric is None else round(metric - zero, 2),
        None if decision is None else round(decision - zero, 2),
        earliest("created"), earliest("ready"), earliest("first_token"),
    )  # fmt: skip


#: The moments of a start in their order.
_MOMENTS = ("scheduled", "pulled", "started", "ready", "first_sample", "first_token")


def _from(start: PodStart, zero: float) -> PodStart:
    told: dict[str, Any] = {
        name: None if (at := getattr(start, name)) is None else round(at - zero, 2)
        for name in ("created", *_MOMENTS)
    }
    return replace(start, **told)


def _engine_status(pod: Json) -> Json:
    name = engine_container(pod)["name"]
    statuses = pod.get("status", {}).get("containerStatuses") or []
    found: Json = next((one for one in statuses if one["name"] == name), {})
    return found


def _restarts(pod: Json) -> int:
    return int(_engine_status(pod).get("restartCount") or 0)


def _runs(pod: Json) -> bool:
    return "running" in (_engine_status(pod).get("state") or {})


def _why_ended(pod: Json) -> str:
    """`OOMKilled, exit code 137`."""
    ended = (_engine_status(pod).get("lastState") or {}).get("terminated") or {}
    return f"{ended.get('reason', 'unknown reason')}, exit code {ended.get('exitCode', '?')}"
