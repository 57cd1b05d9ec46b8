"""Before a run: what the user wants, what is there, and from both the plan. Reads only."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlencode

from kubectl_llmhpa import engines, quantities
from kubectl_llmhpa import hpa as autoscaler
from kubectl_llmhpa.api import HPAS, JOBS, MANAGED_BY, MANAGER, WORKLOAD_LABEL, Json, Reader
from kubectl_llmhpa.bench import job, load, target
from kubectl_llmhpa.errors import LlmHpaError
from kubectl_llmhpa.plan.sight import EngineSight, engine_of
from kubectl_llmhpa.workloads import Workload, pods, ready_pods

_PROMPTS_LIMIT_S = 3600


@dataclass(frozen=True)
class Options:
    """What the user asked for. `tool` is builtin or vllm; `duration_s` is not used when `num_prompts` is given."""

    tool: str = "builtin"
    concurrency: int | None = None
    duration_s: float = 180.0
    num_prompts: int | None = None
    input_tokens: int = 256
    output_tokens: int = 128
    url: str = ""
    model: str = ""
    image: str = ""
    keep: bool = False
    start_timeout_s: float = 600.0
    seed: int | None = None


@dataclass(frozen=True)
class Plan:
    """Everything known before the load starts."""

    workload: Workload
    sight: EngineSight
    hpa: Json | None
    endpoint: target.Endpoint
    model: target.Model
    load: load.Load
    replicas: int
    options: Options
    run: job.Run

    @property
    def max_replicas(self) -> int | None:
        return None if self.hpa is None else int(self.hpa["spec"]["maxReplicas"])


def look(reader: Reader, workload: Workload, options: Options) -> Plan:
    """Reads all that the run depends on; writes nothing. Raises LlmHpaError when there is nothing to load."""
    sight = engine_of(reader, workload)
    if options.tool == "vllm" and sight.facts.engine != "vllm" and not options.image:
        raise LlmHpaError(
            f"benchmark {workload.reference}", f"its engine is {sight.facts.engine}, without vLLM's generator",
            "use --tool builtin, or name an image that has it with --image",
        )  # fmt: skip
    namespace = workload.namespace
    own = pods(reader, workload)
    ready = len(ready_pods(own))
    hpas = reader.get(HPAS.path(namespace)).get("items") or []
    hpa = next((each for each in hpas if workload.is_target_of(each["spec"]["scaleTargetRef"])), None)
    endpoint = target.find(reader, namespace, own, sight.port, url=options.url)
    model = target.model(reader, sight.pod, sight.port, sight.container, wanted=options.model)
    seats = None if sight.facts.seats is None else sight.facts.seats.value
    chosen = load.choose(
        asks_of(hpa) if hpa else (),
        replicas=max(1, ready),
        max_replicas=None if hpa is None else int(hpa["spec"]["maxReplicas"]),
        seats=seats,
        wanted=options.concurrency,
    )
    if hpa is not None:
        state = autoscaler.view(hpa, ready=ready)
        if not state.healthy:
            chosen = replace(chosen, notes=(*chosen.notes, f"the HPA is {state.state}: {state.why}"))
    _refuse_second_run(reader, workload)
    word = secrets.token_hex(3)
    return Plan(
        workload, sight, hpa, endpoint, model, chosen, max(1, ready), options,
        _run(workload, options, endpoint, model, chosen, word),
    )  # fmt: skip


def asks_of(hpa: Json) -> list[load.Ask]:
    """The HPA's metrics as far as load is concerned; a target that is no positive number is left out."""
    asks = []
    for metric in autoscaler.view(hpa).metrics:
        found = engines.signal_of(metric.name)
        try:
            value = float(quantities.parse(metric.target))
        except ValueError:
            continue
        if value > 0:
            asks.append(load.Ask(metric.name, found[1].name if found else "", value, metric.form != "Value"))
    return asks


def _run(
    workload: Workload,
    options: Options,
    endpoint: target.Endpoint,
    model: target.Model,
    chosen: load.Load,
    word: str,
) -> job.Run:
    seed = options.seed if options.seed is not None else secrets.randbelow(2**31)
    settings: dict[str, Any] = {
        "base_url": endpoint.url, "model": model.name, "seed": seed,
        "input_tokens": options.input_tokens, "output_tokens": options.output_tokens,
        "num_prompts": options.num_prompts,
    }  # fmt: skip
    # Kubernetes counts from the making of the Job, the pull of the image included.
    deadline = int(options.start_timeout_s) + (
        _PROMPTS_LIMIT_S if options.num_prompts else int(options.duration_s) + 120
    )
    name = job.job_name(workload.name, word)
    if options.tool == "vllm":
        settings |= {"concurrency": chosen.concurrency, "tokenizer": model.root or model.name}
        return job.Run(
            word, name, workload.namespace, workload.label, "vllm_serve", settings, deadline, options.image,
            like_engine=True, requests={"cpu": "1", "memory": "2Gi"}, limits={"cpu": "4", "memory": "8Gi"},
        )  # fmt: skip
    settings |= {
        "stages": [[options.duration_s, chosen.concurrency]], "request_timeout_s": 300, "drain_s": 15,
    }  # fmt: skip
    return job.Run(
        word, name, workload.namespace, workload.label, "client", settings, deadline, options.image
    )


def _refuse_second_run(reader: Reader, workload: Workload) -> None:
    """Two loads on one workload spoil each other's figures."""
    query = urlencode(
        {"labelSelector": f"{MANAGED_BY}={MANAGER},{WORKLOAD_LABEL}={workload.label},{job.BENCH_LABEL}"}
    )
    for found in reader.get(f"{JOBS.path(workload.namespace)}?{query}").get("items") or []:
        conditions = (found.get("status") or {}).get("conditions") or []
        if any(each["type"] in ("Complete", "Failed") and each["status"] == "True" for each in conditions):
            continue
        name = found["metadata"]["name"]
        raise LlmHpaError(
            f"benchmark {workload.reference}", f"another benchmark of it runs already (job/{name})",
            f"wait for it, or remove it: kubectl -n {workload.namespace} delete job {name}",
        )  # fmt: skip
