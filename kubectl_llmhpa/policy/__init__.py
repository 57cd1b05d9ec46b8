"""What should the HPA ask for, given what the engine can say?"""

from kubectl_llmhpa.policy.behavior import behavior
from kubectl_llmhpa.policy.decide import ONE_NUMBER, decide
from kubectl_llmhpa.policy.model import Forecast, Policy, Target
from kubectl_llmhpa.policy.presets import PRESETS, Preset, forecast, forecast_at
from kubectl_llmhpa.policy.reach import TOLERANCE

__all__ = [
    "ONE_NUMBER",
    "PRESETS",
    "TOLERANCE",
    "Forecast",
    "Policy",
    "Preset",
    "Target",
    "behavior",
    "decide",
    "forecast",
    "forecast_at",
]
