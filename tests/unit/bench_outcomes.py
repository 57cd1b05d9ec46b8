"""Outcomes of benchmarks to report on: a plain run, a measured sweep, and a made-up run that an HPA answers.

The sweep is one that was measured: vLLM 0.32 on a CPU with 8 seats, 96 tokens in and 48 out. The others follow from a
small model of a closed loop, so that every figure of them fits the others.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from kubectl_llmhpa.api import STATEFUL_SETS
from kubectl_llmhpa.bench import results
from kubectl_llmhpa.bench.job import Run
from kubectl_llmhpa.bench.load import Load
from kubectl_llmhpa.bench.observed import Lag, Moment, PodStart, Proof, Rung, Sample
from kubectl_llmhpa.bench.outcome import Outcome
from kubectl_llmhpa.bench.preparing import Options, Plan
from kubectl_llmhpa.bench.share import PodShare
from kubectl_llmhpa.bench.sizing.model import (
    ColdStart,
    Gauge,
    Input,
    Kept,
    Knee,
    Latency,
    Point,
    Replicas,
    SignalTarget,
    Sizing,
    Slo,
    Start,
    Sweep,
)
from kubectl_llmhpa.bench.target import Endpoint, Model
from kubectl_llmhpa.bench.timeline import Entry, Timeline
from kubectl_llmhpa.engines import EngineFacts, Seats, Source
from kubectl_llmhpa.plan.looking.sight import EngineSight
from kubectl_llmhpa.workloads import Workload

#: Wall clock at the start of every load.
STARTED = 1_790_000_000.0
#: What the metric of `hpa` measures.
SIGNALS = {"vllm:num_requests_waiting": "waiting"}
SLO = Slo(ttft=0.6, tpot=0.04)


def hpa(desired: int, current: int = 1, value: str = "11", most: int = 3) -> dict[str, Any]:
    name = {"name": "vllm:num_requests_waiting"}
    target = {"averageValue": "5", "type": "AverageValue"}
    return {
        "metadata": {"name": "h", "namespace": "llm"},
        "spec": {
            "scaleTargetRef": {"kind": "StatefulSet", "name": "vllm", "apiVersion": "apps/v1"},
            "minReplicas": 1, "maxReplicas": most,
            "metrics": [{"type": "Pods", "pods": {"metric": name, "target": target}}],
        },
        "status": {
            "currentReplicas": current, "desiredReplicas": desired,
            "currentMetrics": [{"type": "Pods", "pods": {"metric": name, "current": {"averageValue": value}}}],
            "conditions": [{"type": "AbleToScale", "status": "True"}, {"type": "ScalingActive", "status": "True"}],
        },
    }  # fmt: skip


def plan(load: Load, options: Options, scaled: dict[str, Any] | None = None, accelerators: int = 0) -> Plan:
    container: dict[str, Any] = {
        "name": "vllm",
        "image": "vllm/vllm-openai:v0.32.0",
        "command": ["vllm", "serve", "tiny"],
        "args": ["--max-num-seqs", "8", "--max-model-len=2048", "--api-key", "secret"],
        "resources": {"limits": {"nvidia.com/gpu": str(accelerators)}} if accelerators else {},
    }
    pod = {
        "metadata": {"name": "vllm-0", "namespace": "llm"},
        "spec": {"containers": [container]},
        "status": {"containerStatuses": [{"name": "vllm", "imageID": "vllm/vllm-openai@sha256:1234"}]},
    }
    facts = EngineFacts(
        "vllm", "0.32.0", "", Source.BODY, "", ("tiny",), {}, Seats(8, "flag --max-num-seqs 8", True), False
    )
    sight = EngineSight(pod, container, 8000, "/metrics", "", facts)
    return Plan(
        workload=Workload(STATEFUL_SETS, "llm", "vllm", {}, 1, "app=vllm"), sight=sight, hpa=scaled,
        endpoint=Endpoint("http://vllm.llm.svc:8000", "service/vllm port 8000"), model=Model("tiny", ""),
        load=load, replicas=1, options=options,
        run=Run("abc", "llm-hpa-bench-vllm-abc", "llm", "StatefulSet.vllm", "client", {"seed": 1}, 300),
        signals={} if scaled is None else SIGNALS,
    )  # fmt: skip


def plain(must: bool = True, first: float | None = 14.2, **result: Any) -> Outcome:
    """Three minutes of a fixed load, of which little is known; `result` changes the client's summary."""
    facts = {"done": 100, "sent": 101, "failed": {"http 500": 1}, "duration_s": 180.0, "request_rate": 5.5,
             "examples": {"http 500": "bad \x1b[31m thing"},
             "ttft_ms": {"mean": 9, "p50": 8, "p95": 10, "p99": 11}, **result}  # fmt: skip
    timeline = Timeline(None, "llm")  # type: ignore[arg-type]
    timeline.on_hpa("ADDED", hpa(3))
    return Outcome(
        plan=plan(Load(16, "because", must), Options(), hpa(1)), result=results.of_builtin(facts),
        entries=[Entry(STARTED + 14.2, "desired", "desired replicas 1 -> 3")],
        shares=[PodShare("vllm-0", 100, 1.0), PodShare("vllm-1", 0, 0.0)], started=STARTED, first_rescale_s=first,
        hpa=timeline.now, ready=1,
    )  # fmt: skip


# requests in flight, requests/s, goodput/s, tokens/s, TTFT p50 and p95 in ms, TPOT p95, mean latency, waiting
MEASURED = (
    (1, 2.30, 2.30, 110, 48, 52, 9.3, 435, 0),
    (2, 4.17, 4.17, 200, 69, 91, 9.5, 479, 0),
    (4, 6.71, 6.71, 322, 152, 171, 11.8, 595, 0),
    (6, 8.40, 8.40, 403, 225, 244, 14.1, 713, 0),
    (8, 9.52, 9.52, 457, 292, 319, 16.5, 840, 0),
    (10, 9.33, 7.23, 448, 169, 823, 17.4, 1054, 2),
    (12, 9.90, 5.36, 475, 322, 941, 16.2, 1183, 4),
    (16, 10.16, 0.63, 487, 1020, 1103, 15.6, 1528, 8),
    (24, 10.11, 0.42, 485, 1817, 1866, 15.9, 2277, 16),
)


def points() -> Iterator[Point]:
    for seed, (flight, rate, good, tokens, ttft, ttft95, tpot95, mean, waiting) in enumerate(MEASURED, 11):
        done = round(rate * 30)
        yield Point(
            concurrency=flight, pods=1, seed=seed, seconds=30.0, sent=done, done=done, good=round(done * good / rate),
            cut=0, failed={}, in_flight=rate * mean / 1000, throughput=rate, goodput=good, input_tokens=done * 96,
            output_tokens=done * 48, output_token_rate=tokens,
            ttft=Latency(ttft / 1000, ttft / 1000, ttft95 / 1050, ttft95 / 1000, ttft95 / 980),
            tpot=Latency(tpot95 / 1050, tpot95 / 1060, tpot95 / 1010, tpot95 / 1000, tpot95 / 990),
            itl=Latency(tpot95 / 1050, tpot95 / 1100, tpot95 / 1000, tpot95 / 950, tpot95 / 700),
            e2e=Latency(mean / 1000, mean / 1010, mean / 940, mean / 920, mean / 900),
            running=Gauge(min(flight, 8), 8, 14), waiting=Gauge(waiting, waiting + 1, 14),
            kv_cache=Gauge(0.011 * min(flight, 8), 0.1, 14), server_output_tokens=done * 48, preemptions=0,
            client_cpu=0.04, invalid="",
        )  # fmt: skip


COLD_START = ColdStart(scheduled=0.4, pulled=2.1, started=1.2, ready=31.5, first_sample=4.0, first_token=0.9,
                       total=40.1, pods=2)  # fmt: skip


def sizing() -> Sizing:
    """What the measured sweep says."""
    capacity = (
        Input("N_max", 8, "measured"),
        Input("tolerance", 0.1, "the HPA's own"),
        Input("growth", 0.0042, "assumed: 25 % a minute"),
        Input("lag", 60.4, "measured"),
    )
    return Sizing(
        knee=Knee(8, 8, 6, 6.3, 4.4, 8, "farthest above the line from the first to the last point"),
        slo=Kept(8, 1.0, 0.99, True, 10, "285 of 285 requests kept it, at least 99 % (one-sided 95 %)"),
        n_max=8, rate_max=9.52, saturation=10.16, confidence="proved",
        targets=(
            SignalTarget("running", 5, "main", "proved", "N_max / ((1 + tolerance) * (1 + growth * lag))", capacity),
            SignalTarget("waiting", 2.9, "second", "estimated", "X_sat * (TTFT limit - TTFT at N_max)",
                         (Input("X_sat", 10.16, "measured"),)),
            SignalTarget("e2e", None, "guard", "estimated", "", note="a latency is not proportional to the load"),
        ),
        replicas=Replicas(2, 6, 1, "ceil(rate / (headroom * X(T)))", (Input("rate", 12, "given"),)),
        start=Start(Input("lag", 60.4, "5 s scrape + 15 s sync + 40.4 s until the first token"), 300,
                    "the HPA's default", ""),
        verdict="running 5 per pod keeps TTFT within 600 ms and TPOT within 40 ms (proved)",
        notes=("a target on waiting alone reacts only once requests queue",),
    )  # fmt: skip


def swept() -> Outcome:
    """The measured sweep, judged."""
    found = Sweep(
        points=tuple(points()), slo=SLO, input_tokens=96, output_tokens=48, seats=8, block=16, blocks=2048,
        cold_start=COLD_START, stopped="two points in a row with more than half of the requests outside the SLO",
    )  # fmt: skip
    done = sum(point.done for point in found.points)
    result = results.of_builtin({"sent": done, "done": done, "duration_s": 342.0, "request_rate": 7.84,
                                 "output_token_rate": 376.0, "mode": "completions with token ids"})  # fmt: skip
    options = Options(input_tokens=96, output_tokens=48, slo=SLO)
    return Outcome(
        plan=plan(Load(24, "as asked", False), options), result=result, entries=[], shares=[], started=STARTED,
        first_rescale_s=None, hpa=None, ready=1, mode="sweep", sweep=found, sizing=sizing(), cold_start=COLD_START,
        nodes=("gpu-1",), client_nodes=("gpu-1",),
    )  # fmt: skip


IN_FLIGHT, LOAD_S, SYNC_S, START_S, TARGET = 27, 240, 15, 31, 5


def proved() -> Outcome:
    """A closed loop that an HPA on waiting requests answers, then the scale-in after the load."""
    loop = Loop()
    for second in range(-6, LOAD_S + 330):
        loop.step(second)
    timeline = loop.timeline
    timeline.note("load", f"load starts: {IN_FLIGHT} requests in flight", STARTED)
    timeline.note("load", "load ends", STARTED + LOAD_S)
    entries = sorted(timeline.entries, key=lambda entry: entry.at)
    done = round(sum(moment.finished for moment in loop.moments))
    result = results.of_builtin({
        "sent": done + IN_FLIGHT + 2, "done": done, "cut": IN_FLIGHT, "failed": {"connection reset": 2},
        "duration_s": float(LOAD_S), "request_rate": done / LOAD_S, "output_token_rate": done * 48 / LOAD_S,
        "ttft_ms": {"mean": 420, "p50": 240, "p90": 1210, "p95": 1820, "p99": 2100},
        "tpot_ms": {"mean": 15.4, "p50": 15.3, "p90": 16.1, "p95": 16.4, "p99": 17.2},
        "itl_ms": {"mean": 15.4, "p50": 15.2, "p90": 17.0, "p95": 18.4, "p99": 31.0},
        "e2e_ms": {"mean": 1150, "p50": 970, "p90": 1950, "p95": 2510, "p99": 2820},
        "concurrency": 26.8, "client": {"cpu_share": 0.11}, "mode": "completions with token ids",
    })  # fmt: skip
    starts = tuple(loop.starts.values())
    first = starts[0]
    rescale = timeline.first_rescale(STARTED)
    assert rescale is not None
    observed = [Rung(0, 1)]
    for one in timeline.scalings:
        if one.desired is not None and one.desired != observed[-1].replicas:
            observed.append(Rung(round(one.at - STARTED, 1), one.desired))
    return Outcome(
        plan=replace(
            plan(Load(IN_FLIGHT, "8 seats x 1 replica + 3.8 x waiting target 5", True),
                 Options(input_tokens=96, output_tokens=48, slo=SLO, duration_s=LOAD_S), hpa(1, most=4), 1),
            gpus=("NVIDIA-L40S",),
        ),
        result=result, entries=entries,
        shares=[PodShare("vllm-0", 1420, 0.46), PodShare("vllm-1", 910, 0.29), PodShare("vllm-2", 780, 0.25)],
        started=STARTED, first_rescale_s=rescale, hpa=timeline.now, ready=loop.ready, mode="prove",
        moments=tuple(loop.moments), samples=tuple(loop.samples), scalings=tuple(timeline.scalings), starts=starts,
        lag=Lag(metric=9.0, decision=rescale, created=first.created, ready=first.ready, serving=first.first_token),
        nodes=("gpu-1", "gpu-2"), client_nodes=("cpu-1",), cold_start=COLD_START,
        notes=["vllm-2 was read through the pod proxy only"],
        proof=Proof(
            load=f"{IN_FLIGHT} requests in flight for {LOAD_S} s",
            predicted=(Rung(0, 1), Rung(40, 3), Rung(LOAD_S + 335, 1)), observed=tuple(observed), deadline=40.0,
            rescaled=rescale, scale_in_deadline=335.0, scaled_in=observed[-1].seconds - LOAD_S, cut=1, failed=2,
            inputs={"scrape": "5 s", "sync": "15 s", "ready": "31 s"},
        ),
    )  # fmt: skip


def profiled() -> Outcome:
    """An open loop that climbs to 12 requests a second and falls again, beside the same HPA."""
    outcome = proved()
    stages = ((120.0, 0.0, 12.0), (120.0, 12.0, 0.0))
    moments = []
    for one in outcome.moments:
        rate = 12 * (1 - abs(one.seconds - 120) / 120)
        moments.append(
            replace(one, want=rate, arrivals=rate, finished=rate * 0.97, in_flight=round(rate * 1.6))
        )
    options = replace(outcome.plan.options, stages=stages)
    found = replace(outcome.plan, load=Load(0, "2 stages", False, rate=12.0), options=options)
    result = replace(outcome.result, arrivals=1440, late=3, shed=1, good=5900, goodput=24.6)
    return replace(outcome, plan=found, result=result, mode="profile", moments=tuple(moments), proof=None)


class Loop:
    """Pods with 8 seats under a closed loop, and an HPA that looks every 15 s and has a window of 300 s."""

    def __init__(self) -> None:
        self.now = 0.0
        self.timeline = Timeline(None, "llm", SIGNALS, clock=lambda: STARTED + self.now)  # type: ignore[arg-type]
        self.moments: list[Moment] = []
        self.samples: list[Sample] = []
        self.starts: dict[str, PodStart] = {}
        self.desired = self.replicas = 1
        self.ready = 1
        self.low_since: float | None = None

    def step(self, second: int) -> None:
        self.now = float(second)
        flight = IN_FLIGHT if 0 <= second <= LOAD_S else 0
        self.ready = 1 + sum(1 for one in self.starts.values() if (one.ready or 0) <= second)
        if second > LOAD_S and self.desired == 1:
            self.ready = self.replicas = 1
        running = min(flight, 8 * self.ready)
        waiting = (flight - running) / self.ready
        if 0 < second <= LOAD_S:
            rate = 9.5 * running / 8
            ttft = 0.29 + waiting * self.ready / rate
            met = 1.0 if ttft <= 0.6 else max(0.02, 1.3 - ttft)
            self.moments.append(
                Moment(float(second), IN_FLIGHT, flight, rate, rate, 0, 0, round(ttft, 3), round(met, 3))
            )
        if second % 2 == 0 and second >= 0:
            self.samples.append(
                Sample(
                    float(second),
                    self.ready,
                    float(running),
                    waiting * self.ready,
                    0.011 * running / self.ready,
                )
            )
        if second % SYNC_S == 9:
            self.sync(waiting)

    def sync(self, waiting: float) -> None:
        wanted = max(1, min(3, round(self.replicas * waiting / TARGET))) if waiting else 1
        wanted = max(wanted, self.replicas) if waiting else wanted
        self.low_since = None if wanted >= self.desired else (self.low_since or self.now)
        if wanted > self.desired or (self.low_since and self.now - self.low_since >= 285):
            self.desired = wanted
            for place in range(1, wanted):
                made = self.now + 1
                self.starts.setdefault(f"vllm-{place}", PodStart(
                    f"vllm-{place}", made, made + 0.4, made + 2.5, made + 3.7, made + START_S, made + 35, made + 36.2
                ))  # fmt: skip
        self.timeline.on_workload("MODIFIED", {"status": {"readyReplicas": self.ready}})
        state = hpa(self.desired, self.replicas, f"{round(waiting * 1000)}m", most=4)
        self.timeline.on_hpa("MODIFIED", state)
        if self.replicas != self.desired:
            self.replicas = self.desired
            word = "metric vllm:num_requests_waiting above target" if waiting else "All metrics below target"
            self.timeline.on_event("ADDED", rescale_event(self.desired, word, str(self.now)))


def rescale_event(
    size: int = 3, reason: str = "pods metric vllm:num_requests_waiting above target", uid: str = "e"
) -> dict[str, Any]:
    return {
        "metadata": {"uid": uid}, "reason": "SuccessfulRescale", "type": "Normal",
        "message": f"New size: {size}; reason: {reason}", "count": 1,
    }  # fmt: skip


def little() -> Outcome:
    """A run of an engine that tells little, without an HPA."""
    outcome = plain(first=None)
    sight = outcome.plan.sight
    facts = replace(sight.facts, seats=None, version=None)
    bare = replace(outcome.plan, hpa=None, sight=replace(sight, facts=facts))
    return replace(outcome, plan=bare, hpa=None, entries=[], shares=[])


EVIL = "<script>alert(1)</script><img src=http://evil.example/x>&\x1b[31m|`*_"


def hostile() -> Outcome:
    """A run in whose names, events and answers somebody has put markup, and names of many letters."""
    outcome = proved()
    entries = [Entry(one.at, one.kind, f"{EVIL} {one.text}") for one in outcome.entries]
    shares = [PodShare("vllm-" + "x" * 200, 1, 1.0), PodShare(EVIL, 0, 0.0)]
    found = replace(outcome.plan, model=Model(EVIL, ""), endpoint=Endpoint("http://" + "y" * 200, EVIL))
    result = replace(outcome.result, examples={EVIL: EVIL}, failed={EVIL: 2}, mode=EVIL, tail=EVIL)
    return replace(
        outcome, plan=found, result=result, entries=entries, shares=shares, notes=[EVIL, "z" * 300],
        proof=replace(outcome.proof, problems=(EVIL,)) if outcome.proof else None,
    )  # fmt: skip
