"""The names of the metric backends: who hands the number to the HPA."""

from __future__ import annotations

from dataclasses import dataclass

PROMETHEUS_ADAPTER = "prometheus-adapter"
ACK = "ack"
KEDA = "keda"

BACKENDS = (PROMETHEUS_ADAPTER, ACK, KEDA)


@dataclass(frozen=True)
class Choice:
    """The backend of one workload, and why it was chosen: half a sentence without a full stop."""

    backend: str
    reason: str
