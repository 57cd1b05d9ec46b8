"""What should the HPA ask for, given what the engine can say?"""

from kubectl_llmhpa.policy.behavior import behavior
from kubectl_llmhpa.policy.decide import decide
from kubectl_llmhpa.policy.model import Policy, Target
from kubectl_llmhpa.policy.presets import PRESETS, Preset
from kubectl_llmhpa.policy.reach import TOLERANCE

__all__ = ["PRESETS", "TOLERANCE", "Policy", "Preset", "Target", "behavior", "decide"]
