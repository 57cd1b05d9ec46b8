"""What a real engine measured, which the service model is held against.

vLLM 0.32 on CPU, 8 seats, 96 tokens in and 48 out, closed loop with equal lengths, its own benchmark client. `CURVE`
has four numbers that were chosen on this sweep; its nine points have 27, and the model follows them.
"""

from __future__ import annotations

from dataclasses import dataclass

from kubectl_llmhpa.simulate.service import Service

PROMPT, OUTPUT = 96, 48
#: Clients at which throughput stops growing.
KNEE = 8
CURVE = Service(
    seats=8,
    step=0.0075,
    per_request=0.00043,
    prefill=2640.0,
    chunk=2048,
    kv_tokens=50_000,
    overhead=0.004,
    origin="fitted to a sweep of vLLM 0.32 on CPU",
)


@dataclass(frozen=True)
class Measured:
    """One point: requests per second, and seconds."""

    clients: int
    throughput: float
    ttft_p95: float
    latency_mean: float


MEASURED = (
    Measured(1, 2.30, 0.052, 0.435),
    Measured(2, 4.17, 0.091, 0.479),
    Measured(4, 6.71, 0.171, 0.595),
    Measured(6, 8.40, 0.244, 0.713),
    Measured(8, 9.52, 0.319, 0.840),
    Measured(10, 9.33, 0.823, 1.054),
    Measured(12, 9.90, 0.941, 1.183),
    Measured(16, 10.16, 1.103, 1.528),
    Measured(24, 10.11, 1.866, 2.277),
)
