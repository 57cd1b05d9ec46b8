"""What should the HPA ask for, given what the engine can say?"""

from kubectl_llmhpa.policy.behavior import behavior
from kubectl_llmhpa.policy.decide import ONE_NUMBER, decide
from kubectl_llmhpa.policy.model import Peak, Policy, Target
from kubectl_llmhpa.policy.presets import OF_SEATS, PEAK, PRESETS, Preset, queue_means_full
from kubectl_llmhpa.policy.reach import TOLERANCE

__all__ = [
    "OF_SEATS",
    "ONE_NUMBER",
    "PEAK",
    "PRESETS",
    "TOLERANCE",
    "Peak",
    "Policy",
    "Preset",
    "Target",
    "behavior",
    "decide",
    "queue_means_full",
]
