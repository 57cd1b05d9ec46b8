"""The scenarios of `scripts/bench/live`, and what the simulator makes of what was recorded of them."""

from __future__ import annotations

import os
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from kubectl_llmhpa.output.tables import table
from kubectl_llmhpa.simulate import scalers
from kubectl_llmhpa.simulate.fleet import Run, World, run
from kubectl_llmhpa.simulate.loads import load as made_up
from kubectl_llmhpa.simulate.requests import Requests
from kubectl_llmhpa.simulate.results import Slo, figures
from kubectl_llmhpa.simulate.service import Service

LENGTH_S, SYNC_S, SCRAPE_S = 540.0, 15.0, 5.0
SEEDS = 31
SLO = Slo(ttft=2.0)
#: The stub's flags, and the same in the model's words.
SEATS, PROMPT, OUTPUT = 24, 60, 12
PACE = ("--step-base", "150ms", "--step-per-seq", "8ms", "--prefill-per-token", "1.5ms")
SERVICE = Service(
    SEATS, step=0.150, per_request=0.008, prefill=1 / 0.0015, chunk=2048, kv_tokens=16_384, overhead=0.01, joining=0.5,
    origin="the stub's flags",
)  # fmt: skip
ADAPTER = ("--backend", "prometheus-adapter", "--edit-adapter", "yes")
KEDA = ("--backend", "keda")
QUICK = ("--scale-down-window", "60s")
BURSTS, RAMP, STEEP = "bursty:base=1.5,peak=8,every=3m,for=45s", "ramp:from=1,to=9", "ramp:from=1,to=14"
#: Bursts on top of a ramp, each gone before the next one comes.
COMING_BACK, COMING_BACK_S = "ramp:from=1,to=2 + bursty:base=0.1,peak=10,every=4m,for=45s", 840.0


@dataclass(frozen=True)
class Scenario:
    """A load (several, with ` + ` between them) for so many seconds, pods that take so many to start, and flags of
    `enable`, or the name of a published policy."""

    name: str
    load: str
    start_up: int
    flags: tuple[str, ...] = ()
    published: str = ""
    most: int = 5
    length: float = LENGTH_S

    def requests(self) -> Requests:
        """Of all parts of the load together."""
        parts = [
            made_up(f"{part},duration={self.length:g}s,prompt={PROMPT},output={OUTPUT},spread=0", seed=seed)
            for seed, part in enumerate(self.load.split(" + "))
        ]
        return Requests.of(
            [(at, PROMPT, OUTPUT) for at in sorted(at for one in parts for at in one.at)], length=self.length
        )


SCENARIOS = (
    Scenario("step", "step:low=1.5,high=7,at=1m,for=6m", 20, ADAPTER),
    Scenario("scale-in", "step:low=1,high=8,at=20s,for=3m", 20, (*ADAPTER, *QUICK)),
    Scenario("cold-start", "step:low=0.5,high=6,at=1m,for=5m", 60, ADAPTER),
    Scenario("two-signals", RAMP, 20, (*ADAPTER, "--signal", "running=10", "--signal", "waiting=2")),
    Scenario("ramp", STEEP, 60, KEDA, most=8),
    Scenario("burst", BURSTS, 60, (*KEDA, *QUICK)),
    Scenario("again", COMING_BACK, 60, (*KEDA, *QUICK), most=8, length=COMING_BACK_S),
    Scenario(
        "again-anticipate",
        COMING_BACK,
        60,
        (*KEDA, *QUICK, "--policy", "anticipate"),
        most=8,
        length=COMING_BACK_S,
    ),
    Scenario("grid-ours", STEEP, 30, ADAPTER, most=8),
    Scenario("grid-vendor", STEEP, 30, published="vendor document", most=8),
    Scenario("grid-llm-d", STEEP, 30, published="llm-d 16", most=8),
)
#: Those that are compared with each other, first what should be better.
ORDERS = (
    ("grid-ours", "grid-vendor", "grid-llm-d"),
    ("again-anticipate", "again"),
)


Path_ = Sequence[tuple[float, int]]


@dataclass(frozen=True)
class Outcome:
    """One side of a scenario; `path` are (time, replicas asked for) from the start of the load on, for `length` s."""

    attainment: float
    path: Path_
    length: float

    @property
    def replica_seconds(self) -> float:
        ends = [at for at, _ in self.path[1:]] + [self.length]
        return sum((min(end, self.length) - min(at, self.length)) * replicas
                   for (at, replicas), end in zip(self.path, ends, strict=True))  # fmt: skip


def live(seen: Any, length: float) -> Outcome:
    rows = seen["requests"]
    kept = sum(ttft is not None and SLO.kept(ttft, 0.0, whole) for _, ttft, whole in rows)
    return Outcome(kept / len(rows), [tuple(change) for change in seen["path"]], length)


def modelled(seen: Any, length: float) -> list[Outcome]:
    """The simulator's, for each seed."""
    candidate = scalers.of_hpa(seen["hpa"], "live", scaled_object=seen["scaledObject"])
    rows = sorted(at for at, _, _ in seen["requests"])
    rescales = [at for at, _ in seen["path"] if 0 < at < length]
    world = World(start_up=tuple(seen["startUps"]), scrape=SCRAPE_S, sync=SYNC_S, polling=candidate.polling)
    found = []
    for seed in range(SEEDS):
        chance = replace(world, seed=seed)
        # The controller looked when it rescaled: the load begins so much later that the model's looks fall there too.
        first = run(
            Requests.of([(SYNC_S, 1, 1)], length=SYNC_S), SERVICE, chance, scaling=candidate.scaling
        ).flight[0][0]
        lead = seen["idle"] + ((first - rescales[0] - seen["idle"]) % SYNC_S if rescales else 0.0)
        requests = Requests.of([(at + lead, PROMPT, OUTPUT) for at in rows], length=length + lead)
        made = run(requests, SERVICE, chance, scaling=candidate.scaling)
        found.append(Outcome(figures(requests, made, SLO, SERVICE).attainment, path(made, lead), length))
    return found


def path(made: Run, lead: float) -> Path_:
    """When the model asked for how many, from the start of the load on."""
    found: list[tuple[float, int]] = []
    for at, asked, _ in made.ready:
        if not found or found[-1][1] != asked:
            found.append((max(0.0, at - lead), asked))
    return found


def at_time(path: Path_, when: float) -> int:
    return next((asked for at, asked in reversed(path) if at <= when), path[0][1])


def outside(real: Path_, model: Path_, length: float) -> float:
    """Seconds in which the real replicas are none of those that the model asks for within a sync around that moment."""
    count = 0
    for second in range(int(length)):
        near = [asked for at, asked in model if second - SYNC_S <= at <= second + SYNC_S]
        near.append(at_time(model, second - SYNC_S))
        count += not min(near) <= at_time(real, second) <= max(near)
    return float(count)


def apart(real: Outcome, attainment: float, replica_seconds: float) -> tuple[float, float]:
    """How far the simulator is off: points of attainment, and a share of the replica-seconds."""
    return 100 * (attainment - real.attainment), replica_seconds / real.replica_seconds - 1


def compare(recorded: dict[str, Any]) -> int:
    """Prints both sides of the scenarios that were recorded; 0 when the bars hold."""
    rows, sides, good = [], {}, True
    for one in (each for each in SCENARIOS if each.name in recorded):
        real, models = live(recorded[one.name], one.length), modelled(recorded[one.name], one.length)
        middle = (
            statistics.median(each.attainment for each in models),
            statistics.median(each.replica_seconds for each in models),
        )
        sides[one.name] = (real.attainment, real.replica_seconds), middle
        away = [outside(real.path, each.path, one.length) for each in models]
        nearest = models[away.index(min(away))]
        points, share = apart(real, nearest.attainment, nearest.replica_seconds)
        holds = abs(points) <= 3 and abs(share) <= 0.05 and not min(away)
        good = good and holds
        told = apart(real, *middle)
        rows.append([
            one.name, f"{real.attainment:.1%}", f"{told[0]:+.1f}", f"{points:+.1f}",
            f"{real.replica_seconds:.0f}", f"{told[1]:+.1%}", f"{share:+.1%}",
            f"{away.count(0)} of {SEEDS}", f"{min(away):.0f}", "held" if holds else "missed",
        ])  # fmt: skip
    titles = [
        "scenario",
        "slo met",
        "median",
        "nearest",
        "replica-s",
        "median",
        "nearest",
        "same path",
        "s off",
        "bars",
    ]
    print(table(titles, rows), end="\n\n")
    for names in (each for each in ORDERS if {*each} <= sides.keys()):
        for side, word in enumerate(("live", "model")):
            shown = (f"{name} {sides[name][side][0]:.1%} at {sides[name][side][1]:.0f}" for name in names)
            print(f"{word}: {', '.join(shown)}")
    print(f"\nrecorded {recorded['date']}, load average {recorded['load']:.0f} on {os.cpu_count()} cores")
    return 0 if good else 1
