"""The sweep: a closed loop, point after point, on pods that nobody adds to, and what an HPA should aim at by it.

Without a number of replicas the load goes straight to one ready pod: nothing has to be held, and the HPA goes on (it
may well scale up; the new pods get nothing of this load). With a number the autoscaler's limits are held at it and the
load goes through the Service.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from kubectl_llmhpa.api import Json, Reader, Writer
from kubectl_llmhpa.bench import results, run, sampling, target, timing
from kubectl_llmhpa.bench.load import Load
from kubectl_llmhpa.bench.outcome import Outcome
from kubectl_llmhpa.bench.pod import adaptive
from kubectl_llmhpa.bench.preparing import Plan, Scene, Work, seed_of
from kubectl_llmhpa.bench.recording import Recording
from kubectl_llmhpa.bench.recording import outcome as outcome_of
from kubectl_llmhpa.bench.sampling import Look
from kubectl_llmhpa.bench.sizing import validity
from kubectl_llmhpa.bench.sizing.judge import judge
from kubectl_llmhpa.bench.sizing.model import ColdStart, Conditions, Point, Slo, Sweep
from kubectl_llmhpa.engines import exposition, vllm
from kubectl_llmhpa.errors import LlmHpaError
from kubectl_llmhpa.workloads import is_ready, pods, ready_pods
from kubectl_llmhpa.workloads.pods import start_times

#: After so many points in a row that mostly miss the SLO, or one in which more than so many requests fail, it ends.
_STOP = {"misses": 0.5, "points": 2, "failures": 0.05}
#: Of a point's time, at each end: what the engines say then may belong to the point beside it.
_EDGE_S = 1.0


def work(reader: Reader, scene: Scene) -> Work:
    """See `Work`."""
    options = scene.options
    count = options.replicas or 1
    endpoint, only = _endpoint(reader, scene)
    listed = _points(scene, count)
    settings: dict[str, Any] = {"stop": _STOP, "points": listed, "output_spread": adaptive.OUTPUT_SPREAD}
    if not options.points and options.tool == "builtin":
        settings = {"adaptive": _plan(scene, count), "output_spread": adaptive.OUTPUT_SPREAD}
    most = max(point["concurrency"] for point in listed)
    reason = f"points {', '.join(str(point['concurrency']) for point in listed)}" if options.points else (
        f"points chosen by what is measured, from {scene.seats or 'unknown'} seats"
    )  # fmt: skip
    seconds = sum(point["max_seconds"] for point in listed)
    notes = () if only == "" or scene.hpa is None else (
        f"the load goes to pod {only} alone; the HPA goes on, and may scale up by it",
    )  # fmt: skip
    pins = options.replicas if scene.hpa is not None else None
    chosen = Load(most, reason, False, notes, rising=True)
    return Work(endpoint, chosen, settings, seconds, only, pins, conditions=conditions(reader, scene))


def execute(cluster: Writer, plan: Plan, view: run.Observer) -> Outcome:
    """Sweeps; what is said of the numbers follows from `sizing`."""
    before = start_times(pods(cluster, plan.workload))
    recording = run.record(cluster, plan, view)
    told = outcome_of(plan, recording, mode="sweep")
    if not recording.points:
        return told
    cold = told.cold_start
    if cold is None and before:
        cold = ColdStart(ready=before[-1], pods=len(before))
    rules = validity.Rules(seconds=min(validity.Rules.seconds, plan.options.duration_s))
    sweep = validity.checked(replace(sweep_of(plan, recording), cold_start=cold), rules)
    return replace(told, sweep=sweep, sizing=judge(sweep, plan.conditions))


def conditions(reader: Reader, scene: Scene) -> Conditions:
    """What the points are judged by.

    The signals that the HPA uses come first: for them a target is to be found at any rate. Without an HPA the
    times are those of what `enable` would make.
    """
    usual = Conditions()
    if scene.hpa is None:
        return usual.expecting(scene.options.arrivals)
    times, _ = timing.of(reader, scene)
    used = [ask.signal for ask in scene.asks if ask.signal]
    signals = tuple(dict.fromkeys((*used, *usual.signals)))
    found = replace(usual, signals=signals, scrape=times.scrape, sync=times.sync)
    return found.expecting(scene.options.arrivals)


def sweep_of(plan: Plan, recording: Recording) -> Sweep:
    """The points with what the engines said while each lasted."""
    facts, options = plan.sight.facts, plan.options
    count = options.replicas or 1
    looks = recording.sampler.looks
    points = [_point(plan, fact, count, during(looks, at, fact)) for at, fact in recording.points]
    stopped = str((recording.summary or {}).get("stopped", ""))
    if recording.fault is not None:
        stopped = recording.fault.problem
    cache = (
        vllm.cache_blocks(exposition.read(plan.sight.body, buckets=False)) if facts.engine == "vllm" else None
    )
    return Sweep(
        points=tuple(sorted(points, key=lambda point: point.concurrency)),
        slo=options.slo,
        input_tokens=options.input_tokens,
        output_tokens=options.output_tokens,
        seats=None if facts.seats is None else facts.seats.value,
        block=cache[0] if cache else None,
        blocks=cache[1] if cache else None,
        stopped=stopped,
    )


def during(looks: list[Look], came: float, fact: Json) -> list[Look]:
    """The looks that lie within a point: its line came when it was over, and says how long it took."""
    seconds = float(fact.get("duration_s") or (fact.get("result") or {}).get("duration") or 0.0)
    edge = min(_EDGE_S, seconds / 4)
    return [look for look in looks if came - seconds + edge <= look.at <= came - edge]


def _point(plan: Plan, fact: Json, count: int, looks: list[Look]) -> Point:
    point = results.point(plan.options.tool, fact, count)
    return replace(
        point,
        running=sampling.gauge(looks, "running"),
        waiting=sampling.gauge(looks, "waiting"),
        kv_cache=sampling.gauge(looks, "kv_cache"),
        server_output_tokens=sampling.growth(looks, "output_tokens"),
        preemptions=sampling.growth(looks, "preemptions"),
    )


def _endpoint(reader: Reader, scene: Scene) -> tuple[target.Endpoint, str]:
    """Where the load goes, and the one pod's name where it goes to one."""
    options, sight, workload = scene.options, scene.sight, scene.workload
    attempted = f"sweep {workload.reference}"
    ready = ready_pods(scene.own)
    if options.replicas is not None:
        if scene.hpa is None and len(ready) != options.replicas:
            raise LlmHpaError(
                attempted, f"{len(ready)} pods are ready, and no autoscaler is there to hold {options.replicas}",
                f"scale it first: kubectl -n {workload.namespace} scale {workload.reference} "
                f"--replicas {options.replicas}",
            )  # fmt: skip
        return target.find(reader, workload.namespace, scene.own, sight.port, url=options.url), ""
    if options.url:
        raise LlmHpaError(
            attempted, "how many pods are behind --url is not known", "say how many with --replicas"
        )
    pod = sight.pod if is_ready(sight.pod) else next(iter(ready), None)
    if pod is None:
        raise LlmHpaError(attempted, "none of its pods is ready", "see: kubectl llm-hpa doctor")
    name, address = pod["metadata"]["name"], str(pod["status"]["podIP"])
    host = f"[{address}]" if ":" in address else address
    return target.Endpoint(f"{sight.scheme}://{host}:{sight.port}", f"pod/{name} alone"), name


def _plan(scene: Scene, count: int) -> dict[str, Any]:
    """What the choice of points is made from, see `pod.adaptive`."""
    options = scene.options
    return {
        "seats": scene.seats, "pods": count, "share": options.slo.share if asks(options.slo) else None,
        "most": options.concurrency, "budget_s": adaptive.BUDGET_S, "min_seconds": options.duration_s,
        "seed": seed_of(options),
    }  # fmt: skip


def _points(scene: Scene, count: int) -> list[dict[str, Any]]:
    """The points as listed, or what they are at most where they are chosen as it goes."""
    plan = _plan(scene, count)
    if not scene.options.points:
        return adaptive.listed(plan)
    least = scene.options.duration_s
    return [
        {
            "concurrency": concurrency, "seed": plan["seed"] + number, "min_seconds": least,
            "min_requests": adaptive.enough(concurrency, plan["share"]),
            "max_seconds": adaptive.LONGEST * least + adaptive.FIRST_WARMUP_S,
            "warmup_s": min(adaptive.FIRST_WARMUP_S, least),
        }
        for number, concurrency in enumerate(scene.options.points, 1)
    ]  # fmt: skip


def asks(slo: Slo) -> bool:
    """Whether there is any limit in it."""
    return any(limit is not None for limit in (slo.ttft, slo.tpot, slo.e2e))
