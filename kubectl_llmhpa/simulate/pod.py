"""One pod: seats, a queue, prefill, tokens by the batch, and a KV cache that can run full.

An event for each token would be hopeless. All running requests get their tokens at the same rate, so the pod counts
tokens per running request since its start (`tokens`), and a request that begins at `tokens` V with n more to come ends
at V + n, whatever the rate does meanwhile: a heap of those numbers gives the next one to end. Between events the rate
is constant. So a request costs three events: it arrives, its prompt has been read, it ends.
"""

from __future__ import annotations

import math
from collections import deque
from heapq import heapify, heappop, heappush

from kubectl_llmhpa.simulate.requests import Requests, Served
from kubectl_llmhpa.simulate.service import KEPT_FREE, Service

#: Less than this part of a token is nothing: what rounding leaves.
_NOTHING = 1e-7
_NEVER = math.inf


class Pod:
    """The state of one pod; times in seconds on the simulation's clock.

    `next` is when something happens in it by itself. `load` is the requests in flight, for the load balancer. `offer`
    hands it a request, `step` lets happen what is due, `settle` brings `kv` up to a time.
    """

    __slots__ = (
        "_again", "_chunk", "_first", "_heap", "_joining", "_last", "_now", "_output", "_per_request", "_prefill",
        "_prompt", "_rate", "_reading", "_room", "_seats", "_step", "_tokens", "_until", "_waiting", "deleted", "gone",
        "kv", "kv_limit", "load", "name", "next", "number", "preempted", "ready_at", "started",
    )  # fmt: skip

    def __init__(self, number: int, service: Service, requests: Requests, served: Served, now: float) -> None:
        self.number = number
        self.name = f"pod-{number}"
        self.next = _NEVER
        self.load = 0
        self.kv = 0.0
        self.kv_limit = float(service.kv_tokens)
        self._room = self.kv_limit * (1 - KEPT_FREE)
        self.preempted = 0
        self.started = now
        self.ready_at = now
        self.deleted = _NEVER
        self.gone = _NEVER
        self._prompt, self._output = requests.prompt, requests.output
        self._first, self._last = served.first, served.last
        self._seats, self._chunk, self._joining = service.seats, service.chunk, service.joining
        self._step, self._per_request, self._prefill = (
            service.step,
            service.per_request,
            1.0 / service.prefill,
        )
        self._now = now
        self._tokens = 0.0
        self._rate = 0.0
        self._heap: list[tuple[float, int]] = []
        self._waiting: deque[int] = deque()
        self._reading: list[int] = []
        self._until = _NEVER
        self._again: dict[int, int] = {}

    @property
    def running(self) -> int:
        return len(self._heap) + len(self._reading)

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    def offer(self, index: int, now: float) -> bool:
        """Take a request; False where the cache could never hold it. `next` may have changed."""
        if self._prompt[index] + self._output[index] > self._room:
            return False
        self.load += 1
        self._waiting.append(index)
        if not self._reading and len(self._heap) < self._seats:
            self.settle(now)
            self._admit(now, joining=True)
        return True

    def settle(self, now: float) -> None:
        """Count the tokens up to now: before anything changes, and before `kv` is read."""
        more = (now - self._now) * self._rate
        if more > 0.0:
            self._tokens += more
            self.kv += more * len(self._heap)
        self._now = now

    def step(self, now: float) -> list[int]:
        """What happens at `next`; the requests that end with it."""
        heap = self._heap
        # Inlined `settle`: this is the innermost loop.
        more = (now - self._now) * self._rate
        tokens = self._tokens + more
        self.kv += more * len(heap)
        self._tokens, self._now = tokens, now
        ended: list[int] = []
        joining = now < self._until
        if not joining:
            self._read(now, ended)
        limit = tokens + _NOTHING
        while heap and heap[0][0] <= limit:
            index = heappop(heap)[1]
            self.kv -= self._prompt[index] + self._output[index]
            ended.append(index)
            self._last[index] = now
        if joining and not ended:
            self._preempt()
            self._plan(now)
            return ended
        self.load -= len(ended)
        if not self._reading and self._waiting and len(heap) < self._seats:
            self._admit(now, joining=joining)
        else:
            self._plan(now)
        return ended

    def cut(self) -> int:
        """End it with everything that it holds; how many requests that were."""
        lost = self.load
        self.load, self.next = 0, _NEVER
        self._heap, self._reading, self._waiting = [], [], deque()
        return lost

    def _read(self, now: float, ended: list[int]) -> None:
        """The prompts have been read: their first tokens come."""
        tokens = self._tokens
        for index in self._reading:
            left = self._output[index] - self._again.pop(index, 0) - 1
            if self._first[index] != self._first[index]:  # NaN: not after a preemption
                self._first[index] = now
            self.kv += 1.0
            if left > 0:
                heappush(self._heap, (tokens + left, index))
            else:
                self.kv -= self._prompt[index] + self._output[index]
                self._last[index] = now
                ended.append(index)
        self._reading = []
        self._until = _NEVER

    def _admit(self, now: float, *, joining: bool) -> None:
        """Begin to read prompts: those at the head of the queue that seats, cache and one step have room for."""
        waiting, reading, heap = self._waiting, self._reading, self._heap
        free = self._seats - len(heap)
        if not heap:
            self.kv = 0.0  # and not what rounding leaves
        room = self._room - self.kv
        total = 0
        while waiting and free:
            index = waiting[0]
            tokens = self._prompt[index]
            if self._again:
                tokens += self._again.get(index, 0)
            if total + tokens > room or (total and total + tokens > self._chunk):
                break
            waiting.popleft()
            reading.append(index)
            total += tokens
            free -= 1
        if total:
            self.kv += total
            steps = -(-total // self._chunk) + (self._joining if heap and joining else 0.0)
            took = steps * (self._step + self._per_request * len(heap)) + total * self._prefill
            self._until = now + took
            self._rate = steps / took
        self._plan(now)

    def _plan(self, now: float) -> None:
        """When something happens next."""
        heap = self._heap
        running = len(heap)
        if self._reading:
            soonest = self._until
        else:
            soonest = _NEVER
            if running:
                self._rate = 1.0 / (self._step + self._per_request * running)
        if running:
            rate = self._rate
            left = heap[0][0] - self._tokens
            full = (self.kv_limit - self.kv) / running
            if full < left:
                left = max(0.0, full)
            end = now + left / rate
            if end < soonest:
                soonest = end
        self.next = soonest

    def _preempt(self) -> None:
        """The cache is full: the youngest request gives up its place and will be read again, with what it has."""
        heap = self._heap
        while heap and self.kv_limit - self.kv < 1.0:
            place = max(range(len(heap)), key=lambda at: heap[at][1])
            end, index = heap[place]
            heap[place] = heap[-1]
            heap.pop()
            left = end - self._tokens
            done = self._output[index] - max(1, math.ceil(left - _NOTHING))
            self.kv -= self._prompt[index] + self._output[index] - left
            self._again[index] = done
            self._waiting.appendleft(index)
            self.preempted += 1
        heapify(heap)
