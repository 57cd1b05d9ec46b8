"""Which hop of the chain is broken, and what mends it?

`look` at every hop, `diagnose` what was seen, `codec` to keep it in a file.
"""

from kubectl_llmhpa.doctor.facts import Facts
from kubectl_llmhpa.doctor.look import look
from kubectl_llmhpa.doctor.model import Diagnosis, Mark, Verdict
from kubectl_llmhpa.doctor.walk import HOPS, diagnose

__all__ = ["HOPS", "Diagnosis", "Facts", "Mark", "Verdict", "diagnose", "look"]
