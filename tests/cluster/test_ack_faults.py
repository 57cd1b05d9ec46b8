"""Faults of a run that upgrades Alibaba's Helm release: whatever was written, nothing but its revisions is left."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest

from tests.cluster import ack
from tests.cluster.conftest import Json, Kubectl, Plugin
from tests.cluster.dump import differences, dump
from tests.cluster.half_way import MESSAGE, Refusal, refused
from tests.cluster.killed import UPGRADE
from tests.cluster.stub_workload import Stub
from tests.cluster.test_faults_adapter import HALF_WAY as HALF_WAY_OF_PLAIN
from tests.cluster.test_no_trace import killed_after

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(400)]

HELM = f"--helm={ack.CHART}"
WANTED = ("--max=3", "--backend=ack", "--scrape-interval=2s", HELM)


@pytest.fixture(scope="module", autouse=True)
def installed(kubectl: Kubectl) -> Iterator[None]:
    with ack.stand_in(kubectl):
        yield


@pytest.fixture(autouse=True)
def fresh(kubectl: Kubectl) -> None:
    ack.fresh(kubectl)


@pytest.fixture
def stub(kubectl: Kubectl, namespace: str) -> Stub:
    workload = Stub(kubectl, namespace)
    workload.start()
    return workload


def look(kubectl: Kubectl, stub: Stub) -> dict[str, Json]:
    return ack.without_history(dump(kubectl, stub.namespace))


def done(llm_hpa: Plugin, *words: str) -> None:
    outcome = llm_hpa(*words)
    assert outcome.code == 0, outcome.stderr


def test_killed_after_the_upgrade(llm_hpa: Plugin, kubectl: Kubectl, stub: Stub) -> None:
    """The release has our rules, no HPA does, and the adapter has not read them yet."""
    before = look(kubectl, stub)
    enable = ("enable", *stub.reference, *WANTED, "--no-wait")
    assert killed_after(UPGRADE, *enable) == -signal.SIGKILL
    assert ack.values() != ack.VALUES
    done(llm_hpa, *enable)
    done(llm_hpa, "disable", *stub.reference, HELM)
    assert differences(before, look(kubectl, stub)) == []


@pytest.mark.full
@pytest.mark.timeout(2400)
@pytest.mark.parametrize("then", ["enabled again", "disabled at once"])
def test_killed_after_each_write_of_enable(llm_hpa: Plugin, kubectl: Kubectl, stub: Stub, then: str) -> None:
    before = look(kubectl, stub)
    enable = ("enable", *stub.reference, *WANTED, "--no-wait")
    for write in range(1, 30):
        code = killed_after(write, *enable)
        assert code in (0, -signal.SIGKILL), f"killed after write {write}"
        if then == "enabled again":
            done(llm_hpa, *enable)
        done(llm_hpa, "disable", *stub.reference, HELM)
        assert differences(before, look(kubectl, stub)) == [], f"after write {write}"
        if code == 0:
            break
        ack.fresh(kubectl)
    assert write > 5, "enable writes at least a journal, a PodMonitor, a record, a release and an HPA"


@pytest.mark.full
@pytest.mark.timeout(2400)
def test_killed_after_each_write_of_disable(llm_hpa: Plugin, kubectl: Kubectl, stub: Stub) -> None:
    before = look(kubectl, stub)
    for write in range(1, 30):
        done(llm_hpa, "enable", *stub.reference, *WANTED, "--no-wait")
        code = killed_after(write, "disable", *stub.reference, HELM)
        assert code in (0, -signal.SIGKILL), f"killed after write {write}"
        done(llm_hpa, "disable", *stub.reference, HELM)
        assert differences(before, look(kubectl, stub)) == [], f"after write {write}"
        if code == 0:
            break
        ack.fresh(kubectl)
    assert write > 4


#: The revision is not stored; it is, and the file in it is refused.
HALF_WAY = {
    "record": (ack.NAMESPACE, HALF_WAY_OF_PLAIN["record"][1]),
    "revision": (ack.NAMESPACE, Refusal("", "secrets")),
    "file": (ack.NAMESPACE, Refusal("", "configmaps", f"{ack.NAME}-prometheus-config")),
    "hpa": HALF_WAY_OF_PLAIN["hpa"],
}


@pytest.mark.parametrize("case", HALF_WAY)
def test_the_api_server_refuses_half_way(llm_hpa: Plugin, kubectl: Kubectl, stub: Stub, case: str) -> None:
    namespace, refusal = HALF_WAY[case]
    with refused(kubectl, namespace or stub.namespace, refusal):
        before = look(kubectl, stub)
        outcome = llm_hpa("enable", *stub.reference, *WANTED)
        assert outcome.code == 1
        assert MESSAGE in outcome.stderr
        assert "undoing failed" not in outcome.stderr
        assert differences(before, look(kubectl, stub)) == []
