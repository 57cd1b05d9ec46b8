"""Who scrapes: every scrape object against its definition on a real API server, and rights asked of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from kubectl_llmhpa.api import DEPLOYMENTS, POD_MONITORS, VM_POD_SCRAPES, Json
from kubectl_llmhpa.errors import LlmHpaError
from kubectl_llmhpa.kube import Cluster, Connection
from kubectl_llmhpa.monitoring import prometheus_operator, registry, scene, victoriametrics
from kubectl_llmhpa.monitoring.model import MetricsPort, Scraper, Wanted
from kubectl_llmhpa.plan import disabling, journal
from kubectl_llmhpa.plan.journal import Journal, Owned
from kubectl_llmhpa.plan.objects import OwnObject
from kubectl_llmhpa.plan.setting_up import scraping
from kubectl_llmhpa.workloads import Workload
from tests.cluster.conftest import Kubectl, fresh_namespace
from tests.cluster.ground import crds

DEFINITIONS = "customresourcedefinitions"
#: The ways in which an engine's port is found, and the intervals that make a difference.
PORTS: dict[str, Json] = {
    "named": {"declared": "http"},
    "numbered": {"declared": 8000},
    "undeclared": {"declared": None, "first": 9000},
    "behind TLS": {"declared": "http", "scheme": "https"},
}
INTERVALS = ("1s", "5s", "1m")


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    with Cluster(Connection(), read_only=False) as result:
        yield result


def wanted(namespace: str, interval: str = "5s", **changed: Any) -> Wanted:
    plain = {
        "number": 8000, "path": "/metrics", "scheme": "http", "declared": "http", "container": "vllm", "first": 8000
    }  # fmt: skip
    return Wanted(
        scraping.monitor_name(workload(namespace)), namespace, {"matchLabels": {"app": "vllm"}},
        MetricsPort(**{**plain, **changed}), interval, journal.labels_for(workload(namespace)), {},
    )  # fmt: skip


def workload(namespace: str) -> Workload:
    return Workload(DEPLOYMENTS, namespace, "vllm", {}, 1, "app=vllm")


def covers(live: object, sent: object) -> bool:
    """Whether everything that was sent is in what the server keeps; it may add defaults."""
    if isinstance(sent, dict):
        return isinstance(live, dict) and all(
            key in live and covers(live[key], value) for key, value in sent.items()
        )
    if isinstance(sent, list):
        return (
            isinstance(live, list)
            and len(live) == len(sent)
            and all(covers(one, other) for one, other in zip(live, sent, strict=True))
        )
    return live == sent


@pytest.fixture(scope="class")
def definitions(kubectl: Kubectl) -> Iterator[None]:
    """The definitions of all scrape objects, for as long as a class of tests takes."""
    files = [path.read_text() for path in crds.scraper_files()]
    text = "\n---\n".join(files)
    there = kubectl.run("get", DEFINITIONS, "-o", "name").stdout
    kubectl.run("apply", "--server-side", "--force-conflicts", "-f", "-", stdin=text)
    kubectl.run("wait", "-f", "-", "--for=condition=Established", "--timeout=60s", stdin=text)
    yield
    fresh = [
        name for name in kubectl.run("get", DEFINITIONS, "-o", "name").stdout.split() if name not in there
    ]
    kubectl.run("delete", *fresh, "--wait=false")


@pytest.mark.control_plane
@pytest.mark.usefixtures("definitions")
class TestDefinitions:
    """What is written is what the API server keeps: nothing refused, nothing pruned."""

    @pytest.mark.parametrize("scraper", registry.SCRAPERS, ids=lambda one: one.name)
    def test_an_object_of_every_shape_is_kept_whole(
        self, cluster: Cluster, namespace: str, scraper: Scraper
    ) -> None:
        for shape in PORTS.values():
            for interval in INTERVALS:
                sent = scraper.render(wanted(namespace, interval, **shape))
                live = cluster.apply(sent)
                assert covers(live["spec"], sent["spec"]), (sent["spec"], live["spec"])
                assert (live["apiVersion"], live["kind"]) == (
                    scraper.resource.api_version,
                    scraper.resource.kind,
                )

    @pytest.mark.parametrize("word", ["google", "azure"])
    def test_a_definition_refuses_what_is_wrong(self, cluster: Cluster, namespace: str, word: str) -> None:
        """So that keeping an object whole says something."""
        made = registry.named(word).render(wanted(namespace))
        made["spec"][registry.named(word).endpoints][0]["interval"] = "soon"
        with pytest.raises(LlmHpaError, match="interval"):
            cluster.apply(made)

    def test_what_is_here_is_seen(self, cluster: Cluster, kubectl: Kubectl, namespace: str) -> None:
        seen = scene.look(cluster, namespace, [])
        groups = {one.resource.group for one in registry.SCRAPERS}
        assert groups <= seen.groups
        assert (seen.namespaces, seen.vm_agents, seen.agents) == (frozenset(), [], [])
        kubectl.apply(
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": scene.ARMS_NAMESPACE}},
            {
                "apiVersion": "operator.victoriametrics.com/v1beta1", "kind": "VMAgent",
                "metadata": {"name": "main", "namespace": namespace},
                "spec": {"remoteWrite": [{"url": "http://vm"}], "podScrapeSelector": {"matchLabels": {"a": "b"}}},
            },
            {
                "apiVersion": "monitoring.coreos.com/v1alpha1", "kind": "PrometheusAgent",
                "metadata": {"name": "edge", "namespace": namespace},
                "spec": {"podMonitorSelector": {}},
            },
            registry.named("google").render(wanted(namespace)),
        )  # fmt: skip
        try:
            seen = scene.look(cluster, namespace, [])
            assert seen.namespaces == {scene.ARMS_NAMESPACE}
            (google,) = seen.scrape_objects
            assert (google["kind"], google["metadata"]["namespace"]) == ("PodMonitoring", namespace)
            chosen = victoriametrics.choose(seen.vm_agents, namespace, {}, {})
            assert (chosen.by, chosen.labels) == (f"vmagent {namespace}/main", {"a": "b"})
            agent = prometheus_operator.choose([], namespace, {}, agents=seen.agents)
            assert (agent.agent, agent.reference) == (True, f"{namespace}/edge")
        finally:
            kubectl.run("delete", "namespace", scene.ARMS_NAMESPACE, "--wait=false")

    def test_a_copy_of_victoriametrics_goes_with_our_pod_monitor(
        self, cluster: Cluster, kubectl: Kubectl, namespace: str
    ) -> None:
        """Its operator is played here: it copies labels, and leaves the copy when the PodMonitor goes."""
        made = registry.named("prometheus-operator").render(wanted(namespace))
        name = made["metadata"]["name"]
        journal.save(cluster, workload(namespace), Journal((Owned.of(POD_MONITORS, name),)))
        OwnObject(cluster, POD_MONITORS, made).do()
        copy = registry.named("victoriametrics").render(wanted(namespace))
        other = {**copy, "metadata": {**copy["metadata"], "name": "other", "labels": {}}}
        kubectl.run("apply", "--server-side", "--field-manager=manager", "-f", "-", stdin=json.dumps(copy))
        kubectl.apply(other)
        planned = disabling.preview(cluster, workload(namespace), lambda _: None)
        assert [(one.resource, one.name) for one in planned] == [(POD_MONITORS, name), (VM_POD_SCRAPES, name)]
        gone: list[str] = []
        disabling.disable(
            cluster, workload(namespace), lambda one: gone.append(one.resource.kind), lambda _: None
        )
        assert gone == ["PodMonitor", "VMPodScrape"]
        left = kubectl.get("podmonitors.monitoring.coreos.com,vmpodscrapes", "-n", namespace)["items"]
        assert [one["metadata"]["name"] for one in left] == ["other"]


@pytest.mark.control_plane
class TestRights:
    """Whether a Prometheus may find pods, asked by those who may ask, read by those who may read."""

    @pytest.fixture
    def monitoring(self, kubectl: Kubectl) -> Iterator[str]:
        with fresh_namespace(kubectl) as name:
            kubectl.run("create", "serviceaccount", "prometheus-k8s", "-n", name)
            yield name

    def asked(self, kubectl: Kubectl, namespace: str, monitoring: str, user: str = "") -> bool | None:
        prometheus = {
            "metadata": {"name": "k8s", "namespace": monitoring},
            "spec": {"serviceAccountName": "prometheus-k8s"},
        }
        with Cluster(Connection({"as": user} if user else {}), read_only=True) as reader:
            may = scene.look(reader, namespace, [prometheus]).may_list
        return may[f"{monitoring}/prometheus-k8s"]

    def test_the_commands_of_the_finding_give_the_right(
        self, kubectl: Kubectl, namespace: str, monitoring: str
    ) -> None:
        assert self.asked(kubectl, namespace, monitoring) is False
        selection = prometheus_operator.Selection(
            monitoring, "k8s", {}, {}, account=f"{monitoring}/prometheus-k8s"
        )
        seen = scene.Scene(may_list={selection.account: False})
        (finding,) = scraping.rights(workload(namespace), seen, selection)
        for command in finding.fix.split(" && "):
            kubectl.run(*command.split()[1:])
        assert self.asked(kubectl, namespace, monitoring) is True

    def test_who_asks(self, kubectl: Kubectl, namespace: str, monitoring: str) -> None:
        """The owner of a namespace may ask, an auditor may read the bindings, somebody who may view neither."""
        kubectl.run("create", "rolebinding", "owner", "-n", namespace, "--clusterrole=admin", "--user=owner")
        kubectl.run("create", "rolebinding", "viewer", "-n", namespace, "--clusterrole=view", "--user=viewer")
        auditor = f"auditor-{namespace}"
        kinds = "--resource=roles,rolebindings,clusterroles,clusterrolebindings"
        kubectl.run("create", "clusterrole", auditor, "--verb=list", kinds)
        kubectl.run("create", "clusterrolebinding", auditor, f"--clusterrole={auditor}", "--user=auditor")
        try:
            for expected in (False, True):
                assert self.asked(kubectl, namespace, monitoring, "owner") is expected
                assert self.asked(kubectl, namespace, monitoring, "auditor") is expected
                assert self.asked(kubectl, namespace, monitoring, "viewer") is None
                account = f"--serviceaccount={monitoring}:prometheus-k8s"
                kubectl.run(
                    "create", "rolebinding", f"see-{expected}", "-n", namespace, "--clusterrole=view", account
                )
        finally:
            kubectl.run("delete", "clusterrole,clusterrolebinding", auditor)
