"""After `disable` the cluster is as it was before `enable`, whatever happened in between."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

from tests.cluster.conftest import ADAPTER, ROOT, Kubectl, Plugin
from tests.cluster.dump import differences, dump
from tests.cluster.stub_workload import Stub, vendor_recipe

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(1500)]


@pytest.fixture
def stub(kubectl: Kubectl, namespace: str) -> Stub:
    workload = Stub(kubectl, namespace)
    workload.start()
    return workload


def killed_after(write: int | str, *arguments: str) -> int:
    """The exit code of the plugin, SIGKILLed right after that write (see killed.py; negative: by that signal)."""
    command = [sys.executable, "-m", "tests.cluster.killed", str(write), *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, timeout=400, check=False).returncode


def test_enable_then_disable(llm_hpa: Plugin, kubectl: Kubectl, stub: Stub) -> None:
    before = dump(kubectl, stub.namespace)
    assert any(key.startswith("keda.sh") or "keda-operator" in key for key in before), "KEDA is to be there"
    outcome = llm_hpa("enable", *ADAPTER, *stub.reference, "--max", "3")
    assert outcome.code == 0, outcome.stderr
    assert differences(before, dump(kubectl, stub.namespace)) != []
    outcome = llm_hpa("disable", *stub.reference)
    assert outcome.code == 0, outcome.stderr
    assert differences(before, dump(kubectl, stub.namespace)) == []


@pytest.mark.parametrize("then", ["enabled again", "disabled at once"])
def test_killed_after_each_write_of_enable(llm_hpa: Plugin, kubectl: Kubectl, stub: Stub, then: str) -> None:
    """Whatever was written when it was killed, the next command goes on from there, and `disable` leaves no trace."""
    before = dump(kubectl, stub.namespace)
    flags = (*ADAPTER, *stub.reference, "--max", "3", "--no-wait")
    for write in range(1, 30):
        code = killed_after(write, "enable", *flags)
        if code == 0:
            break
        assert code == -signal.SIGKILL
        if then == "enabled again":
            again = llm_hpa("enable", *flags)
            assert again.code == 0, f"after write {write}: {again.stderr}"
        outcome = llm_hpa("disable", *stub.reference)
        assert outcome.code == 0, f"after write {write}: {outcome.stderr}"
        assert differences(before, dump(kubectl, stub.namespace)) == [], f"after write {write}"
    else:
        pytest.fail("enable never ended by itself")
    assert write > 5, "enable writes at least a journal, a PodMonitor, a record, a file, a restart and an HPA"
    assert llm_hpa("disable", *stub.reference).code == 0


def test_killed_after_each_write_of_disable(llm_hpa: Plugin, kubectl: Kubectl, stub: Stub) -> None:
    before = dump(kubectl, stub.namespace)
    for write in range(1, 30):
        enabled = llm_hpa("enable", *ADAPTER, *stub.reference, "--max", "3", "--no-wait")
        assert enabled.code == 0, enabled.stderr
        code = killed_after(write, "disable", *stub.reference)
        assert code in (0, -signal.SIGKILL), f"killed after write {write}"
        outcome = llm_hpa("disable", *stub.reference)
        assert outcome.code == 0, f"after write {write}: {outcome.stderr}"
        assert differences(before, dump(kubectl, stub.namespace)) == [], f"after write {write}"
        if code == 0:
            break
    assert write > 4


def test_an_adopted_hpa_is_given_back(llm_hpa: Plugin, kubectl: Kubectl, stub: Stub) -> None:
    """The vendor's recipe by hand: status explains it, enable refuses it, --adopt takes and disable returns it."""
    kubectl.apply(*vendor_recipe(stub.namespace))
    before = dump(kubectl, stub.namespace)
    refused = llm_hpa("enable", *ADAPTER, *stub.reference, "--max", "3")
    assert refused.code == 1
    assert "llm-inference-hpa already scales it" in refused.stderr
    assert "--adopt" in refused.stderr
    assert differences(before, dump(kubectl, stub.namespace)) == []
    shown = llm_hpa("status", *stub.reference)
    assert shown.code == 0, shown.stderr
    assert "vllm:num_requests_waiting" in shown.stdout
    adopted = llm_hpa("enable", *ADAPTER, *stub.reference, "--max", "3", "--adopt")
    assert adopted.code == 0, adopted.stderr
    spec = kubectl.get("hpa", "llm-inference-hpa", "-n", stub.namespace)["spec"]
    assert len(spec["metrics"]) == 3
    outcome = llm_hpa("disable", *stub.reference)
    assert outcome.code == 0, outcome.stderr
    assert differences(before, dump(kubectl, stub.namespace)) == []
