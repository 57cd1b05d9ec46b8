"""The plain run: so many requests in flight that the HPA has to scale up, for a time or a number of requests."""

from __future__ import annotations

from kubectl_llmhpa.api import Reader, Writer
from kubectl_llmhpa.bench import load, recording, run, target
from kubectl_llmhpa.bench.outcome import Outcome
from kubectl_llmhpa.bench.preparing import Plan, Scene, Work

_PROMPTS_LIMIT_S = 3600


def work(reader: Reader, scene: Scene) -> Work:
    """See `Work`."""
    options = scene.options
    chosen = load.choose(
        scene.asks,
        replicas=scene.ready,
        max_replicas=scene.max_replicas,
        seats=scene.seats,
        wanted=options.concurrency,
    )
    settings = {
        "stages": [[options.duration_s, chosen.concurrency]], "concurrency": chosen.concurrency,
        "num_prompts": options.num_prompts,
    }  # fmt: skip
    endpoint = target.find(reader, scene.workload.namespace, scene.own, scene.sight.port, url=options.url)
    return Work(endpoint, chosen, settings, _PROMPTS_LIMIT_S if options.num_prompts else options.duration_s)


def execute(cluster: Writer, plan: Plan, view: run.Observer) -> Outcome:
    """Loads and tells."""
    return recording.outcome(plan, run.record(cluster, plan, view), mode="plain")
