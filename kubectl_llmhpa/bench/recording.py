"""What one load left behind, from all sides, and what every mode tells of it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from kubectl_llmhpa import hpa as autoscaler
from kubectl_llmhpa.api import Json
from kubectl_llmhpa.bench import results, sampling, starts
from kubectl_llmhpa.bench.observed import Moment, Sample
from kubectl_llmhpa.bench.outcome import Outcome
from kubectl_llmhpa.bench.preparing import Plan, asks_of
from kubectl_llmhpa.bench.results import Result
from kubectl_llmhpa.bench.sampling import Sampler
from kubectl_llmhpa.bench.share import PodShare
from kubectl_llmhpa.bench.starts import PodWatch
from kubectl_llmhpa.bench.timeline import Entry, Timeline
from kubectl_llmhpa.errors import LlmHpaError

#: What a metric may exceed its target by before the HPA acts, unless its spec says otherwise.
_TOLERANCE = 0.1


@dataclass(frozen=True)
class Progress:
    """How it goes, about once a second. Seconds count from the start of the load, or of a sweep's point.

    `phase` is what is done after the load; `points` are a sweep's point lines so far.
    """

    plan: Plan
    seconds: float
    want: float
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
    sample: Sample | None = None
    points: tuple[Json, ...] = ()
    rate: float | None = None
    phase: str = ""


@dataclass
class Recording:
    """What came in from all sides during one load. Times are this tool's wall clock.

    `started` is 0 until the load has started, `ended` until it is over. `points` are a sweep's point lines with the
    time at which each came. `fault` is what ended the load early, after something had been measured. `gone` says which
    engines ended under it.
    """

    timeline: Timeline
    sampler: Sampler
    pods: PodWatch
    started: float = 0.0
    ended: float = 0.0
    ticks: list[Json] = field(default_factory=list)
    points: list[tuple[float, Json]] = field(default_factory=list)
    summary: Json | None = None
    fault: LlmHpaError | None = None
    client_nodes: tuple[str, ...] = ()
    gone: tuple[str, ...] = ()


def outcome(plan: Plan, recording: Recording, *, mode: str) -> Outcome:
    """What every mode tells of its recording."""
    zero, timeline = recording.started, recording.timeline
    shares = recording.sampler.shares
    came = recording.pods.starts(zero) if zero else ()
    fault = recording.fault
    return Outcome(
        plan=plan,
        result=_result(plan, recording),
        entries=sorted(timeline.entries, key=lambda entry: entry.at),
        shares=shares.shares(),
        started=zero,
        first_rescale_s=timeline.first_rescale(zero) if zero else None,
        hpa=timeline.now,
        ready=timeline.ready,
        notes=[
            *(recording.gone if fault is None else ()),
            *(f"{pod}: {why}" for pod, why in sorted(shares.unread.items())),
        ],
        mode=mode,
        invalid="" if fault is None else f"{fault.problem}; what was measured before is shown",
        moments=moments(recording.ticks),
        samples=sampling.samples(recording.sampler.looks, zero) if zero else (),
        scalings=tuple(timeline.scalings),
        starts=came,
        lag=starts.lag(timeline.scalings, _above(plan), came, zero),
        cold_start=starts.cold_start(came),
        nodes=recording.pods.nodes(plan.only),
        client_nodes=recording.client_nodes,
    )


def moments(ticks: list[Json]) -> tuple[Moment, ...]:
    """The seconds of a load from its ticks; a sweep, whose ticks count every point anew, has none."""
    found: list[Moment] = []
    past: Json = {"t": 0.0, "sent": 0, "done": 0, "failed": {}}
    for now in ticks:
        if "point" in now:
            return ()
        seconds = max(0.001, now["t"] - past["t"])
        finished = now["done"] - past["done"]
        kept = now.get("good")
        found.append(
            Moment(
                seconds=now["t"],
                want=now["rate"] if now.get("rate") is not None else now["want"],
                in_flight=now["in_flight"],
                arrivals=round((now["sent"] - past["sent"]) / seconds, 2),
                finished=round(finished / seconds, 2),
                failed=sum(now["failed"].values()) - sum(past["failed"].values()),
                shed=now.get("shed", 0) - past.get("shed", 0),
                ttft=None if now["ttft_ms"] is None else now["ttft_ms"] / 1000,
                attainment=None
                if kept is None or finished <= 0
                else round((kept - past.get("good", 0)) / finished, 3),
            )
        )
        past = now
    return tuple(found)


def progress(plan: Plan, recording: Recording, fact: Json, phase: str = "") -> Progress:
    """How it goes by a tick and all that is watched."""
    timeline, looks = recording.timeline, recording.sampler.looks
    return Progress(
        plan=plan, seconds=time.time() - recording.started if phase else float(fact["t"]), want=fact["want"],
        in_flight=int(fact["in_flight"]), sent=int(fact["sent"]), done=int(fact["done"]), failed=dict(fact["failed"]),
        tokens=int(fact["tokens"]), ttft_ms=fact["ttft_ms"], hpa=timeline.now, ready=timeline.ready,
        started=recording.started, entries=tuple(timeline.entries),
        shares=tuple(recording.sampler.shares.shares()),
        sample=sampling.samples(looks[-1:], recording.started)[0] if looks else None,
        points=tuple(point for _, point in recording.points), rate=fact.get("rate"), phase=phase,
    )  # fmt: skip


def end_of(recording: Recording) -> float:
    """The wall clock at the end of the load: what came later was the drain."""
    summary = recording.summary or {}
    seconds = summary.get("duration_s") or (summary.get("result") or {}).get("duration")
    if not seconds or recording.points:
        return time.time()
    return recording.started + float(seconds)


def _result(plan: Plan, recording: Recording) -> Result:
    """The load's own summary; where it left none, the last that it said."""
    if recording.summary is not None:
        return results.of(plan.options.tool, recording.summary)
    last: Json = recording.ticks[-1] if recording.ticks else {}
    seconds = float(last.get("t", 0))
    counts: Json = {name: last[name] for name in ("sent", "done", "failed") if name in last}
    facts: Json = {
        **counts, "ended": "lost", "duration_s": seconds, "output_tokens": last.get("tokens", 0),
        "request_rate": last.get("done", 0) / seconds if seconds else 0.0,
    }  # fmt: skip
    return results.of_builtin(facts)


def _above(plan: Plan) -> Callable[[str, float], bool]:
    """Whether a value of a metric, by its name, is more than the HPA tolerates."""
    targets = {ask.metric: ask.target for ask in asks_of(plan.hpa, plan.signals)}
    return lambda name, value: name in targets and value > (1 + _TOLERANCE) * targets[name]
