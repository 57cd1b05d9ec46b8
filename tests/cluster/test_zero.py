"""To zero replicas and back by the real KEDA, where a picker holds the requests; refused where nothing does."""

from __future__ import annotations

import pytest

from tests.cluster.conftest import Json, Kubectl, Plugin, assert_one_sentence
from tests.cluster.dump import differences, dump
from tests.cluster.picker import Picker
from tests.cluster.stub_workload import Stub
from tests.cluster.waiting import until

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(400)]

ZERO = (
    "--backend=keda", "--min=0", "--max=2", "--scale-down-window=10s", "--scrape-interval=2s",
)  # fmt: skip


def conditions(kubectl: Kubectl, stub: Stub) -> Json:
    found = kubectl.get("scaledobject", stub.name, "-n", stub.namespace)["status"]["conditions"]
    return {one["type"]: one["status"] for one in found}


def test_to_zero_and_back_by_a_request_that_is_held(
    llm_hpa: Plugin, kubectl: Kubectl, namespace: str
) -> None:
    """Idle 1 -> 0, a held request 0 -> 1, work keeps it, idle again 1 -> 0; a query that fails at zero would show."""
    stub = Stub(kubectl, namespace, kind="Deployment")
    stub.start()
    refused = llm_hpa("enable", *stub.reference, *ZERO)
    assert_one_sentence(refused, "no InferencePool selects its pods", "--min 1 or more")
    picker = Picker(kubectl, stub)
    picker.start()
    before = dump(kubectl, namespace)
    until(
        lambda: llm_hpa("enable", *stub.reference, *ZERO, "--dry-run=client").code == 0,
        90, "Prometheus has the picker's series",
    )  # fmt: skip
    enabled = llm_hpa("enable", *stub.reference, *ZERO)
    assert enabled.code == 0, enabled.stderr
    assert f"the endpoint picker of InferencePool {namespace}/picker holds requests" in enabled.stderr
    until(lambda: stub.replicas() == 0, 60, "1 -> 0")
    until(lambda: stub.pods() == 0, 60, "the pod is gone")
    until(lambda: conditions(kubectl, stub)["Ready"] == "True", 30, "every query works at zero")
    picker.hold(1)
    until(lambda: stub.replicas() == 1, 60, "0 -> 1")
    kubectl.run("rollout", "status", stub.reference[0], "-n", namespace, "--timeout=60s")
    stub.load(running=2, waiting=0, kv=0.5)
    picker.hold(0)
    until(lambda: conditions(kubectl, stub) | {"Ready": "True"} == conditions(kubectl, stub), 30, "Ready")
    assert conditions(kubectl, stub)["Active"] == "True"
    stub.load(running=0, waiting=0, kv=0.5)
    until(lambda: stub.replicas() == 0, 60, "what the cache holds is no reason to stay")
    asleep = llm_hpa("enable", *stub.reference, *ZERO)
    assert_one_sentence(asleep, "it is at 0 replicas", "send it a request")
    disabled = llm_hpa("disable", *stub.reference)
    assert disabled.code == 0, disabled.stderr
    assert "nothing wakes it any more" in disabled.stderr
    assert stub.replicas() == 0
    left = [one for one in differences(before, dump(kubectl, namespace)) if "Deployment" not in one]
    assert left == []
