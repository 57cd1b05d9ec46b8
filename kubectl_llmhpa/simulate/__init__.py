"""What would this autoscaler do under that load? A model of pods, and the HPA's own arithmetic over time."""

from kubectl_llmhpa.simulate.compare import Comparison, Question, Row, compare
from kubectl_llmhpa.simulate.fleet import World
from kubectl_llmhpa.simulate.results import Slo
from kubectl_llmhpa.simulate.service import service as service_of

__all__ = ["Comparison", "Question", "Row", "Slo", "World", "compare", "service_of"]
