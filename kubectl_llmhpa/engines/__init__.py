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
from kubectl_llmhpa.engines.promql import ahead, horizon, over_all, points, words_in
from kubectl_llmhpa.engines.registry import assume, engine_of, identify, signal_of, speaks
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
    "ahead",
    "assume",
    "clues",
    "engine_of",
    "expect",
    "hidden_by",
    "horizon",
    "identify",
    "listening",
    "longest_generation",
    "missing_switch",
    "over_all",
    "points",
    "signal_of",
    "speaks",
    "words_in",
]
