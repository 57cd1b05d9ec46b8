"""One load, from the making of its Job to the removal of everything that was made, recorded from all sides."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol
from urllib.parse import urlencode

from kubectl_llmhpa.api import CONFIG_MAPS, JOBS, PODS, Json, Writer
from kubectl_llmhpa.bench import job
from kubectl_llmhpa.bench.following import Follower
from kubectl_llmhpa.bench.interrupts import interruptible, uninterrupted
from kubectl_llmhpa.bench.preparing import Plan, refuse_second_run
from kubectl_llmhpa.bench.recording import Progress, Recording, end_of, progress
from kubectl_llmhpa.bench.sampling import Sampler
from kubectl_llmhpa.bench.share import Shares
from kubectl_llmhpa.bench.starts import PodWatch
from kubectl_llmhpa.bench.timeline import Timeline
from kubectl_llmhpa.errors import ApiError, ExitCode, LlmHpaError
from kubectl_llmhpa.plan import pinning
from kubectl_llmhpa.workloads import pods, ready_pods


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


#: What a mode does after its load, while everything is still watched.
After = Callable[[Recording], None]


def record(cluster: Writer, plan: Plan, view: Observer, after: After | None = None) -> Recording:
    """Makes the load and watches; whatever happens, everything that was made is removed again (unless `keep`).

    Raises LlmHpaError for what went wrong before anything was measured, and where another benchmark has begun since
    the plan was made: somebody may have thought about a question for long.
    """
    refuse_second_run(cluster, plan.workload)
    workload, limit = plan.workload, plan.run.deadline_s + 60.0
    timeline = Timeline(cluster, workload.namespace, plan.signals)
    watched = PodWatch(cluster, workload, timeline.note)
    sampler = Sampler(cluster, workload, plan.sight, Shares(), plan.only, watched.sampled)
    recording = Recording(timeline, sampler, watched)
    view.planned(plan)
    with interruptible():
        try:
            _hold(cluster, plan, view)
            sampler.start()
            watched.start(pods(cluster, workload), limit)
            timeline.start(plan.hpa, workload.resource, workload.name, limit)
            _load(cluster, plan, recording, view)
            if after is not None and recording.fault is None:
                after(recording)
            time.sleep(2 if plan.hpa else 0)  # the event of a rescale comes after the rescale
            sampler.look()
        finally:
            with uninterrupted():
                for part in (timeline, sampler, watched):
                    part.stop()
                if plan.options.keep:
                    view.finishing(f"kept: job/{plan.run.name} (it goes away {job.TTL_S} s after its end)")
                else:
                    remove(cluster, plan.run, view)
                if plan.pins is not None:
                    _let_go(cluster, plan, view)
    return recording


def make(cluster: Writer, run: job.Run, pod: Json) -> None:
    """Creates the Job and its ConfigMap; the Job says which process follows it."""
    rendered = job.render(run, pod)
    rendered["metadata"]["annotations"] = {pinning.CLIENT_ANNOTATION: pinning.client()}
    cluster.create(job.config_map(run, cluster.create(rendered)))


def remove(cluster: Writer, run: job.Run, view: Observer) -> None:
    """Deletes the Job (its pods and ConfigMap go with it) and waits until the pods are gone; never raises."""
    view.finishing(f"removing job/{run.name}")
    left = ""
    for resource in (JOBS, CONFIG_MAPS):
        try:
            cluster.delete(resource, run.namespace, run.name)
        except ApiError as error:
            left = f"{resource.kind.lower()}/{run.name} is still there: {error.message}"
    query = urlencode({"labelSelector": f"{job.BENCH_LABEL}={run.run}"})
    until = time.monotonic() + 20
    while not left and time.monotonic() < until:
        try:
            if not cluster.get(f"{PODS.path(run.namespace)}?{query}").get("items"):
                return
        except ApiError as error:
            left = f"whether its pod is gone cannot be seen: {error.message}"
        time.sleep(0.5)
    view.finishing(left or f"the pod of job/{run.name} is still terminating")


def _load(cluster: Writer, plan: Plan, recording: Recording, view: Observer) -> None:
    """Makes the load and follows it to its summary, or to what ended it after something was measured."""
    follower = Follower(cluster, plan.run)
    make(cluster, plan.run, plan.sight.pod)
    refuse_second_run(cluster, plan.workload, own=plan.run.name)  # made at the same moment: both give way
    follower.wait_for_start(plan.options.start_timeout_s, view.waiting)
    recording.client_nodes = follower.nodes
    try:
        _follow(plan, follower, recording, view)
    except LlmHpaError as fault:
        if not recording.ticks and not recording.points:
            raise
        recording.fault = fault
    recording.ended = end_of(recording)
    recording.gone = tuple(f"{how} under the load" for how in sorted(recording.pods.ended.values()))
    if recording.started:
        recording.timeline.note("load", "load ends", recording.ended)
    if recording.summary is not None and recording.summary.get("missing"):
        image = plan.options.image or plan.sight.container["image"]
        raise LlmHpaError(
            follower.attempted, f"image {image} has no load generator of {plan.options.tool}",
            "use --tool builtin, or name an image that has it with --image",
        )  # fmt: skip


def _follow(plan: Plan, follower: Follower, recording: Recording, view: Observer) -> None:
    """Until the summary line."""
    timeline = recording.timeline
    while follower.summary is None:
        for fact in follower.step():
            now = time.time()
            if fact["kind"] == "start":
                recording.started = now
            elif fact["kind"] == "point":
                recording.points.append((now, fact))
            elif fact["kind"] == "tick" and recording.started:
                if not recording.ticks:
                    timeline.note("load", f"load starts: {plan.load.text}", recording.started)
                if "point" not in fact:  # there it counts from the start of a point
                    # The log is read once a second: the earliest estimate is the nearest one.
                    recording.started = min(recording.started, now - float(fact["t"]))
                recording.ticks.append(fact)
        if recording.ticks:
            view.progress(progress(plan, recording, recording.ticks[-1]))
        elif follower.summary is None:
            view.waiting("waiting for the first answer")
        if follower.summary is None:
            _still_there(plan, recording, follower.attempted)
            time.sleep(1)
    recording.summary = follower.summary
    timeline.move("load", recording.started)


def _still_there(plan: Plan, recording: Recording, attempted: str) -> None:
    """Raises LlmHpaError when the one pod that is loaded is not the one that it was."""
    ended = recording.pods.ended.get(plan.only)
    if ended is not None:
        raise LlmHpaError(
            attempted, f"{ended} under the load", "see why: kubectl describe pod; then run it again",
            exit_code=ExitCode.MEASUREMENT_INVALID,
        )  # fmt: skip


def _hold(cluster: Writer, plan: Plan, view: Observer) -> None:
    """Holds the replicas where that was asked for, and waits until they are ready."""
    if plan.pins is None or plan.hpa is None:
        return
    pinning.pin(cluster, plan.workload, plan.hpa, plan.pins)
    until = time.monotonic() + plan.options.start_timeout_s
    while True:
        ready = len(ready_pods(pods(cluster, plan.workload)))
        if ready == plan.pins:
            return
        view.waiting(f"waiting for {plan.pins} ready replicas, {ready} are")
        if time.monotonic() > until:
            raise LlmHpaError(
                f"hold {plan.workload.reference} at {plan.pins} replicas", f"{ready} are ready after "
                f"{plan.options.start_timeout_s:.0f} s", "ask for fewer --replicas, or give it more --timeout",
            )  # fmt: skip
        time.sleep(1)


def _let_go(cluster: Writer, plan: Plan, view: Observer) -> None:
    """Gives the limits back; never raises."""
    try:
        done = pinning.release(cluster, plan.workload)
    except LlmHpaError as error:
        done = (
            f"the limits of the autoscaler are still held: {error}; the next command for it gives them back"
        )
    if done:
        view.finishing(done)
