"""Live completion through the real kubectl, against a real API server."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.cluster.conftest import Kubectl

pytestmark = pytest.mark.control_plane


def completed(*words: str) -> list[str]:
    """What a shell gets of kubectl for these words, without help texts and directive."""
    done = subprocess.run(
        ["kubectl", "__complete", "llm-hpa", *words], capture_output=True, text=True, check=True, timeout=60
    )
    return [line.partition("\t")[0] for line in done.stdout.splitlines() if not line.startswith(":")]


@pytest.fixture
def workload(kubectl: Kubectl, namespace: str) -> str:
    kubectl.run("create", "deployment", "llama", "--image=none", "--replicas=0", "-n", namespace)
    kubectl.run("autoscale", "deployment", "llama", "--name=queue", "--max=3", "-n", namespace)
    return namespace


def test_what_the_cluster_has(workload: str) -> None:
    assert shutil.which("kubectl_complete-llm_hpa")
    assert completed("enable", "-n", workload, "") == ["deployment/llama"]
    assert completed("explain", "-n", workload, "") == ["deployment/llama", "hpa/queue"]
    assert completed("enable", "-n", workload, "deploy/") == ["deploy/llama"]
    assert completed("status", "-n", workload[:-1]) == [workload]


def test_the_typed_connection_is_used(kubectl: Kubectl, workload: str, tmp_path: Path) -> None:
    config = json.loads(kubectl.run("config", "view", "--raw", "--flatten", "-o", "json").stdout)
    context = config["contexts"][0]["context"]
    config["contexts"] = [{"name": name, "context": context} for name in ("blue", "green")]
    other = tmp_path / "kubeconfig"
    other.write_text(json.dumps(config))
    assert completed("status", "--kubeconfig", str(other), "--context", "") == ["blue", "green"]
    assert completed("enable", "--as", "somebody", "-n", workload, "") == []
    assert completed("enable", "--server", "https://127.0.0.1:1", "-n", workload, "") == []
