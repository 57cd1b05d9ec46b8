"""`migrate` with the real KEDA and the real adapter: HPA and replicas stay, and every failure is taken back."""

from __future__ import annotations

import copy
import json
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from types import TracebackType

import pytest

from tests.cluster.conftest import ADAPTER, ROOT, Json, Kubectl, Outcome, Plugin, assert_one_sentence
from tests.cluster.dump import differences, dump
from tests.cluster.stub_workload import Stub
from tests.cluster.waiting import until

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(900)]

TO_KEDA = ("--to", "keda")
TO_ADAPTER = ("--to", "prometheus-adapter", "--edit-adapter=yes")
REPLICAS = 3
NAMES = ("vllm:num_requests_running", "vllm:num_requests_waiting", "vllm:kv_cache_usage_perc")


@pytest.fixture
def stub(kubectl: Kubectl, namespace: str, llm_hpa: Plugin) -> Iterator[Stub]:
    """Three pods under a load that asks for exactly three, and no trace of the plugin afterwards."""
    workload = Stub(kubectl, namespace)
    workload.start(replicas=REPLICAS)
    constant(workload, REPLICAS)
    yield workload
    llm_hpa("disable", *workload.reference)


def constant(stub: Stub, pods: int) -> None:
    for number in range(pods):
        stub.load(number, running=4, waiting=0, kv=0.3)


class Watched:
    """Every value that `spec.replicas` had, by one watch: no fall between two looks can hide."""

    def __init__(self, stub: Stub) -> None:
        self._command = [
            "kubectl", "get", stub.reference[0], "-n", stub.namespace, "--watch",
            "-o", r"jsonpath={.spec.replicas}{'\n'}",
        ]  # fmt: skip

    def __enter__(self) -> Watched:
        self._watch = subprocess.Popen(self._command, stdout=subprocess.PIPE, text=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._watch.terminate()
        self.seen = [int(word) for word in self._watch.communicate()[0].split()]


def enabled(llm_hpa: Plugin, stub: Stub, *flags: str, window: str = "0s") -> None:
    """Enabled with no patience at all: whatever would let the replicas fall does so within one sync."""
    limits = ("--min", "1", "--max", "5", "--scale-down-window", window)
    outcome = llm_hpa("enable", *flags, *stub.reference, *limits)
    assert outcome.code == 0, outcome.stderr


def moved(llm_hpa: Plugin, stub: Stub, *to: str) -> Outcome:
    outcome = llm_hpa("migrate", *stub.reference, *to)
    assert outcome.code == 0, outcome.stderr
    return outcome


def scene(kubectl: Kubectl, stub: Stub) -> dict[str, Json]:
    """All objects, without what a second making of the same object changes: its uid, and the times of writes."""
    found = dump(kubectl, stub.namespace)
    return {key: timeless(one) if "metadata" in one else one for key, one in found.items()}


def timeless(obj: Json) -> Json:
    made = copy.deepcopy(obj)
    for counted in ("uid", "creationTimestamp"):
        made["metadata"].pop(counted, None)
    for entry in made["metadata"].get("managedFields") or ():
        entry.pop("time", None)
    template = ((made.get("spec") or {}).get("template") or {}).get("metadata") or {}
    if "kubectl-llm-hpa/config-hash" in (template.get("annotations") or {}):
        template["annotations"]["kubectl-llm-hpa/config-hash"] = "some restart"
    return made


def by_keda(stub: Stub) -> bool:
    """Whether KEDA holds the HPA and its values reach that."""
    found = stub.hpa()
    owners = [one["kind"] for one in found["metadata"].get("ownerReferences") or ()]
    kinds = {one["type"] for one in found["status"].get("currentMetrics") or ()}
    return owners == ["ScaledObject"] and kinds == {"External"}


def other_user(kubectl: Kubectl, stub: Stub) -> None:
    """An HPA of another team on our names, so that the rules stay where they are."""
    target = {"type": "AverageValue", "averageValue": "1"}
    kubectl.apply({
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "another-team", "namespace": stub.namespace},
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "none"},
            "maxReplicas": 2,
            "metrics": [
                {"type": "Pods", "pods": {"metric": {"name": name}, "target": target}} for name in NAMES
            ],
        },
    })  # fmt: skip


def process(module: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", f"tests.cluster.{module}", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=400, check=False)


def test_there_and_back_under_load(llm_hpa: Plugin, kubectl: Kubectl, stub: Stub) -> None:
    untouched = dump(kubectl, stub.namespace)
    enabled(llm_hpa, stub, *ADAPTER)
    before, uid = scene(kubectl, stub), stub.hpa()["metadata"]["uid"]
    with Watched(stub) as watched:
        outcome = moved(llm_hpa, stub, *TO_KEDA)
        assert "scaledobject.keda.sh/vllm-inference created" in outcome.stdout
        assert re.findall(r"^ +(\d)\. ", outcome.stderr, re.MULTILINE) == ["1", "2", "3", "4", "5"]
        assert by_keda(stub)
        assert stub.hpa()["metadata"]["uid"] == uid
        assert stub.hpa()["spec"]["minReplicas"] == 1, "the lower limit of the move is lifted again"
        assert llm_hpa("migrate", *stub.reference, *TO_KEDA).stderr.startswith("nothing to move")
        again = llm_hpa("enable", *stub.reference, "--no-wait")
        assert again.code == 0, again.stderr
        assert {line.split()[-1] for line in again.stdout.splitlines()} == {"unchanged"}
        moved(llm_hpa, stub, *TO_ADAPTER)
        assert stub.hpa()["metadata"]["uid"] == uid
    assert set(watched.seen) == {REPLICAS}
    assert differences(before, scene(kubectl, stub)) == []
    assert llm_hpa("disable", *stub.reference).code == 0
    assert differences(untouched, dump(kubectl, stub.namespace)) == []


def test_back_and_there_from_keda(llm_hpa: Plugin, kubectl: Kubectl, stub: Stub) -> None:
    """And each backend scales the workload while it has it."""
    untouched = dump(kubectl, stub.namespace)
    enabled(llm_hpa, stub, "--backend=keda", "--signal", "running=4", "--signal", "kv-cache=0.6", window="5m")
    before = scene(kubectl, stub)
    with Watched(stub) as watched:
        moved(llm_hpa, stub, *TO_ADAPTER)
        targets = {
            one["pods"]["metric"]["name"]: one["pods"]["target"]["averageValue"]
            for one in stub.hpa()["spec"]["metrics"]
        }
        assert targets == {NAMES[0]: "4", NAMES[2]: "600m"}
        stub.load(0, running=8, waiting=0, kv=0.3)
        until(lambda: stub.replicas() == 4, 60, "the adapter's HPA scales up")
        kubectl.run("rollout", "status", stub.reference[0], "-n", stub.namespace, "--timeout=60s")
        constant(stub, 4)
        moved(llm_hpa, stub, *TO_KEDA)
        assert by_keda(stub)
        stub.load(0, running=8, waiting=0, kv=0.3)
        until(lambda: stub.replicas() == 5, 60, "KEDA's HPA scales up")
    assert watched.seen == sorted(watched.seen)
    assert beside("apps/v1 StatefulSet ", differences(before, scene(kubectl, stub))) == []
    assert llm_hpa("disable", *stub.reference).code == 0
    assert beside("apps/v1 StatefulSet ", differences(untouched, dump(kubectl, stub.namespace))) == []
    assert stub.replicas() == 5


def test_killed_after_each_write(llm_hpa: Plugin, kubectl: Kubectl, stub: Stub) -> None:
    """There and back again and again, each time killed one write later and then run again."""
    other_user(kubectl, stub)
    enabled(llm_hpa, stub, *ADAPTER)
    before = scene(kubectl, stub)
    whole = {TO_KEDA: False, TO_ADAPTER: False}
    with Watched(stub) as watched:
        for write in range(1, 30):
            for to in (TO_KEDA, TO_ADAPTER):
                done = process("killed", str(write), "migrate", *stub.reference, *to)
                assert done.returncode in (0, -signal.SIGKILL), done.stderr
                whole[to] = done.returncode == 0
                again = llm_hpa("migrate", *stub.reference, *to)
                assert again.code == 0, f"after write {write} of {to}: {again.stderr}"
                assert by_keda(stub) == (to == TO_KEDA)
            assert differences(before, scene(kubectl, stub)) == [], f"after write {write}"
            if all(whole.values()):
                break
    assert all(whole.values())
    assert write > 5
    assert set(watched.seen) == {REPLICAS}


@pytest.mark.full
def test_killed_then_disabled_or_turned_round(llm_hpa: Plugin, kubectl: Kubectl, stub: Stub) -> None:
    """Killed right after the ScaledObject came or went, the third write after the journal and the PodMonitor."""
    write = "3"
    other_user(kubectl, stub)
    untouched = dump(kubectl, stub.namespace)
    enabled(llm_hpa, stub, *ADAPTER)
    before = scene(kubectl, stub)
    assert process("killed", write, "migrate", *stub.reference, *TO_KEDA).returncode == -signal.SIGKILL
    assert_one_sentence(llm_hpa("enable", *stub.reference), "has begun and not ended", "migrate again")
    moved(llm_hpa, stub, *TO_ADAPTER)
    assert differences(before, scene(kubectl, stub)) == []
    assert process("killed", write, "migrate", *stub.reference, *TO_KEDA).returncode == -signal.SIGKILL
    assert llm_hpa("disable", *stub.reference).code == 0
    assert gone(kubectl, stub, untouched)
    enabled(llm_hpa, stub, "--backend=keda", window="5m")
    before = scene(kubectl, stub)
    assert process("killed", write, "migrate", *stub.reference, *TO_ADAPTER).returncode == -signal.SIGKILL
    moved(llm_hpa, stub, *TO_KEDA)
    assert differences(before, scene(kubectl, stub)) == []
    assert process("killed", write, "migrate", *stub.reference, *TO_ADAPTER).returncode == -signal.SIGKILL
    assert llm_hpa("disable", *stub.reference).code == 0
    assert gone(kubectl, stub, untouched)


def beside(prefix: str, lines: list[str]) -> list[str]:
    """The differences in other objects than those of a prefix."""
    return [line for line in lines if not line.startswith(prefix)]


def gone(kubectl: Kubectl, stub: Stub, untouched: dict[str, Json]) -> bool:
    """No trace is left, besides the rules that the other team uses."""
    left = differences(untouched, dump(kubectl, stub.namespace))
    return not [line for line in left if stub.namespace in line]


def test_a_failed_check_is_taken_back(llm_hpa: Plugin, kubectl: Kubectl, stub: Stub) -> None:
    """Prometheus that is not there, for the query before and for KEDA after; and a check that fails, in both ways."""
    other_user(kubectl, stub)
    enabled(llm_hpa, stub, *ADAPTER)
    before = scene(kubectl, stub)
    with Watched(stub) as watched:
        nowhere = f"http://none.{stub.namespace}.svc:9090"
        outcome = llm_hpa(
            "migrate", *stub.reference, *TO_KEDA, "--prometheus-url", nowhere, "--timeout", "5s"
        )
        assert outcome.code == 1
        assert 'services "none" not found' in outcome.stderr
        assert differences(before, scene(kubectl, stub)) == []
        outside = ("--prometheus-url", "http://192.0.2.1:9090", "--timeout", "15s")
        outcome = llm_hpa("migrate", *stub.reference, *TO_KEDA, *outside)
        assert outcome.code == 1
        assert "wait for the" in outcome.stderr
        assert differences(before, scene(kubectl, stub)) == []
        done = process("failing", "migrate", *stub.reference, *TO_KEDA)
        assert (done.returncode, "fails on purpose" in done.stderr) == (1, True), done.stderr
        assert differences(before, scene(kubectl, stub)) == []
        assert not by_keda(stub)
        moved(llm_hpa, stub, *TO_KEDA)
        before = scene(kubectl, stub)
        done = process("failing", "migrate", *stub.reference, *TO_ADAPTER)
        assert (done.returncode, "fails on purpose" in done.stderr) == (1, True), done.stderr
        until(lambda: by_keda(stub), 30, "KEDA serves again")
        assert differences(before, scene(kubectl, stub)) == []
    assert set(watched.seen) == {REPLICAS}


@pytest.mark.full
def test_without_kedas_operator(llm_hpa: Plugin, kubectl: Kubectl, stub: Stub) -> None:
    """Nothing moves to a KEDA that is down; away from it the workload can, and the rest waits for the operator."""
    operator = ("deploy/keda-operator", "-n", "keda")

    def scale(replicas: int) -> None:
        kubectl.run("scale", *operator, f"--replicas={replicas}")
        kubectl.run("rollout", "status", *operator, "--timeout=90s")
        if not replicas:
            kubectl.run(
                "wait", "pod", "-n", "keda", "-l", "app=keda-operator", "--for=delete", "--timeout=60s"
            )

    other_user(kubectl, stub)
    enabled(llm_hpa, stub, *ADAPTER)
    before = scene(kubectl, stub)
    with Watched(stub) as watched:
        moved(llm_hpa, stub, *TO_KEDA)
        scale(0)
        try:
            outcome = llm_hpa("migrate", *stub.reference, *TO_ADAPTER)
            assert outcome.code == 1
            assert "has not taken its finalizer off" in outcome.stderr
            assert_one_sentence(
                llm_hpa("migrate", *stub.reference, *TO_KEDA), "keda-operator", "no ready pod"
            )
            assert not by_keda(stub)
            assert {one["type"] for one in stub.hpa()["status"]["currentMetrics"]} == {"Pods"}
        finally:
            scale(1)
        moved(llm_hpa, stub, *TO_ADAPTER)
        assert beside("apps/v1 Deployment keda/", differences(before, scene(kubectl, stub))) == []
    assert set(watched.seen) == {REPLICAS}


def test_what_is_refused(llm_hpa: Plugin, kubectl: Kubectl, stub: Stub) -> None:
    """Nothing that is not ours, nothing that cannot be carried over; and nothing is written before that is said."""
    assert_one_sentence(llm_hpa("migrate", *stub.reference, *TO_KEDA), "nothing scales it", "enable it first")
    enabled(llm_hpa, stub, *ADAPTER)
    before = scene(kubectl, stub)
    server = llm_hpa("migrate", *stub.reference, *TO_KEDA, "--dry-run=server")
    assert server.code == 0, server.stderr
    assert server.stdout.splitlines()[0].endswith("(server dry run):")
    assert differences(before, scene(kubectl, stub)) == []
    cpu: Json = {
        "type": "Resource",
        "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 80}},
    }
    spec = stub.hpa()["spec"]
    patch = f'{{"spec":{{"metrics":{json.dumps([*spec["metrics"], cpu])}}}}}'
    kubectl.run("patch", "hpa", stub.name, "-n", stub.namespace, "--type=merge", "-p", patch)
    assert_one_sentence(
        llm_hpa("migrate", *stub.reference, *TO_KEDA), "Resource metric cpu", "no counterpart"
    )
