"""What does an engine expose? One file an engine, the exposition reader and the registry."""

from kubectl_llmhpa.engines.evidence import Endpoint, expect, hidden_by, listening, missing_switch
from kubectl_llmhpa.engines.evidence import read as clues
from kubectl_llmhpa.engines.history import longest_generation
from kubectl_llmhpa.engines.model import (
    HPA_FORMS,
    SIGNALS,
    Engine,
    EngineFacts,
    Info,
    Kind,
    NotAnEngine,
    Seats,
    Signal,
    SignalSource,
    Source,
)
from kubectl_llmhpa.engines.promql import (
    by_seats_seen,
    is_peak,
    over_all,
    peak,
    per_pod,
    queue_share_in,
    seats_seen,
    seats_seen_in,
    told_seats,
    with_room,
)
from kubectl_llmhpa.engines.registry import assume, identify, signal_of, speaks
from kubectl_llmhpa.engines.rows import ENGINES

__all__ = [
    "ENGINES",
    "HPA_FORMS",
    "SIGNALS",
    "Endpoint",
    "Engine",
    "EngineFacts",
    "Info",
    "Kind",
    "NotAnEngine",
    "Seats",
    "Signal",
    "SignalSource",
    "Source",
    "assume",
    "by_seats_seen",
    "clues",
    "expect",
    "hidden_by",
    "identify",
    "is_peak",
    "listening",
    "longest_generation",
    "missing_switch",
    "over_all",
    "peak",
    "per_pod",
    "queue_share_in",
    "seats_seen",
    "seats_seen_in",
    "signal_of",
    "speaks",
    "told_seats",
    "with_room",
]
