"""The modes of `bench` on the whole stack: what they measure and refuse, and that all is as before afterwards."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.cluster.conftest import ADAPTER, Json, Kubectl, Plugin, assert_one_sentence
from tests.cluster.stub_workload import Stub
from tests.cluster.test_bench import hand_made_hpa, interruptible, left_over
from tests.cluster.waiting import until

pytestmark = pytest.mark.cluster

SHORT = ("--input-len", "96", "--output-len", "12")
#: A proof whose requests take so long that few are between two of them, and an HPA that does not follow every dip.
PROVE = ("--prove", "--sync-period", "2s", "--input-len", "96", "--output-len", "48")
UP_TO_3 = ("--max", "3", "--scale-down-window", "15s")


@pytest.fixture
def stub(kubectl: Kubectl, namespace: str, llm_hpa: Plugin) -> Iterator[Stub]:
    """One stub pod with eight seats, and no trace of the plugin afterwards."""
    workload = Stub(kubectl, namespace)
    workload.start(seats=8)
    yield workload
    llm_hpa("disable", *workload.reference)


def values(hpa: Json) -> list[str]:
    """What KEDA's HPA sees for each replica."""
    return [one["external"]["current"]["averageValue"] for one in hpa["status"]["currentMetrics"]]


def begun(*command: str) -> subprocess.Popen[str]:
    return interruptible(["kubectl", "llm-hpa", "bench", *command], subprocess.PIPE)


@pytest.mark.timeout(240)
def test_a_proof_then_a_sweep_whose_targets_are_written(
    llm_hpa: Plugin, stub: Stub, kubectl: Kubectl, tmp_path: Path
) -> None:
    enabled = llm_hpa("enable", *stub.reference, *UP_TO_3)
    assert enabled.code == 0, enabled.stderr

    outcome = llm_hpa("bench", *stub.reference, *PROVE, "-o", "json")
    assert outcome.code == 0, outcome.stdout[-400:] + outcome.stderr
    proof = json.loads(outcome.stdout)["proof"]
    assert proof["problems"] == []
    replicas = [rung["replicas"] for rung in proof["observed"]]
    foretold = [rung["replicas"] for rung in proof["predicted"]]
    assert foretold[0] == 1 < foretold[-1]
    assert (replicas[: len(foretold)], replicas[-1]) == (foretold, 1)
    assert proof["rescaled"] <= proof["deadline"]
    assert proof["scaledIn"] <= proof["scaleInDeadline"]

    saved = tmp_path / "bench.json"
    outcome = llm_hpa(
        "bench", *stub.reference, "--sweep", "--slo", "ttft=300ms", "--points", "2,6,8,10,12", "--duration", "3s",
        *SHORT, "--save", str(saved), "--apply", "--yes",
    )  # fmt: skip
    assert outcome.code == 0, outcome.stdout[-400:] + outcome.stderr
    report = json.loads(saved.read_text())
    points = report["sweep"]["points"]
    assert [point["concurrency"] for point in points] == [2, 6, 8, 10, 12]
    assert all(point["running"]["max"] <= 8 for point in points)
    assert points[-1]["waiting"]["max"] >= 3
    assert report["sizing"]["nMax"] in (6, 8, 10)
    running = next(one for one in report["sizing"]["targets"] if one["signal"] == "running")
    (written,) = kubectl.get("scaledobject", "-n", stub.namespace)["items"]
    thresholds = {one["name"]: one["metadata"]["threshold"] for one in written["spec"]["triggers"]}
    assert float(thresholds["running"]) == running["value"]
    assert left_over(kubectl, stub.namespace) == []


def test_a_sweep_of_lora_adapters_by_weight_is_one_of_their_model(
    llm_hpa: Plugin, kubectl: Kubectl, namespace: str, tmp_path: Path
) -> None:
    stub, saved = Stub(kubectl, namespace), tmp_path / "bench.json"
    stub.start(seats=8, arguments=("--lora-modules", "lora-a=/loras/a", "lora-b=/loras/b"))
    flags = ("--points", "6,12", "--duration", "3s", "--slo", "ttft=300ms", *SHORT, "--save", str(saved))
    swept = llm_hpa("bench", *stub.reference, "--sweep", "--model", "lora-a=3,lora-b=1", *flags)
    assert swept.code == 0, swept.stderr
    assert "lora-a (75%), lora-b (25%)" in swept.stderr
    assert [one["failed"] for one in json.loads(saved.read_text())["sweep"]["points"]] == [{}, {}]
    written = ("--max", "3", "--from-bench", str(saved), "--dry-run=client")
    planned = llm_hpa("enable", *ADAPTER, *stub.reference, *written)
    assert planned.code == 0, planned.stderr


def test_what_serves_is_not_loaded_without_a_word(llm_hpa: Plugin, stub: Stub, kubectl: Kubectl) -> None:
    stub.load(running=3, waiting=0)
    assert_one_sentence(llm_hpa("bench", *stub.reference), "may be in use: 1 pod runs 3 requests", "--yes")
    assert left_over(kubectl, stub.namespace) == []


def test_replicas_that_a_killed_sweep_held_are_given_back(
    llm_hpa: Plugin, stub: Stub, kubectl: Kubectl
) -> None:
    kubectl.apply(hand_made_hpa(stub, "vllm:num_requests_running", "2"))
    before = stub.hpa()
    sweep = begun(*stub.reference, "--sweep", "--replicas", "2", "--points", "1,2", "--duration", "20s")
    until(lambda: bool(left_over(kubectl, stub.namespace)), 60, "the sweep makes its Job")
    assert stub.hpa()["spec"]["minReplicas"] == stub.hpa()["spec"]["maxReplicas"] == 2
    sweep.send_signal(signal.SIGKILL)
    sweep.communicate(timeout=20)
    outcome = llm_hpa("disable", *stub.reference)
    assert "horizontalpodautoscaler.autoscaling/vllm-inference may go from 1 to 3 again" in outcome.stderr
    assert stub.hpa()["spec"] == before["spec"]
    until(lambda: not left_over(kubectl, stub.namespace), 30, "the Job and its pod go")
    found = kubectl.get("configmap", "-n", stub.namespace)["items"]
    assert [one["metadata"]["name"] for one in found] == ["kube-root-ca.crt"]


def test_ctrl_c_gives_held_replicas_back(stub: Stub, kubectl: Kubectl) -> None:
    kubectl.apply(hand_made_hpa(stub, "vllm:num_requests_running", "2"))
    before = stub.hpa()
    sweep = begun(*stub.reference, "--sweep", "--replicas", "1", "--points", "1,2", "--duration", "20s")
    until(lambda: bool(left_over(kubectl, stub.namespace)), 60, "the sweep makes its Job")
    sweep.send_signal(signal.SIGINT)
    _, stderr = sweep.communicate(timeout=60)
    assert sweep.returncode == 130, stderr
    assert stub.hpa()["spec"] == before["spec"]
    assert left_over(kubectl, stub.namespace) == []


def test_an_engine_that_dies_in_a_sweep_leaves_what_was_measured(stub: Stub, kubectl: Kubectl) -> None:
    sweep = begun(
        *stub.reference,
        "--sweep",
        "--points",
        "4,6,8",
        "--duration",
        "3s",
        "--slo",
        "ttft=300ms",
        *SHORT,
        "-o",
        "json",
    )
    assert sweep.stderr is not None
    while "4 in flight: " not in (line := sweep.stderr.readline()):
        assert line, "the sweep ended before its first point"
    kubectl.run("delete", "pod", stub.pod(0), "-n", stub.namespace, "--grace-period=0", "--force")
    stdout, _ = sweep.communicate(timeout=60)
    assert sweep.returncode == 5
    report = json.loads(stdout)
    assert report["sweep"]["points"][0]["concurrency"] == 4
    assert report["sweep"]["points"][0]["invalid"] == ""
    assert "went away under the load" in report["verdict"]["text"]
    assert left_over(kubectl, stub.namespace) == []


@pytest.mark.full
def test_half_of_the_requests_fail(llm_hpa: Plugin, stub: Stub, kubectl: Kubectl) -> None:
    running = begun(*stub.reference, "--duration", "20s", *SHORT)
    assert running.stderr is not None
    while "load starts" not in (line := running.stderr.readline()):
        assert line, "the load did not start"
    stub.fail(rate=0.5)
    stdout, _ = running.communicate(timeout=60)
    assert running.returncode == 5
    assert "% of the requests failed (most: http 500)" in stdout
    assert left_over(kubectl, stub.namespace) == []


@pytest.mark.full
def test_metrics_that_vanish_leave_the_clients_figures(stub: Stub, kubectl: Kubectl) -> None:
    sweep = begun(*stub.reference, "--sweep", "--points", "4,6", "--duration", "3s", *SHORT, "-o", "json")
    assert sweep.stderr is not None
    while "load starts" not in (line := sweep.stderr.readline()):
        assert line, "the load did not start"
    stub.fail(target="metrics")
    stdout, stderr = sweep.communicate(timeout=60)
    assert sweep.returncode == 0, stderr
    last = json.loads(stdout)["sweep"]["points"][-1]
    assert (last["running"], last["invalid"]) == (None, "")


@pytest.mark.full
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("policy", ["load", "anticipate"])
def test_a_proof_knows_what_keda_makes_of_seats_that_are_too_many(
    llm_hpa: Plugin, kubectl: Kubectl, namespace: str, policy: str
) -> None:
    """The flag says 32, and the cache holds about ten: first nobody knows, then KEDA's query has seen it.

    A queue that has stood makes a peak count as more, which the second proof has to know too.
    """
    stub = Stub(kubectl, namespace)
    stub.start(seats=32, arguments=("--kv-tokens", "1150"))
    flags = ("--backend", "keda", "--policy", policy, "--max", "6", "--scale-down-window", "15s")
    enabled = llm_hpa("enable", *stub.reference, *flags)
    assert enabled.code == 0, enabled.stderr

    def proof() -> Json:
        outcome = llm_hpa("bench", *stub.reference, *PROVE, "-o", "json")
        assert outcome.code == 0, outcome.stdout[-400:] + outcome.stderr
        found: Json = json.loads(outcome.stdout)["proof"]
        assert found["problems"] == []
        return found

    unknown = proof()
    assert "no pod was full" in unknown["inputs"]["seats"]
    queue = ("--concurrency", "120", "--duration", "60s", "--yes")  # more than six pods run
    assert llm_hpa("bench", *stub.reference, *queue, *PROVE[-4:]).code == 0
    until(lambda: set(values(stub.hpa())) == {"0"}, 400, "all is quiet, and no peak counts")
    kubectl.run("scale", stub.reference[0], "-n", namespace, "--replicas=1")
    until(lambda: stub.pods() == 1, 60, "one pod is left")
    known = proof()
    assert "32 told; a full pod ran " in known["inputs"]["seats"]
    assert int(known["load"].split()[0]) < int(unknown["load"].split()[0])
    queued = "requests waited in " in known["inputs"]["seats"]
    assert queued is (policy == "anticipate")
    llm_hpa("disable", *stub.reference)


@pytest.mark.full
@pytest.mark.timeout(900)
def test_a_proof_holds_ten_times_of_ten(llm_hpa: Plugin, stub: Stub, kubectl: Kubectl) -> None:
    enabled = llm_hpa("enable", *ADAPTER, *stub.reference, *UP_TO_3)
    assert enabled.code == 0, enabled.stderr
    for number in range(10):
        outcome = llm_hpa("bench", *stub.reference, *PROVE)
        assert outcome.code == 0, f"run {number}: {outcome.stdout[-400:]}"


@pytest.mark.full
@pytest.mark.timeout(3600)
def test_sweeps_find_the_last_concurrency_that_keeps_the_slo(
    kubectl: Kubectl, namespace: str, llm_hpa: Plugin, tmp_path: Path
) -> None:
    """What is right is measured: every concurrency up to twice the seats, for long. Nine of ten sweeps are to find it.

    Each has a workload of its own, and some run at once: the engine's pace is set, and they take next to no CPU. What
    else fills the machine slows the engines, and then no two of these measure the same engine.
    """

    def swept(name: str, *flags: str) -> Json:
        stub, saved = Stub(kubectl, namespace, name=name), tmp_path / f"{name}.json"
        stub.start(seats=8)
        began = time.monotonic()
        lengths = ("--input-len", "96", "--output-len", "48")
        flags = ("--sweep", "--slo", "ttft=600ms", *lengths, *flags, "--save", str(saved))
        outcome = llm_hpa("bench", *stub.reference, *flags, timeout=1800)
        assert outcome.code == 0, outcome.stderr
        found: Json = json.loads(saved.read_text())
        return {**found, "took": time.monotonic() - began}

    every = ",".join(str(number) for number in range(1, 17))
    with ThreadPoolExecutor(3) as pool:  # as many clients as a node of two cores has room for
        exact = pool.submit(swept, "every", "--points", every, "--duration", "60s")
        sweeps = list(pool.map(swept, [f"sweep-{number}" for number in range(10)]))
        right = exact.result()["sizing"]["slo"]["value"]
    found = [one["sizing"]["slo"]["value"] for one in sweeps]
    times = [f"{one['took']:.0f}" for one in sweeps]
    print(f"N_slo {right}; sweeps {found} in {', '.join(times)} s; load average {os.getloadavg()[2]:.1f}")
    assert all(one["took"] <= 6 * 60 + 30 for one in sweeps)  # the pod's start and end besides
    assert sum(value == right for value in found) >= 9, (right, found)
    assert all(abs(value - right) <= 1 for value in found), (right, found)
