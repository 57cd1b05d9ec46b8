"""The benchmark's pod from its making to its last line: why it does not start, what it prints, how it ended."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import urlencode

from kubectl_llmhpa.api import EVENTS, JOBS, PODS, Json, Reader
from kubectl_llmhpa.bench.job import BENCH_LABEL, CONTAINER, Run
from kubectl_llmhpa.bench.pod.client import MARKER
from kubectl_llmhpa.errors import ApiError, ExitCode, LlmHpaError

_IMAGE = "name an image that has Python 3.8 or later with --image, for example python:3.12-slim"
_NO_PULL = ("ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "RegistryUnavailable")
_NO_START = (
    "CreateContainerError",
    "RunContainerError",
    "CreateContainerConfigError",
    "StartError",
    "CrashLoopBackOff",
)
_PATIENCE_S = 15  # for reads that fail one after the other


@dataclass
class Follower:
    """Follows one run's pod. `sleep` and `clock` are handed in for tests."""

    reader: Reader
    run: Run
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    pod: str = ""
    seen: int = 0
    summary: Json | None = None
    _lines: list[str] = field(default_factory=list)

    @property
    def attempted(self) -> str:
        return f"run the benchmark (job {self.run.name})"

    def wait_for_start(self, limit_s: float, say: Callable[[str], None]) -> None:
        """Until the container runs or has ended. Raises LlmHpaError with the reason when it cannot."""
        deadline = self.clock() + limit_s
        what = "waiting for the pod"
        while True:
            pod = self._pod()
            if pod is None:
                self._check_job()
            else:
                self.pod = pod["metadata"]["name"]
                state = container_state(pod)
                if "running" in state or "terminated" in state:
                    return
                what = why_waiting(pod, state, self.attempted)
            say(what)
            if self.clock() > deadline:
                hint = self._last_warning()
                problem = f"the pod did not start within {limit_s:.0f} s: {hint or what}"
                raise LlmHpaError(
                    self.attempted, problem, "see: kubectl describe job, or give it more --timeout"
                )
            self.sleep(1)

    def step(self) -> list[Json]:
        """The new lines since the last step, parsed; `summary` is set when it came.

        Raises LlmHpaError when the container ended without a summary, or the pod is gone.
        """
        pod = self._pod()
        if pod is None:
            raise LlmHpaError(
                self.attempted, "its pod was deleted", "somebody or something removed it: run it again"
            )
        state = container_state(pod)
        facts = self._read()
        if self.summary is None and "terminated" in state:
            facts += self._read()  # lines may have come between the two reads
            if self.summary is None:
                raise self._ended_badly(pod, state["terminated"])
        return facts

    def _read(self) -> list[Json]:
        query = urlencode({"container": CONTAINER, "tailLines": 60})
        try:
            text = self.reader.get_text(PODS.path(self.run.namespace, self.pod, "log") + f"?{query}")
        except ApiError:
            return []
        self._lines = text.splitlines()
        fresh = [fact for fact in parse(text) if fact["n"] > self.seen]
        for fact in fresh:
            self.seen = max(self.seen, fact["n"])
            if fact["kind"] == "summary":
                self.summary = fact
        return fresh

    def _ended_badly(self, pod: Json, terminated: Json) -> LlmHpaError:
        code, reason = terminated.get("exitCode"), str(terminated.get("reason", ""))
        message = str(terminated.get("message") or "")
        if code in (126, 127) or reason in ("StartError", "ContainerCannotRun"):
            return _no_start(self.attempted, pod, message or f"its command was not found (exit {code})")
        if reason == "OOMKilled":
            return LlmHpaError(
                self.attempted, "its pod ran out of memory", "lower --concurrency or --input-len"
            )
        if pod.get("status", {}).get("reason") in ("DeadlineExceeded", "Evicted"):
            return LlmHpaError(
                self.attempted, f"its pod was ended: {pod['status'].get('message')}", "run it again"
            )
        tail = " | ".join(line for line in self._lines[-6:] if not line.startswith(MARKER))
        problem = f"its pod ended (exit {code}, {reason}) without a result: {tail or message or 'no output'}"
        remedy = _IMAGE if "No module named" in tail or "SyntaxError" in tail else "see docs/bench.md"
        return LlmHpaError(self.attempted, problem, remedy, exit_code=ExitCode.MEASUREMENT_INVALID)

    def _pod(self) -> Json | None:
        """The run's pod; a read that fails is repeated for a while."""
        query = urlencode({"labelSelector": f"{BENCH_LABEL}={self.run.run}"})
        until = self.clock() + _PATIENCE_S
        while True:
            try:
                items = self.reader.get(f"{PODS.path(self.run.namespace)}?{query}").get("items") or []
                return items[0] if items else None
            except ApiError as error:
                if error.forbidden or self.clock() > until:
                    raise
                self.sleep(1)

    def _check_job(self) -> None:
        """Raises when the Job cannot make its pod (quota, pod security, a webhook)."""
        job = self.reader.get(JOBS.path(self.run.namespace, self.run.name))
        failed = [
            each for each in (job.get("status") or {}).get("conditions") or [] if each["type"] == "Failed"
        ]
        for event in self._events("Job", self.run.name):
            if event.get("reason") == "FailedCreate":
                raise LlmHpaError(self.attempted, *_refused(str(event.get("message", ""))))
        if failed:
            raise LlmHpaError(
                self.attempted, str(failed[0].get("message") or "the Job failed"), "run it again"
            )

    def _last_warning(self) -> str:
        events = self._events("Pod", self.pod) if self.pod else self._events("Job", self.run.name)
        warnings = [event for event in events if event.get("type") == "Warning"]
        return f"{warnings[-1].get('reason')}: {warnings[-1].get('message')}" if warnings else ""

    def _events(self, kind: str, name: str) -> list[Json]:
        query = urlencode({"fieldSelector": f"involvedObject.kind={kind},involvedObject.name={name}"})
        try:
            items: list[Json] = (
                self.reader.get(f"{EVENTS.path(self.run.namespace)}?{query}").get("items") or []
            )
        except ApiError:
            return []
        return items


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


def container_state(pod: Json) -> Json:
    """`{"waiting"|"running"|"terminated": {...}}` of the benchmark's container; {} before there is one."""
    for status in pod.get("status", {}).get("containerStatuses") or []:
        if status["name"] == CONTAINER:
            state: Json = status.get("state") or {}
            return state
    return {}


def why_waiting(pod: Json, state: Json, attempted: str) -> str:
    """What the pod waits for, in a few words. Raises LlmHpaError for what does not pass by waiting."""
    waiting = state.get("waiting") or {}
    reason, message = str(waiting.get("reason", "")), str(waiting.get("message") or "")
    if reason in _NO_PULL:
        image = pod["spec"]["containers"][0].get("image")
        problem = f"image {image} cannot be pulled: {message or reason}"
        raise LlmHpaError(attempted, problem, "name one that the nodes can pull, with --image")
    if reason in _NO_START:
        raise _no_start(attempted, pod, message or reason)
    for condition in pod.get("status", {}).get("conditions") or []:
        if condition["type"] == "PodScheduled" and condition["status"] == "False":
            return f"no node takes the pod yet: {condition.get('message') or condition.get('reason')}"
    if reason in ("ContainerCreating", "PodInitializing", ""):
        return "the pod is being started (the image may have to be pulled)"
    return f"the pod waits: {reason} {message}".rstrip()


def _no_start(attempted: str, pod: Json, message: str) -> LlmHpaError:
    if "not found" in message or "no such file" in message:
        image = pod["spec"]["containers"][0].get("image")
        reason = message[message.find("exec: ") :] if "exec: " in message else message
        return LlmHpaError(attempted, f"image {image} has no Python to run it with ({reason})", _IMAGE)
    return LlmHpaError(attempted, f"the container cannot start: {message}", "see: kubectl describe pod")


def _refused(message: str) -> tuple[str, str]:
    """(problem, remedy) for a pod that the API server refuses."""
    if "exceeded quota" in message or "must specify" in message:
        return (
            f"the namespace's quota forbids its pod: {message}",
            "raise the ResourceQuota or free some of it",
        )
    if "PodSecurity" in message or "security context constraint" in message:
        return f"the namespace's pod security forbids its pod: {message}", "see docs/bench.md"
    return f"its pod is refused: {message}", "see: kubectl describe job"
