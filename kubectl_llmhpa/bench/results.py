"""What a run measured, in one form, whichever generator measured it."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from kubectl_llmhpa.api import Json
from kubectl_llmhpa.bench import merging
from kubectl_llmhpa.bench.sizing.model import Latency, Point

LATENCIES = ("ttft", "tpot", "itl", "e2e")
_FIGURES = ("mean", "p50", "p90", "p95", "p99")
_NO_REASONS = "not completed (the generator gives no reasons)"
#: What a generator says in its last lines, and what it means.
_SAID = (
    (
        re.compile(
            r"valid model identifier|load tokenizer|couldn't connect to 'http|OfflineMode|LocalEntryNotFound"
        ),
        "the generator found no tokenizer",
    ),
    (re.compile(r"Failed to infer device type"), "the generator wants a GPU"),
)
#: Of the requests that ended, or of an open loop's arrivals: with more lost the figures are not the load's.
_LOST = 0.05


@dataclass(frozen=True)
class Result:
    """Counts, rates per second, latencies in ms (`ttft`, `tpot`, `itl`, `e2e` to mean, p50, p90, p95, p99).

    A latency that is not known is None. `good` requests kept the SLO, `goodput` of them a second (None: the generator
    does not count them). `failed` is by reason; `examples` has the engine's own words for some of them. `concurrency`
    is what was in flight on average. `arrivals` of an open loop were due, `late` of them sent late, `shed` not sent at
    all. `client_limited`: the client, not the engine, set the pace. `clients` made the load; `lost` says why some left
    no result, `uneven` that they did not load for the same time. `interrupted` says who ended the pod. `tail` are the
    generator's last lines, kept where it left no result.
    """

    tool: str
    ended: str
    sent: int
    done: int
    cut: int
    failed: Mapping[str, int]
    duration_s: float
    request_rate: float
    output_token_rate: float
    input_tokens: int
    output_tokens: int
    latencies: Mapping[str, Mapping[str, float | None]]
    good: int | None = None
    goodput: float | None = None
    examples: Mapping[str, str] = field(default_factory=dict)
    tokens_exact: bool = True
    concurrency: float | None = None
    arrivals: int = 0
    late: int = 0
    shed: int = 0
    client_cpu_share: float | None = None
    client_limited: bool = False
    clients: int = 1
    lost: Mapping[str, str] = field(default_factory=dict)
    uneven: bool = False
    interrupted: str = ""
    mode: str = ""
    tail: str = ""

    @property
    def failures(self) -> int:
        return sum(self.failed.values())

    @property
    def invalid(self) -> str:
        """Why the figures must not be used; empty when they may be."""
        if self.done == 0:
            return "no request succeeded" + next(
                (f": {why}" for said, why in _SAID if said.search(self.tail)), ""
            )
        if self.lost:
            each = "; ".join(f"client {index}: {why}" for index, why in self.lost.items())
            return f"{len(self.lost)} of {self.clients} clients left no result ({each})"
        if self.failures > _LOST * (self.done + self.failures):
            share = 100 * self.failures / (self.done + self.failures)
            most = max(self.failed, key=lambda reason: self.failed[reason])
            return f"{share:.0f} % of the requests failed (most: {most})"
        if self.ended == "gave up":
            return "the engine stopped answering"
        if self.ended == "signal":
            return "the load was ended from outside" + (f" ({self.interrupted})" if self.interrupted else "")
        if self.uneven:
            return "the clients did not load for the same time"
        if self.late > _LOST * self.arrivals:
            return f"the client was the limit: {self.late} of {self.arrivals} requests were sent late"
        if self.shed > _LOST * self.arrivals:
            return f"{self.shed} of {self.arrivals} requests were not sent: too many were in flight"
        if self.client_limited:
            return "the client was the limit, not the engine"
        return ""


def of(tool: str, facts: Json) -> Result:
    """From the summary line, or a point line, of a generator."""
    return {"builtin": of_builtin, "vllm": of_vllm, "sglang": of_sglang}[tool](facts)


def point(tool: str, facts: Json, pods: int) -> Point:
    """From a `point` line of a generator that loaded `pods` pods; without what the engines said meanwhile."""
    result = of(tool, facts)
    good, goodput, invalid = result.good, result.goodput, result.invalid
    if good is None and not facts.get("slo"):
        good, goodput = result.done, result.request_rate
    if facts.get("complete") is False:
        invalid = "the load ended before the point was over" + (f": {invalid}" if invalid else "")
    elif not invalid and good is None:
        invalid = "the generator does not count the requests that kept the SLO"
    ttft, tpot, itl, e2e = (_seconds(result.latencies[name]) for name in LATENCIES)
    return Point(
        concurrency=int(facts["asked_concurrency"]), pods=pods, seed=int(facts["seed"]), seconds=result.duration_s,
        sent=result.sent, done=result.done, good=good or 0, cut=result.cut, failed=result.failed,
        in_flight=result.concurrency or 0.0, throughput=result.request_rate, goodput=goodput or 0.0,
        input_tokens=result.input_tokens, output_tokens=result.output_tokens,
        output_token_rate=result.output_token_rate, ttft=ttft, tpot=tpot, itl=itl, e2e=e2e,
        client_cpu=result.client_cpu_share, invalid=invalid,
    )  # fmt: skip


def of_builtin(facts: Json) -> Result:
    """From a line of `pod.client`, or of several clients merged."""
    client = facts.get("client") or {}
    return Result(
        tool="builtin",
        ended=str(facts.get("ended", "")),
        sent=int(facts.get("sent", 0)),
        done=int(facts.get("done", 0)),
        good=facts.get("good"),
        goodput=facts.get("goodput"),
        cut=int(facts.get("cut", 0)),
        failed=dict(facts.get("failed") or {}),
        examples=dict(facts.get("examples") or {}),
        duration_s=float(facts.get("duration_s", 0)),
        request_rate=float(facts.get("request_rate", 0)),
        output_token_rate=float(facts.get("output_token_rate", 0)),
        input_tokens=int(facts.get("input_tokens", 0)),
        output_tokens=int(facts.get("output_tokens", 0)),
        tokens_exact=bool(facts.get("tokens_exact", True)),
        concurrency=facts.get("concurrency"),
        arrivals=int(facts.get("arrivals", 0)),
        late=int(facts.get("late", 0)),
        shed=int(facts.get("shed", 0)),
        client_cpu_share=client.get("cpu_share"),
        client_limited=bool(client.get("limited")),
        clients=int(facts.get("clients", 1)),
        lost=dict(facts.get("lost") or {}),
        uneven=bool(facts.get("uneven")),
        interrupted=str(facts.get("interrupted") or ""),
        mode=str(facts.get("mode", "")),
        latencies={name: _figures(facts.get(f"{name}_ms") or {}) for name in LATENCIES},
    )


def merge(found: Mapping[int, Json], clients: int, lost: Mapping[int, str]) -> Result:
    """One result of the summaries of several of our clients: see `merging.summaries`."""
    return of_builtin(merging.summaries(found, clients, lost))


def of_vllm(facts: Json, num_prompts: int = 0) -> Result:
    """From a line of `pod.vllm_serve`: the generator's result file, old or new.

    Before v0.13 it has no `failed`: what was asked and not completed has failed. Latencies of a run without any
    success are zeros there; they are None here.
    """
    found: Json = facts.get("result") or {}
    done = int(found.get("completed") or 0)
    latencies: dict[str, Mapping[str, float | None]] = {}
    for name in LATENCIES:
        theirs = "e2el" if name == "e2e" else name
        values = {"mean": found.get(f"mean_{theirs}_ms"), "p50": found.get(f"median_{theirs}_ms")}
        values |= {figure: found.get(f"{figure}_{theirs}_ms") for figure in _FIGURES[2:]}
        latencies[name] = _figures(values if done else {})
    failed = None if found.get("failed") is None else int(found["failed"])
    return _of_generator("vllm", facts, num_prompts, failed, latencies)


def of_sglang(facts: Json, num_prompts: int = 0) -> Result:
    """From a line of `pod.sglang_serve`: one line of the generator's output file.

    It counts no failures at any version, and older ones have fewer percentiles.
    """
    found: Json = facts.get("result") or {}
    latencies: dict[str, Mapping[str, float | None]] = {}
    for name in LATENCIES:
        theirs = "e2e_latency" if name == "e2e" else name
        values = {"mean": found.get(f"mean_{theirs}_ms"), "p50": found.get(f"median_{theirs}_ms")}
        values |= {figure: found.get(f"{figure}_{theirs}_ms") for figure in _FIGURES[2:]}
        latencies[name] = _figures(values if found.get("completed") else {})
    return _of_generator("sglang", facts, num_prompts, None, latencies)


def _of_generator(
    tool: str,
    facts: Json,
    num_prompts: int,
    failed: int | None,
    latencies: Mapping[str, Mapping[str, float | None]],
) -> Result:
    """What the engines' own generators have in common. `failed` None: what was asked and not completed."""
    found: Json = facts.get("result") or {}
    done = int(found.get("completed") or 0)
    asked = int(found.get("num_prompts") or facts.get("num_prompts") or num_prompts)
    failures = asked - done if failed is None else failed
    interrupted = facts.get("ended") == "signal"
    seconds = float(found.get("duration") or 0)
    rate = float(found.get("request_throughput") or 0)
    goodput = found.get("request_goodput")
    e2e = latencies["e2e"]["mean"]
    return Result(
        tool=tool,
        ended=str(facts.get("ended", "")),
        sent=asked if found else int(facts.get("done", 0)),
        done=done,
        good=None if goodput is None else round(float(goodput) * seconds),
        goodput=goodput,
        cut=0,
        failed={_NO_REASONS: failures} if failures and found and not interrupted else {},
        duration_s=seconds,
        request_rate=rate,
        output_token_rate=float(found.get("output_throughput") or 0),
        input_tokens=int(found.get("total_input_tokens") or 0),
        output_tokens=int(found.get("total_output_tokens") or 0),
        latencies=latencies,
        # Little's law; vLLM's own max_concurrent_requests counts by whole seconds and overshoots.
        concurrency=round(rate * e2e / 1000, 2) if e2e else None,
        interrupted=str(facts.get("interrupted") or ""),
        mode=str(facts.get("generator", "")),
        tail=str(facts.get("tail", "")) if not found or not done else "",
    )


def _figures(values: Mapping[str, Any]) -> dict[str, float | None]:
    known = {name: values.get(name) for name in _FIGURES}
    return {
        name: None if value is None or not math.isfinite(float(value)) else round(float(value), 2)
        for name, value in known.items()
    }


def _seconds(figures: Mapping[str, float | None]) -> Latency:
    return Latency(**{name: None if value is None else value / 1000 for name, value in figures.items()})
