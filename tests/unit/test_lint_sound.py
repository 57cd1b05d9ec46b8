"""No false alarm: what `enable` writes for every engine and backend, beside the workload that it scales."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from kubectl_llmhpa import engines
from kubectl_llmhpa.api import Json
from kubectl_llmhpa.backends import adapter_rules
from kubectl_llmhpa.backends.keda import Keda
from kubectl_llmhpa.backends.model import KEDA, PROMETHEUS_ADAPTER
from kubectl_llmhpa.errors import LlmHpaError
from kubectl_llmhpa.lint import documents, registry
from kubectl_llmhpa.monitoring.prometheus import Server
from kubectl_llmhpa.plan.looking.sight import EngineSight
from kubectl_llmhpa.plan.setting_up import planning
from kubectl_llmhpa.plan.wishes import Wishes
from tests.loading import ROOT
from tests.unit.test_plan import WORKLOAD, surroundings

BODIES = sorted((ROOT / "tests" / "bodies").glob("*-busy.txt"))
STARTED = {
    "vllm": ["vllm", "serve", "m"],
    "sglang": ["python3", "-m", "sglang.launch_server", "--model-path", "m", "--enable-metrics"],
    "tgi": ["text-generation-launcher", "--model-id", "m"],
    "llamacpp": ["llama-server", "-m", "m", "--metrics"],
    "lmdeploy": ["lmdeploy", "serve", "api_server", "m", "--enable-metrics"],
    "trtllm": ["trtllm-serve", "m"],
    "dynamo": ["python3", "-m", "dynamo.vllm", "--model", "m"],
}
IMAGES = {"vllm": "vllm/vllm-openai", "sglang": "lmsysorg/sglang", "nim": "nvcr.io/nim/meta/llama"}


def planned(body: Path, backend: str) -> list[Json] | None:
    """The objects of a plan, with the rules as the adapter's file and the workload; None where enable refuses."""
    text = body.read_text(errors="replace")
    engine, _, version = body.stem.partition("-")
    command = STARTED.get(engine, [])
    try:
        facts = engines.identify(text, engines.clues(command))
        image = f"{IMAGES.get(engine, engine)}:v{version.partition('-')[0]}"
        container: Json = {
            "name": "engine", "command": command, "image": image, "env": [{"name": "DYN_SYSTEM_PORT", "value": "8000"}],
            "ports": [{"containerPort": 8000, "name": "http"}],
        }  # fmt: skip
        pod: Json = {
            "metadata": {"name": "vllm-a", "labels": {"app": "vllm"}},
            "spec": {"containers": [container]},
        }
        path = next(one.path for one in engines.ENGINES if one.name == facts.engine)
        sight = EngineSight(pod, container, 8000, path, text, facts)
        around = surroundings(keda=Keda("keda", "2.21.0", "", True), server=Server("monitoring", "k8s", 9090))
        plan = planning.make(WORKLOAD, sight, around, Wishes(max_replicas=5, backend=backend), None)
    except LlmHpaError:
        return None
    rules = adapter_rules.add("rules: []\n", list(plan.rules.values()))
    config: Json = {
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "pa", "namespace": "monitoring"},
        "data": {"config.yaml": rules},
    }  # fmt: skip
    template: Json = {
        "metadata": {"labels": {"app": "vllm"}},
        "spec": {"terminationGracePeriodSeconds": 300, "containers": [container]},
    }
    workload: Json = {
        "apiVersion": WORKLOAD.resource.api_version, "kind": WORKLOAD.resource.kind,
        "metadata": {"name": WORKLOAD.name, "namespace": WORKLOAD.namespace},
        "spec": {"selector": {"matchLabels": {"app": "vllm"}}, "template": template},
    }  # fmt: skip
    return [
        one
        for one in (workload, plan.scrape.object, plan.scaler.object, config if plan.rules else None)
        if one
    ]


@pytest.mark.parametrize("backend", [PROMETHEUS_ADAPTER, KEDA])
def test_what_enable_writes_is_clean(backend: str) -> None:
    """With its rules beside it, and without: then they are in the adapter, though not among the manifests."""
    written: set[str] = set()
    found: dict[str, int] = {}
    for body in BODIES:
        plan = planned(body, backend)
        if plan is None:
            continue
        for objects in (plan, plan[:3]):
            manifests = documents.parse(yaml.dump_all(objects, Dumper=yaml.CSafeDumper), "plan.yaml")
            assert len(manifests.documents) == len(objects)
            report = registry.run(manifests.documents)
            found |= {f"{body.stem}: {one.finding}": 1 for one in report.found}
        written.add(body.stem)
    assert list(found) == []
    assert len(written) >= 60
    engines_of_bodies = {re.split(r"-", name)[0] for name in written}
    assert engines_of_bodies >= {engine.name for engine in engines.ENGINES}
