"""The parts of fault tests do what they say: a second Prometheus, another adapter, a token, a bystander."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator

import pytest

from tests.cluster.bystander import Backend, bystander
from tests.cluster.conftest import Json, Kubectl, fresh_namespace
from tests.cluster.guarded import TOKEN, guarded_prometheus
from tests.cluster.plain_adapter import CUSTOM, RESOURCE, plain_adapter
from tests.cluster.second_prometheus import LABELS, second_prometheus
from tests.cluster.stub_workload import Stub

pytestmark = pytest.mark.cluster


@pytest.fixture
def theirs(kubectl: Kubectl) -> Iterator[str]:
    """A namespace of another team."""
    with fresh_namespace(kubectl) as name:
        yield name


def until(condition: Callable[[], bool], seconds: float, what: str) -> None:
    limit = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < limit, what
        time.sleep(1)


def pod_monitor(namespace: str, labels: Json) -> Json:
    return {
        "apiVersion": "monitoring.coreos.com/v1", "kind": "PodMonitor",
        "metadata": {"name": "by-hand", "namespace": namespace, "labels": labels},
        "spec": {
            "selector": {"matchLabels": {"app": "vllm-inference"}},
            "podMetricsEndpoints": [{"port": "http", "interval": "1s"}],
        },
    }  # fmt: skip


def test_a_second_prometheus_scrapes_where_it_may(kubectl: Kubectl, namespace: str, theirs: str) -> None:
    """It selects in both namespaces, and may list pods in its own only."""
    for place in (namespace, theirs):
        Stub(kubectl, place).start(wait=False)
        kubectl.apply(pod_monitor(place, LABELS))
    with second_prometheus(kubectl, namespace, namespaces={}) as second:
        until(lambda: bool(second.query("vllm:num_requests_waiting")), 90, "it scraped nothing")
        assert {one["metric"]["namespace"] for one in second.query("up")} == {namespace}
    left = kubectl.run("get", "clusterrole,clusterrolebinding", "-o", "name").stdout
    assert namespace not in left


def test_an_adapter_by_plain_manifests_serves_no_custom_metrics(kubectl: Kubectl, namespace: str) -> None:
    before = kubectl.get("apiservice", CUSTOM)["spec"]
    with plain_adapter(kubectl, namespace, probe=False) as adapter:
        services = {one["metadata"]["name"] for one in kubectl.get("apiservice")["items"]}
        assert RESOURCE in services
        assert CUSTOM not in services
        kubectl.run("get", "--raw", "/apis/metrics.k8s.io/v1beta1/nodes")
        text = kubectl.get("configmap", adapter.config_map, "-n", namespace)["data"]["config.yaml"]
        assert "resourceRules" in text
    services = {one["metadata"]["name"] for one in kubectl.get("apiservice")["items"]}
    assert RESOURCE not in services
    assert kubectl.get("apiservice", CUSTOM)["spec"] == before


def test_a_guarded_prometheus_wants_its_token(kubectl: Kubectl, namespace: str) -> None:
    with guarded_prometheus(kubectl, namespace) as guarded:
        host = guarded.url.removeprefix("http://")
        script = (
            "import sys, urllib.request as u\n"
            f"q = u.Request('http://{host}/api/v1/query?query=up', headers={{'Authorization': sys.argv[1]}})\n"
            "print(u.urlopen(q).read().decode())"
        )
        pod = ["exec", "-n", namespace, f"deploy/{guarded.secret}", "--", "python3", "-c", script]
        answer = kubectl.run(*pod, f"Bearer {TOKEN}").stdout
        assert json.loads(answer)["data"]["result"]
        refused = kubectl.run(*pod, "Bearer no", check=False)
        assert "401" in refused.stderr


@pytest.mark.parametrize("backend", ["prometheus-adapter", "keda"])
def test_a_bystander_tells_when_its_metric_was_gone(
    kubectl: Kubectl, namespace: str, theirs: str, backend: Backend
) -> None:
    with bystander(kubectl, theirs, backend) as watched:
        assert watched.works()
        time.sleep(5)
        assert watched.lost == []
        patch = json.dumps({"spec": {"selector": {"matchLabels": {"app": "nobody"}}}})
        kubectl.run("patch", "podmonitor", "bystander", "-n", theirs, "--type=merge", "-p", patch)
        until(lambda: bool(watched.lost), 120, "nothing was lost")
        assert "Metric" in watched.lost[0], watched.lost
