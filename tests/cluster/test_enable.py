"""`enable` and `disable` on the whole stack: the loop closes, twice changes nothing, everything goes away."""

from __future__ import annotations

import subprocess
from collections.abc import Callable

import pytest
import yaml

from tests.cluster.conftest import ADAPTER, ROOT, Json, Kubectl, Plugin
from tests.cluster.dump import differences, dump
from tests.cluster.stub_workload import Stub
from tests.cluster.waiting import until

pytestmark = pytest.mark.cluster

OURS = ("hpa", "podmonitor", "configmap")


@pytest.fixture
def helm() -> Callable[..., None]:
    """`helm upgrade` of the adapter's release, until its new pod is ready."""

    def upgrade(*flags: str) -> None:
        chart = str(ROOT / "tests/cluster/charts/prometheus-adapter")
        command = [
            "helm",
            "upgrade",
            "prometheus-adapter",
            chart,
            "-n",
            "monitoring",
            "--reuse-values",
            "--wait",
            *flags,
        ]
        subprocess.run(command, check=True, capture_output=True, timeout=180)

    return upgrade


def versions(kubectl: Kubectl, namespace: str) -> dict[str, str]:
    """resourceVersion of everything that enable writes, the adapter's included."""
    found = kubectl.get("hpa,podmonitor,configmap", "-n", namespace)["items"]
    found += kubectl.get("configmap,deployment", "-n", "monitoring")["items"]
    return {
        f"{one['kind']}/{one['metadata']['name']}": one["metadata"]["resourceVersion"]
        if one["kind"] != "HorizontalPodAutoscaler" and one["kind"] != "Deployment"
        else str(one["metadata"].get("generation", one["spec"]))
        for one in found
    }


def test_the_loop_closes_and_opens_again(llm_hpa: Plugin, stub: Stub, kubectl: Kubectl) -> None:
    """enable -> a queue -> 3 replicas -> disable, with what each command says."""
    outcome = llm_hpa("enable", *ADAPTER, *stub.reference, "--min", "1", "--max", "3")
    assert outcome.code == 0, outcome.stderr
    assert outcome.stdout.splitlines()[0].startswith("podmonitor.monitoring.coreos.com/")
    assert outcome.stdout.splitlines()[-1] == "horizontalpodautoscaler.autoscaling/vllm-inference created"
    order = [line.split()[1] for line in outcome.stderr.splitlines() if line.startswith("ok ")]
    assert order == ["engine", "scrape", "backend", "scrape", "sample", "metric", "value", "HPA"]
    spec = stub.hpa()["spec"]
    targets = {one["pods"]["metric"]["name"]: one["pods"]["target"] for one in spec["metrics"]}
    assert targets["vllm:num_requests_running"] == {"type": "AverageValue", "averageValue": "4"}
    assert targets["vllm:num_requests_waiting"] == {"type": "AverageValue", "averageValue": "2"}
    assert spec["behavior"]["scaleDown"]["stabilizationWindowSeconds"] == 300
    stub.load(running=8, waiting=12, kv=0.4)
    until(lambda: stub.replicas() == 3, 60, "scale from 1 to 3")
    stub.load()
    shown = llm_hpa("status", *stub.reference)
    assert shown.code == 0, shown.stderr
    assert "vllm:num_requests_waiting" in shown.stdout
    assert llm_hpa("disable", *stub.reference).code == 0
    left = kubectl.get(",".join(OURS), "-A", "-l", "app.kubernetes.io/managed-by=kubectl-llm-hpa")["items"]
    assert left == []
    assert stub.replicas() == 3, "disable keeps the replicas"


def test_a_second_time_changes_nothing(llm_hpa: Plugin, stub: Stub, kubectl: Kubectl) -> None:
    assert llm_hpa("enable", *ADAPTER, *stub.reference, "--max", "3").code == 0
    before = versions(kubectl, stub.namespace)
    outcome = llm_hpa("enable", *ADAPTER, *stub.reference, "--max", "3")
    assert outcome.code == 0, outcome.stderr
    assert versions(kubectl, stub.namespace) == before
    assert all(line.endswith("unchanged") for line in outcome.stdout.splitlines()), outcome.stdout


def test_day_two_keeps_what_no_flag_speaks_of(llm_hpa: Plugin, stub: Stub, kubectl: Kubectl) -> None:
    first = (
        "enable",
        *ADAPTER,
        *stub.reference,
        "--min",
        "2",
        "--max",
        "5",
        "--signal",
        "running=3",
        "--scrape-interval",
        "7s",
    )
    assert llm_hpa(*first).code == 0
    outcome = llm_hpa("enable", *ADAPTER, *stub.reference, "--max", "6", "--scale-down-window", "60s")
    assert outcome.code == 0, outcome.stderr
    assert "--reset-defaults" in outcome.stderr
    spec = stub.hpa()["spec"]
    assert (spec["minReplicas"], spec["maxReplicas"]) == (2, 6)
    assert [one["pods"]["target"]["averageValue"] for one in spec["metrics"]] == ["3"]
    assert spec["behavior"]["scaleDown"]["stabilizationWindowSeconds"] == 60
    (monitor,) = kubectl.get("podmonitor", "-n", stub.namespace)["items"]
    assert monitor["spec"]["podMetricsEndpoints"][0]["interval"] == "7s"
    assert (
        llm_hpa("enable", *ADAPTER, *stub.reference, "--reset-defaults", "--scale-down", "disabled").code == 0
    )
    spec = stub.hpa()["spec"]
    assert len(spec["metrics"]) == 3
    assert spec["behavior"]["scaleDown"]["selectPolicy"] == "Disabled"


def test_what_a_full_pod_ran_is_believed_before_a_flag(llm_hpa: Plugin, stub: Stub) -> None:
    """The flag says eight seats; requests wait where five run."""
    assert llm_hpa("enable", *ADAPTER, *stub.reference, "--max", "2").code == 0
    stub.load(running=5, waiting=3)
    anew = ("enable", *ADAPTER, *stub.reference, "--reset-defaults", "--dry-run=client")

    def said() -> str:
        outcome = llm_hpa(*anew)
        assert outcome.code == 0, outcome.stderr
        return outcome.stderr

    assert "0.5 x 8 seats" in said()
    until(
        lambda: "0.5 x 5 seats: the most that a pod ran while requests waited" in said(), 120, "it was seen"
    )
    again = llm_hpa("enable", *ADAPTER, *stub.reference)
    assert "this version's are" in again.stderr, "live targets stay until they are asked anew"


@pytest.mark.parametrize(
    "how", [("--dry-run=client",), ("--dry-run=server",), ("--diff",)], ids=lambda how: how[0]
)
def test_looking_first_writes_nothing(
    llm_hpa: Plugin, stub: Stub, kubectl: Kubectl, how: tuple[str, ...]
) -> None:
    before = dump(kubectl, stub.namespace)
    outcome = llm_hpa("enable", *ADAPTER, *stub.reference, "--max", "3", *how)
    assert outcome.code == 0, outcome.stderr
    for word in ("podmonitor", "configmap", "horizontalpodautoscaler"):
        assert word in outcome.stdout.lower()
    assert differences(before, dump(kubectl, stub.namespace)) == []


def test_yaml_of_a_dry_run_can_be_applied(llm_hpa: Plugin, stub: Stub, kubectl: Kubectl) -> None:
    outcome = llm_hpa("enable", *ADAPTER, *stub.reference, "--max", "3", "--dry-run=client", "-o", "yaml")
    objects: list[Json] = list(yaml.safe_load_all(outcome.stdout))
    assert {one["kind"] for one in objects} == {"PodMonitor", "ConfigMap", "HorizontalPodAutoscaler"}
    kubectl.run("apply", "--dry-run=server", "-f", "-", stdin=outcome.stdout)


def test_a_second_workload_costs_no_restart_and_rules_leave_with_the_last(
    llm_hpa: Plugin, stub: Stub, kubectl: Kubectl
) -> None:
    other = Stub(kubectl, stub.namespace, "second")
    assert llm_hpa("enable", *ADAPTER, *stub.reference, "--max", "3").code == 0
    generation = kubectl.get("deployment", "prometheus-adapter", "-n", "monitoring")["metadata"]["generation"]
    other.start()
    assert llm_hpa("enable", *ADAPTER, *other.reference, "--max", "3").code == 0
    assert (
        kubectl.get("deployment", "prometheus-adapter", "-n", "monitoring")["metadata"]["generation"]
        == generation
    )
    outcome = llm_hpa("disable", *stub.reference)
    assert outcome.code == 0
    assert "second" in outcome.stderr
    assert "vllm:num_requests_running" in config(kubectl)
    assert llm_hpa("disable", *other.reference).code == 0
    assert "vllm:" not in config(kubectl)


def config(kubectl: Kubectl) -> str:
    """The adapter's configuration."""
    text: str = kubectl.get("configmap", "prometheus-adapter", "-n", "monitoring")["data"]["config.yaml"]
    return text


def test_an_engine_that_shows_no_series_yet_is_armed(
    llm_hpa: Plugin, kubectl: Kubectl, namespace: str
) -> None:
    workload = Stub(kubectl, namespace)
    workload.start(arguments=("--absent-until-first-request",))
    try:
        outcome = llm_hpa("enable", *ADAPTER, *workload.reference, "--max", "3")
        assert outcome.code == 0, outcome.stderr
        assert "armed" in outcome.stderr
        warmed = llm_hpa("enable", *ADAPTER, *workload.reference, "--warm")
        assert warmed.code == 0, warmed.stderr
        assert "scales between" in warmed.stderr
    finally:
        llm_hpa("disable", *workload.reference)


def test_a_catch_all_rule_of_the_chart_is_enough(
    llm_hpa: Plugin, stub: Stub, kubectl: Kubectl, helm: Callable[..., None]
) -> None:
    """The community chart serves every gauge by default: no rule of ours, no restart, the same HPA."""
    helm("--set", "rules.default=true")
    try:
        before = config(kubectl)
        generation = kubectl.get("deployment", "prometheus-adapter", "-n", "monitoring")["metadata"][
            "generation"
        ]
        outcome = llm_hpa("enable", *ADAPTER, *stub.reference, "--max", "3")
        assert outcome.code == 0, outcome.stderr
        assert "scales between" in outcome.stderr
        assert config(kubectl) == before
        after = kubectl.get("deployment", "prometheus-adapter", "-n", "monitoring")["metadata"]["generation"]
        assert after == generation
        assert llm_hpa("disable", *stub.reference).code == 0
    finally:
        helm("--set", "rules.default=false")
