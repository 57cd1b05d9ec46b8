"""From what came out of a run to its report. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from datetime import datetime, timezone
from itertools import pairwise

from kubectl_llmhpa import __version__
from kubectl_llmhpa.api import Json
from kubectl_llmhpa.bench.outcome import Outcome
from kubectl_llmhpa.bench.preparing import Plan
from kubectl_llmhpa.bench.report.model import Asked, Engine, Event, Method, Report, Scaler, Scaling, Usage
from kubectl_llmhpa.bench.report.verdict import asked_slo, attainment, verdict
from kubectl_llmhpa.engines import commands
from kubectl_llmhpa.workloads import gpu_requests

#: Flags that decide how much one pod can take; others may hold what is nobody's business.
_FLAGS = (
    "--max-num-seqs", "--max-num-batched-tokens", "--max-model-len", "--gpu-memory-utilization", "--block-size",
    "--tensor-parallel-size", "--pipeline-parallel-size", "--data-parallel-size", "--enable-prefix-caching",
    "--no-enable-prefix-caching", "--enable-chunked-prefill", "--kv-cache-dtype", "--quantization", "--dtype",
    "--max-running-requests", "--max-total-tokens", "--context-length", "--tp-size", "--dp-size",
    "--mem-fraction-static",
    "--chunked-prefill-size", "--disable-radix-cache", "--parallel", "--ctx-size", "--max-concurrent-requests",
)  # fmt: skip
_SAFE_VALUE = re.compile(r"[\w.+-]{1,40}")


def of_outcome(outcome: Outcome) -> Report:
    """The report of a run."""
    plan = outcome.plan
    scaling = _scaling(outcome)
    engine = engine_of(plan, outcome.nodes)
    return Report(
        run=plan.run.run,
        mode=outcome.mode,
        started_at=_rfc3339(outcome.started) if outcome.started else None,
        plugin_version=__version__,
        namespace=plan.workload.namespace,
        workload=plan.workload.reference,
        url=plan.endpoint.url,
        through=plan.endpoint.what,
        model=plan.model.name,
        engine=engine,
        method=method_of(plan, outcome),
        load=asked(plan),
        result=outcome.result,
        attainment=attainment(outcome),
        sweep=outcome.sweep,
        sizing=outcome.sizing,
        hpa=_scaler(outcome),
        first_rescale_seconds=_round(outcome.first_rescale_s),
        lag=outcome.lag,
        proof=outcome.proof,
        usage=usage(scaling, sum(engine.accelerators.values())),
        cold_start=outcome.cold_start,
        timeline=_events(outcome),
        scaling=scaling,
        moments=outcome.moments,
        samples=outcome.samples,
        starts=outcome.starts,
        requests_per_pod=tuple(outcome.shares),
        notes=(*plan.load.notes, *outcome.notes, *_caveats(outcome)),
        verdict=verdict(outcome),
    )


def usage(scaling: Sequence[Scaling], accelerators: int) -> Usage | None:
    """What the replicas cost from the start of the load on; None where nothing was seen of them.

    A replica costs from its making on, ready or not: `current` counts, and `ready` where there is no HPA.
    """
    seen = [one for one in scaling if _paid(one) is not None]
    if not seen:
        return None
    spent = 0.0
    for one, later in pairwise(seen):
        spent += (_paid(one) or 0) * max(0.0, later.seconds - max(0.0, one.seconds))
    wanted = [one.desired for one in seen if one.desired is not None]
    steps = [after - before for before, after in pairwise(wanted) if after != before]
    return Usage(
        seconds=round(max(0.0, seen[-1].seconds), 1),
        replica_hours=round(spent / 3600, 4),
        accelerator_hours=round(spent * accelerators / 3600, 4) if accelerators else None,
        most_ready=max((one.ready or 0 for one in seen), default=0),
        turns=sum(1 for one, after in pairwise(steps) if (one > 0) != (after > 0)),
    )


def _paid(one: Scaling) -> int | None:
    return one.ready if one.current is None else max(one.current, one.ready or 0)


def _scaling(outcome: Outcome) -> tuple[Scaling, ...]:
    """Since the start of the load; what was seen last is repeated at the end of the load, where it still held."""
    if not outcome.started:
        return ()
    found = [
        Scaling(round(one.at - outcome.started, 2), one.current, one.desired, one.ready, one.values)
        for one in outcome.scalings
    ]
    end = round(outcome.result.duration_s, 2)
    if found and found[-1].seconds < end:
        last = found[-1]
        found.append(Scaling(end, last.current, last.desired, last.ready, last.values))
    return tuple(found)


def engine_of(plan: Plan, nodes: tuple[str, ...] = ()) -> Engine:
    """The engine of the run, from the pod that was looked at; `nodes` are those of all pods that were loaded."""
    facts, container = plan.sight.facts, plan.sight.container
    return Engine(
        name=facts.engine,
        version=facts.version,
        image=container.get("image"),
        image_id=_image_id(plan.sight.pod, container),
        seats=facts.seats,
        accelerators={name: int(count) for name, count in gpu_requests(container).items()},
        flags=flags(container),
        models=facts.models,
        nodes=nodes,
        gpus=plan.gpus,
    )


def _image_id(pod: Json, container: Json) -> str | None:
    for status in (pod.get("status") or {}).get("containerStatuses") or []:
        if status.get("name") == container.get("name"):
            return str(status.get("imageID") or "") or None
    return None


def flags(container: Json) -> tuple[str, ...]:
    """The flags of the engine's command line that decide what one pod can take, with their values."""
    words = commands.words([*(container.get("command") or []), *(container.get("args") or [])])
    found = []
    for position, word in enumerate(words):
        name, joined, value = word.partition("=")
        if name not in _FLAGS:
            continue
        following = words[position + 1] if position + 1 < len(words) else ""
        value = value if joined else "" if following.startswith("-") else following
        found.append(f"{name} {value}" if _SAFE_VALUE.fullmatch(value) else name)
    return tuple(found)


def asked(plan: Plan) -> Asked:
    """The load of a run."""
    return Asked(
        concurrency=None if plan.load.rate is not None else plan.load.concurrency,
        rate=plan.load.rate,
        stages=plan.options.stages,
        reason=plan.load.reason,
        must_rescale=plan.load.must_rescale,
        duration_seconds=None if plan.options.num_prompts else plan.options.duration_s,
        num_prompts=plan.options.num_prompts,
    )


def method_of(plan: Plan, outcome: Outcome | None = None) -> Method:
    """How a run measures; with its outcome, how it measured."""
    sweep = outcome.sweep if outcome else None
    seeds = [point.seed for point in sweep.points] if sweep else [int(plan.run.settings["seed"])]
    return Method(
        tool=outcome.result.tool if outcome else plan.options.tool,
        clients=plan.options.clients,
        loop="closed" if plan.load.rate is None else "open",
        input_tokens=plan.options.input_tokens,
        output_tokens=plan.options.output_tokens,
        seeds=tuple(dict.fromkeys(seeds)),
        slo=asked_slo(plan),
        replicas=_replicas(plan),
        ready=plan.replicas,
        how=outcome.result.mode if outcome else "",
        settings=json.dumps(plan.run.settings, sort_keys=True),
        client_nodes=outcome.client_nodes if outcome else (),
    )


def _replicas(plan: Plan) -> str:
    if plan.pins is not None:
        return f"held at {plan.pins}"
    if plan.only:
        return f"one pod alone: {plan.only}"
    return "left to the HPA" if plan.hpa is not None else "as they were"


def _scaler(outcome: Outcome) -> Scaler | None:
    view = outcome.hpa
    if view is None:
        return None
    return Scaler(
        name=view.name,
        min=view.min,
        max=view.max,
        replicas_before=outcome.plan.workload.replicas,
        replicas=view.current,
        desired=view.desired,
        ready=outcome.ready,
        state=view.state,
        why=view.why,
        metrics=view.metrics,
        signals=outcome.plan.signals,
    )


def _events(outcome: Outcome) -> tuple[Event, ...]:
    zero = outcome.started
    return tuple(
        Event(round(entry.at - zero, 1) if zero else None, entry.kind, entry.text)
        for entry in outcome.entries
    )


def _caveats(outcome: Outcome) -> tuple[str, ...]:
    found = []
    if outcome.result.tool == "vllm" and outcome.plan.hpa is not None:
        found.append("vLLM's generator keeps its connections: replicas that came later may have got nothing")
    if shared := sorted({*outcome.nodes} & {*outcome.client_nodes}):
        found.append(f"client and engine shared node {', '.join(shared)}")
    return tuple(found)


def _round(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 2)


def _rfc3339(seconds: float) -> str:
    found = datetime.fromtimestamp(seconds, timezone.utc)
    return found.isoformat(timespec="milliseconds").replace("+00:00", "Z")
