"""The whole job with a real vLLM: detect, enable, load, scaled from 1 to 3 and back to 1, given back."""

from __future__ import annotations

import json

import pytest

from tests.cluster.conftest import Kubectl, Plugin, load_image
from tests.cluster.dump import differences, dump
from tests.engine import vllm_runtime
from tests.engine.tiny_model import SMALL
from tests.engine.workloads import vllm

pytestmark = [pytest.mark.engine, pytest.mark.timeout(900)]


def test_a_real_vllm_scales_from_1_to_3_under_bench_and_back_to_1(
    llm_hpa: Plugin, kubectl: Kubectl, namespace: str
) -> None:
    target = ("sts/vllm-inference", "-n", namespace)
    load_image("vllm")
    manifest = vllm(vllm_runtime.ensure(SMALL), namespace=namespace)
    kubectl.run("apply", "-f", "-", stdin=manifest)
    kubectl.run("rollout", "status", *target, "--timeout=300s", timeout=330)
    before = dump(kubectl, namespace)
    seen = json.loads(llm_hpa("detect", *target, "-o", "json").stdout)["items"][0]
    assert (seen["engine"], seen["version"], seen["port"]) == ("vllm", vllm_runtime.VERSION, 8000)
    by_vendor(llm_hpa, target)
    enabled = llm_hpa("enable", *target, "--min", "1", "--max", "3", "--scale-down-window", "15s")
    assert enabled.code == 0, enabled.stderr
    loaded = llm_hpa("bench", *target, "--concurrency", "20", "--duration", "90s", "-o", "json", timeout=600)
    assert loaded.code == 0, loaded.stderr
    report = json.loads(loaded.stdout)
    events = kubectl.get("events", "-n", namespace, "--field-selector", "reason=SuccessfulRescale")["items"]
    messages = [event["message"] for event in events]
    assert any(message.startswith("New size: 3; reason: external metric s") for message in messages), messages
    assert report["kind"] == "Bench"
    assert kubectl.get("jobs", "-n", namespace)["items"] == []
    kubectl.run("wait", *target, "--for=jsonpath={.spec.replicas}=1", "--timeout=240s", timeout=270)
    disabled = llm_hpa("disable", *target)
    assert disabled.code == 0, disabled.stderr
    left = [
        line
        for line in differences(before, dump(kubectl, namespace))
        if f"{namespace}/vllm-inference: .spec.replicas" not in line
        and f"{namespace}/vllm-inference: .metadata.managedFields" not in line
    ]
    assert left == []


def by_vendor(llm_hpa: Plugin, target: tuple[str, ...]) -> None:
    """The vendor document's benchmark by vLLM's own generator in its image, with fewer and shorter requests."""
    fewer = ("--num-prompts", "24", "--concurrency", "8", "--input-len", "64", "--output-len", "16")
    loaded = llm_hpa("bench", *target, "--preset", "vendor", *fewer, "-o", "json", timeout=300)
    assert loaded.code == 0, loaded.stderr
    result = json.loads(loaded.stdout)["result"]
    assert (result["tool"], result["sent"], result["done"], result["failed"]) == ("vllm", 24, 24, {})
