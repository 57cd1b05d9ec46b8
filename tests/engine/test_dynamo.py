"""The real Dynamo on the cluster: it serves, it speaks as recorded, and its workers are scaled by their own queue."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from tests.cluster.conftest import ADAPTER, Kubectl, Plugin, assert_one_sentence, fresh_namespace, load_image
from tests.cluster.ground.engine_images import BODIES
from tests.cluster.workloads import MODEL
from tests.engine import dynamo_runtime
from tests.engine.load import complete, scrape, streams
from tests.engine.shape import shape
from tests.engine.workloads import DYNAMO_FRONTEND, DYNAMO_WORKER, dynamo

pytestmark = [pytest.mark.engine, pytest.mark.timeout(600)]

FRONTEND_PORT = 8000


@dataclass(frozen=True)
class Dynamo:
    """A frontend and its workers in a namespace of their own."""

    kubectl: Kubectl
    namespace: str

    @property
    def worker(self) -> tuple[str, str, str]:
        """What the plugin's commands get."""
        return f"deploy/{DYNAMO_WORKER}", "-n", self.namespace

    @property
    def frontend(self) -> str:
        """The address of the frontend."""
        [address] = self.addresses("Frontend")
        return f"http://{address}:{FRONTEND_PORT}"

    def addresses(self, component: str) -> list[str]:
        """The addresses of a component's pods."""
        selector = f"nvidia.com/dynamo-component={component}"
        pods = self.kubectl.get("pods", "-n", self.namespace, "-l", selector)["items"]
        return [pod["status"]["podIP"] for pod in pods]

    def replicas(self) -> tuple[int, int]:
        """How many workers are wanted, and how many serve."""
        found = self.kubectl.get(*self.worker)
        return found["spec"]["replicas"], found["status"].get("readyReplicas", 0)


@pytest.fixture(scope="module")
def served(kubectl: Kubectl, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dynamo]:
    """A frontend and one worker that serve."""
    load_image("dynamo")
    with fresh_namespace(kubectl) as namespace:
        discovery = tmp_path_factory.mktemp("dynamo")
        manifest = dynamo(dynamo_runtime.ensure(), discovery=discovery, namespace=namespace)
        kubectl.run("apply", "-f", "-", stdin=manifest)
        for name in (DYNAMO_FRONTEND, DYNAMO_WORKER):
            kubectl.run("rollout", "status", f"deploy/{name}", "-n", namespace, "--timeout=120s", timeout=150)
        yield Dynamo(kubectl, namespace)


def test_a_completion_through_the_frontend_reaches_the_worker(served: Dynamo) -> None:
    answer = complete(served.frontend, MODEL, tokens=20)
    assert answer["usage"]["completion_tokens"] == 20
    [worker] = served.addresses("Worker")
    handled = [
        line
        for line in scrape(f"http://{worker}:{dynamo_runtime.SYSTEM_PORT}").splitlines()
        if line.startswith("dynamo_component_requests_total{") and 'dynamo_endpoint="generate"' in line
    ]
    assert len(handled) == 1
    assert float(handled[0].rpartition(" ")[2]) >= 1


def test_the_pods_speak_as_recorded(served: Dynamo) -> None:
    complete(served.frontend, MODEL, tokens=20)
    [worker] = served.addresses("Worker")
    for part, server in (
        ("frontend", served.frontend),
        ("worker", f"http://{worker}:{dynamo_runtime.SYSTEM_PORT}"),
    ):
        recorded = shape((BODIES / f"dynamo-{dynamo_runtime.VERSION}-{part}-busy.txt").read_text())
        deadline = time.monotonic() + 20  # some series come with the first tick of a clock
        while (live := shape(scrape(server))) != recorded and time.monotonic() < deadline:
            time.sleep(1)
        assert live == recorded, part


def test_both_parts_are_told_apart_and_the_frontend_is_refused(served: Dynamo, llm_hpa: Plugin) -> None:
    complete(served.frontend, MODEL, tokens=20)
    items = json.loads(llm_hpa("detect", "-n", served.namespace, "-o", "json").stdout)["items"]
    seen = {one["reference"]: one for one in items}
    frontend, worker = seen[f"Deployment/{DYNAMO_FRONTEND}"], seen[f"Deployment/{DYNAMO_WORKER}"]
    assert (frontend["engine"], frontend["role"], frontend["port"]) == ("dynamo", "frontend", FRONTEND_PORT)
    assert (worker["engine"], worker["port"]) == ("dynamo", dynamo_runtime.SYSTEM_PORT)
    assert worker["role"] != "frontend"
    assert worker["signals"]["running"]["metric"] == "vllm:num_requests_running"
    outcome = llm_hpa("enable", *ADAPTER, f"deploy/{DYNAMO_FRONTEND}", "-n", served.namespace, "--max", "2")
    assert_one_sentence(outcome, "name the workload of the engines behind it")


@pytest.mark.parametrize(
    ("backend", "reason"),
    [(ADAPTER, "pods metric vllm:"), (("--backend=keda",), "external metric s")],
    ids=["prometheus-adapter", "keda"],
)
def test_workers_scale_1_3_1_by_their_own_queue(
    served: Dynamo, llm_hpa: Plugin, backend: tuple[str, ...], reason: str
) -> None:
    enabled = llm_hpa("enable", *backend, *served.worker, "--max", "3", "--scale-down-window", "15s")
    assert enabled.code == 0, enabled.stderr
    assert f"dynamo on port {dynamo_runtime.SYSTEM_PORT}" in enabled.stderr
    with streams(served.frontend, MODEL, 26, tokens=200) as failures:
        until(lambda: served.replicas() == (3, 3), "three workers under load", served)
        workers = {f"http://{address}:{dynamo_runtime.SYSTEM_PORT}" for address in served.addresses("Worker")}
        until(lambda: all(busy(worker) for worker in workers), "requests at all workers", served)
    until(lambda: served.replicas() == (1, 1), "one worker without load", served)
    assert failures == []
    events = served.kubectl.get(
        "events", "-n", served.namespace, "--field-selector", "reason=SuccessfulRescale"
    )
    messages = [event["message"] for event in events["items"]]
    assert any(message.startswith(f"New size: 3; reason: {reason}") for message in messages), messages
    disabled = llm_hpa("disable", *served.worker)
    assert disabled.code == 0, disabled.stderr


def busy(worker: str) -> bool:
    """Whether requests are running at a worker."""
    return any(
        line.startswith("vllm:num_requests_running{") and not line.endswith(" 0")
        for line in scrape(worker).splitlines()
    )


def until(holds: Callable[[], bool], what: str, served: Dynamo, limit_s: float = 150) -> None:
    """Wait until something holds, or show what the HPA says."""
    deadline = time.monotonic() + limit_s
    while not holds():
        if time.monotonic() > deadline:
            hpas = served.kubectl.get("hpa", "-n", served.namespace)["items"]
            raise AssertionError(f"no {what}: {json.dumps([hpa['status'] for hpa in hpas], indent=1)}")
        time.sleep(1)
