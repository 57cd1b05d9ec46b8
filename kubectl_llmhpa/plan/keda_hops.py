"""stand-in"""

from __future__ import annotations

from kubectl_llmhpa.api import SCALED_OBJECTS, Reader
from kubectl_llmhpa.plan.hops import Hop, HopState
from kubectl_llmhpa.workloads import Workload


def ready(reader: Reader, workload: Workload, name: str) -> Hop:
    def look() -> HopState:
        status = reader.get(SCALED_OBJECTS.path(workload.namespace, name)).get("status") or {}
        one = next((c for c in status.get("conditions") or [] if c["type"] == "Ready"), {})
        return HopState(one.get("status") == "True", str(one.get("message", "KEDA has not looked at it yet")))

    return Hop("ScaledObject", look, "see: kubectl describe scaledobject")
