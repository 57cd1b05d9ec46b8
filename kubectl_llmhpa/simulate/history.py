"""The load that a workload had, from its own Prometheus: when requests came, how long they were, what a pod could run.

A minute's arrivals are the requests that ended in it and those by which the requests in flight grew, so that what a
queue held back came when it came. Prometheus has no single requests: arrivals are drawn anew at each minute's rate, and
lengths around the mean of the minutes before it.
"""

from __future__ import annotations

import math
import random
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from kubectl_llmhpa.api import Json, Reader
from kubectl_llmhpa.engines import ENGINES, EngineFacts, Seats, over_all, per_pod, seats_seen
from kubectl_llmhpa.errors import LlmHpaError
from kubectl_llmhpa.monitoring import prometheus
from kubectl_llmhpa.monitoring.prometheus import Server
from kubectl_llmhpa.plan.looking.elsewhere import Elsewhere
from kubectl_llmhpa.simulate.loads import MOST_REQUESTS, drawn_length
from kubectl_llmhpa.simulate.requests import Requests
from kubectl_llmhpa.workloads import Workload, pod_names

STEP_S = 60
#: Prometheus gives 11,000 points at most.
SHORTEST_S, LONGEST_S = 600, 7 * 86_400
#: A mean length is that of so many minutes: single ones hold too few requests.
SMOOTHED = 15
#: Where no token counter is there: the lengths of a load that is made up.
USUAL_PROMPT, USUAL_OUTPUT, SPREAD = 1000.0, 200.0, 1.0

#: What tells the same series of two scrapes apart.
_OF_A_SCRAPE = "container, endpoint, instance, job, node, prometheus, prometheus_replica, service"


@dataclass(frozen=True)
class Past:
    """Minutes, oldest first: requests that came, and the mean tokens of their prompts and outputs (0: not told).

    `silent` are minutes without a sample, in which nothing came as far as is known. `seats`: the most that a pod ran
    while requests waited there, None where none was full. `origin` is a sentence.
    """

    arrivals: tuple[float, ...]
    prompt: tuple[float, ...]
    output: tuple[float, ...]
    silent: int
    seats: Seats | None
    origin: str


def read(
    reader: Reader, workload: Workload, pods: Sequence[Json], facts: EngineFacts, seconds: float
) -> Past:
    """The last `seconds` of a workload.

    Raises LlmHpaError where no Prometheus can be asked, the engine counts no finished requests, or there are none.
    """
    attempted = f"read the history of {workload.reference} in namespace {workload.namespace!r}"
    finished = next((one.finished for one in ENGINES if one.name == facts.engine), ())
    if not finished:
        raise LlmHpaError(attempted, f"{facts.engine} counts no finished requests", "give --trace or --load")
    pattern = pod_names.pattern(workload, pods)
    if pattern is None:
        raise LlmHpaError(
            attempted, "the names of its pods do not tell what they belong to", "give --trace or --load"
        )
    server = Elsewhere(reader).server()
    if server is None:
        raise LlmHpaError(
            attempted,
            "no Prometheus of this cluster can be asked through the API server",
            "give --trace or --load",
        )
    matchers = f'namespace="{workload.namespace}",pod=~"{pattern}"'
    asking = _Asking(reader, server, round(seconds))
    ended = next(filter(None, (asking.over_time(_ended(name, matchers)) for name in finished)), {})
    if not any(ended.values()):
        raise LlmHpaError(
            attempted,
            f"Prometheus {server.namespace}/{server.service} knows of no request that ended in the last "
            f"{_long(seconds)} (asked for {finished[0]}{{{matchers}}})",
            "take a longer time, or give --trace or --load",
        )
    numbers = {
        name: asking.over_time(over_all(facts.signals[name].spec, matchers=matchers))
        for name in ("in-flight", "prompt-tokens", "generation-tokens")
        if name in facts.signals
    }
    full = None
    if {"running", "waiting"} <= facts.signals.keys():
        running, waiting = (
            per_pod(facts.signals[one].spec, matchers=matchers) for one in ("running", "waiting")
        )
        full = asking.now(seats_seen(running, waiting, seconds=round(seconds), step=STEP_S))
    seats = None
    if full:
        evidence = f"the most that a pod ran while requests waited, in the last {_long(seconds)}"
        seats = Seats(int(full), evidence, proved=True)
    return minutes(
        ended,
        numbers,
        seats,
        f"the last {_long(seconds)} of Prometheus {server.namespace}/{server.service}",
    )


def minutes(
    ended: Mapping[int, float], numbers: Mapping[str, Mapping[int, float]], seats: Seats | None, origin: str
) -> Past:
    """From numbers by time (whole minutes, in seconds): `ended` requests of each minute, `numbers` by signal."""
    times = range(min(ended), max(ended) + STEP_S, STEP_S)
    flight = numbers.get("in-flight", {})
    arrivals: list[float] = []
    tokens: dict[str, list[float]] = {name: [] for name in ("prompt-tokens", "generation-tokens")}
    for at in times:
        grown = flight[at] - flight[at - STEP_S] if {at, at - STEP_S} <= flight.keys() else 0.0
        arrivals.append(max(0.0, ended.get(at, 0.0) + grown))
        recent = range(at - (SMOOTHED - 1) * STEP_S, at + STEP_S, STEP_S)
        count = sum(ended.get(one, 0.0) for one in recent)
        for name, found in tokens.items():
            known = numbers.get(name, {})
            total = sum(known.get(one, 0.0) for one in recent) * STEP_S
            found.append(total / count if count >= 1 else 0.0)
    silent = sum(at not in ended for at in times)
    return Past(
        tuple(arrivals),
        tuple(tokens["prompt-tokens"]),
        tuple(tokens["generation-tokens"]),
        silent,
        seats,
        origin,
    )


def requests(past: Past, *, seed: int = 0) -> Requests:
    """Poisson arrivals at each minute's rate. Raises LlmHpaError for more requests than can be simulated."""
    expected = sum(past.arrivals)
    if expected > MOST_REQUESTS:
        raise LlmHpaError(
            "--history",
            f"that is {expected:.3g} requests, more than {MOST_REQUESTS:,}",
            "take a shorter time",
        )
    draw = random.Random(f"history {seed}")
    made = Requests(length=float(len(past.arrivals) * STEP_S), origin=past.origin)
    usual = {"prompt": _mean(past.arrivals, past.prompt), "output": _mean(past.arrivals, past.output)}
    for place, count in enumerate(past.arrivals):
        at, end = float(place * STEP_S), (place + 1) * STEP_S
        prompt = past.prompt[place] or usual["prompt"] or USUAL_PROMPT
        output = past.output[place] or usual["output"] or USUAL_OUTPUT
        while count:
            at += draw.expovariate(count / STEP_S)
            if at >= end:
                break
            made.at.append(at)
            made.prompt.append(drawn_length(draw, prompt, SPREAD))
            made.output.append(drawn_length(draw, output, SPREAD))
    if not made.at:
        raise LlmHpaError("--history", "hardly a request came in that time", "take a longer time")
    return made


def notes(past: Past) -> list[str]:
    """What to know about a load from such numbers."""
    told = [f"{sum(past.arrivals):,.0f} requests in {past.origin}, drawn anew minute by minute"]
    if past.silent:
        told.append(f"{past.silent} of {len(past.arrivals)} minutes have no samples: nothing comes in them")
    missing = [
        f"{usual:g} for {what}"
        for what, usual, found in (
            ("prompts", USUAL_PROMPT, past.prompt),
            ("outputs", USUAL_OUTPUT, past.output),
        )
        if not any(found)
    ]
    if missing:
        told.append(f"no counter tells the tokens: {' and '.join(missing)} are assumed")
    return told


@dataclass(frozen=True)
class _Asking:
    reader: Reader
    server: Server
    seconds: int

    def over_time(self, expression: str) -> dict[int, float]:
        """Each whole minute's number; minutes without a finite one are left out."""
        end = int(time.time()) // STEP_S * STEP_S
        start = end - self.seconds // STEP_S * STEP_S
        found = prometheus.query_range(
            self.reader, self.server, expression, start=start, end=end, step=STEP_S
        )
        return {at: number for at, number in found if math.isfinite(number)}

    def now(self, expression: str) -> float | None:
        found = prometheus.query(self.reader, self.server, expression)
        return found[0].value if found and math.isfinite(found[0].value) else None


def _long(seconds: float) -> str:
    return f"{seconds / 3600:g} h" if seconds % 3600 == 0 else f"{seconds / 60:.0f} min"


def _ended(name: str, matchers: str) -> str:
    return f"sum(max without ({_OF_A_SCRAPE}) (increase({name}{{{matchers}}}[{STEP_S}s])))"


def _mean(arrivals: Sequence[float], lengths: Sequence[float]) -> float:
    """The mean of the minutes that tell one, by their requests."""
    known = [(count, length) for count, length in zip(arrivals, lengths, strict=True) if length]
    total = sum(count for count, _ in known)
    return sum(count * length for count, length in known) / total if total else 0.0
