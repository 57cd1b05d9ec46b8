"""Engines whose port has no name, is not declared at all, or speaks TLS: each pod becomes one target that is up."""

from __future__ import annotations

import json
from urllib.parse import quote

import pytest

from tests.cluster.conftest import ADAPTER, Json, Kubectl, Plugin
from tests.cluster.stub_workload import Stub

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(600)]

PROMETHEUS = "/api/v1/namespaces/monitoring/services/kube-prometheus-stack-prometheus:9090/proxy"


def targets(kubectl: Kubectl, namespace: str) -> dict[str, list[str]]:
    """Pod name to the values of its `up` series."""
    expression = quote(f'up{{namespace="{namespace}"}}')
    answer = json.loads(kubectl.run("get", "--raw", f"{PROMETHEUS}/api/v1/query?query={expression}").stdout)
    found: dict[str, list[str]] = {}
    for one in answer["data"]["result"]:
        found.setdefault(one["metric"]["pod"], []).append(one["value"][1])
    return found


def endpoint(kubectl: Kubectl, stub: Stub) -> Json:
    name = f"llm-hpa-{stub.kind.lower()}-{stub.name}"
    monitor = kubectl.get("podmonitor", name, "-n", stub.namespace)
    (found,) = monitor["spec"]["podMetricsEndpoints"]
    assert isinstance(found, dict)
    return found


def test_every_port_is_found_and_is_one_target_per_pod(
    llm_hpa: Plugin, kubectl: Kubectl, namespace: str
) -> None:
    bare = Stub(kubectl, namespace, "bare")
    beside = Stub(kubectl, namespace, "beside", kind="Deployment")
    unnamed = Stub(kubectl, namespace, "unnamed")
    secret = Stub(kubectl, namespace, "secret", tls=True)
    bare.start(declared=False, wait=False)
    beside.start(replicas=2, declared=False, sidecar=9000, wait=False)
    unnamed.start(port_name=None, wait=False)
    secret.start(wait=False)
    for stub in (bare, beside, unnamed, secret):
        kubectl.run("rollout", "status", *stub.reference, "--timeout=120s", timeout=150)
        enabled = llm_hpa("enable", *ADAPTER, *stub.reference, "--max", "3", "--timeout", "120s")
        assert enabled.code == 0, enabled.stderr
    assert endpoint(kubectl, unnamed)["portNumber"] == 8000
    assert endpoint(kubectl, secret)["scheme"] == "https"
    assert "port" not in endpoint(kubectl, bare)
    ups = targets(kubectl, namespace)
    assert sorted(pod.split("-")[0] for pod in ups) == ["bare", "beside", "beside", "secret", "unnamed"]
    assert set(map(tuple, ups.values())) == {("1",)}
    for stub in (bare, beside, unnamed, secret):
        assert llm_hpa("disable", *stub.reference).code == 0
    assert (
        kubectl.get("podmonitor,hpa,configmap", "-n", namespace, "-l", "kubectl-llm-hpa/workload")["items"]
        == []
    )
