"""What we keep in ConfigMaps, after somebody has edited or deleted it by hand."""

from __future__ import annotations

from typing import Any

import pytest

from kubectl_llmhpa.api import HPAS, MANAGED_BY, MANAGER, STATEFUL_SETS, Json
from kubectl_llmhpa.errors import ApiError, LlmHpaError
from kubectl_llmhpa.plan import disabling, journal, pinning
from kubectl_llmhpa.workloads import Workload
from tests.unit.test_status import Recorded

WORKLOAD = Workload(STATEFUL_SETS, "llm", "vllm", {}, 1, "app=vllm")
PIN = "/api/v1/namespaces/llm/configmaps/llm-hpa-statefulset-vllm-pin"


class Objects(Recorded):
    """Objects by their paths; nothing else is there."""

    def __init__(self, **objects: Json) -> None:
        super().__init__()
        self.objects = objects

    def get(self, path: str, *, accept: str = "application/json") -> Json:
        if path not in self.objects:
            raise ApiError(f"read {path}", 404, "NotFound", "not found")
        return self.objects[path]


@pytest.mark.parametrize(
    "text",
    [
        "{broken", "[]", "7", "{}", '{"schemaVersion": "kubectl-llm-hpa/journal/v2"}',
        '{"schemaVersion": "kubectl-llm-hpa/journal/v2", "objects": [{"x": 1}], "metrics": [], "adopted": null, '
        '"move": null}',
    ],
)  # fmt: skip
def test_what_is_no_journal_is_said_so(text: str) -> None:
    found = {"metadata": {"namespace": "llm", "name": "j"}, "data": {"journal.json": text}}
    with pytest.raises(LlmHpaError, match="read configmap llm/j: it is not a journal"):
        journal.read(found)


@pytest.mark.parametrize("text", ["{broken", "[]", "{}"])
def test_what_does_not_say_what_is_held_is_said_so(text: str) -> None:
    reader = Objects(**{PIN: {"metadata": {}, "data": {"pin.json": text}}})
    with pytest.raises(LlmHpaError, match="it does not say what a benchmark holds"):
        pinning.left(reader, WORKLOAD)


@pytest.mark.parametrize(("manager", "lost"), [(MANAGER, True), ("kubectl", False)])
def test_a_lost_journal_is_not_taken_for_nothing_enabled(manager: str, lost: bool) -> None:
    scaler = {
        "metadata": {
            "name": "vllm", "namespace": "llm", "labels": {MANAGED_BY: MANAGER},
            "managedFields": [{"manager": manager}],
        },
        "spec": {"scaleTargetRef": WORKLOAD.scale_target},
    }  # fmt: skip
    reader: Any = Objects(**{HPAS.path("llm", "vllm"): scaler})
    if not lost:
        assert disabling.preview(reader, WORKLOAD, print) == []
        return
    with pytest.raises(LlmHpaError, match=r"configmap/llm-hpa-statefulset-vllm, .* is gone"):
        disabling.preview(reader, WORKLOAD, print)
