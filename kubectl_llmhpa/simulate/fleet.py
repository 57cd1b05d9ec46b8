"""The pods of one workload over time: load balancer, start-up, scale-in, scrapes, and the HPA's look every so often.

Everything that happens is an entry (time, number) of one heap: numbers from 0 are pods, at their next own event; the
others are appointments (a scrape, a sync, a pod that becomes ready). Entries of a pod that has changed since are
recognised by their time and dropped.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from heapq import heappop, heappush
from operator import attrgetter
from typing import Literal, TypeAlias

from kubectl_llmhpa.simulate.control import Control, Scaling
from kubectl_llmhpa.simulate.pod import Pod
from kubectl_llmhpa.simulate.requests import Requests, Served
from kubectl_llmhpa.simulate.service import Service

Balance: TypeAlias = Literal["random", "round-robin", "least-loaded"]

_LOAD = attrgetter("load")
_NEVER = math.inf


@dataclass(frozen=True)
class World:
    """What the pods live in; times in seconds.

    `start_up` are measured times from a replica that is asked for to a ready pod, drawn from with equal chance (one:
    it is fixed), the first `pending` of which the pod does not run yet. A pod that is taken away gets no more requests
    and ends with its last one, or after `grace`. `scrape` is Prometheus' interval, at a moment of its own for each
    pod; `sync` the controller's. `polling`: KEDA hands out numbers that old (`useCachedMetrics`), 0: asked each time.
    `ordered`: pods start and end one after the other, as a StatefulSet's do unless `podManagementPolicy` is Parallel.
    """

    start_up: tuple[float, ...] = (120.0,)
    pending: float = 5.0
    grace: float = 30.0
    scrape: float = 15.0
    sync: float = 15.0
    polling: float = 0.0
    balance: Balance = "random"
    ordered: bool = False
    seed: int = 0


@dataclass(frozen=True)
class Rescale:
    """A rescale by the HPA and the reason in its event."""

    at: float
    before: int
    after: int
    reason: str


@dataclass
class Run:
    """What came of it.

    `ready` are (time, asked-for replicas, ready pods), one for each change; `flight` (time, running, waiting) at every
    sync. `pod_seconds` counts every pod from being asked for until it is gone, within the length of the load.
    `cut` are requests that ended with their pod, `refused` those that no pod could ever hold, by index.
    """

    served: Served
    ready: list[tuple[float, int, int]] = field(default_factory=list)
    flight: list[tuple[float, int, int]] = field(default_factory=list)
    rescales: list[Rescale] = field(default_factory=list)
    pod_seconds: float = 0.0
    cut: int = 0
    refused: int = 0
    preempted: int = 0


def run(
    requests: Requests, service: Service, world: World, *, scaling: Scaling | None = None, replicas: int = 1
) -> Run:
    """Serve all requests, beginning with so many ready pods; without `scaling` their number is fixed.

    The same arguments give the same run. Random draws come from streams of their own for balancing, scraping and
    start-up, so that two policies meet the same chances.
    """
    return _Fleet(requests, service, world, scaling, replicas).run()


class _Fleet:
    def __init__(
        self, requests: Requests, service: Service, world: World, scaling: Scaling | None, replicas: int
    ) -> None:
        self.requests, self.service, self.world = requests, service, world
        self.run_ = Run(Served.of(len(requests)))
        self.pods: list[Pod] = []
        self.alive: list[Pod] = []
        self.ready: list[Pod] = []
        self.events: list[tuple[float, int]] = []
        self.agenda: dict[int, Callable[[float], None]] = {}
        self.appointments = 0
        self.outside: list[int] = []
        self.replicas = replicas
        self.control = (
            Control(scaling, requests, self.run_.served, polling=world.polling, pending=world.pending)
            if scaling
            else None
        )
        self.arrived = 0
        self.left = len(requests)
        self.balancing = random.Random(f"balance {world.seed}")
        self.scraping = random.Random(f"scrape {world.seed}")
        self.starting = random.Random(f"start {world.seed}")
        self.at(self.scraping.random() * world.sync, self._sync)
        for _ in range(replicas):
            self._becomes_ready(self._new(0.0), 0.0)

    def run(self) -> Run:
        self._note(0.0)
        self._serve()
        self.arrived = len(self.requests)
        self._until(_NEVER)
        made = self.run_
        length = self.requests.length
        made.pod_seconds = sum(
            max(0.0, min(pod.gone, length) - min(pod.started, length)) for pod in self.pods
        )
        made.preempted = sum(pod.preempted for pod in self.pods)
        return made

    def _serve(self) -> None:
        """All arrivals, in their order."""
        events, ready, balance = self.events, self.ready, self.world.balance
        draw = self.balancing.random
        for index, at in enumerate(self.requests.at):
            if events and events[0][0] <= at:
                self.arrived = index
                self._until(at)
            count = len(ready)
            if count == 1:
                pod = ready[0]
            elif not count:
                self.outside.append(index)
                continue
            elif balance == "random":
                pod = ready[int(draw() * count)]
            elif balance == "round-robin":
                pod = ready[index % count]
            else:
                turn = index % count
                pod = min(ready[turn:] + ready[:turn], key=_LOAD)
            before = pod.next
            if not pod.offer(index, at):
                self._refuse()
            elif pod.next != before:
                heappush(events, (pod.next, pod.number))

    def _until(self, limit: float) -> None:
        """Everything that happens up to a time; of infinity: until the last request has been served."""
        events, pods = self.events, self.pods
        while events and events[0][0] <= limit:
            when, number = heappop(events)
            if number < 0:
                self.agenda.pop(number)(when)
            else:
                pod = pods[number]
                if pod.next != when:
                    continue
                ended = pod.step(when)
                if pod.next < _NEVER:
                    heappush(events, (pod.next, number))
                if ended:
                    self.left -= len(ended)
                    if pod.deleted < _NEVER and not pod.load:
                        self._gone(pod, when)
            if limit == _NEVER and self.left <= 0:
                return

    def at(self, when: float, what: Callable[[float], None]) -> None:
        self.appointments -= 1
        self.agenda[self.appointments] = what
        heappush(self.events, (when, self.appointments))

    # Pods

    def _new(self, now: float) -> Pod:
        pod = Pod(len(self.pods), self.service, self.requests, self.run_.served, now)
        self.pods.append(pod)
        self.alive.append(pod)
        return pod

    def _reconcile(self, now: float) -> None:
        """As many pods as are asked for: all at once, or one after the other where the workload keeps an order.

        Ordered (a StatefulSet with `podManagementPolicy: OrderedReady`): the next pod is made when all are ready, and
        the next is taken away when the one before is gone.
        """
        while True:
            staying = [pod for pod in self.alive if pod.deleted == _NEVER]
            starting = [pod for pod in staying if pod.ready_at > now]
            if len(staying) < self.replicas and not (self.world.ordered and starting):
                self._start(now)
            elif len(staying) > self.replicas and not (self.world.ordered and len(self.alive) > len(staying)):
                self._take_away(starting or staying, now)
            else:
                break
        self._note(now)

    def _start(self, now: float) -> None:
        pod = self._new(now)
        times = self.world.start_up
        pod.ready_at = now + (times[0] if len(times) == 1 else self.starting.choice(times))
        self.at(pod.ready_at, lambda when: self._becomes_ready(pod, when))

    def _becomes_ready(self, pod: Pod, now: float) -> None:
        if pod.deleted < _NEVER:
            return
        pod.ready_at = now
        self.ready.append(pod)
        phase = self.scraping.random() * self.world.scrape
        if self.control is not None:
            self.at(now + phase, lambda when: self._scrape(pod, when))
        self._note(now)
        waiting, self.outside = self.outside, []
        for index in waiting:
            if not pod.offer(index, now):
                self._refuse()
        if pod.next < _NEVER:
            heappush(self.events, (pod.next, pod.number))
        if self.world.ordered:
            self._reconcile(now)

    def _take_away(self, among: list[Pod], now: float) -> None:
        """One pod less: the youngest of those (which are not ready, if any is not)."""
        pod = max(among, key=lambda one: one.number)
        pod.deleted = now
        if pod in self.ready:
            self.ready.remove(pod)
        if not pod.load:
            self._gone(pod, now)
        else:
            self.at(now + self.world.grace, lambda when: self._grace_is_over(pod, when))

    def _grace_is_over(self, pod: Pod, now: float) -> None:
        if pod.gone == _NEVER:
            lost = pod.cut()
            self.run_.cut += lost
            self.left -= lost
            self._gone(pod, now)

    def _gone(self, pod: Pod, now: float) -> None:
        pod.gone = now
        self.alive.remove(pod)
        if self.control is not None:
            self.control.forget(pod)
        if self.world.ordered:
            self._reconcile(now)

    def _refuse(self) -> None:
        self.run_.refused += 1
        self.left -= 1

    def _note(self, now: float) -> None:
        self.run_.ready.append((now, self.replicas, len(self.ready)))

    # The control loop

    def _scrape(self, pod: Pod, now: float) -> None:
        if self.control is not None and pod.gone == _NEVER:
            self.control.scrape(pod, now)
            self.at(now + self.world.scrape, lambda when: self._scrape(pod, when))

    def _sync(self, now: float) -> None:
        self.at(now + self.world.sync, self._sync)
        running = waiting = 0
        for pod in self.alive:
            running += pod.running
            waiting += pod.waiting
        self.run_.flight.append((now, running, waiting + len(self.outside)))
        if self.control is None:
            return
        outcome = self.control.sync(
            self.alive,
            replicas=self.replicas,
            # A StatefulSet's status counts pods that are leaving, a Deployment's does not.
            status_replicas=len(self.alive) if self.world.ordered else self.replicas,
            arrived=self.arrived,
            now=now,
        )
        if outcome.rescaled:
            self.run_.rescales.append(Rescale(now, outcome.before, outcome.replicas, outcome.reason))
            self.replicas = outcome.replicas
            self._reconcile(now)
