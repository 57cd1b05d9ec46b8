"""stand-in"""
from __future__ import annotations
from collections.abc import Sequence
from kubectl_llmhpa.api import Json
from kubectl_llmhpa.workloads.model import Workload
def pattern(workload: Workload, pods: Sequence[Json]) -> str | None:
    return f"{workload.name}-.*"
