"""The HPA controller's own arithmetic (Kubernetes 1.34 to 1.37), step by step and to the last bit, on plain data.

`sync` is one look of the controller; what it says there is in `conditions` and `events`. `reading` makes its inputs of
Kubernetes objects. Sources: Pods, Object and External metrics; CPU and memory are not here. That it is the controller's
own is tested against the controller's own code, `tests/cluster/test_hpa_path.py`.
"""

from kubectl_llmhpa.hpa.arithmetic.limits import Allowance, Change, Limited
from kubectl_llmhpa.hpa.arithmetic.model import (
    Controller,
    Failed,
    Metric,
    Pod,
    Reading,
    ScalingPolicy,
    ScalingRules,
    Spec,
)
from kubectl_llmhpa.hpa.arithmetic.replicas import Proposal
from kubectl_llmhpa.hpa.arithmetic.reports import Event, conditions, events
from kubectl_llmhpa.hpa.arithmetic.stabilization import Recommendation, Stabilized
from kubectl_llmhpa.hpa.arithmetic.sync import Memory, Outcome, sync
from kubectl_llmhpa.hpa.arithmetic.votes import Ballot, Invalid, title

__all__ = [
    "Allowance",
    "Ballot",
    "Change",
    "Controller",
    "Event",
    "Failed",
    "Invalid",
    "Limited",
    "Memory",
    "Metric",
    "Outcome",
    "Pod",
    "Proposal",
    "Reading",
    "Recommendation",
    "ScalingPolicy",
    "ScalingRules",
    "Spec",
    "Stabilized",
    "conditions",
    "events",
    "sync",
    "title",
]
