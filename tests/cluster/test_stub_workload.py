"""The stub engine in its pods: every kind, role and place of the metrics that other tests rely on."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.cluster.conftest import Kubectl
from tests.cluster.stub_workload import Stub
from tests.cluster.workloads import PORTS

pytestmark = pytest.mark.cluster


@pytest.mark.parametrize(
    ("about", "shape", "series"),
    [
        ({"engine": "sglang"}, {"port_name": None}, "sglang:num_queue_reqs{"),
        (
            {"engine": "sglang", "role": "prefill", "kind": "Deployment"},
            {"declared": False},
            "sglang:num_prefill_bootstrap_queue_reqs{",
        ),
        (
            {"engine": "sglang", "role": "decode", "kind": "LeaderWorkerSet"},
            {},
            "sglang:num_decode_prealloc_queue_reqs{",
        ),
        ({"engine": "llamacpp", "kind": "Deployment"}, {"sidecar": 9000}, "llamacpp:requests_deferred "),
        ({"engine": "vllm", "tls": True}, {"declared": False, "sidecar": 9000}, "vllm:num_requests_waiting{"),
    ],
    ids=["sglang", "prefill-undeclared", "decode-lws", "llamacpp-sidecar", "vllm-tls"],
)
def test_a_load_shows_in_the_pod(
    kubectl: Kubectl, namespace: str, about: dict[str, Any], shape: dict[str, Any], series: str
) -> None:
    stub = Stub(kubectl, namespace, **about)
    stub.start(**shape)
    stub.load(running=8, waiting=1, kv=0.5)
    target = f"{'https:' * stub.tls}{stub.pod(0)}:{PORTS[stub.engine]}"
    body = kubectl.run("get", "--raw", f"/api/v1/namespaces/{namespace}/pods/{target}/proxy/metrics").stdout
    [line] = [one for one in body.splitlines() if one.startswith(series)]
    assert float(line.split()[-1]) == 1
    if stub.kind == "LeaderWorkerSet":
        [worker] = kubectl.get("pods", "-n", namespace, "-l", "leaderworkerset.sigs.k8s.io/worker-index=1")[
            "items"
        ]
        assert worker["spec"]["containers"][0]["command"] == ["sleep", "infinity"]


@pytest.mark.parametrize(("engine", "status"), [("sglang", 404), ("llamacpp", 501)])
def test_metrics_that_were_not_switched_on(
    kubectl: Kubectl, namespace: str, engine: Any, status: int
) -> None:
    stub = Stub(kubectl, namespace, engine=engine)
    stub.start(metrics=False)
    path = f"/api/v1/namespaces/{namespace}/pods/{stub.pod(0)}:{PORTS[stub.engine]}/proxy/metrics"
    outcome = kubectl.run("get", "--raw", path, "-v=6", check=False)
    assert outcome.code != 0
    assert re.search(rf'status="?{status}\b', outcome.stderr), outcome.stderr
