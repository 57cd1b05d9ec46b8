"""One benchmark run, from the making of its Job to the removal of everything that was made."""

from __future__ import annotations

import contextlib
import time
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import urlencode

from kubectl_llmhpa import hpa as autoscaler
from kubectl_llmhpa.api import CONFIG_MAPS, JOBS, PODS, Json, Reader, Writer
from kubectl_llmhpa.bench import job, results
from kubectl_llmhpa.bench.following import Follower
from kubectl_llmhpa.bench.interrupts import interruptible, uninterrupted
from kubectl_llmhpa.bench.outcome import Outcome
from kubectl_llmhpa.bench.preparing import Plan
from kubectl_llmhpa.bench.share import PodShare, Shares
from kubectl_llmhpa.bench.timeline import Entry, Timeline
from kubectl_llmhpa.errors import ApiError, LlmHpaError
from kubectl_llmhpa.workloads import pods, ready_pods

#: How often, in seconds, the engines' own counters are read.
_SHARE_EVERY_S = 5.0


@dataclass(frozen=True)
class Progress:
    """How it goes, about once a second. Seconds count from the start of the load."""

    plan: Plan
    seconds: float
    want: int
    in_flight: int
    sent: int
    done: int
    failed: dict[str, int]
    tokens: int
    ttft_ms: float | None
    hpa: autoscaler.HpaView | None
    ready: int | None
    started: float
    entries: tuple[Entry, ...]
    shares: tuple[PodShare, ...]


class Observer(Protocol):
    """The view."""

    def planned(self, plan: Plan) -> None:
        """Before anything is made."""

    def waiting(self, text: str) -> None:
        """While the pod does not run yet; the same text may come many times."""

    def progress(self, progress: Progress) -> None:
        """About once a second under load."""

    def finishing(self, text: str) -> None:
        """While things are removed."""


def execute(cluster: Writer, plan: Plan, view: Observer) -> Outcome:
    """Makes the Job, follows it, and removes it again whatever happens (unless `keep`)."""
    options, namespace = plan.options, plan.workload.namespace
    timeline = Timeline(cluster, namespace)
    shares = Shares(cluster, namespace, plan.sight.port, plan.sight.path)
    follower = Follower(cluster, plan.run)
    limit = plan.run.deadline_s + 60.0
    view.planned(plan)
    with interruptible():
        try:
            _count(cluster, plan, shares, start=True)
            timeline.start(plan.hpa, plan.workload.resource, plan.workload.name, limit)
            made = cluster.create(job.render(plan.run, plan.sight.pod))
            cluster.create(job.config_map(plan.run, made))
            follower.wait_for_start(options.start_timeout_s, view.waiting)
            started = _follow(cluster, plan, follower, timeline, shares, view)
            time.sleep(2 if plan.hpa else 0)  # the event of a rescale comes after the rescale
            _count(cluster, plan, shares)
        finally:
            with uninterrupted():
                timeline.stop()
                if options.keep:
                    view.finishing(f"kept: job/{plan.run.name} (it goes away {job.TTL_S} s after its end)")
                else:
                    remove(cluster, plan, view)
    assert follower.summary is not None
    if follower.summary.get("missing"):
        image = options.image or plan.sight.container["image"]
        raise LlmHpaError(
            follower.attempted, f"image {image} has no load generator of vLLM",
            "use --tool builtin, or name vLLM's image with --image",
        )  # fmt: skip
    prompts = options.num_prompts or 0
    result = (
        results.of_builtin if options.tool == "builtin" else lambda facts: results.of_vllm(facts, prompts)
    )
    return Outcome(
        plan=plan,
        result=result(follower.summary),
        entries=sorted(timeline.entries, key=lambda entry: entry.at),
        shares=shares.shares(),
        started=started,
        first_rescale_s=timeline.first_rescale(started) if started else None,
        hpa=timeline.now,
        ready=timeline.ready,
        notes=[f"{pod}: {why}" for pod, why in sorted(shares.unread.items())],
        scalings=tuple(timeline.scalings),
    )


def _follow(
    cluster: Reader, plan: Plan, follower: Follower, timeline: Timeline, shares: Shares, view: Observer
) -> float:
    """Until the summary line; the wall clock at the start of the load (0.0 if it never started)."""
    started = 0.0
    told = False
    looked = time.monotonic()
    fact: Json = {}
    while True:
        for fact in follower.step():
            now = time.time()
            if fact["kind"] == "start":
                started = now
            if fact["kind"] == "tick" and started:
                # The log is read once a second: the earliest estimate is the nearest one.
                started = min(started, now - float(fact["t"]))
                if not told:
                    timeline.note("load", f"load starts: {plan.load.concurrency} requests in flight", started)
                told = True
        if not started and follower.summary is None:
            view.waiting("waiting for the first answer")
        if started and fact.get("kind") == "tick":
            view.progress(_progress(plan, fact, timeline, shares, started))
        if started and time.monotonic() - looked > _SHARE_EVERY_S:
            looked = time.monotonic()
            _count(cluster, plan, shares)
        if follower.summary is not None:
            break
        time.sleep(1)
    if started and told:
        timeline.move("load", started)
        timeline.note("load", "load ends", _end(follower.summary, started))
    return started


def _end(summary: Json, started: float) -> float:
    """The wall clock at the end of the load: what came later was the drain."""
    seconds = summary.get("duration_s") or (summary.get("result") or {}).get("duration")
    return started + float(seconds) if seconds else time.time()


def _count(cluster: Reader, plan: Plan, shares: Shares, *, start: bool = False) -> None:
    """Reads the counters of the ready pods; a failed read is no reason to end the run."""
    with contextlib.suppress(ApiError):
        shares.look(ready_pods(pods(cluster, plan.workload)), start=start)


def _progress(plan: Plan, fact: Json, timeline: Timeline, shares: Shares, started: float) -> Progress:
    return Progress(
        plan=plan, seconds=float(fact["t"]), want=int(fact["want"]), in_flight=int(fact["in_flight"]),
        sent=int(fact["sent"]), done=int(fact["done"]), failed=dict(fact["failed"]), tokens=int(fact["tokens"]),
        ttft_ms=fact["ttft_ms"], hpa=timeline.now, ready=timeline.ready, started=started,
        entries=tuple(timeline.entries), shares=tuple(shares.shares()),
    )  # fmt: skip


def remove(cluster: Writer, plan: Plan, view: Observer) -> None:
    """Deletes the Job (its pod and ConfigMap go with it) and waits until the pod is gone; never raises."""
    namespace, name = plan.workload.namespace, plan.run.name
    view.finishing(f"removing job/{name}")
    left = ""
    for resource in (JOBS, CONFIG_MAPS):
        try:
            cluster.delete(resource, namespace, name)
        except ApiError as error:
            left = f"{resource.kind.lower()}/{name} is still there: {error.message}"
    query = urlencode({"labelSelector": f"{job.BENCH_LABEL}={plan.run.run}"})
    until = time.monotonic() + 20
    while not left and time.monotonic() < until:
        try:
            if not cluster.get(f"{PODS.path(namespace)}?{query}").get("items"):
                return
        except ApiError as error:
            left = f"whether its pod is gone cannot be seen: {error.message}"
        time.sleep(0.5)
    view.finishing(left or f"the pod of job/{name} is still terminating")
