"""On which nodes and GPUs a benchmark was made, as far as the cluster tells."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from kubectl_llmhpa.bench import gpus
from kubectl_llmhpa.bench import report as reports
from kubectl_llmhpa.bench.report import words
from kubectl_llmhpa.bench.starts import PodWatch
from kubectl_llmhpa.errors import ApiError
from tests.unit.bench_outcomes import plain, plan, proved, swept
from tests.unit.test_bench_following import RUNNING, Answers, a_pod, follower

GPU: dict[str, Any] = {"name": "vllm", "resources": {"limits": {"nvidia.com/gpu": "1"}}}


class Nodes:
    """A reader of nodes by name; one that has no labels here may not be read."""

    def __init__(self, **labels: dict[str, str]) -> None:
        self.labels = labels

    def may(self, *right: str) -> bool:
        return True

    def get_many(self, paths: Sequence[str]) -> list[Any]:
        names = [path.rpartition("/nodes/")[2] for path in paths]
        return [
            {"metadata": {"labels": self.labels[name]}}
            if name in self.labels
            else ApiError("read", 404, "", "")
            for name in names
        ]


def on(*nodes: str | None) -> list[dict[str, Any]]:
    return [{"metadata": {"name": "p"}, "spec": {"nodeName": node} if node else {}} for node in nodes]


L40S, MI300 = (
    {"nvidia.com/gpu.product": "NVIDIA-L40S"},
    {"amd.com/gpu.product-name": "AMD_Instinct_MI300X_OAM"},
)


@pytest.mark.parametrize(
    ("container", "pods", "labels", "found"),
    [
        (GPU, on("a", "a", "b"), {"a": L40S, "b": L40S}, ("NVIDIA-L40S",)),
        (GPU, on("a", "b"), {"a": L40S, "b": MI300}, ("AMD_Instinct_MI300X_OAM", "NVIDIA-L40S")),
        (GPU, on("a", None), {"a": {"kubernetes.io/os": "linux"}}, ()),
        (GPU, on("a", "b"), {"a": L40S}, ("NVIDIA-L40S",)),
        ({"name": "vllm"}, on("a"), {"a": L40S}, ()),
    ],
    ids=["one kind", "two kinds", "no label", "one cannot be read", "no accelerator"],
)
def test_the_gpus_are_what_labels_of_the_nodes_say(
    container: dict[str, Any], pods: list[dict[str, Any]], labels: dict[str, Any], found: tuple[str, ...]
) -> None:
    reader: Any = Nodes(**labels)
    assert gpus.products(reader, container, pods) == found


def test_without_a_gpu_no_node_is_read() -> None:
    nobody: Any = None
    assert gpus.products(nobody, {"name": "vllm"}, on("a")) == ()


def test_where_clients_and_engines_are_is_seen_as_they_come() -> None:
    first, second = a_pod(RUNNING), a_pod(RUNNING, 1)
    first["spec"]["nodeName"], second["spec"]["nodeName"] = "b", "a"
    clients = follower(Answers([first, second], {}), clients=2)
    clients.wait_for_start(1, print)
    assert clients.nodes == ("a", "b")

    nobody: Any = None
    watched = PodWatch(nobody, plan(plain().plan.load, plain().plan.options).workload, lambda *_: None)
    for uid, node in (("1", None), ("2", "n2"), ("1", "n1")):
        pod = {
            "metadata": {"name": f"vllm-{uid}", "uid": uid},
            "spec": {"nodeName": node, "containers": [GPU]},
        }
        watched.on_pod("ADDED", pod)
    assert watched.nodes() == ("n1", "n2")
    assert watched.nodes("vllm-2") == ("n2",)


def test_every_form_of_the_report_tells() -> None:
    found = reports.of_outcome(proved())
    assert (found.engine.gpus, found.engine.nodes) == (("NVIDIA-L40S",), ("gpu-1", "gpu-2"))
    assert found.method.client_nodes == ("cpu-1",)
    for form in (reports.text, reports.markdown, reports.page):
        shown = form(found).replace("\\", "")
        assert "engine on gpu-1, gpu-2; client on cpu-1" in shown
        assert "on NVIDIA-L40S" in shown
    assert not [note for note in found.notes if "shared" in note]
    assert "client and engine shared node gpu-1" in reports.of_outcome(swept()).notes


def test_the_name_that_was_asked_for_stands_beside_what_the_engine_serves() -> None:
    engine = reports.of_outcome(proved()).engine
    assert words.engine_line(engine, "tiny").startswith("vllm 0.32.0, model tiny, 8 seats")
    assert words.engine_line(engine, "sql").startswith("vllm 0.32.0, model sql (it serves tiny), 8 seats")


def test_what_is_not_known_is_not_shown() -> None:
    document = reports.document(reports.of_outcome(plain()))
    assert (document["engine"]["gpus"], document["engine"]["nodes"], document["method"]["clientNodes"]) == (
        [],
        [],
        [],
    )
    assert "Nodes" not in reports.text(reports.of_outcome(plain()))
