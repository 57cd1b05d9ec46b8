"""The proof: a load that must make the live HPA scale out by a time that is known beforehand, then the scale-in.

What must happen is computed from the HPA's own targets with its own arithmetic (`sizing.prove`), before the load. While
replicas go, one request is always in flight, so that requests that are cut off with their pod are seen.
"""

from __future__ import annotations

import math
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from kubectl_llmhpa import hpa as autoscaler
from kubectl_llmhpa.api import Json, Reader, Writer
from kubectl_llmhpa.bench import job, run, seats_seen, target, timing
from kubectl_llmhpa.bench.following import Follower
from kubectl_llmhpa.bench.interrupts import uninterrupted
from kubectl_llmhpa.bench.load import Load
from kubectl_llmhpa.bench.observed import Proof, Rung
from kubectl_llmhpa.bench.outcome import Outcome
from kubectl_llmhpa.bench.preparing import Plan, Scene, Work
from kubectl_llmhpa.bench.recording import Recording, progress
from kubectl_llmhpa.bench.recording import outcome as outcome_of
from kubectl_llmhpa.bench.sizing import compare, prove
from kubectl_llmhpa.bench.sizing.prove import Prediction
from kubectl_llmhpa.errors import LlmHpaError
from kubectl_llmhpa.hpa.arithmetic import reading
from kubectl_llmhpa.workloads import ready_pods

#: After the last replica that goes was chosen: how long its pod may take to be gone.
_GONE_S = 40.0
_SHORT_WINDOW = (
    "the HPA's window for scaling in ({window} s) is shorter than the load ({hold:.0f} s): "
    "a dip may take replicas away"
)
#: As many streams as one client holds on most of a core (docs/measurements.md).
STREAMS = 1000
#: The client's reason for an answer that broke off.
_CUT = "disconnected"


def work(reader: Reader, scene: Scene) -> Work:
    """See `Work`. Raises LlmHpaError where no load is certain to move the HPA."""
    options, workload = scene.options, scene.workload
    hpa, replicas = scene.hpa, workload.replicas
    goal = options.replicas or replicas + 1
    attempted = f"prove that {workload.reference} scales"
    if hpa is None:
        remedy = f"make one: kubectl llm-hpa enable {workload.reference}"
        raise LlmHpaError(attempted, "no HPA scales it", remedy)
    if goal > hpa["spec"]["maxReplicas"]:
        problem = f"its HPA has {hpa['spec']['maxReplicas']} replicas at most, and {replicas} are there now"
        raise LlmHpaError(attempted, problem, "raise the maximum, or wait until it has scaled in")
    if len(ready_pods(scene.own)) != replicas * workload.counted_per_replica:
        problem = f"{len(ready_pods(scene.own))} pods are ready for {replicas} replicas"
        raise LlmHpaError(attempted, problem, "wait until all are, and no others")
    times, origins = timing.of(reader, scene)
    corrected, seen = seats_seen.correction(reader, scene)
    signals = [scene.signals.get(metric.name, "") for metric in autoscaler.view(hpa).metrics]
    spec = reading.spec(hpa)
    prediction = prove.predict(
        spec, signals, replicas=replicas, seats=scene.seats, timing=times, goal=goal, correction=corrected
    )
    check_clients(prediction.concurrency, options.clients, attempted)
    endpoint = target.find(reader, workload.namespace, scene.own, scene.sight.port, url=options.url)
    notes = prediction.notes
    if spec.down is not None and spec.down.window < prediction.hold:
        notes = (*notes, _SHORT_WINDOW.format(window=spec.down.window, hold=prediction.hold))
    chosen = Load(prediction.concurrency, prediction.reason, True, notes)
    settings = {"stages": [[prediction.hold, prediction.concurrency]]}
    inputs = {**origins, "seats": seen} if seen else origins
    return Work(endpoint, chosen, settings, prediction.hold, prediction=prediction, origins=inputs)


def check_clients(concurrency: int, clients: int, attempted: str) -> None:
    """Raise LlmHpaError where the clients cannot hold so many requests: they, not the engine, would set the pace."""
    needed = math.ceil(concurrency / STREAMS)
    if needed > clients:
        raise LlmHpaError(
            attempted,
            f"it takes {concurrency:,} requests in flight, and a client holds about {STREAMS:,}",
            f"add --clients {needed}",
        )


def execute(cluster: Writer, plan: Plan, view: run.Observer) -> Outcome:
    """Loads, awaits, compares."""
    prediction = plan.prediction
    assert prediction is not None
    scale_in = _ScaleIn(cluster, plan, prediction, view)
    awaited = plan.options.scale_in and bool(prediction.down)
    recording = run.record(cluster, plan, view, scale_in.wait if awaited else None)
    told = outcome_of(plan, recording, mode="prove")
    return replace(told, proof=_proof(plan, prediction, recording, scale_in if awaited else None))


@dataclass
class _ScaleIn:
    """The wait for the replicas to go, under one request in flight; `lost` are those that failed, by reason."""

    cluster: Writer
    plan: Plan
    prediction: Prediction
    view: run.Observer
    last: Json = field(default_factory=dict)

    @property
    def lost(self) -> dict[str, int]:
        return dict(self.last.get("failed") or {})

    def wait(self, recording: Recording) -> None:
        """Until as few replicas are there as predicted, or the deadline is over."""
        word = secrets.token_hex(3)
        limit = self.prediction.down[-1].deadline + _GONE_S
        trickle = replace(
            self.plan.run, run=word, name=job.job_name(self.plan.workload.name, word), clients=1,
            settings={**self.plan.run.settings, "stages": [[limit, 1]]}, deadline_s=int(limit) + 120,
        )  # fmt: skip
        follower = Follower(self.cluster, trickle)
        try:
            run.make(self.cluster, trickle, self.plan.sight.pod)
            follower.wait_for_start(self.plan.options.start_timeout_s, self.view.waiting)
            self._watch(recording, follower, recording.ended + limit)
        finally:
            with uninterrupted():
                run.remove(self.cluster, trickle, self.view)

    def _watch(self, recording: Recording, follower: Follower, until: float) -> None:
        timeline, goal = recording.timeline, self.prediction.down[-1].replicas
        while time.time() < until and follower.summary is None:
            for fact in follower.step():
                if fact["kind"] == "tick":
                    self.last = fact
            if self.last:
                self.view.progress(progress(self.plan, recording, self.last, "scale-in"))
            if (
                timeline.desired is not None
                and timeline.desired <= goal
                and timeline.ready == timeline.desired
            ):
                return
            time.sleep(1)


def _proof(plan: Plan, prediction: Prediction, recording: Recording, scale_in: _ScaleIn | None) -> Proof:
    zero, ended = recording.started, recording.ended - recording.started
    observed = _observed(recording, prediction.start)
    pairs = [(rung.seconds, rung.replicas) for rung in observed]
    down = prediction.down[-1] if scale_in is not None else None
    lost = scale_in.lost if scale_in is not None else {}
    return Proof(
        load=f"{plan.load.text}: {prediction.reason}",
        predicted=(Rung(0.0, prediction.start), *(Rung(step.deadline, step.replicas) for step in prediction.up)),
        observed=observed,
        deadline=prediction.deadline,
        rescaled=_first(pairs, lambda replicas: replicas > prediction.start),
        scale_in_deadline=None if down is None else down.deadline,
        scaled_in=None if down is None else _after(pairs, ended, down.replicas),
        cut=lost.get(_CUT, 0),
        failed=sum(count for reason, count in lost.items() if reason != _CUT),
        inputs=plan.origins,
        problems=compare.differences(prediction, pairs, ended=None if scale_in is None else ended) if zero else (),
    )  # fmt: skip


def _observed(recording: Recording, start: int) -> tuple[Rung, ...]:
    """The desired replicas over time, each number as often as it came anew; the first one is that at the start."""
    rungs = [Rung(0.0, start)]
    for one in recording.timeline.scalings:
        if one.at >= recording.started and one.desired and one.desired != rungs[-1].replicas:
            rungs.append(Rung(round(one.at - recording.started, 1), one.desired))
    return tuple(rungs)


def _first(observed: list[tuple[float, int]], good: Callable[[int], bool]) -> float | None:
    return next((at for at, replicas in observed if good(replicas)), None)


def _after(observed: list[tuple[float, int]], ended: float, goal: int) -> float | None:
    """Seconds from the end of the load until so few replicas were asked for."""
    return next((round(at - ended, 1) for at, replicas in observed if at > ended and replicas <= goal), None)
