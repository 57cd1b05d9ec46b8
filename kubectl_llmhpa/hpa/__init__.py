"""What does autoscaling/v2 do? Its spec, the controller's arithmetic, its behaviour and its events."""

from kubectl_llmhpa.hpa.events import Rescale, in_words, of_hpa, rescales
from kubectl_llmhpa.hpa.failures import Failure, explain
from kubectl_llmhpa.hpa.model import Condition, HpaView, MetricView, ScaleTarget
from kubectl_llmhpa.hpa.ownership import is_ours
from kubectl_llmhpa.hpa.spec import render
from kubectl_llmhpa.hpa.views import view

__all__ = [
    "Condition",
    "Failure",
    "HpaView",
    "MetricView",
    "Rescale",
    "ScaleTarget",
    "explain",
    "in_words",
    "is_ours",
    "of_hpa",
    "render",
    "rescales",
    "view",
]
