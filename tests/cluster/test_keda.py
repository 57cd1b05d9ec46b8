"""KEDA itself on what is rendered for it: the loop closes, nothing is rewritten for ever, and a lost sample is said."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from decimal import Decimal
from urllib.parse import urlencode

import pytest

from kubectl_llmhpa.api import (
    API_SERVICES,
    DEPLOYMENTS,
    HPAS,
    MANAGED_BY,
    MANAGER,
    PODS,
    PROMETHEUSES,
    SCALED_OBJECTS,
    SERVICES,
    Json,
)
from kubectl_llmhpa.backends import keda, scaled_object
from kubectl_llmhpa.backends.keda import Keda
from kubectl_llmhpa.backends.scaled_object import Fallback
from kubectl_llmhpa.engines import identify
from kubectl_llmhpa.kube import Cluster, Connection
from kubectl_llmhpa.monitoring import address, prometheus_operator
from kubectl_llmhpa.plan.setting_up import keda_hops
from kubectl_llmhpa.plan.setting_up.hops import Hop, HopState
from kubectl_llmhpa.policy import Target, behavior
from kubectl_llmhpa.workloads import Workload, pod_names, resolve
from tests.cluster.conftest import Kubectl, Plugin
from tests.cluster.guarded import guarded_prometheus
from tests.cluster.stub_workload import Stub

pytestmark = pytest.mark.cluster

TARGETS = {"running": Decimal(2), "kv-cache": Decimal("0.8"), "ttft": Decimal(2)}
NAME = "vllm-inference"
QUIET_SECONDS = 30


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    with Cluster(Connection(), read_only=False) as result:
        yield result


@pytest.fixture
def stub(kubectl: Kubectl, namespace: str) -> Stub:
    """One stub pod that Prometheus scrapes."""
    workload = Stub(kubectl, namespace)
    workload.start()
    kubectl.apply({
        "apiVersion": "monitoring.coreos.com/v1", "kind": "PodMonitor",
        "metadata": {"name": NAME, "namespace": namespace, "labels": {"release": "kube-prometheus-stack"}},
        "spec": {
            "selector": {"matchLabels": {"app": NAME}},
            "podMetricsEndpoints": [{"port": "http", "interval": "2s"}],
        },
    })  # fmt: skip
    return workload


def workload_of(cluster: Cluster, stub: Stub) -> Workload:
    return resolve(cluster, ("sts/" + stub.name,), stub.namespace)


def prometheus_url(cluster: Cluster) -> str:
    everything = cluster.get(PROMETHEUSES.path())["items"]
    chosen = prometheus_operator.choose(everything, "default", {})
    return address.of(chosen, cluster.get(SERVICES.path(chosen.namespace))["items"], everything).url


def rendered(cluster: Cluster, stub: Stub, matchers: str, **changed: object) -> Json:
    workload = workload_of(cluster, stub)
    pod = cluster.get_text(PODS.path(stub.namespace, f"{stub.pod(0)}:8000", "proxy/metrics"))
    sources = identify(pod).signals
    return scaled_object.render(**{
        "name": NAME, "namespace": stub.namespace, "hpa_name": NAME, "scale_target": workload.scale_target,
        "min_replicas": 1, "max_replicas": 3, "behavior": behavior(0), "address": prometheus_url(cluster),
        "triggers": [
            scaled_object.trigger(Target(one, "", value, ""), sources, matchers) for one, value in TARGETS.items()
        ],
        "labels": {MANAGED_BY: MANAGER, "kubectl-llm-hpa/workload": workload.label}, "annotations": {}, **changed,
    })  # type: ignore[arg-type]  # fmt: skip


def until(hop: Hop | Callable[[], HopState], limit: float) -> str:
    """Wait until a hop is good, and return what it says."""
    began, text = time.monotonic(), ""
    while time.monotonic() - began < limit:
        with contextlib.suppress(Exception):
            state = hop.look() if isinstance(hop, Hop) else hop()
            text = state.text
            if state.good:
                return text
        time.sleep(0.5)
    raise AssertionError(f"not within {limit} s: {text}")


def size(stub: Stub, wanted: int) -> Callable[[], HopState]:
    return lambda: HopState(stub.replicas() == wanted, f"{stub.replicas()} replicas")


def works(cluster: Cluster, stub: Stub, made: Json) -> str:
    """Apply a ScaledObject and wait until KEDA's HPA has all numbers."""
    cluster.apply(made)
    workload = workload_of(cluster, stub)
    until(keda_hops.ready(cluster, workload, NAME), 90)
    return until(keda_hops.scaling_active(cluster, workload, NAME), 90)


def by_job(stub: Stub) -> str:
    return f'namespace="{stub.namespace}",job="{stub.namespace}/{NAME}"'


def writes(cluster: Cluster, stub: Stub) -> dict[str, object]:
    """What changes when somebody writes the ScaledObject or the HPA: generations, and who wrote what when."""
    found = [resource.path(stub.namespace, NAME) for resource in (SCALED_OBJECTS, HPAS)]
    metadata = [cluster.get(path)["metadata"] for path in found]
    return {
        f"{index} {one['manager']} {one['operation']}": (each.get("generation"), one.get("time"))
        for index, each in enumerate(metadata)
        for one in each["managedFields"]
        if one.get("subresource") != "status"
    }


def rewrites(kubectl: Kubectl, stub: Stub) -> int:
    """How often KEDA's operator says that it wrote its HPA anew."""
    log = kubectl.run("logs", "deploy/keda-operator", "-n", "keda", "--tail=-1").stdout
    return sum(
        "Updated HPA according to ScaledObject" in line and stub.namespace in line
        for line in log.splitlines()
    )


@pytest.mark.timeout(300)
def test_the_loop_closes_and_keda_is_quiet(
    cluster: Cluster, kubectl: Kubectl, llm_hpa: Plugin, stub: Stub
) -> None:
    said = works(cluster, stub, rendered(cluster, stub, by_job(stub)))
    # no request ever came, so the latency is 0, and it is a number
    assert "running 0/2, kv-cache 0/0.8, ttft 0/2" in said
    scaler = stub.hpa()
    assert scaler["metadata"]["labels"][MANAGED_BY] == "keda-operator"
    assert "kubectl-llm-hpa/workload" not in scaler["metadata"]["labels"]
    stub.load(running=6)
    until(size(stub, 3), 60)
    status = llm_hpa("status", *stub.reference, "-o", "json")
    (item,) = json.loads(status.stdout)["items"]
    assert [one["signal"] for one in item["metrics"]] == list(TARGETS)
    assert (item["ours"], item["engine"], item["scaledObject"]) == (True, "vllm", NAME)
    assert item["drift"] == []  # what KEDA writes is none
    kubectl.run("rollout", "status", f"sts/{NAME}", "-n", stub.namespace, "--timeout=60s")
    before = writes(cluster, stub)
    deadline = time.monotonic() + QUIET_SECONDS
    while time.monotonic() < deadline:
        assert stub.replicas() == 3
        time.sleep(1)
    assert writes(cluster, stub) == before
    assert rewrites(kubectl, stub) == 0
    stub.load()
    until(size(stub, 1), 60)


@pytest.mark.timeout(300)
def test_a_lost_sample_freezes_and_is_said_and_a_fallback_is_no_health(
    cluster: Cluster, kubectl: Kubectl, llm_hpa: Plugin, stub: Stub
) -> None:
    workload = workload_of(cluster, stub)
    pattern = pod_names.pattern(workload, [])
    made = rendered(cluster, stub, f'namespace="{stub.namespace}",pod=~"{pattern}"')
    works(cluster, stub, made)
    stub.load(running=6)
    until(size(stub, 3), 60)
    kubectl.run("rollout", "status", f"sts/{NAME}", "-n", stub.namespace, "--timeout=60s")
    for pod in (2, 1, 0):  # the one with the load last: a pod without a sample is no part of the sum
        stub.fail(pod, target="metrics")

    def lost() -> HopState:
        (item,) = json.loads(llm_hpa("status", *stub.reference, "-o", "json").stdout)["items"]
        good = item["state"] == "Broken: value" and "target may be lost, the result is empty" in item["why"]
        return HopState(good, f"{item['state']}: {item['why']}")

    assert "KEDA cannot compute running: " in until(lost, 120)
    hop = keda_hops.scaling_active(cluster, workload, NAME).look()
    assert not hop.good
    # the latency still has the minute before
    assert hop.text.startswith("no value for running, kv-cache")
    assert hop.text.endswith("yet: prometheus metrics 'prometheus' target may be lost, the result is empty")
    assert stub.replicas() == 3

    made["spec"]["fallback"] = {"failureThreshold": 1, "replicas": 2, "behavior": Fallback(2).behavior}
    cluster.apply(made)

    def made_up() -> HopState:
        (item,) = json.loads(llm_hpa("status", *stub.reference, "-o", "json").stdout)["items"]
        return HopState(item["state"] == "Degraded", f"{item['state']}: {item['why']}")

    assert "KEDA's fallback is active" in until(made_up, 90)
    ready = keda_hops.ready(cluster, workload, NAME).look()
    assert (ready.good, "fallback" in ready.text) == (False, True)
    assert stub.replicas() == 3

    patch = json.dumps({"metadata": {"annotations": {"autoscaling.keda.sh/paused": "true"}}})
    kubectl.run("patch", "scaledobject", NAME, "-n", stub.namespace, "--type=merge", "-p", patch)

    def paused() -> HopState:
        (item,) = json.loads(llm_hpa("status", *stub.reference, "-o", "json").stdout)["items"]
        return HopState(item["state"] == "Paused" and item["current"] == 3, f"{item['state']}: {item['why']}")

    until(paused, 60)


@pytest.mark.full
@pytest.mark.timeout(240)
def test_a_prometheus_that_wants_a_token(cluster: Cluster, kubectl: Kubectl, stub: Stub) -> None:
    with guarded_prometheus(kubectl, stub.namespace) as guarded:
        without = rendered(cluster, stub, by_job(stub), address=guarded.url)
        cluster.apply(without)
        workload = workload_of(cluster, stub)

        def refused() -> HopState:
            text = keda_hops.scaling_active(cluster, workload, NAME).look().text
            return HopState("status: 401" in text, text)

        until(refused, 60)
        marks = {"labels": {MANAGED_BY: MANAGER}, "annotations": {}}
        cluster.apply(
            scaled_object.trigger_authentication(
                name=NAME, namespace=stub.namespace, secret=guarded.secret, key=guarded.key, **marks
            )
        )
        assert "running 0/2" in works(
            cluster, stub, rendered(cluster, stub, by_job(stub), address=guarded.url, authentication=NAME)
        )


def look(cluster: Cluster) -> Keda:
    found = keda.find(cluster, cluster.get(API_SERVICES.path())["items"])
    assert found is not None
    return found


@pytest.mark.full
@pytest.mark.timeout(180)
def test_its_parts_are_seen_to_be_down(cluster: Cluster, kubectl: Kubectl) -> None:
    whole = look(cluster)
    assert (whole.namespace, whole.problem, whole.webhook) == ("keda", "", True)
    selector = urlencode({"labelSelector": ",".join("=".join(one) for one in whole.operator_labels.items())})
    (operator,) = cluster.get(f"{PODS.path('keda')}?{selector}")["items"]
    assert operator["metadata"]["name"].startswith("keda-operator-")
    with scaled_to_zero(cluster, kubectl, "keda-admission"):
        assert look(cluster) == replace(whole, webhook=False)
    with scaled_to_zero(cluster, kubectl, "keda-operator"):
        assert look(cluster).problem == "its operator (deployment keda/keda-operator) has no ready pod"
    with scaled_to_zero(cluster, kubectl, "keda-metrics-apiserver"):
        until(lambda: HopState("is not available" in (text := look(cluster).problem), text), 60)


@contextlib.contextmanager
def scaled_to_zero(cluster: Cluster, kubectl: Kubectl, name: str) -> Iterator[None]:
    kubectl.run("scale", f"deploy/{name}", "-n", "keda", "--replicas=0")
    try:
        until(
            lambda: HopState(
                not cluster.get(DEPLOYMENTS.path("keda", name))["status"].get("readyReplicas"), ""
            ),
            30,
        )
        yield
    finally:
        kubectl.run("scale", f"deploy/{name}", "-n", "keda", "--replicas=1")
        kubectl.run("rollout", "status", f"deploy/{name}", "-n", "keda", "--timeout=90s")
        until(lambda: HopState(not look(cluster).problem, look(cluster).problem), 60)
