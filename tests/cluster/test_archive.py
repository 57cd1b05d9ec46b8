"""What Krew and pipx install does the whole work: on a machine with kubectl alone, from detect to disable."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from tests.archive import installed
from tests.cluster.conftest import Kubectl, Plugin
from tests.cluster.stub_workload import Stub

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(600)]
MADE = "hpa,podmonitor,scaledobject"


def by_krew(folder: Path) -> dict[str, str]:
    """By Krew, and the link that its caveats ask for."""
    found = installed.install_by_krew(folder)
    installed.link_completion(found)
    return found


@pytest.mark.parametrize("install", [by_krew, installed.install_by_pipx], ids=["krew", "pipx"])
def test_every_command_works_as_it_was_installed(
    kubectl: Kubectl,
    namespace: str,
    llm_hpa: Plugin,
    tmp_path: Path,
    install: Callable[[Path], dict[str, str]],
) -> None:
    """All that ask a cluster; those that read files are in tests/archive."""
    found = install(tmp_path)
    stub = Stub(kubectl, namespace)
    stub.start()

    def said(command: str, *arguments: str) -> str:
        done = llm_hpa(command, *arguments, **found)
        assert done.code == 0, f"{command}: {done.stdout}{done.stderr}"
        return done.stdout

    detected = json.loads(said("detect", "-n", namespace, "-o", "json"))
    assert [item["engine"] for item in detected["items"]] == ["vllm"]
    roles = list(yaml.safe_load_all(said("rbac", *stub.reference, "--for", "enable")))
    assert {"Role", "ClusterRole"} <= {role["kind"] for role in roles}
    assert " 0 failed" in said("bench", *stub.reference, "--concurrency", "4", "--duration", "5s")

    said("enable", *stub.reference, "--max", "3", "--dry-run=server")
    assert kubectl.get(MADE, "-n", namespace)["items"] == []
    said("enable", *stub.reference, "--max", "3")
    assert "statefulset/vllm-inference" in said("status", "-n", namespace)
    assert "running" in said("explain", *stub.reference)
    said("doctor", *stub.reference)
    assert json.loads(said("lint", "-n", namespace, "-o", "json", "--fail-on", "never"))["schemaVersion"]
    assert "vllm-inference" in said("simulate", *stub.reference, "--load", "step:high=8,low=2")
    said("migrate", *stub.reference, "--to", "prometheus-adapter", "--edit-adapter=yes", "--dry-run=server")
    offered = installed.said("kubectl", "__complete", "llm-hpa", "explain", "-n", namespace, "hpa/", **found)
    assert "hpa/vllm-inference" in offered

    said("disable", *stub.reference)
    assert kubectl.get(MADE, "-n", namespace)["items"] == []
