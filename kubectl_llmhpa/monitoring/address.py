"""stand-in"""

from __future__ import annotations
from collections.abc import Sequence
from kubectl_llmhpa.api import Json
from kubectl_llmhpa.errors import LlmHpaError
from kubectl_llmhpa.monitoring.prometheus import Server
from kubectl_llmhpa.monitoring.prometheus_operator import Selection


def of(selection: Selection, services: Sequence[Json], prometheuses: Sequence[Json]) -> Server:
    for one in services:
        selector = one["spec"].get("selector") or {}
        if (
            one["metadata"]["namespace"] == selection.namespace
            and selector
            and selector.items() <= selection.pod_labels.items()
        ):
            return Server(selection.namespace, one["metadata"]["name"], 9090)
    raise LlmHpaError("find the address of Prometheus", "no Service leads to it", "give --prometheus-url")
