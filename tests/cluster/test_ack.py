"""Rules for Alibaba's adapter: in the values of its Helm release, read by a sidecar that ends the process."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from kubectl_llmhpa.backends import helm as helm_values
from kubectl_llmhpa.backends import prometheus_adapter
from kubectl_llmhpa.backends.model import ACK
from kubectl_llmhpa.backends.prometheus_adapter import Adapter
from kubectl_llmhpa.errors import LlmHpaError
from kubectl_llmhpa.kube import Cluster, Connection
from kubectl_llmhpa.kube.helm import Helm
from kubectl_llmhpa.monitoring import prometheus
from kubectl_llmhpa.plan import steps
from kubectl_llmhpa.plan.adapter import rule_record, rules
from kubectl_llmhpa.plan.adapter.helm_rules import HelmRules
from tests.cluster import ack
from tests.cluster.conftest import Json, Kubectl, Plugin
from tests.cluster.dump import differences
from tests.cluster.stub_workload import Stub
from tests.cluster.test_loops import look
from tests.cluster.waiting import until

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(400)]

UP = "prometheus_build_info"
OURS: dict[str, Json] = {
    UP: {
        "seriesQuery": f'{UP}{{namespace!="",pod!=""}}',
        "resources": {"overrides": {"namespace": {"resource": "namespace"}, "pod": {"resource": "pod"}}},
        "metricsQuery": f"max by (<<.GroupBy>>) ({UP}{{<<.LabelMatchers>>}})",
    }
}


@pytest.fixture(scope="module", autouse=True)
def installed(kubectl: Kubectl) -> Iterator[None]:
    with ack.stand_in(kubectl):
        yield


@pytest.fixture(autouse=True)
def fresh(kubectl: Kubectl) -> None:
    ack.fresh(kubectl)


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    with Cluster(Connection(), read_only=False) as found:
        yield found


@pytest.fixture
def adapter(cluster: Cluster) -> Adapter:
    return prometheus_adapter.find(cluster)


class Steps:
    """Steps for this adapter, and what they report."""

    def __init__(self, cluster: Cluster, adapter: Adapter) -> None:
        self.said: list[str] = []
        self.cluster = cluster
        self.adapter = adapter

    def make(self, wanted: dict[str, Json], *, chart: Path = ack.CHART, expected: bool = True) -> HelmRules:
        return HelmRules(
            self.cluster, self.adapter, wanted, runner=Helm(self.cluster.connection), chart=str(chart),
            expected=frozenset(wanted if expected else ()), report=self.said.append,
            server=prometheus.server_of(self.adapter.prometheus_url, self.adapter.namespace),
        )  # fmt: skip


@pytest.fixture
def made(cluster: Cluster, adapter: Adapter) -> Steps:
    return Steps(cluster, adapter)


def test_it_is_found_with_its_file_and_its_sidecar(adapter: Adapter) -> None:
    assert (adapter.kind, adapter.namespace, adapter.name) == (ACK, ack.NAMESPACE, ack.NAME)
    assert (adapter.config_map, adapter.key) == (f"{ack.NAME}-prometheus-config", "config.yaml")
    assert adapter.reloads
    assert (adapter.relist, adapter.max_age) == (10.0, 1200.0)
    release = helm_values.release_of(adapter.deployment)
    assert release == helm_values.Release(ack.NAME, ack.NAMESPACE, ack.NAME, "1.3.3")


def test_rules_go_into_the_values_and_out_again(made: Steps, cluster: Cluster, adapter: Adapter) -> None:
    before = ack.values()
    step = made.make(OURS)
    (shown,) = step.changes()
    assert shown.line == f"release.helm.sh/{ack.NAME} upgraded"
    assert "not-to-be-shown" not in str(shown)
    began = time.monotonic()
    steps.run([step], lambda _: None)
    print(f"rules served {time.monotonic() - began:.1f} s after the upgrade began")
    assert any("for a moment no HPA can read custom metrics" in line for line in made.said)
    assert f"pods/{UP}" in prometheus_adapter.listed(cluster, adapter)
    custom = helm_values.listed(ACK, ack.values(), "custom")
    assert custom == [ack.THEIRS, *OURS.values()]
    assert made.make(OURS).changes() == []
    assert made.make(OURS).do() == []
    with pytest.raises(LlmHpaError, match="are in the values of Helm release") as refused:
        rules.AdapterRules(cluster, adapter, {}).remove()
    assert yaml.safe_load(refused.value.detail)["AlibabaCloudMetricsAdapter"]["prometheus"]["adapter"]
    assert made.make({}).rules_in_place().keys() == {UP}
    (removed,) = made.make({}).remove()
    assert removed.line == f"release.helm.sh/{ack.NAME} upgraded"
    assert ack.values() == before
    assert f"pods/{UP}" not in prometheus_adapter.listed(cluster, adapter)
    assert rule_record.read_record(cluster, ack.NAMESPACE) is None


def test_a_rule_that_empties_the_list_is_rolled_back(
    made: Steps, cluster: Cluster, adapter: Adapter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Prometheus is not asked here, as where it cannot be."""
    before, listed = ack.values(), prometheus_adapter.listed(cluster, adapter)
    bad = {"bad": {**OURS[UP], "seriesQuery": '{__name__=~"["}'}}
    step = HelmRules(
        cluster, adapter, bad, runner=Helm(cluster.connection), chart=str(ack.CHART), report=made.said.append
    )
    monkeypatch.setattr("kubectl_llmhpa.plan.adapter.helm_rules._SLACK_SECONDS", 5.0)
    with pytest.raises(LlmHpaError, match="no longer serves") as failure:
        steps.run([step], lambda _: None)
    assert not isinstance(failure.value, steps.UndoError), failure.value
    assert ack.values() == before
    assert prometheus_adapter.listed(cluster, adapter) >= listed
    assert rule_record.read_record(cluster, ack.NAMESPACE) is None


def test_a_later_revision_of_others_stays_when_ours_is_undone(made: Steps, cluster: Cluster) -> None:
    before = ack.values()
    where = ("--namespace", ack.NAMESPACE)
    ours = made.make(OURS)
    ours.validate()
    ours.do()
    ack.helm("upgrade", ack.NAME, str(ack.CHART), *where, "--reuse-values", "--set=theirs=1")
    try:
        ours.undo()
        assert ack.values() == {**before, "theirs": 1}
        assert rule_record.read_record(cluster, ack.NAMESPACE) is None
    finally:
        ack.helm("upgrade", ack.NAME, str(ack.CHART), *where, "--reuse-values", "--set=theirs=null")


def test_a_revision_of_others_between_check_and_upgrade_is_refused(made: Steps, cluster: Cluster) -> None:
    before = ack.values()
    ours = made.make(OURS)
    ours.validate()
    ack.helm("upgrade", ack.NAME, str(ack.CHART), "--namespace", ack.NAMESPACE, "--reuse-values")
    with pytest.raises(LlmHpaError, match="somebody else has upgraded it meanwhile"):
        ours.do()
    ours.undo()
    assert ack.values() == before
    assert rule_record.read_record(cluster, ack.NAMESPACE) is None


def test_a_query_that_prometheus_refuses_is_refused_before_the_upgrade(made: Steps) -> None:
    bad = {"bad": {**OURS[UP], "seriesQuery": '{__name__=~"["}'}}
    with pytest.raises(LlmHpaError, match="Prometheus refuses its query"):
        steps.run([made.make(bad)], lambda _: None)


def test_a_rule_without_series_is_refused(made: Steps) -> None:
    absent = {"absent": {**OURS[UP], "seriesQuery": 'no_such_series{namespace!="",pod!=""}'}}
    with pytest.raises(LlmHpaError, match="had no series of no_such_series"):
        steps.run([made.make(absent)], lambda _: None)
    other = {**OURS[UP], "seriesQuery": f'{UP}{{pod_namespace!="",pod_name!=""}}'}
    other["resources"] = {
        "overrides": {"pod_namespace": {"resource": "namespace"}, "pod_name": {"resource": "pod"}}
    }
    with pytest.raises(LlmHpaError, match="labels pod_namespace and pod_name; they have namespace and pod"):
        steps.run([made.make({UP: other})], lambda _: None)


def test_another_chart_is_refused(made: Steps, tmp_path: Path) -> None:
    from shutil import copytree

    chart = Path(copytree(ack.CHART, tmp_path / "chart"))
    text = (chart / "Chart.yaml").read_text()
    (chart / "Chart.yaml").write_text(text.replace("version: 1.3.3", "version: 1.4.0"))
    with pytest.raises(LlmHpaError, match=r"is ack-\S+ 1\.4\.0, and the release was made from \S+ 1\.3\.3"):
        made.make(OURS, chart=chart).validate()
    (chart / "Chart.yaml").write_text(text)
    (chart / "templates" / "more.yaml").write_text(
        "{apiVersion: v1, kind: ConfigMap, metadata: {name: more}}"
    )
    with pytest.raises(LlmHpaError, match="it would change ConfigMap more too") as refused:
        made.make(OURS, chart=chart).validate()
    assert f"helm upgrade {ack.NAME} " in str(refused.value)
    assert "not-to-be-shown" not in f"{refused.value}{refused.value.detail}"
    below = yaml.safe_load(refused.value.detail)["AlibabaCloudMetricsAdapter"]["prometheus"]["adapter"]
    assert below["rules"] == {"default": False, "custom": [ack.THEIRS, *OURS.values()]}


def test_an_adapter_that_asks_no_prometheus_is_refused(made: Steps) -> None:
    where = ("--namespace", ack.NAMESPACE)
    path = "AlibabaCloudMetricsAdapter.prometheus"
    ack.helm(
        "upgrade", ack.NAME, str(ack.CHART), *where, "--reuse-values", f"--set-json={path}.url={{}}",
        f"--set={path}.prometheusHeader=null",
    )  # fmt: skip
    try:
        with pytest.raises(LlmHpaError, match=rf"asks no Prometheus \({path}\.url is not set\)"):
            made.make(OURS).validate()
    finally:
        ack.helm("rollback", ack.NAME, *where)


def test_the_loop_closes(llm_hpa: Plugin, kubectl: Kubectl, namespace: str) -> None:
    stub = Stub(kubectl, namespace)
    stub.start()
    before = ack.without_history(look(kubectl, namespace))
    wanted = (
        "enable",
        *stub.reference,
        "--max=3",
        "--backend=ack",
        "--scale-down-window=0s",
        "--scrape-interval=5s",
    )
    refused = llm_hpa(*wanted)
    assert refused.code == 1
    assert "belongs to Helm" in refused.stderr
    assert "AlibabaCloudMetricsAdapter:" in refused.stderr
    assert f"helm upgrade {ack.NAME} " in refused.stderr
    assert differences(before, ack.without_history(look(kubectl, namespace))) == []
    enabled = llm_hpa(*wanted, f"--helm={ack.CHART}")
    assert enabled.code == 0, enabled.stderr
    assert f"release.helm.sh/{ack.NAME} upgraded" in enabled.stdout
    assert "ack: " in enabled.stderr
    stub.load(running=8, waiting=12, kv=0.4)
    until(lambda: stub.replicas() == 3, 60, "scale from 1 to 3")
    stub.load(running=0, waiting=0, kv=0.0)
    until(lambda: stub.replicas() == 1, 120, "scale from 3 to 1")
    assert llm_hpa(*wanted, f"--helm={ack.CHART}").code == 0
    removed = llm_hpa("disable", *stub.reference, f"--helm={ack.CHART}")
    assert removed.code == 0, removed.stderr
    assert differences(before, ack.without_history(look(kubectl, namespace))) == []
