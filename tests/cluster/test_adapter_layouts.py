"""kube-prometheus' layout of prometheus-adapter, on the real one: no custom metrics, no APIService, maybe no probe."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from kubectl_llmhpa.api import API_SERVICES
from kubectl_llmhpa.backends import prometheus_adapter
from kubectl_llmhpa.backends.prometheus_adapter import GROUP, Adapter
from kubectl_llmhpa.errors import LlmHpaError
from kubectl_llmhpa.kube import Cluster, Connection
from kubectl_llmhpa.monitoring import prometheus
from kubectl_llmhpa.plan import steps
from kubectl_llmhpa.plan.adapter import metrics_api, rules
from kubectl_llmhpa.plan.adapter.metrics_api import MetricsApi
from kubectl_llmhpa.plan.adapter.rules import AdapterRules
from kubectl_llmhpa.plan.objects import read
from tests.cluster import ack
from tests.cluster.conftest import ADAPTER, Json, Kubectl, Plugin
from tests.cluster.dump import normalised
from tests.cluster.ground.layout import CHARTS
from tests.cluster.plain_adapter import Plain, plain_adapter
from tests.cluster.stub_workload import Stub

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(300)]

UP = "prometheus_build_info"
OURS: dict[str, Json] = {
    UP: {
        "seriesQuery": f'{UP}{{namespace!="",pod!=""}}',
        "resources": {"overrides": {"namespace": {"resource": "namespace"}, "pod": {"resource": "pod"}}},
        "metricsQuery": f"max by (<<.GroupBy>>) ({UP}{{<<.LabelMatchers>>}})",
    }
}


class World:
    """The adapter of one test, and the steps that enable makes of it."""

    def __init__(self, kubectl: Kubectl, cluster: Cluster, plain: Plain) -> None:
        self.kubectl = kubectl
        self.cluster = cluster
        self.plain = plain
        self.said: list[str] = []

    @property
    def adapter(self) -> Adapter:
        return prometheus_adapter.find(self.cluster)

    def steps(self, expected: frozenset[str] = frozenset({f"pods/{UP}"})) -> list[steps.Step]:
        adapter = self.adapter
        server = prometheus.server_of(adapter.prometheus_url, adapter.namespace)
        return [
            AdapterRules(
                self.cluster, adapter, OURS, expected=frozenset({UP}), server=server, report=self.said.append
            ),
            MetricsApi(self.cluster, adapter, GROUP, expected=expected, report=self.said.append),
        ]

    def objects(self) -> list[Json]:
        where = ("-n", self.plain.namespace)
        found = [
            self.kubectl.get("configmap", self.plain.config_map, *where, "--show-managed-fields"),
            self.kubectl.get("deployment", self.plain.name, *where, "--show-managed-fields"),
        ]
        return [normalised(one) for one in found]

    def registered(self) -> bool:
        return read(self.cluster, API_SERVICES, "", metrics_api.name_of(GROUP)) is not None

    def serves_resources(self) -> bool:
        answer = self.kubectl.run("get", "--raw", "/apis/metrics.k8s.io/v1beta1", check=False)
        return answer.code == 0


@pytest.fixture(params=[True, False], ids=["probe", "no-probe"])
def world(request: pytest.FixtureRequest, kubectl: Kubectl, namespace: str) -> Iterator[World]:
    with (
        plain_adapter(kubectl, namespace, probe=request.param) as plain,
        Cluster(Connection(), read_only=False) as cluster,
    ):
        # the manifests take one of two pods down; of one none may go
        stays = json.dumps({"spec": {"strategy": {"rollingUpdate": {"maxUnavailable": 0}}}})
        kubectl.run("patch", "deployment", plain.name, "-n", namespace, "-p", stays)
        yield World(kubectl, cluster, plain)


with_probe = pytest.mark.parametrize("world", [True], indirect=True, ids=["probe"])


def test_the_api_is_registered_after_the_rules_and_removed_before_them(world: World) -> None:
    before = world.objects()
    adapter = world.adapter
    assert (adapter.custom, adapter.kind) == (False, "prometheus-adapter")
    assert (adapter.config_map, adapter.key) == (world.plain.config_map, "config.yaml")
    done: list[str] = []
    steps.run(world.steps(), lambda change: done.append(change.line))
    assert done == [
        f"configmap/{world.plain.config_map} configured",
        f"deployment.apps/{world.plain.name} restarted",
        f"apiservice.apiregistration.k8s.io/{metrics_api.name_of(GROUP)} created",
    ]
    assert any("no readiness probe" in line for line in world.said) == bool(adapter.gap)
    assert f"pods/{UP}" in prometheus_adapter.listed(world.cluster, world.adapter)
    assert world.adapter.custom
    assert world.serves_resources()
    (removed,) = metrics_api.remove(world.cluster, GROUP, world.said.append)
    assert removed.line == f"apiservice.apiregistration.k8s.io/{metrics_api.name_of(GROUP)} deleted"
    AdapterRules(world.cluster, world.adapter, {}).remove()
    assert not world.registered()
    assert world.objects() == before
    assert world.serves_resources()


@with_probe
def test_an_api_that_does_not_list_is_taken_back_with_the_rules(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = world.objects()
    monkeypatch.setattr(metrics_api, "_SLACK_SECONDS", -world.adapter.relist + 15)
    with pytest.raises(LlmHpaError, match="does not serve pods/absent") as failure:
        steps.run(world.steps(frozenset({"pods/absent"})), lambda _: None)
    assert not isinstance(failure.value, steps.UndoError)
    assert not world.registered()
    assert world.objects() == before


@with_probe
def test_the_api_stays_while_somebody_reads_it(world: World) -> None:
    steps.run(world.steps(), lambda _: None)
    metric = {"metric": {"name": UP}, "target": {"type": "AverageValue", "averageValue": "1"}}
    world.kubectl.apply(
        {
            "apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler",
            "metadata": {"name": "theirs", "namespace": world.plain.namespace},
            "spec": {
                "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "theirs"},
                "maxReplicas": 2, "metrics": [{"type": "Pods", "pods": metric}],
            },
        }
    )  # fmt: skip
    try:
        assert metrics_api.remove(world.cluster, GROUP, world.said.append) == []
        assert f"{world.plain.namespace}/theirs reads custom metrics" in world.said[-1]
        assert world.registered()
    finally:
        leaving = {(world.plain.namespace, "theirs")}
        assert metrics_api.remove(world.cluster, GROUP, world.said.append, leaving)


@with_probe
def test_a_deployment_that_does_not_roll_out_gets_its_old_file_back(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    metadata = {"name": "full", "namespace": world.plain.namespace}
    quota = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": metadata}
    world.kubectl.apply({**quota, "spec": {"hard": {"pods": "1"}}})
    world.kubectl.run(
        "wait", "resourcequota/full", "-n", world.plain.namespace,
        "--for=jsonpath={.status.used.pods}=1", "--timeout=30s",
    )  # fmt: skip
    before = world.objects()
    monkeypatch.setattr(rules, "_SLACK_SECONDS", -world.adapter.relist + 15)
    with pytest.raises(LlmHpaError, match="its new pod does not become ready") as failure:
        steps.run(world.steps(), lambda _: None)
    assert not isinstance(failure.value, steps.UndoError)
    assert world.objects() == before
    assert world.serves_resources()


def test_what_helm_reverts_is_said_while_it_still_runs(
    kubectl: Kubectl, llm_hpa: Plugin, namespace: str
) -> None:
    """`helm upgrade` with the same values takes our rules out of the file; the pod template stays, so it runs on."""
    where = ("-n", "monitoring")
    before = normalised(kubectl.get("configmap", "prometheus-adapter", *where))
    stub = Stub(kubectl, namespace)
    stub.start()
    enabled = llm_hpa("enable", *stub.reference, "--max=3", "--scrape-interval=5s", *ADAPTER)
    assert enabled.code == 0, enabled.stderr
    assert "rule-will-be-lost" not in llm_hpa("status", *stub.reference).stderr
    chart = str(CHARTS / "prometheus-adapter")
    ack.helm("upgrade", "prometheus-adapter", chart, "--namespace=monitoring", "--reuse-values")
    said = llm_hpa("status", *stub.reference)
    assert said.code == 0
    assert "the rule for vllm:num_requests_running is gone from it" in said.stderr
    assert "the values of Helm release prometheus-adapter in monitoring [rule-will-be-lost]" in said.stderr
    assert "Drift:          ConfigMap/monitoring/prometheus-adapter: the rule for " in said.stdout
    again = llm_hpa("enable", *stub.reference, *ADAPTER)
    assert again.code == 0, again.stderr
    assert "rule-will-be-lost" not in llm_hpa("status", *stub.reference).stderr
    gone = llm_hpa("disable", *stub.reference)
    assert gone.code == 0, gone.stderr
    after = normalised(kubectl.get("configmap", "prometheus-adapter", *where))
    assert after["data"] == before["data"]
