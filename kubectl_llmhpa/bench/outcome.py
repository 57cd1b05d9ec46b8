"""What came out of a run, whichever mode made it, for the report."""

from __future__ import annotations

from dataclasses import dataclass, field

from kubectl_llmhpa import hpa as autoscaler
from kubectl_llmhpa.bench.observed import Lag, Moment, PodStart, Proof, Sample
from kubectl_llmhpa.bench.preparing import Plan
from kubectl_llmhpa.bench.results import Result
from kubectl_llmhpa.bench.share import PodShare
from kubectl_llmhpa.bench.sizing.model import ColdStart, Sizing, Sweep
from kubectl_llmhpa.bench.timeline import Entry, Scaling


@dataclass
class Outcome:
    """What came out. `started` is the wall clock at the start of the load (0: it never started).

    `mode` is plain, sweep, profile or prove. `invalid` says what ended a run early or spoils its figures, besides what
    the result itself tells; what was measured before that is kept. `nodes` are those of the pods that were loaded,
    `client_nodes` those of the pods that made the load.
    """

    plan: Plan
    result: Result
    entries: list[Entry]
    shares: list[PodShare]
    started: float
    first_rescale_s: float | None
    hpa: autoscaler.HpaView | None
    ready: int | None
    notes: list[str] = field(default_factory=list)
    mode: str = "plain"
    invalid: str = ""
    moments: tuple[Moment, ...] = ()
    samples: tuple[Sample, ...] = ()
    scalings: tuple[Scaling, ...] = ()
    starts: tuple[PodStart, ...] = ()
    lag: Lag = field(default_factory=Lag)
    cold_start: ColdStart | None = None
    sweep: Sweep | None = None
    sizing: Sizing | None = None
    proof: Proof | None = None
    nodes: tuple[str, ...] = ()
    client_nodes: tuple[str, ...] = ()
