"""The profile: requests that come when they come, however many are in flight, against the live HPA."""

from __future__ import annotations

from kubectl_llmhpa.api import Reader, Writer
from kubectl_llmhpa.bench import peak as peaks
from kubectl_llmhpa.bench import recording, run, target
from kubectl_llmhpa.bench.load import Load
from kubectl_llmhpa.bench.outcome import Outcome
from kubectl_llmhpa.bench.preparing import Plan, Scene, Work
from kubectl_llmhpa.bench.sizing.curve import curve


def work(reader: Reader, scene: Scene) -> Work:
    """See `Work`."""
    options = scene.options
    stages, reason = options.stages, f"{len(options.stages)} stages"
    if options.unscaled:
        most, why = peaks.peak(scene.asks, scene.ready, _pod(scene))
        stages = tuple((seconds, first * most, last * most) for seconds, first, last in stages)
        reason = f"{reason}; the peak {why}"
    peak = max(max(first, last) for _, first, last in stages)
    seconds = sum(stage[0] for stage in stages)
    endpoint = target.find(reader, scene.workload.namespace, scene.own, scene.sight.port, url=options.url)
    notes = () if scene.hpa is not None else ("nothing scales it: the replicas stay as they are",)
    if options.unscaled and scene.max_replicas is not None and scene.max_replicas < 2 * scene.ready:
        notes = (
            f"the peak asks for {2 * scene.ready} replicas, and the HPA makes {scene.max_replicas} at most",
        )
    chosen = Load(0, reason, False, notes, rate=round(peak, 3))
    return Work(endpoint, chosen, {"rates": [list(stage) for stage in stages]}, seconds)


def _pod(scene: Scene) -> peaks.Pod:
    """What tells how much a pod serves."""
    options, sight = scene.options, scene.sight
    measured = None if options.measured is None else curve(options.measured)
    latency = peaks.latency(sight.facts, sight.body)
    return peaks.Pod(options.output_tokens, scene.seats, measured, latency)


def execute(cluster: Writer, plan: Plan, view: run.Observer) -> Outcome:
    """Loads and tells."""
    return recording.outcome(plan, run.record(cluster, plan, view), mode="profile")
