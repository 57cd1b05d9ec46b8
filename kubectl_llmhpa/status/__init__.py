"""How is every autoscaler of LLM pods? One table a person can run a shift on."""

from kubectl_llmhpa.status.drift import Drift
from kubectl_llmhpa.status.look import Around, Question, around, judged
from kubectl_llmhpa.status.overview import Autoscaler, cut_off, overview

__all__ = [
    "Around",
    "Autoscaler",
    "Drift",
    "Question",
    "around",
    "cut_off",
    "judged",
    "overview",
]
