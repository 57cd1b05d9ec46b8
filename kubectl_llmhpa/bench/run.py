"""One benchmark run, from the look at the workload to the removal of everything that was made."""

from __future__ import annotations

import contextlib
import secrets
import signal
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol
from urllib.parse import urlencode

from kubectl_llmhpa import engines, quantities
from kubectl_llmhpa import hpa as autoscaler
from kubectl_llmhpa.api import (
    CONFIG_MAPS,
    HPAS,
    JOBS,
    MANAGED_BY,
    MANAGER,
    PODS,
    WORKLOAD_LABEL,
    Json,
    Reader,
    Writer,
)
from kubectl_llmhpa.bench import job, load, results, target
from kubectl_llmhpa.bench.following import Follower
from kubectl_llmhpa.bench.results import Result
from kubectl_llmhpa.bench.share import PodShare, Shares
from kubectl_llmhpa.bench.timeline import Entry, Timeline
from kubectl_llmhpa.errors import ApiError, LlmHpaError
from kubectl_llmhpa.plan.look import EngineSight, engine_of
from kubectl_llmhpa.workloads import Workload, pods, ready_pods

#: How often, in seconds, the engines' own counters are read.
_SHARE_EVERY_S = 10.0
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


@dataclass
class Outcome:
    """What came out. `started` is the wall clock at the start of the load (0: it never started)."""

    plan: Plan
    result: Result
    entries: list[Entry]
    shares: list[PodShare]
    started: float
    first_rescale_s: float | None
    hpa: autoscaler.HpaView | None
    ready: int | None
    notes: list[str] = field(default_factory=list)


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


def execute(cluster: Writer, plan: Plan, view: Observer) -> Outcome:
    """Makes the Job, follows it, and removes it again whatever happens (unless `keep`)."""
    options, namespace = plan.options, plan.workload.namespace
    timeline = Timeline(cluster, namespace)
    shares = Shares(cluster, namespace, plan.sight.port, plan.sight.path)
    follower = Follower(cluster, plan.run)
    limit = options.start_timeout_s + plan.run.deadline_s + 60
    view.planned(plan)
    with interruptible():
        try:
            shares.look(ready_pods(pods(cluster, plan.workload)), start=True)
            timeline.start(plan.hpa, plan.workload.resource, plan.workload.name, limit)
            made = cluster.create(job.render(plan.run, plan.sight.pod))
            cluster.create(job.config_map(plan.run, made))
            follower.wait_for_start(options.start_timeout_s, view.waiting)
            started = _follow(cluster, plan, follower, timeline, shares, view)
            time.sleep(2 if plan.hpa else 0)  # the event of a rescale comes after the rescale
            shares.look(ready_pods(pods(cluster, plan.workload)))
        finally:
            with uninterrupted():
                timeline.stop()
                if options.keep:
                    view.finishing(f"kept: job/{plan.run.name} (it goes away {job.TTL_S} s after its end)")
                else:
                    remove(cluster, plan, view)
    assert follower.summary is not None
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
        if started and fact.get("kind") == "tick":
            view.progress(_progress(plan, fact, timeline, shares, started))
        if started and time.monotonic() - looked > _SHARE_EVERY_S:
            looked = time.monotonic()
            shares.look(ready_pods(pods(cluster, plan.workload)))
        if follower.summary is not None:
            break
        time.sleep(1)
    if started:
        timeline.note("load", "load ends")
    return started


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
    deadline = _PROMPTS_LIMIT_S if options.num_prompts else int(options.duration_s) + 120
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


@contextlib.contextmanager
def interruptible() -> Iterator[None]:
    """SIGTERM and SIGHUP end the block as Ctrl-C does."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    numbers = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
    before = {number: signal.signal(number, interrupt) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def uninterrupted() -> Iterator[None]:
    """Ctrl-C and SIGTERM wait until the block is over: it removes what was made."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    numbers = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
    before = {number: signal.signal(number, signal.SIG_IGN) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
