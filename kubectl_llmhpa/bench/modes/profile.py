"""The profile: requests that come when they come, however many are in flight, against the live HPA."""

from __future__ import annotations

from kubectl_llmhpa.api import Reader, Writer
from kubectl_llmhpa.bench import recording, run, target
from kubectl_llmhpa.bench.load import Load
from kubectl_llmhpa.bench.outcome import Outcome
from kubectl_llmhpa.bench.preparing import Plan, Scene, Work


def work(reader: Reader, scene: Scene) -> Work:
    """See `Work`."""
    options = scene.options
    stages = options.stages
    peak = max(max(first, last) for _, first, last in stages)
    seconds = sum(stage[0] for stage in stages)
    endpoint = target.find(reader, scene.workload.namespace, scene.own, scene.sight.port, url=options.url)
    notes = () if scene.hpa is not None else ("nothing scales it: the replicas stay as they are",)
    chosen = Load(0, f"{len(stages)} stages", False, notes, rate=round(peak, 3))
    return Work(endpoint, chosen, {"rates": [list(stage) for stage in stages]}, seconds)


def execute(cluster: Writer, plan: Plan, view: run.Observer) -> Outcome:
    """Loads and tells."""
    return recording.outcome(plan, run.record(cluster, plan, view), mode="profile")
