"""`detect` on running engines: what it names, and what Prometheus and the metrics API tell without the pod proxy."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.cluster.conftest import ADAPTER, Json, Kubectl, Plugin
from tests.cluster.stub_workload import Stub

pytestmark = pytest.mark.cluster

RBAC = "rbac.authorization.k8s.io"


def items(llm_hpa: Plugin, *arguments: str) -> dict[str, Json]:
    outcome = llm_hpa("detect", "-o", "json", *arguments)
    assert outcome.code == 0, outcome.stderr
    return {item["reference"]: item for item in json.loads(outcome.stdout)["items"]}


def until(ready: Callable[[], Any], seconds: float = 90) -> Any:
    """What `ready` gives when it gives something; the last look stands when time is over."""
    limit = time.monotonic() + seconds
    while not (found := ready()) and time.monotonic() < limit:
        time.sleep(2)
    return found


def user(
    kubectl: Kubectl, namespace: str, name: str, *, everywhere: Json | None, besides: Json | None
) -> list[str]:
    """A user who sees the namespace's objects; `everywhere` and `besides` (in `monitoring`) are further rules."""
    who = f"{name}-{namespace}"
    subjects = [{"kind": "User", "name": who, "apiGroup": RBAC}]
    view = {
        "apiGroups": ["", "apps", "autoscaling"], "verbs": ["get", "list"],
        "resources": ["pods", "statefulsets", "statefulsets/scale", "horizontalpodautoscalers"],
    }  # fmt: skip
    objects: list[Json] = []
    for kind, where, rule in (
        ("Role", namespace, view),
        ("Role", "monitoring", besides),
        ("ClusterRole", "", everywhere),
    ):
        if rule is None:
            continue
        meta = {"name": who} | ({"namespace": where} if where else {})
        objects += [
            {"apiVersion": f"{RBAC}/v1", "kind": kind, "metadata": meta, "rules": [rule]},
            {
                "apiVersion": f"{RBAC}/v1", "kind": f"{kind}Binding", "metadata": meta, "subjects": subjects,
                "roleRef": {"apiGroup": RBAC, "kind": kind, "name": who},
            },
        ]  # fmt: skip
    kubectl.apply(*objects)
    return ["-n", namespace, "--as", who]


def test_engine_port_and_role_of_running_engines(llm_hpa: Plugin, kubectl: Kubectl, namespace: str) -> None:
    stubs = [
        Stub(kubectl, namespace, "vllm"),
        Stub(kubectl, namespace, "decode", engine="sglang", role="decode", kind="Deployment"),
        Stub(kubectl, namespace, "llama", engine="llamacpp"),
        Stub(kubectl, namespace, "secret", tls=True),
    ]
    for stub in stubs:
        stub.start(wait=False, declared=stub.name != "llama")
    for stub in stubs:
        kubectl.run("rollout", "status", *stub.reference, "--timeout=120s", timeout=150)
    found = items(llm_hpa, "-n", namespace)
    told = {
        reference: (one["engine"], one["port"], one["declared"], one["scheme"], one["role"])
        for reference, one in found.items()
    }
    assert told == {
        "StatefulSet/vllm": ("vllm", 8000, True, "http", None),
        "Deployment/decode": ("sglang", 30000, True, "http", "decode"),
        "StatefulSet/llama": ("llamacpp", 8080, False, "http", None),
        "StatefulSet/secret": ("vllm", 8000, True, "https", None),
    }
    assert {one["seats"]["value"] for one in found.values()} == {8}
    table = llm_hpa("detect", "-A").stdout
    assert sum(line.startswith(namespace) for line in table.splitlines()) == 4
    assert "8000 (http, TLS)" in table


def test_other_evidence_and_two_scrapes(llm_hpa: Plugin, kubectl: Kubectl, namespace: str) -> None:
    stub = Stub(kubectl, namespace, "vllm")
    stub.start()
    enabled = llm_hpa("enable", *ADAPTER, *stub.reference, "--max", "1", "--timeout", "120s")
    assert enabled.code == 0, enabled.stderr
    stub.load(running=7, waiting=3, kv=0.25)
    proxy = {"apiGroups": [""], "resources": ["services/proxy"], "verbs": ["get"]}
    operator = {"apiGroups": ["monitoring.coreos.com"], "resources": ["prometheuses"], "verbs": ["list"]}
    metrics = {"apiGroups": ["custom.metrics.k8s.io"], "resources": ["*"], "verbs": ["get", "list"]}
    by_series = user(kubectl, namespace, "series", everywhere=operator, besides=proxy)
    by_metrics = user(kubectl, namespace, "metrics", everywhere=metrics, besides=None)

    def seen(*who: str) -> Json | None:
        one = items(llm_hpa, *who)["StatefulSet/vllm"]
        return one if one["signals"]["waiting"]["value"] == 3 else None

    try:
        one = until(lambda: seen(*by_series))
        assert one, "the samples did not arrive in Prometheus"
        assert one["evidence"]["source"] == "series in Prometheus"
        assert one["signals"]["running"]["value"] == 7
        assert one["signals"]["kv-cache"]["value"] == 0.25
        assert one["dialect"] == items(llm_hpa, "-n", namespace)["StatefulSet/vllm"]["dialect"]
        one = until(lambda: seen(*by_metrics))
        assert one, "the samples did not arrive in the metrics API"
        assert one["evidence"]["source"] == "metrics API"
        assert {name: signal["value"] for name, signal in one["signals"].items()} == {
            "waiting": 3, "running": 7, "kv-cache": 0.25,
        }  # fmt: skip
        twice = kubectl.get("podmonitor", "llm-hpa-statefulset-vllm", "-n", namespace)
        twice["metadata"] = {"name": "again", "namespace": namespace, "labels": twice["metadata"]["labels"]}
        kubectl.apply(twice)
        assert until(
            lambda: [
                finding["code"]
                for finding in items(llm_hpa, "-n", namespace)["StatefulSet/vllm"]["findings"]
                if finding["code"] == "two-targets"
            ]
        )
    finally:
        kubectl.run("delete", "clusterrole,clusterrolebinding", by_series[-1], by_metrics[-1], check=False)
        kubectl.run("delete", "role,rolebinding", by_series[-1], "-n", "monitoring", check=False)
    assert llm_hpa("disable", *stub.reference).code == 0


def test_enable_without_the_pod_proxy(llm_hpa: Plugin, kubectl: Kubectl, namespace: str) -> None:
    stub = Stub(kubectl, namespace, "vllm")
    stub.start()
    everything_else = {
        "apiGroups": ["", "apps", "autoscaling", "monitoring.coreos.com", "apiregistration.k8s.io", "keda.sh"],
        "resources": [
            "pods", "services", "services/proxy", "configmaps", "namespaces", "nodes", "resourcequotas", "events",
            "statefulsets", "statefulsets/scale", "deployments", "replicasets", "horizontalpodautoscalers",
            "podmonitors", "prometheuses", "apiservices", "scaledobjects",
        ],
        "verbs": ["*"],
    }  # fmt: skip
    metrics = {"apiGroups": ["custom.metrics.k8s.io"], "resources": ["*"], "verbs": ["get", "list"]}
    who = user(kubectl, namespace, "operator", everywhere=everything_else, besides=None)
    name = who[-1]
    role = kubectl.get("clusterrole", name)
    kubectl.apply({**role, "rules": [*role["rules"], metrics]})
    try:
        enabled = llm_hpa("enable", *ADAPTER, "sts/vllm", *who, "--max", "2", "--timeout", "120s")
        assert enabled.code == 0, enabled.stderr
        assert "the metrics page was not read; vllm is known from its command line" in enabled.stderr
        assert "StatefulSet/vllm scales between 1 and 2 replicas" in enabled.stderr
        disabled = llm_hpa("disable", "sts/vllm", *who)
        assert disabled.code == 0, disabled.stderr
    finally:
        kubectl.run("delete", "clusterrole,clusterrolebinding", name, check=False)
