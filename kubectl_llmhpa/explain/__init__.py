"""Why does the controller ask for this many replicas, and what would change it?

`find` the HPA that is meant, `look` at everything that its controller reads, `replay` the calculation.
"""

from kubectl_llmhpa.explain.changes import Change, Wait
from kubectl_llmhpa.explain.facts import Answer, Facts, Scale
from kubectl_llmhpa.explain.look import find, look
from kubectl_llmhpa.explain.replay import STOPPED, Explained, Explanation, Said, replay

__all__ = [
    "STOPPED",
    "Answer",
    "Change",
    "Explained",
    "Explanation",
    "Facts",
    "Said",
    "Scale",
    "Wait",
    "find",
    "look",
    "replay",
]
