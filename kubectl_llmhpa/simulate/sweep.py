"""What real engines measured, which the service model is held against.

Closed loops with equal lengths, by vLLM's own benchmark client. A curve has four numbers that were chosen on its sweep;
the points of a sweep have some twenty, and the model follows them.
"""

from __future__ import annotations

from dataclasses import dataclass

from kubectl_llmhpa.simulate.closed import Point, point
from kubectl_llmhpa.simulate.service import Service


@dataclass(frozen=True)
class Measured:
    """One point: so many requests by so many clients; a second; TTFT (p95, or mean) and mean latency in seconds."""

    clients: int
    requests: int
    throughput: float
    ttft: float
    latency_mean: float


@dataclass(frozen=True)
class Sweep:
    """One engine under more and more clients; `knee` is where throughput stops growing.

    `mean`: its client told the mean TTFT, and no p95.
    """

    engine: str
    curve: Service
    prompt: int
    output: int
    knee: int
    points: tuple[Measured, ...]
    mean: bool = False

    def modelled(self, measured: Measured) -> Point:
        """What the model makes of one of its points."""
        return point(self.curve, measured.clients, self.prompt, self.output, count=measured.requests)

    def ttft(self, found: Point) -> float:
        """What the model has for the TTFT of its points."""
        return found.ttft_mean if self.mean else found.ttft_p95


SMALL = Sweep(
    "vLLM 0.32 on the CPU, a tiny model",
    Service(
        seats=8,
        step=0.0075,
        per_request=0.00043,
        prefill=2640.0,
        chunk=2048,
        kv_tokens=50_000,
        overhead=0.004,
        origin="fitted to a sweep of vLLM 0.32 on CPU",
    ),
    prompt=96,
    output=48,
    knee=8,
    points=(
        Measured(1, 40, 2.30, 0.052, 0.435),
        Measured(2, 56, 4.17, 0.091, 0.479),
        Measured(4, 88, 6.71, 0.171, 0.595),
        Measured(6, 120, 8.40, 0.244, 0.713),
        Measured(8, 152, 9.52, 0.319, 0.840),
        Measured(10, 184, 9.33, 0.823, 1.054),
        Measured(12, 216, 9.90, 0.941, 1.183),
        Measured(16, 280, 10.16, 1.103, 1.528),
        Measured(24, 408, 10.11, 1.866, 2.277),
    ),
)

#: The curve is what `simulate --from-bench` fits to the seven results.
H100 = Sweep(
    "vLLM 0.25 on an H100, 7 billion bfloat16 weights",
    Service(
        seats=64,
        step=0.00632,
        per_request=0.0,
        prefill=34400.0,
        chunk=8192,
        kv_tokens=480_784,
        overhead=0.00005,
        joining=1.5,
        origin="fitted to a sweep of vLLM 0.25 on an H100",
    ),
    prompt=1000,
    output=200,
    knee=64,
    mean=True,
    points=(
        Measured(1, 12, 0.79, 0.042, 1.267),
        Measured(4, 32, 2.94, 0.093, 1.358),
        Measured(16, 96, 8.90, 0.283, 1.796),
        Measured(32, 160, 13.68, 0.479, 2.333),
        Measured(48, 240, 16.68, 0.548, 2.872),
        Measured(64, 320, 18.69, 0.783, 3.415),
        Measured(96, 384, 18.85, 1.917, 4.868),
    ),
)
