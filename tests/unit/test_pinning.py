"""What is written of replicas that a benchmark holds says how to give them back."""

from __future__ import annotations

import pytest

from kubectl_llmhpa.api import HPAS, SCALED_OBJECTS, Resource
from kubectl_llmhpa.plan.pinning import Pin


@pytest.mark.parametrize("resource", [HPAS, SCALED_OBJECTS])
def test_what_is_held_comes_back_from_its_text(resource: Resource) -> None:
    held = Pin(resource, {"metadata": {"name": "vllm", "uid": "1"}, "spec": {"maxReplicas": 3}}, 2)
    assert Pin.read(held.as_json()) == held
