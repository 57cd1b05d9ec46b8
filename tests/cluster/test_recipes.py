"""The published recipes of `tests/lint/recipes` do what `lint` says of them, and the corrected ones scale.

Those whose numbers are given are played to the controller's own code (`oracles.controller`), the others run on KEDA and
the API server of a cluster. What is broken is seen within one scrape, one look and one sync; queues stand still.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from kubectl_llmhpa.lint import documents, scalers
from kubectl_llmhpa.lint.documents import Document
from tests.cluster import oracles
from tests.cluster.conftest import ADAPTER, Json, Kubectl, Plugin, fresh_namespace
from tests.cluster.stub_workload import Stub
from tests.cluster.workloads import MODEL

RECIPES = Path(__file__).parents[1] / "lint" / "recipes"
PROMETHEUS = "http://kube-prometheus-stack-prometheus.monitoring.svc:9090"
AT_ONCE = {"scaleDown": {"stabilizationWindowSeconds": 0}}
"""So that a vote downwards shows at the next sync."""
READY_S = 150


def text_of(number: int, which: str) -> str:
    (recipe,) = RECIPES.glob(f"{number:02}-*")
    return (recipe / f"{which}.yaml").read_text()


# What the controller's own code makes of numbers.

#: The value of each metric, in the manifest's order, for a number of pods: that of one pod, or the query's.
Values = Callable[[int], Sequence[float]]


@dataclass(frozen=True)
class Played:
    """A recipe under the values of its metrics: the replicas after each sync of the controller."""

    number: int
    broken: Values
    path: tuple[int, ...]
    corrected: Values
    mended: tuple[int, ...]


PLAYED = (
    # Nobody waits, and two routers see traffic: the replicas double. Corrected, one is enough.
    Played(3, lambda _: (0, 2), (1, 2, 4, 8, 8), lambda _: (12, 1), (1, 3, 3)),
    # Two requests wait in the namespace, again and again.
    Played(4, lambda _: (2,), (1, 2, 4, 8, 8), lambda pods: (2 / pods,), (1, 2, 2)),
    # Every pod is 90 % full: one is removed. Corrected, one is added.
    Played(5, lambda _: (0.9,), (3, 2, 2), lambda _: (2.7,), (3, 4, 4)),
    # Requests take 9 s where 5 s are wanted: four of six pods are removed.
    Played(6, lambda _: (9,), (6, 2, 2), lambda _: (36, 9), (6, 8, 8)),
    # Each of three pods runs 8 where 4 are wanted.
    Played(7, lambda _: (8,), (3, 2, 2), lambda _: (24,), (3, 6, 6)),
    # Every pod is full.
    Played(8, lambda _: (1,), (3, 1, 1), lambda pods: (3 / pods,), (3, 6, 6)),
    # Both slots work, and six requests wait for one.
    Played(10, lambda _: (2,), (1, 1, 1), lambda pods: (6 / pods,), (1, 3, 3)),
)


def hpa_of(text: str) -> tuple[Json, Document]:
    """The HPA of a recipe, or the one that KEDA makes of its ScaledObject: an External metric for each trigger."""
    scaler = next(
        one
        for one in documents.parse(text, "recipe").documents
        if one.kind in ("HorizontalPodAutoscaler", "ScaledObject")
    )
    spec: Json = dict(scaler.object["spec"])
    if scaler.kind == "ScaledObject":
        spec = {"minReplicas": spec["minReplicaCount"], "maxReplicas": spec["maxReplicaCount"]}
        spec["metrics"] = []
        for metric in scalers.metrics(scaler):
            field = "value" if metric.form == "Value" else "averageValue"
            target = {"type": metric.form, field: metric.text}
            external = {"metric": {"name": metric.name}, "target": target}
            spec["metrics"].append({"type": "External", "external": external})
    reference = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "x"}
    return {**spec, "scaleTargetRef": reference, "behavior": AT_ONCE}, scaler


def question(text: str, values: Values, path: Sequence[int]) -> Json:
    """What the controller finds at each sync, given the replicas that are expected before it."""
    spec, scaler = hpa_of(text)
    steps = []
    for replicas in path[:-1]:
        pods = [
            {"name": f"p{index}", "phase": "Running", "ready": True, "deleting": False}
            for index in range(replicas)
        ]
        readings = {}
        for metric, value in zip(scalers.metrics(scaler), values(replicas), strict=True):
            milli = round(value * 1000)
            of_pods = metric.source == "Pods"
            readings[metric.name] = (
                {"pods": {pod["name"]: milli for pod in pods}} if of_pods else {"values": [milli]}
            )
        steps.append({"pods": pods, "readings": readings, "status": replicas})
    return {
        "play": {
            "hpa": {"metadata": {"name": "x", "namespace": "x"}, "spec": spec},
            "tolerance": 0.1, "downscale": 300, "period": 15, "replicas": path[0], "steps": steps,
        }
    }  # fmt: skip


@pytest.mark.control_plane
@pytest.mark.timeout(300)
def test_the_controller_does_what_lint_says() -> None:
    asked = [
        question(text_of(one.number, which), values, path)
        for one in PLAYED
        for which, values, path in (
            ("broken", one.broken, one.path),
            ("corrected", one.corrected, one.mended),
        )
    ]
    answers = iter(oracles.controller(37, asked))
    for one in PLAYED:
        for which, path in (("broken", one.path), ("corrected", one.mended)):
            got = tuple(step["replicas"] for step in next(answers))
            assert got == path[1:], f"recipe {one.number}, {which}"


# What KEDA and the API server make of the manifests themselves.


@dataclass(frozen=True)
class Run:
    """A recipe with a ScaledObject on stub engines: replicas, and what each of them shows, before and after.

    `events` is what KEDA has to say of the broken one, empty where it is content.
    """

    number: int
    replicas: int
    load: dict[str, float]
    broken: int
    corrected_load: dict[str, float]
    corrected: int
    says: str = ""


RUNS = (
    Run(1, 2, {"waiting": 6}, 1, {"waiting": 15}, 3),
    Run(2, 2, {"waiting": 10}, 2, {"waiting": 10}, 4, "returned multiple elements"),
    Run(5, 3, {"kv": 0.9}, 2, {"kv": 0.9}, 3),
    Run(7, 3, {"running": 8}, 2, {"running": 8}, 4),
    Run(12, 2, {"waiting": 6}, 1, {"waiting": 15}, 3),
)


@dataclass
class Staged:
    """The stub engines of a run in a namespace of their own, and the manifests as they fit there."""

    run: Run
    kubectl: Kubectl
    namespace: str
    name: str = ""
    seen: str = ""

    def scaled_object(self, which: str) -> Json:
        text = text_of(self.run.number, which)
        found: Json = next(one for one in yaml.safe_load_all(text) if one["kind"] == "ScaledObject")
        self.name = found["spec"]["scaleTargetRef"]["name"]
        found["metadata"]["namespace"] = self.namespace
        found["spec"]["advanced"] = {"horizontalPodAutoscalerConfig": {"behavior": AT_ONCE}}
        for trigger in found["spec"]["triggers"]:
            query = trigger["metadata"]["query"]
            for model in ("llama", "code"):
                query = query.replace(f'model_name="{model}"', f'model_name="{MODEL}"')
            query = query.replace('namespace="llm"', f'namespace="{self.namespace}"')
            trigger["metadata"] |= {"serverAddress": PROMETHEUS, "query": query}
        return found

    def play(self) -> None:
        """The broken recipe until it did what it does, then the corrected one until it scaled."""
        broken = self.scaled_object("broken")
        stub = Stub(self.kubectl, self.namespace, self.name, kind="Deployment")
        stub.start(replicas=self.run.replicas)
        self.apply(self.pod_monitor())
        self.show(stub, self.run.load)
        self.until(lambda: self.scraped() >= self.run.replicas, "the pods are scraped")
        self.apply(broken)
        if self.run.says:
            self.until(lambda: self.run.says in self.events(), "KEDA says it")
        self.until(
            lambda: stub.replicas() == self.run.broken and self.settled(stub), "the broken one has acted"
        )
        self.seen = self.events()
        self.show(stub, self.run.corrected_load)
        self.apply(self.scaled_object("corrected"))
        self.until(lambda: stub.replicas() == self.run.corrected, "the corrected one has scaled")

    def apply(self, found: Json) -> None:
        """Without what kubectl checks by itself: it fetches a document of megabytes for that, for each of us."""
        self.kubectl.run("apply", "--validate=false", "-f", "-", stdin=json.dumps(found))

    def show(self, stub: Stub, load: dict[str, float]) -> None:
        for pod in range(stub.pods()):
            stub.load(pod, absent=(), **load)

    def settled(self, stub: Stub) -> bool:
        return stub.pods() == self.run.broken

    def scraped(self) -> int:
        query = f'count(vllm:num_requests_waiting{{namespace="{self.namespace}"}})'
        path = (
            "/api/v1/namespaces/monitoring/services/kube-prometheus-stack-prometheus:9090/proxy/api/v1/query"
        )
        answer = self.kubectl.run(
            "get", "--raw", f"{path}?query={query.replace('{', '%7B').replace('}', '%7D')}"
        )
        result = json.loads(answer.stdout)["data"]["result"]
        return int(result[0]["value"][1]) if result else 0

    def events(self) -> str:
        listed = self.kubectl.get("events", "-n", self.namespace)["items"]
        return "\n".join(str(one.get("message")) for one in listed)

    def pod_monitor(self) -> Json:
        return {
            "apiVersion": "monitoring.coreos.com/v1", "kind": "PodMonitor",
            "metadata": {
                "name": self.name, "namespace": self.namespace, "labels": {"release": "kube-prometheus-stack"},
            },
            "spec": {
                "selector": {"matchLabels": {"app": self.name}},
                "podMetricsEndpoints": [{"port": "http", "interval": "2s"}],
            },
        }  # fmt: skip

    def until(self, condition: Callable[[], bool], what: str) -> None:
        limit = time.monotonic() + READY_S
        while not condition():
            if time.monotonic() > limit:
                place = ("-n", self.namespace, "-o", "yaml")
                shown = self.kubectl.run("get", "hpa,scaledobject", *place).stdout
                raise AssertionError(f"recipe {self.run.number}: {what}: not within {READY_S} s\n{shown}")
            time.sleep(2)


@pytest.fixture(scope="module")
def staged(kubectl: Kubectl) -> Iterator[dict[int, tuple[Staged, Future[None]]]]:
    """All runs, side by side."""
    with ExitStack() as stack, ThreadPoolExecutor(len(RUNS)) as pool:
        stages = [Staged(run, kubectl, stack.enter_context(fresh_namespace(kubectl))) for run in RUNS]
        yield {stage.run.number: (stage, pool.submit(stage.play)) for stage in stages}


@pytest.mark.cluster
@pytest.mark.timeout(600)
@pytest.mark.parametrize("number", [run.number for run in RUNS])
def test_keda_does_what_lint_says(number: int, staged: dict[int, tuple[Staged, Future[None]]]) -> None:
    stage, done = staged[number]
    done.result()
    assert ("KEDAScalerFailed" in stage.seen or "returned" in stage.seen) == bool(stage.run.says)


def hpa(number: int, which: str, namespace: str) -> Json:
    found: Json = next(
        one for one in yaml.safe_load_all(text_of(number, which)) if one["kind"] == "HorizontalPodAutoscaler"
    )
    found["metadata"]["namespace"] = namespace
    return found


@pytest.mark.cluster
def test_the_api_server_refuses_a_target_of_nothing(kubectl: Kubectl, namespace: str) -> None:
    dry = ("apply", "--dry-run=server", "-f", "-")
    refused = kubectl.run(*dry, stdin=json.dumps(hpa(9, "broken", namespace)), check=False)
    assert 'Invalid value: "0": must be positive' in refused.stderr
    kubectl.run(*dry, stdin=json.dumps(hpa(9, "corrected", namespace)))


@pytest.mark.cluster
@pytest.mark.timeout(120)
@pytest.mark.parametrize(
    ("number", "condition", "reason", "words"),
    [
        (11, "ScalingActive", "FailedGetPodsMetric", "could not find the metric tgi:queue_size for pods"),
        (
            12,
            "ScalingActive",
            "FailedGetPodsMetric",
            "could not find the metric inference_requests_concurrency",
        ),
        (13, "AbleToScale", "FailedGetScale", "not found"),
    ],
)
def test_the_hpa_says_that_it_cannot(
    kubectl: Kubectl, namespace: str, number: int, condition: str, reason: str, words: str
) -> None:
    broken = hpa(number, "broken", namespace)
    if number == 13:
        served = {
            "apiVersion": "serving.kserve.io/v1beta1",
            "kind": "InferenceService",
            "spec": {"predictor": {}},
        }
        kubectl.apply({**served, "metadata": {"name": "chat", "namespace": namespace}})
    else:
        Stub(kubectl, namespace, "chat", kind="Deployment").start(wait=False)
    kubectl.apply(broken)
    limit = time.monotonic() + 60
    found: dict[str, Any] = {}
    while found.get("reason") != reason or words not in found.get("message", ""):
        assert time.monotonic() < limit, found
        time.sleep(0.5)
        status = kubectl.get("hpa", "chat", "-n", namespace).get("status") or {}
        found = next((one for one in status.get("conditions") or [] if one["type"] == condition), {})
    assert found["status"] == "False"


#: The flags of the stub engine behind each corrected HPA, and how many requests its one pod holds: three are needed.
CORRECTED: dict[int, tuple[tuple[str, ...], int]] = {
    11: (("--body", "tgi-3.3.7"), 30), 12: ((), 24), 13: ((), 24),
}  # fmt: skip


@pytest.mark.cluster
@pytest.mark.timeout(300)
def test_the_corrected_hpa_scales(kubectl: Kubectl, llm_hpa: Plugin, namespace: str) -> None:
    """By the rules and scrape objects that `enable` writes for the same engines: they serve the recipes' names."""
    stubs = {number: Stub(kubectl, namespace, f"chat-{number}", kind="Deployment") for number in CORRECTED}
    for number, stub in stubs.items():
        stub.start(arguments=CORRECTED[number][0], wait=False)
    for stub in stubs.values():
        kubectl.run("rollout", "status", f"deploy/{stub.name}", "-n", namespace, "--timeout=120s")
    every = f"app in ({', '.join(stub.name for stub in stubs.values())})"
    written = llm_hpa("enable", "-l", every, "-n", namespace, *ADAPTER, "--max=3", "--only=scrape,rules")
    assert written.code == 0, written.stderr
    for number, stub in stubs.items():
        held = CORRECTED[number][1]
        stub.load(running=held, waiting=held)
        corrected = hpa(number, "corrected", namespace)
        corrected["metadata"]["name"] = corrected["spec"]["scaleTargetRef"]["name"] = stub.name
        kubectl.apply(corrected)
    limit = time.monotonic() + READY_S
    while {stub.replicas() for stub in stubs.values()} != {3}:
        assert time.monotonic() < limit, kubectl.run("describe", "hpa", "-n", namespace).stdout
        time.sleep(2)
    kubectl.run("delete", "hpa", "--all", "-n", namespace)
    assert llm_hpa("disable", "-l", every, "-n", namespace).code == 0
