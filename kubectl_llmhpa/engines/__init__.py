"""What does an engine expose? One file an engine, the exposition reader and the registry."""

from kubectl_llmhpa.engines.history import longest_generation
from kubectl_llmhpa.engines.model import (
    SIGNALS,
    EngineFacts,
    Kind,
    NotAnEngine,
    Seats,
    Signal,
    SignalSource,
)
from kubectl_llmhpa.engines.registry import ENGINES, engine_of, identify, listening, signal_of

__all__ = [
    "ENGINES",
    "SIGNALS",
    "EngineFacts",
    "Kind",
    "NotAnEngine",
    "Seats",
    "Signal",
    "SignalSource",
    "engine_of",
    "identify",
    "listening",
    "longest_generation",
    "signal_of",
]
