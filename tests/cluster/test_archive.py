"""What Krew installs does the whole work: on a machine with kubectl alone, from detect to disable."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.archive.installed import install_by_krew
from tests.cluster.conftest import Kubectl, Plugin
from tests.cluster.stub_workload import Stub

pytestmark = pytest.mark.cluster


def test_the_archive_detects_enables_shows_and_disables(
    kubectl: Kubectl, namespace: str, llm_hpa: Plugin, tmp_path: Path
) -> None:
    krew = install_by_krew(tmp_path)
    stub = Stub(kubectl, namespace)
    stub.start()
    found = json.loads(llm_hpa("detect", "-n", namespace, "-o", "json", **krew).stdout)
    assert [item["engine"] for item in found["items"]] == ["vllm"]
    planned = llm_hpa("enable", *stub.reference, "--max", "3", "--dry-run=server", **krew)
    assert planned.code == 0, planned.stderr
    assert kubectl.get("hpa,podmonitor", "-n", namespace)["items"] == []
    made = llm_hpa("enable", *stub.reference, "--max", "3", **krew)
    assert made.code == 0, made.stderr
    shown = llm_hpa("status", "-n", namespace, **krew)
    assert "statefulset/vllm-inference" in shown.stdout, shown.stderr
    healthy = llm_hpa("doctor", *stub.reference, **krew)
    assert healthy.code == 0, healthy.stdout
    gone = llm_hpa("disable", *stub.reference, **krew)
    assert gone.code == 0, gone.stderr
    assert kubectl.get("hpa,podmonitor,scaledobject", "-n", namespace)["items"] == []
