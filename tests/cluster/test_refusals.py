"""What cannot work is refused with its reason, and findings come before the first write. Nothing is half-written."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
from collections.abc import Iterator

import pytest

from tests.cluster.conftest import ADAPTER, ROOT, Json, Kubectl, Plugin, assert_one_sentence, fresh_namespace
from tests.cluster.dump import differences, dump
from tests.cluster.stub_workload import Stub

pytestmark = pytest.mark.cluster

API_SERVICE = "v1beta1.custom.metrics.k8s.io"


@pytest.fixture
def stub(kubectl: Kubectl, namespace: str) -> Stub:
    workload = Stub(kubectl, namespace)
    workload.start()
    return workload


@pytest.fixture(scope="module")
def idle(kubectl: Kubectl) -> Iterator[Stub]:
    """One stub for all the tests that change nothing."""
    with fresh_namespace(kubectl) as name:
        workload = Stub(kubectl, name)
        workload.start()
        yield workload


def written(kubectl: Kubectl) -> list[str]:
    """What the plugin has in the cluster, and the versions of what it would change there."""
    ours = kubectl.get("hpa,podmonitor,configmap", "-A", "-l", "app.kubernetes.io/managed-by=kubectl-llm-hpa")
    adapter = kubectl.get("configmap,deployment", "-n", "monitoring")["items"]
    return [
        *(one["metadata"]["uid"] for one in ours["items"]),
        *(str(one["metadata"].get("generation", one["metadata"]["resourceVersion"])) for one in adapter),
    ]


class TestEngine:
    @pytest.fixture
    def stub(self, idle: Stub, kubectl: Kubectl) -> Iterator[Stub]:
        """The idle stub, as it was at first; and the test writes nothing."""
        before = written(kubectl)
        yield idle
        idle.fail(rate=0.0)
        idle.speak("vllm-0.20.2")
        assert written(kubectl) == before

    def test_metrics_switched_off(self, llm_hpa: Plugin, stub: Stub) -> None:
        stub.speak("vllm-0.20.2-nostats-busy")
        assert_one_sentence(
            llm_hpa("enable", *ADAPTER, *stub.reference, "--max", "3"),
            "detect the engine",
            "port 8000/metrics",
        )

    def test_metrics_fail(self, llm_hpa: Plugin, stub: Stub) -> None:
        stub.fail(rate=1.0, status=500, target="metrics")
        assert_one_sentence(
            llm_hpa("enable", *ADAPTER, *stub.reference, "--max", "3"),
            "detect the engine",
            "port 8000/metrics",
        )

    def test_target_that_one_pod_cannot_reach(self, llm_hpa: Plugin, stub: Stub) -> None:
        outcome = llm_hpa("enable", *ADAPTER, *stub.reference, "--max", "3", "--signal", "running=40")
        assert_one_sentence(outcome, "running=40", "--max-num-seqs 8")

    @pytest.mark.parametrize(
        ("flags", "words"),
        [
            ((), ("--max",)),
            (("--max", "1", "--min", "2"), ("--max 1 is below --min 2",)),
            (("--max", "3", "--min", "0"), ("zero replicas",)),
            (("--max", "3", "--signal", "ttft=2"), ("ttft",)),
            (("--max", "3", "--policy", "best"), ("best",)),
            (("--max", "3", "--prometheus", "monitoring/none"), ("no Prometheus",)),
        ],
    )
    def test_wishes(
        self, llm_hpa: Plugin, stub: Stub, flags: tuple[str, ...], words: tuple[str, ...]
    ) -> None:
        assert_one_sentence(llm_hpa("enable", *ADAPTER, *stub.reference, *flags), *words)


def test_not_an_engine(llm_hpa: Plugin, kubectl: Kubectl) -> None:
    outcome = llm_hpa("enable", *ADAPTER, "deploy/prometheus-adapter", "-n", "monitoring", "--max", "3")
    assert_one_sentence(outcome, "detect the engine of Deployment/prometheus-adapter")


def test_another_hpa(llm_hpa: Plugin, kubectl: Kubectl, stub: Stub) -> None:
    kubectl.run("autoscale", "sts", stub.name, "--max=4", "-n", stub.namespace, "--name=by-hand", "--cpu=50%")
    assert_one_sentence(llm_hpa("enable", *ADAPTER, *stub.reference, "--max", "3"), "by-hand", "--adopt")


def test_a_scaled_object(llm_hpa: Plugin, kubectl: Kubectl, stub: Stub) -> None:
    kubectl.apply(
        {
            "apiVersion": "keda.sh/v1alpha1", "kind": "ScaledObject",
            "metadata": {"name": "by-keda", "namespace": stub.namespace},
            "spec": {
                "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "StatefulSet", "name": stub.name},
                "minReplicaCount": 1,
                "triggers": [{"type": "cron", "metadata": {
                    "timezone": "UTC", "start": "0 1 * * *", "end": "0 2 * * *", "desiredReplicas": "1",
                }}],
            },
        }
    )  # fmt: skip
    outcome = llm_hpa("enable", *ADAPTER, *stub.reference, "--max", "3")
    assert_one_sentence(outcome, "by-keda")
    kubectl.run("delete", "scaledobject", "by-keda", "-n", stub.namespace)


class TestAdapter:
    """The custom metrics API taken away or broken; put back at the end."""

    @pytest.fixture
    def api_service(self, kubectl: Kubectl) -> Iterator[Json]:
        found = kubectl.get("apiservice", API_SERVICE)
        yield found
        kubectl.run("delete", "apiservice", API_SERVICE, "--ignore-not-found")
        for key in ("resourceVersion", "uid", "creationTimestamp", "managedFields"):
            found["metadata"].pop(key, None)
        found.pop("status", None)
        kubectl.run("create", "-f", "-", stdin=json.dumps(found))
        kubectl.run("wait", f"apiservice/{API_SERVICE}", "--for=condition=Available", "--timeout=60s")

    def test_none(self, llm_hpa: Plugin, kubectl: Kubectl, stub: Stub, api_service: Json) -> None:
        kubectl.run("delete", "apiservice", API_SERVICE)
        assert_one_sentence(
            llm_hpa("enable", *ADAPTER, *stub.reference, "--max", "3"), "custom.metrics.k8s.io", "install"
        )

    def test_down(self, llm_hpa: Plugin, kubectl: Kubectl, stub: Stub, api_service: Json) -> None:
        patch = json.dumps({"spec": {"service": {"port": 444}}})
        kubectl.run("patch", "apiservice", API_SERVICE, "--type=merge", "-p", patch)
        kubectl.run("wait", f"apiservice/{API_SERVICE}", "--for=condition=Available=False", "--timeout=60s")
        outcome = llm_hpa("enable", *ADAPTER, *stub.reference, "--max", "3")
        assert_one_sentence(outcome, "monitoring/prometheus-adapter", "not available")


def test_no_prometheus_selects_the_namespace(llm_hpa: Plugin, kubectl: Kubectl, stub: Stub) -> None:
    name = ("prometheus", "kube-prometheus-stack-prometheus", "-n", "monitoring")
    narrow = json.dumps({"spec": {"podMonitorNamespaceSelector": {"matchLabels": {"scrape": "yes"}}}})
    kubectl.run("patch", *name, "--type=merge", "-p", narrow)
    try:
        outcome = llm_hpa("enable", *ADAPTER, *stub.reference, "--max", "3")
        assert_one_sentence(
            outcome, "no Prometheus selects", "podMonitorNamespaceSelector asks for scrape=yes"
        )
    finally:
        wide = json.dumps({"spec": {"podMonitorNamespaceSelector": {"matchLabels": None}}})
        kubectl.run("patch", *name, "--type=merge", "-p", wide)


def test_a_rule_that_empties_the_list_is_taken_back(kubectl: Kubectl, stub: Stub) -> None:
    """An adapter with one bad query passes every health check and serves nothing; the step sees and restores."""
    program = textwrap.dedent(
        """
        from kubectl_llmhpa.backends import prometheus_adapter
        from kubectl_llmhpa.errors import LlmHpaError
        from kubectl_llmhpa.kube import Cluster, Connection
        from kubectl_llmhpa.plan import steps
        from kubectl_llmhpa.plan.adapter import rules

        rules._SLACK_SECONDS = -35.0  # seconds: the test need not wait a whole relist
        bad = {"seriesQuery": '{__name__=~"["}', "metricsQuery": "sum(<<.Series>>) by (<<.GroupBy>>)",
               "resources": {"template": "<<.Resource>>"}}
        with Cluster(Connection(), read_only=False) as cluster:
            adapter = prometheus_adapter.find(cluster)
            step = rules.AdapterRules(cluster, adapter, {"bad": bad})
            try:
                steps.run([step], lambda change: None)
            except LlmHpaError as error:
                print(error)
        """
    )
    before = dump(kubectl, stub.namespace)
    listed = json.loads(kubectl.run("get", "--raw", "/apis/custom.metrics.k8s.io/v1beta1").stdout)[
        "resources"
    ]
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=400, check=True
    )
    assert "no longer serves" in done.stdout
    assert "undoing failed" not in done.stdout
    assert differences(before, dump(kubectl, stub.namespace)) == []
    after = json.loads(kubectl.run("get", "--raw", "/apis/custom.metrics.k8s.io/v1beta1").stdout)["resources"]
    assert {one["name"] for one in after} >= {one["name"] for one in listed}


def test_findings_come_before_the_first_write(llm_hpa: Plugin, kubectl: Kubectl, stub: Stub) -> None:
    kubectl.apply(
        {
            "apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "small", "namespace": stub.namespace},
            "spec": {"hard": {"pods": "2", "requests.cpu": "4"}},
        }
    )  # fmt: skip
    kubectl.run(
        "wait",
        "resourcequota/small",
        "-n",
        stub.namespace,
        "--for=jsonpath={.status.used.pods}=1",
        "--timeout=30s",
    )
    outcome = llm_hpa("enable", *ADAPTER, *stub.reference, "--max", "5", "--dry-run=client")
    assert outcome.code == 0
    assert "[quota]" in outcome.stderr
    assert "replicas above 2 cannot be created" in outcome.stderr


def test_gpus_are_counted_against_max(llm_hpa: Plugin, kubectl: Kubectl, namespace: str) -> None:
    (node,) = kubectl.get("nodes")["items"]
    name = node["metadata"]["name"]
    place = "/status/capacity/example.com~1gpu"
    patch = [{"op": "add", "path": place, "value": "2"}]
    kubectl.run("patch", "node", name, "--subresource=status", "--type=json", "-p", json.dumps(patch))
    try:
        kubectl.run(
            "wait",
            f"node/{name}",
            r"--for=jsonpath={.status.allocatable.example\.com/gpu}=2",
            "--timeout=90s",
        )
        workload = Stub(kubectl, namespace)
        workload.start(wait=False)
        limits = [{
            "op": "add", "path": "/spec/template/spec/containers/0/resources/limits", "value": {"example.com/gpu": "1"},
        }]  # fmt: skip
        kubectl.run("patch", "sts", workload.name, "-n", namespace, "--type=json", "-p", json.dumps(limits))
        kubectl.run(
            "rollout", "status", f"sts/{workload.name}", "-n", namespace, "--timeout=120s", timeout=150
        )
        outcome = llm_hpa("enable", *ADAPTER, *workload.reference, "--max", "4", "--dry-run=client")
        assert outcome.code == 0, outcome.stderr
        assert "4 replicas need 4 example.com/gpu; 2 are free or its own" in outcome.stderr
        assert "replicas above 2 will stay Pending" in outcome.stderr
    finally:
        undo = [{"op": "remove", "path": place}]
        kubectl.run("patch", "node", name, "--subresource=status", "--type=json", "-p", json.dumps(undo))
