"""The benchmark's pods from their making to their last line: why one does not start, what they print, how they ended.

Several clients look like one from here: their ticks and summaries come merged, and they are started together.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from urllib.parse import urlencode

from kubectl_llmhpa.api import EVENTS, JOBS, PODS, Json, Reader
from kubectl_llmhpa.bench import merging
from kubectl_llmhpa.bench.job import BENCH_LABEL, CONTAINER, INDEX, Run
from kubectl_llmhpa.bench.pod.client import MARKER
from kubectl_llmhpa.bench.pod_state import container_state, disruption, ended_badly, refused, why_waiting
from kubectl_llmhpa.errors import ApiError, ExitCode, LlmHpaError

_PATIENCE_S = 15  # for reads that fail one after the other
_TAIL = 60  # lines of a log that are read each time
#: From the first client that is told to start to the common instant: what telling all of them takes.
_START_IN_S = (1.0, 0.1)  # and for each client


@dataclass
class Client:
    """One pod of the run, and its node. `lost` says why it will leave no summary."""

    pod: str
    node: str = ""
    seen: int = 0
    lines: list[str] = field(default_factory=list)
    port: int | None = None  # where it waits to be told to start
    tick: Json | None = None
    summary: Json | None = None
    lost: LlmHpaError | None = None

    @property
    def over(self) -> bool:
        return self.summary is not None or self.lost is not None


@dataclass
class Follower:
    """Follows one run's pods. `sleep` and `clock` are handed in for tests.

    `summary` is set when the run is over; `points` are the `point` lines so far, also when it ends badly.
    """

    reader: Reader
    run: Run
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    clients: dict[int, Client] = field(default_factory=dict)
    points: list[Json] = field(default_factory=list)
    summary: Json | None = None
    _told: bool = False  # to start
    _started: bool = False

    @property
    def attempted(self) -> str:
        return f"run the benchmark (job {self.run.name})"

    @property
    def nodes(self) -> tuple[str, ...]:
        """Where the clients run."""
        return tuple(sorted({one.node for one in self.clients.values()} - {""}))

    def wait_for_start(self, limit_s: float, say: Callable[[str], None]) -> None:
        """Until every container runs or has ended. Raises LlmHpaError with the reason when one cannot."""
        deadline = self.clock() + limit_s
        while True:
            what = self._starting()
            if what is None:
                return
            say(what)
            if self.clock() > deadline:
                problem = f"the pod did not start within {limit_s:.0f} s: {self._last_warning() or what}"
                raise LlmHpaError(
                    self.attempted, problem, "see: kubectl describe job, or give it more --timeout"
                )
            self.sleep(1)

    def step(self) -> list[Json]:
        """The new lines since the last step, parsed; `summary` is set when it came.

        Raises LlmHpaError when no client is left that could leave a summary.
        """
        pods = self._pods()
        fresh: list[Json] = []
        ticked = False
        for index, client in self.clients.items():
            if client.over:
                continue
            for fact in self._read(client, pods.get(index)):
                if fact["kind"] == "tick":
                    client.tick, ticked = fact, True
                first = fact["kind"] == "start" and not self._started
                self._started = self._started or first
                if self.run.clients == 1 or first:
                    fresh.append(fact)
        self.points += [fact for fact in fresh if fact["kind"] == "point"]
        if self.run.clients > 1:
            self._start_together()
            if ticked:
                fresh.append(merging.ticks([one.tick for one in self.clients.values() if one.tick]))
        if all(client.over for client in self.clients.values()):
            self.summary = self._together()
            if self.run.clients > 1:
                fresh.append(self.summary)
        return fresh

    def _starting(self) -> str | None:
        """What is waited for; None when all run or have ended."""
        pods = self._pods()
        for index, pod in pods.items():
            client = self.clients.setdefault(index, Client(pod["metadata"]["name"]))
            client.node = pod["spec"].get("nodeName") or ""
        if len(pods) < self.run.clients:
            self._check_job()
            return "waiting for the pod" if self.run.clients == 1 else "waiting for the pods"
        for pod in pods.values():
            state = container_state(pod)
            if "running" not in state and "terminated" not in state:
                return why_waiting(pod, state, self.attempted)
        return None

    def _read(self, client: Client, pod: Json | None) -> list[Json]:
        """The new lines of one client; notes when it will print no more."""
        if pod is None:
            client.lost = self._gone()
            return []
        facts = self._log(client)
        state = container_state(pod)
        if client.summary is None and "terminated" in state:
            facts += self._log(client)  # lines may have come between the two reads
            if client.summary is None:
                output = " | ".join(line for line in client.lines[-6:] if not line.startswith(MARKER))
                client.lost = ended_badly(pod, state["terminated"], output, self.attempted)
        if client.summary is not None and client.summary.get("ended") == "signal":
            name = client.pod
            now = next((one for one in self._pods().values() if one["metadata"]["name"] == name), pod)
            client.summary["interrupted"] = disruption(now)
        return facts

    def _log(self, client: Client) -> list[Json]:
        fresh = self._lines(client, f"&tailLines={_TAIL}")
        if fresh and fresh[0]["n"] > client.seen + 1:  # more than the tail was printed since the last time
            fresh = self._lines(client, "") or fresh
        for fact in fresh:
            client.seen = fact["n"]
            if fact["kind"] == "ready":
                client.port = int(fact["port"])
            if fact["kind"] == "summary":
                client.summary = fact
        return fresh

    def _lines(self, client: Client, limit: str) -> list[Json]:
        """What was printed and not seen yet; nothing where the log cannot be read now."""
        path = PODS.path(self.run.namespace, client.pod, "log")
        try:
            text = self.reader.get_text(f"{path}?container={CONTAINER}{limit}")
        except ApiError:
            return []
        client.lines = text.splitlines()
        return [fact for fact in parse(text) if fact["n"] > client.seen]

    def _start_together(self) -> None:
        """Tells all clients the same instant as soon as the last of them waits for it, once.

        They are told how long it is from now, so that no clock but ours matters. Raises LlmHpaError when one cannot
        be told.
        """
        waiting = [one for one in self.clients.values() if not one.over]
        if self._told or any(one.port is None for one in waiting):
            return
        self._told = True
        start = self.clock() + _START_IN_S[0] + _START_IN_S[1] * len(waiting)
        for one in waiting:
            where = PODS.path(self.run.namespace, f"{one.pod}:{one.port}", "proxy/start")
            try:
                self.reader.get_text(f"{where}?in={max(0.0, start - self.clock()):.3f}")
            except ApiError as error:
                problem = f"pod {one.pod} cannot be told to start: {error.message}"
                remedy = "see that pods can be reached through the API server, or run with one client"
                raise LlmHpaError(self.attempted, problem, remedy) from error

    def _together(self) -> Json:
        """The run's summary; raises the reason of the first client where none left one."""
        found = {index: one.summary for index, one in self.clients.items() if one.summary is not None}
        lost = {index: one.lost for index, one in self.clients.items() if one.lost is not None}
        if not found:
            raise next(iter(lost.values()))
        if self.run.clients == 1:
            return found[0]
        return merging.summaries(found, self.run.clients, {index: why.problem for index, why in lost.items()})

    def _gone(self) -> LlmHpaError:
        """Why there is no pod any more: what the Job says, where it says anything."""
        try:
            self._check_job()
        except LlmHpaError as error:
            if not isinstance(error, ApiError):
                return error
        return LlmHpaError(
            self.attempted, "its pod was deleted", "somebody or something removed it: run it again",
            exit_code=ExitCode.MEASUREMENT_INVALID,
        )  # fmt: skip

    def _pods(self) -> dict[int, Json]:
        """The run's pods by client, of several of one client the oldest; a read that fails is repeated for a while."""
        query = urlencode({"labelSelector": f"{BENCH_LABEL}={self.run.run}"})
        until = self.clock() + _PATIENCE_S
        while True:
            try:
                items = self.reader.get(f"{PODS.path(self.run.namespace)}?{query}").get("items") or []
                return by_client(items)
            except ApiError as error:
                if error.forbidden or self.clock() > until:
                    raise
                self.sleep(1)

    def _check_job(self) -> None:
        """Raises when the Job cannot make its pod (quota, pod security, a webhook), or has failed."""
        job = self.reader.get(JOBS.path(self.run.namespace, self.run.name))
        for event in self._events("Job", self.run.name):
            if event.get("reason") == "FailedCreate":
                raise LlmHpaError(self.attempted, *refused(str(event.get("message", ""))))
        for each in (job.get("status") or {}).get("conditions") or []:
            if each["type"] == "Failed":
                raise LlmHpaError(
                    self.attempted, str(each.get("message") or "the Job failed"), "run it again"
                )

    def _last_warning(self) -> str:
        """The newest warning about a pod of the run, else about its Job."""
        for kind, name in [*(("Pod", one.pod) for one in self.clients.values()), ("Job", self.run.name)]:
            warnings = [event for event in self._events(kind, name) if event.get("type") == "Warning"]
            if warnings:
                return f"{warnings[-1].get('reason')}: {warnings[-1].get('message')}"
        return ""

    def _events(self, kind: str, name: str) -> list[Json]:
        query = urlencode({"fieldSelector": f"involvedObject.kind={kind},involvedObject.name={name}"})
        try:
            items: list[Json] = (
                self.reader.get(f"{EVENTS.path(self.run.namespace)}?{query}").get("items") or []
            )
        except ApiError:
            return []
        return items


def by_client(pods: Iterable[Json]) -> dict[int, Json]:
    """Pods by the index that their Job gave them (0 where it gave none), the oldest of each."""
    found: dict[int, Json] = {}
    for pod in sorted(pods, key=lambda one: str(one["metadata"].get("creationTimestamp", ""))):
        index = int((pod["metadata"].get("annotations") or {}).get(INDEX, 0))
        found.setdefault(index, pod)
    return dict(sorted(found.items()))


def parse(text: str) -> list[Json]:
    """The marked lines of a log, in order; anything else, and half a line, is left out."""
    found = []
    for line in text.splitlines():
        marker, _, rest = line.partition(" ")
        if marker != MARKER:
            continue
        try:
            fact = json.loads(rest)
        except ValueError:
            continue
        if isinstance(fact, dict) and isinstance(fact.get("n"), int) and isinstance(fact.get("kind"), str):
            found.append(fact)
    return found
