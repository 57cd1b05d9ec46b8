"""Faults around KEDA: its parts down, its API taken, an HPA in its way, a run killed or refused half-way."""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from kubectl_llmhpa.api import Json
from kubectl_llmhpa.errors import LlmHpaError
from kubectl_llmhpa.plan import handover
from tests.cluster import recorder
from tests.cluster.bystander import Bystander, bystander
from tests.cluster.conftest import ROOT, Kubectl, Plugin, assert_one_sentence, fresh_namespace
from tests.cluster.dump import differences, dump
from tests.cluster.guarded import guarded_prometheus
from tests.cluster.half_way import MESSAGE, Refusal, refused
from tests.cluster.plain_adapter import api_service_away
from tests.cluster.stub_workload import Stub
from tests.cluster.waiting import until

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(400)]

OPERATOR, WEBHOOK = "keda-operator", "keda-admission"
EXTERNAL = "v1beta1.external.metrics.k8s.io"
KEDA = ("--backend=keda", "--max=3", "--scrape-interval=2s")


@pytest.fixture(scope="module")
def others(kubectl: Kubectl) -> Iterator[Bystander]:
    with fresh_namespace(kubectl) as name, bystander(kubectl, name, "keda") as found:
        yield found


@pytest.fixture
def unharmed(others: Bystander) -> Iterator[None]:
    """The other team's ScaledObject works before and after, and never stopped in between."""
    until(others.works, 60, "the other team's HPA works")
    before = len(others.lost)
    yield
    assert others.works()
    assert others.lost[before:] == []


@pytest.fixture
def stub(kubectl: Kubectl, namespace: str) -> Stub:
    workload = Stub(kubectl, namespace)
    workload.start()
    return workload


@pytest.fixture
def enabled(llm_hpa: Plugin, stub: Stub) -> Iterator[Stub]:
    """Scaled through KEDA."""
    outcome = llm_hpa("enable", *stub.reference, *KEDA)
    assert outcome.code == 0, outcome.stderr
    yield stub
    llm_hpa("disable", *stub.reference)


@contextlib.contextmanager
def down(kubectl: Kubectl, part: str) -> Iterator[None]:
    """A part of KEDA has no pod until the end of the block."""
    found = kubectl.get("deploy", "-n", "keda")["items"]
    (name,) = [one["metadata"]["name"] for one in found if part in one["metadata"]["name"]]
    place = (f"deploy/{name}", "-n", "keda")
    kubectl.run("scale", *place, "--replicas=0")
    until(lambda: not kubectl.get(*place)["status"].get("replicas"), 60, f"{name} is gone")
    try:
        yield
    finally:
        kubectl.run("scale", *place, "--replicas=1")
        kubectl.run("rollout", "status", *place, "--timeout=60s")


def killed_after(write: int, *arguments: str) -> int:
    command = [sys.executable, "-m", "tests.cluster.killed", str(write), *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, timeout=400, check=False).returncode


def by_hand(kubectl: Kubectl, stub: Stub, name: str) -> None:
    kind, _ = stub.reference[0].split("/")
    words = ("autoscale", kind, stub.name, "--max=4", "-n", stub.namespace, f"--name={name}", "--cpu=50%")
    kubectl.run(*words)


def state(llm_hpa: Plugin, stub: Stub) -> list[tuple[str, str]]:
    """`status` of the workload: each autoscaler's state and why."""
    items = json.loads(llm_hpa("status", *stub.reference, "-o", "json").stdout)["items"]
    return [(one["state"], one["why"]) for one in items]


@pytest.mark.usefixtures("unharmed")
class TestARun:
    @pytest.mark.timeout(900)
    def test_is_killed_after_each_write(self, llm_hpa: Plugin, kubectl: Kubectl, stub: Stub) -> None:
        """Killed, then enabled again, then disabled; and killed, then disabled at once."""
        before = dump(kubectl, stub.namespace)
        wanted = ("enable", *stub.reference, *KEDA, "--no-wait")
        for write in range(1, 30):
            code = killed_after(write, *wanted)
            if code == 0:
                break
            assert code == -signal.SIGKILL
            again = llm_hpa(*wanted)
            assert again.code == 0, f"after write {write}: {again.stderr}"
            gone(llm_hpa, kubectl, stub, before)
            assert killed_after(write, *wanted) == -signal.SIGKILL
            gone(llm_hpa, kubectl, stub, before)
        else:
            pytest.fail("enable never ended by itself")
        assert write > 3, "enable writes at least a journal, a PodMonitor and a ScaledObject"
        for write in range(1, 30):
            code = killed_after(write, "disable", *stub.reference)
            gone(llm_hpa, kubectl, stub, before)
            if code == 0:
                break
            assert code == -signal.SIGKILL
            assert llm_hpa(*wanted).code == 0
        assert write > 3, "disable deletes as much"

    @pytest.mark.parametrize("what", ["scaled-object", "login"])
    def test_is_refused_half_way(self, llm_hpa: Plugin, kubectl: Kubectl, stub: Stub, what: str) -> None:
        secret = ("create", "secret", "generic", "token", "-n", stub.namespace, "--from-literal=token=x")
        kubectl.run(*secret)
        resource = {"scaled-object": "scaledobjects", "login": "triggerauthentications"}[what]
        with refused(kubectl, stub.namespace, Refusal("keda.sh", resource)):
            before = dump(kubectl, stub.namespace)
            outcome = llm_hpa("enable", *stub.reference, *KEDA, "--prometheus-token-secret=token")
            assert outcome.code == 1
            assert MESSAGE in outcome.stderr
            assert "undoing failed" not in outcome.stderr
            assert differences(before, dump(kubectl, stub.namespace)) == []

    def test_meets_an_hpa_made_by_hand(self, llm_hpa: Plugin, kubectl: Kubectl, stub: Stub) -> None:
        """Refused; taken over with --adopt; given back as it was."""
        by_hand(kubectl, stub, "theirs")
        before = dump(kubectl, stub.namespace)
        uid = kubectl.get("hpa", "theirs", "-n", stub.namespace)["metadata"]["uid"]
        outcome = llm_hpa("enable", *stub.reference, *KEDA)
        assert_one_sentence(outcome, "theirs already scales it", "--adopt")
        assert differences(before, dump(kubectl, stub.namespace)) == []
        outcome = llm_hpa("enable", *stub.reference, *KEDA, "--adopt")
        assert outcome.code == 0, outcome.stderr
        (taken,) = kubectl.get("hpa", "-n", stub.namespace)["items"]
        assert (taken["metadata"]["name"], taken["metadata"]["uid"]) == ("theirs", uid)
        assert {one["type"] for one in taken["spec"]["metrics"]} == {"External"}
        gone(llm_hpa, kubectl, stub, before)


def gone(llm_hpa: Plugin, kubectl: Kubectl, stub: Stub, before: dict[str, Json]) -> None:
    outcome = llm_hpa("disable", *stub.reference)
    assert outcome.code == 0, outcome.stderr
    assert differences(before, dump(kubectl, stub.namespace)) == []


def test_an_hpa_is_added_beside_our_scaled_object(llm_hpa: Plugin, kubectl: Kubectl, enabled: Stub) -> None:
    """KEDA's webhook does not see it, and then neither works."""
    by_hand(kubectl, enabled, "late")

    def said() -> bool:
        found = state(llm_hpa, enabled)
        return len(found) == 2 and all(
            one[0] == "Broken: autoscaler" and "another HPA controls the same pods" in one[1] for one in found
        )

    until(said, 40, "status says of both that they stop each other")
    outcome = llm_hpa("enable", *enabled.reference, *KEDA)
    assert_one_sentence(outcome, "late", enabled.name, "both target it, so neither works")
    kubectl.run("delete", "hpa", "late", "-n", enabled.namespace)
    until(lambda: [one for one, _ in state(llm_hpa, enabled)] == ["Steady"], 40, "it works again")


@pytest.mark.usefixtures("unharmed")
def test_the_webhook_is_down(llm_hpa: Plugin, kubectl: Kubectl, stub: Stub) -> None:
    """What it would have refused is refused all the same, and the rest works."""
    before = dump(kubectl, stub.namespace)
    with down(kubectl, WEBHOOK):
        by_hand(kubectl, stub, "theirs")
        assert_one_sentence(llm_hpa("enable", *stub.reference, *KEDA), "theirs already scales it")
        kubectl.run("delete", "hpa", "theirs", "-n", stub.namespace)
        outcome = llm_hpa("enable", *stub.reference, *KEDA)
        assert outcome.code == 0, outcome.stderr
        assert llm_hpa("disable", *stub.reference).code == 0
    assert left(kubectl, stub, before) == []


def test_the_operator_is_down(
    llm_hpa: Plugin, kubectl: Kubectl, stub: Stub, monkeypatch: pytest.MonkeyPatch
) -> None:
    """enable says so and leaves nothing; disable says what stays, and goes on when the operator is back."""
    fresh = Stub(kubectl, stub.namespace, "fresh")
    fresh.start()
    before = dump(kubectl, stub.namespace)
    assert llm_hpa("enable", *stub.reference, *KEDA).code == 0
    enabled = dump(kubectl, stub.namespace)
    with down(kubectl, OPERATOR):
        outcome = llm_hpa("enable", *fresh.reference, *KEDA)
        assert_one_sentence(outcome, "its operator (deployment keda/keda-operator) has no ready pod")
        assert left(kubectl, stub, enabled) == []
        (said,) = state(llm_hpa, stub)  # at once, though the HPA itself tells it minutes later
        assert said[0] == "Broken: metrics API"
        assert "its operator (deployment keda/keda-operator) has no ready pod" in said[1]
        assert stub.replicas() == 1
        monkeypatch.setattr(handover, "_LET_GO_SECONDS", 5.0)
        with pytest.raises(LlmHpaError, match="KEDA's operator has not taken its finalizer off"):
            recorder.run("disable", *stub.reference)
    assert llm_hpa("disable", *stub.reference).code == 0
    assert left(kubectl, stub, before) == []


def left(kubectl: Kubectl, stub: Stub, before: dict[str, Json]) -> list[str]:
    """What differs, besides who has scaled KEDA's parts."""
    found = differences(before, dump(kubectl, stub.namespace))
    return [line for line in found if not line.startswith("apps/v1 Deployment keda/")]


class TestTwoProviders:
    """Of External metrics, of which the HPA asks one."""

    def test_one_takes_the_api_over(self, llm_hpa: Plugin, kubectl: Kubectl, stub: Stub) -> None:
        before = dump(kubectl, stub.namespace)
        with taken_over(kubectl, EXTERNAL):
            outcome = llm_hpa("enable", *stub.reference, *KEDA)
            assert_one_sentence(
                outcome,
                f"{EXTERNAL} leads to monitoring/prometheus-adapter (prometheus-adapter), which is not KEDA",
            )
        assert differences(timeless(before), timeless(dump(kubectl, stub.namespace))) == []

    @pytest.mark.usefixtures("unharmed")
    def test_one_serves_another_version(self, llm_hpa: Plugin, kubectl: Kubectl, stub: Stub) -> None:
        """The HPA controller asks for v1beta1 whatever else there is."""
        name = EXTERNAL.replace("v1beta1", "v1beta2")
        kubectl.apply(api_service(name, "v1beta2"))
        try:
            before = dump(kubectl, stub.namespace)
            outcome = llm_hpa("enable", *stub.reference, *KEDA)
            assert outcome.code == 0, outcome.stderr
            gone(llm_hpa, kubectl, stub, before)
        finally:
            kubectl.run("delete", "apiservice", name)


def api_service(name: str, version: str) -> Json:
    """External metrics by prometheus-adapter."""
    return {
        "apiVersion": "apiregistration.k8s.io/v1", "kind": "APIService", "metadata": {"name": name},
        "spec": {
            "group": "external.metrics.k8s.io", "version": version, "insecureSkipTLSVerify": True,
            "groupPriorityMinimum": 100, "versionPriority": 200,
            "service": {"name": "prometheus-adapter", "namespace": "monitoring"},
        },
    }  # fmt: skip


@contextlib.contextmanager
def taken_over(kubectl: Kubectl, name: str) -> Iterator[None]:
    """The APIService leads to prometheus-adapter until the end of the block."""
    with api_service_away(kubectl, name):
        kubectl.apply(api_service(name, "v1beta1"))
        yield


def timeless(found: dict[str, Json]) -> dict[str, Json]:
    """Without the APIService, which the test has made anew."""
    return {key: one for key, one in found.items() if not key.endswith(f"/{EXTERNAL}")}


def test_prometheus_is_behind_a_token(llm_hpa: Plugin, kubectl: Kubectl, stub: Stub) -> None:
    with guarded_prometheus(kubectl, stub.namespace) as guarded:
        before = dump(kubectl, stub.namespace)
        wanted = ("enable", *stub.reference, *KEDA, f"--prometheus-url={guarded.url}")
        outcome = llm_hpa(*wanted, "--timeout=25s")
        assert outcome.code == 1
        assert "status: 401" in outcome.stderr
        outcome = llm_hpa(*wanted, f"--prometheus-token-secret={guarded.secret}:{guarded.key}")
        assert outcome.code == 0, outcome.stderr
        stub.load(running=12, waiting=0, kv=0.1)
        until(lambda: stub.replicas() == 3, 60, "scale from 1 to 3")
        kubectl.run("scale", stub.reference[0], "-n", stub.namespace, "--replicas=1")
        outcome = llm_hpa("disable", *stub.reference)
        assert outcome.code == 0, outcome.stderr
        left = [one for one in differences(before, dump(kubectl, stub.namespace)) if "StatefulSet" not in one]
        assert left == []
