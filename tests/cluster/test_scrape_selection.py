"""Two real Prometheis: which one selects a namespace, may see its pods, and scrapes them already."""

from __future__ import annotations

import re
import shlex
import time
from collections.abc import Callable, Iterator

import pytest
import yaml

from kubectl_llmhpa.api import Json
from kubectl_llmhpa.kube import Cluster, Connection
from kubectl_llmhpa.monitoring import scene
from tests.cluster.conftest import Kubectl, Outcome, Plugin, assert_one_sentence, fresh_namespace
from tests.cluster.second_prometheus import FIRST, LABELS, second_prometheus
from tests.cluster.stub_workload import Stub

pytestmark = pytest.mark.cluster

WAITING = "vllm:num_requests_waiting"
OURS = "llm-hpa-statefulset-vllm-inference"
#: Operator, secret, kubelet and reload, on a busy machine.
ARRIVES_S = 150


@pytest.fixture(scope="module")
def home(kubectl: Kubectl) -> Iterator[str]:
    """Where the second Prometheus is."""
    with fresh_namespace(kubectl) as name:
        yield name


@pytest.fixture
def stub(kubectl: Kubectl, namespace: str) -> Stub:
    workload = Stub(kubectl, namespace)
    workload.start()
    return workload


def until(condition: Callable[[], bool], what: str) -> None:
    limit = time.monotonic() + ARRIVES_S
    while not condition():
        assert time.monotonic() < limit, what
        time.sleep(2)


def scrape_only(llm_hpa: Plugin, stub: Stub, *flags: str) -> Outcome:
    adapter = ("--backend", "prometheus-adapter")
    return llm_hpa("enable", *stub.reference, "--max", "3", "--only", "scrape", "--no-wait", *adapter, *flags)


def planned(llm_hpa: Plugin, stub: Stub, *flags: str) -> tuple[list[Json], str]:
    """The PodMonitors that would be written, and what is said with them."""
    outcome = scrape_only(llm_hpa, stub, "--dry-run=client", "-o", "yaml", *flags)
    assert outcome.code == 0, outcome.stderr
    found = [one for one in yaml.safe_load_all(outcome.stdout) if one]
    return [one for one in found if one["kind"] == "PodMonitor"], outcome.stderr


def by_hand(kubectl: Kubectl, namespace: str, *, target: str = "", **labels: str) -> None:
    """Somebody's PodMonitor for the stub in its namespace, or in `target`."""
    where = {"namespaceSelector": {"matchNames": [target]}} if target else {}
    kubectl.apply(
        {
            "apiVersion": "monitoring.coreos.com/v1", "kind": "PodMonitor",
            "metadata": {"name": "by-hand", "namespace": namespace, "labels": labels},
            "spec": {
                "selector": {"matchLabels": {"app": "vllm-inference"}}, **where,
                "podMetricsEndpoints": [{"port": "http", "interval": "1s"}],
            },
        }
    )  # fmt: skip


class TestTwo:
    """A second Prometheus beside the one that the adapter asks."""

    def test_the_one_that_the_adapter_asks_unless_told_and_none_that_does_not_select(
        self, kubectl: Kubectl, llm_hpa: Plugin, stub: Stub, home: str
    ) -> None:
        where = {"matchLabels": {"scrape": "second"}}
        with second_prometheus(kubectl, home, namespaces=where, may_list=[stub.namespace]) as second:
            (made,), _ = planned(llm_hpa, stub)
            assert made["metadata"]["labels"]["release"] == "kube-prometheus-stack"

            # it does not select the namespace: the refusal has the command that makes it
            refused = scrape_only(llm_hpa, stub, "--prometheus", second.reference)
            assert_one_sentence(refused, "podMonitorNamespaceSelector asks for scrape=second")
            command = re.search(r"kubectl label namespace .*", refused.stderr)
            assert command
            kubectl.run(*shlex.split(command[0])[1:])

            # both select it now: the adapter's, until the other is named
            (made,), _ = planned(llm_hpa, stub)
            assert made["metadata"]["labels"]["release"] == "kube-prometheus-stack"
            done = scrape_only(llm_hpa, stub, "--prometheus", second.reference)
            assert done.code == 0, done.stderr
            assert f"selected by prometheus {second.reference}" in done.stderr
            (live,) = kubectl.get("podmonitor", "-n", stub.namespace)["items"]
            assert LABELS.items() <= live["metadata"]["labels"].items()
            until(lambda: bool(second.query(WAITING)), "the second Prometheus scraped nothing")
            assert {one["metric"]["job"] for one in second.query(WAITING)} == {f"{stub.namespace}/{OURS}"}

    def test_one_that_may_not_list_the_pods(
        self, kubectl: Kubectl, llm_hpa: Plugin, stub: Stub, home: str
    ) -> None:
        """As kube-prometheus' own outside its three namespaces: selected, and no target, and no error anywhere."""
        with second_prometheus(kubectl, home, namespaces={}) as second:
            refused = scrape_only(llm_hpa, stub, "--prometheus", second.reference)
            assert_one_sentence(refused, "[prometheus-may-not-list-pods]")
            assert kubectl.get("podmonitor", "-n", stub.namespace)["items"] == []
            commands = re.findall(r"kubectl -n \S+ create role[^&\[]*", refused.stderr)
            assert len(commands) == 2
            for command in commands:
                kubectl.run(*shlex.split(command)[1:])
            done = scrape_only(llm_hpa, stub, "--prometheus", second.reference)
            assert (done.code, "[prometheus-may-not-list-pods]" in done.stderr) == (0, False), done.stderr
            until(lambda: bool(second.query(WAITING)), "the right that the finding names is not enough")


class TestAlready:
    """Pods that somebody scrapes."""

    def test_reused_whoever_does_it_and_a_second_job_is_found(
        self, kubectl: Kubectl, llm_hpa: Plugin, stub: Stub, namespace: str
    ) -> None:
        """An object outside the namespace, then one beside it."""
        (made,), said = planned(llm_hpa, stub)
        assert "two-targets" not in said
        with fresh_namespace(kubectl) as elsewhere:
            by_hand(kubectl, elsewhere, target=namespace, release="kube-prometheus-stack")

            until(lambda: not planned(llm_hpa, stub)[0], "the job from outside is not seen")
            # ours comes beside it all the same: by hand, as an older run would have left it
            kubectl.run(
                "apply", "--server-side", "--field-manager=kubectl-llm-hpa", "-f", "-", stdin=yaml.dump(made)
            )
            until(lambda: "[two-targets]" in planned(llm_hpa, stub)[1], "two jobs for one pod are not found")
            _, said = planned(llm_hpa, stub)
            assert f"{namespace}/{OURS} (ours)" in said
            assert f"{elsewhere}/by-hand" in said


def test_the_vendors_relabelings_on_a_real_prometheus(
    kubectl: Kubectl, llm_hpa: Plugin, stub: Stub, home: str
) -> None:
    """One that selects every PodMonitor stands in for the agent of ARMS."""
    with second_prometheus(kubectl, home, monitors={}, namespaces={}, may_list=[stub.namespace]) as second:
        done = scrape_only(llm_hpa, stub, "--scrape", "arms", "--scrape-interval", "1s")
        assert done.code == 0, done.stderr
        assert "billed" in done.stderr
        until(lambda: bool(second.query(WAITING)), "it scraped nothing")
        labels = second.query(WAITING)[0]["metric"]
        for pod, place in (("pod", "namespace"), ("pod_name", "pod_namespace")):
            assert (labels[pod], labels[place]) == ("vllm-inference-0", stub.namespace)


def test_the_operators_own_scope_is_read(kubectl: Kubectl, namespace: str) -> None:
    name, monitoring = FIRST
    with Cluster(Connection(), read_only=True) as reader:
        (scope,) = scene.look(reader, namespace, []).operators
    prometheus = kubectl.get("prometheus", name, "-n", monitoring)
    assert scope.reference == f"{monitoring}/kube-prometheus-stack-operator"
    assert scope.manages(prometheus)
    assert scope.watches(namespace)
