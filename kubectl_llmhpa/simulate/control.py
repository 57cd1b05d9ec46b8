"""The control loop: scrapes of the pods, what the metrics API makes of them, and the controller's own sync."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from kubectl_llmhpa.engines.promql import HELD_S, HELD_STEP_S, QUEUE_STEP_S, SEEN_S
from kubectl_llmhpa.hpa import arithmetic
from kubectl_llmhpa.simulate import measures
from kubectl_llmhpa.simulate.measures import Measure
from kubectl_llmhpa.simulate.pod import Pod
from kubectl_llmhpa.simulate.requests import Requests, Served

_NEVER = math.inf
#: A request that takes longer is in no latency metric: the scan of requests has to begin somewhere.
_LONGEST = 3600.0


@dataclass(frozen=True)
class Scaling:
    """What the HPA asks for, and what each of its metrics measures (in the same order)."""

    spec: arithmetic.Spec
    measures: tuple[Measure, ...]


class Control:
    """The HPA of one workload with what it remembers, and Prometheus with the last sample of every pod.

    `polling` is how old an answer of KEDA's may be, `pending` how long a new pod does not run yet, in seconds.
    """

    def __init__(
        self, scaling: Scaling, requests: Requests, served: Served, *, polling: float, pending: float
    ) -> None:
        self._spec, self._measures = scaling.spec, scaling.measures
        self._requests, self._served = requests, served
        self._polling, self._pending = polling, pending
        self._memory = arithmetic.Memory()
        self._samples: dict[str, measures.Sample] = {}
        self._past: list[list[tuple[float, float]]] = [[] for _ in scaling.measures]
        self._answered = -_NEVER
        self._answers: list[arithmetic.Reading] = []
        self._oldest = 0
        self._queue_since: dict[str, float] = {}
        #: What pods ran behind a queue that stood for a while, with its time: each more than those that came later.
        self._full: deque[tuple[float, int]] = deque()
        #: When requests were seen to wait, at every step of the queries that look for it, and the last such look.
        self._queued: deque[float] = deque()
        self._looked = -_NEVER
        self._longest = max((one.memory for one in scaling.measures), default=0)

    def scrape(self, pod: Pod, now: float) -> None:
        """Take a sample of a pod."""
        pod.settle(now)
        self._samples[pod.name] = (pod.running, pod.waiting, pod.kv / pod.kv_limit)
        if not pod.waiting:
            self._queue_since.pop(pod.name, None)
        elif now - self._queue_since.setdefault(pod.name, now) >= HELD_S - HELD_STEP_S:
            while self._full and self._full[-1][1] <= pod.running:
                self._full.pop()
            self._full.append((now, pod.running))

    def forget(self, pod: Pod) -> None:
        """The pod is gone, and so are its series."""
        self._samples.pop(pod.name, None)
        self._queue_since.pop(pod.name, None)

    def sync(
        self, pods: Sequence[Pod], *, replicas: int, status_replicas: int, arrived: int, now: float
    ) -> arithmetic.Outcome:
        """One look of the controller; `arrived` is how many requests have come so far."""
        outcome = arithmetic.sync(
            self._spec,
            self._memory,
            self._readings(arrived, now),
            [self._seen(pod, now) for pod in pods],
            replicas=replicas,
            status_replicas=status_replicas,
            now=now,
        )
        self._memory = outcome.memory
        return outcome

    def _readings(self, arrived: int, now: float) -> list[arithmetic.Reading]:
        if now - self._answered < self._polling:
            return self._answers
        seen = self._seats_seen(now)
        self._look_for_a_queue(now)
        found = []
        for measure, past in zip(self._measures, self._past, strict=True):
            if measure.combine == "quantile":
                found.append(measures.latency(measure, self._latencies(measure, arrived, now)))
                continue
            if measure.over != "last" and self._samples:
                past.append((now, measures.combined(measure, self._samples)))
                while past[0][0] <= now - measure.window:
                    past.pop(0)
            queued = (
                QUEUE_STEP_S * sum(at > now - measure.memory for at in self._queued) if measure.memory else 0
            )
            found.append(measures.reading(measure, self._samples, past, seen, queued))
        self._answered, self._answers = now, found
        return found

    def _seats_seen(self, now: float) -> float | None:
        """The most that a pod ran behind a queue that stood for a while, None where none stood."""
        while self._full and self._full[0][0] <= now - SEEN_S:
            self._full.popleft()
        return self._full[0][1] if self._full else None

    def _look_for_a_queue(self, now: float) -> None:
        if not self._longest or now - self._looked < QUEUE_STEP_S:
            return
        self._looked = now
        if any(waiting for _, waiting, _ in self._samples.values()):
            self._queued.append(now)
        while self._queued and self._queued[0] <= now - self._longest:
            self._queued.popleft()

    def _latencies(self, measure: Measure, arrived: int, now: float) -> list[float]:
        """Those of the requests that ended, or got their first token, in the window."""
        at, served = self._requests.at, self._served
        ended = served.first if measure.signal == "ttft" else served.last
        since = now - measure.window
        while self._oldest < arrived and at[self._oldest] < since - _LONGEST:
            self._oldest += 1
        return [
            ended[index] - at[index] for index in range(self._oldest, arrived) if since < ended[index] <= now
        ]

    def _seen(self, pod: Pod, now: float) -> arithmetic.Pod:
        """A pod as the controller's list has it."""
        pending = pod.ready_at > now and now - pod.started < self._pending
        ready = pod.ready_at <= now and pod.deleted == _NEVER
        return arithmetic.Pod(
            pod.name, "Pending" if pending else "Running", ready, deleting=pod.deleted < _NEVER
        )
