"""`detect` on a real API server: engines behind hand-made pods, with and without the right to read them."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.conftest import Json, Kubectl, Plugin
from tests.cluster.detect_scene import Scene
from tests.cluster.handmade_pods import ADDRESS, Engine, engine

pytestmark = pytest.mark.control_plane

BODIES = Path(__file__).parents[1] / "bodies"


def body(name: str) -> tuple[int, str]:
    return 200, (BODIES / f"{name}.txt").read_text()


VLLM = {"/metrics": body("vllm-0.20.2-busy"), "/version": (200, '{"version": "0.20.2"}')}


@pytest.fixture
def scene(kubectl: Kubectl, llm_hpa: Plugin, namespace: str) -> Scene:
    return Scene(kubectl, llm_hpa, namespace)


@pytest.fixture
def vllm() -> Iterator[Engine]:
    with engine(VLLM) as server:
        yield server


def container(port: int, *flags: str, declared: bool = True, **more: Any) -> Json:
    ports = [{"containerPort": port, "name": "http"}] if declared else []
    command = ["vllm", "serve", "Qwen/Qwen2.5-7B-Instruct", "--port", str(port), *flags]
    return {"name": "engine", "image": "example.com/serving:1", "command": command, "ports": ports, **more}


def codes(item: Json) -> list[str]:
    return [finding["code"] for finding in item["findings"]]


def test_one_workload(scene: Scene, vllm: Engine) -> None:
    scene.deploy("vllm", container(vllm.port, "--max-num-seqs", "8"))
    scene.start(1)
    item = scene.items()["Deployment/vllm"]
    assert (item["engine"], item["version"], item["versionSource"]) == ("vllm", "0.20.2", "/version")
    assert (item["port"], item["portName"], item["declared"], item["path"]) == (
        vllm.port,
        "http",
        True,
        "/metrics",
    )
    assert item["scaleTarget"] == {"apiVersion": "apps/v1", "kind": "Deployment", "name": "vllm"}
    assert item["replicas"] == {"desired": 1, "pods": 1, "ready": 1, "podsPerReplica": 1}
    values = {name: signal["value"] for name, signal in item["signals"].items()}
    assert (values["waiting"], values["running"], values["kv-cache"], values["ttft"]) == (5, 8, 0.42, None)
    assert item["seats"]["value"] == 8
    assert item["evidence"]["source"] == "metrics body"
    assert (item["hpas"], item["findings"]) == ([], [])
    assert scene.detect().stdout.splitlines()[1].split() == [
        "deployment/vllm", "vllm", "0.20.2", "<none>", str(vllm.port), "(http)", "1/1", "5", "8", "42%", "8",
        "<none>", "<none>",
    ]  # fmt: skip
    block = scene.detect("deploy/vllm").stdout
    assert f"Metrics:     port {vllm.port} (http), http, path /metrics\n" in block
    assert ["waiting", "vllm:num_requests_waiting", "count", "5"] in [
        line.split()[:4] for line in block.splitlines()
    ]


def test_selectors_and_all_namespaces(scene: Scene, vllm: Engine) -> None:
    scene.deploy("a", container(vllm.port))
    scene.deploy("b", container(vllm.port))
    scene.deploy("web", {"name": "web", "image": "example.com/web:1", "ports": [{"containerPort": 81}]})
    scene.start(3)
    assert list(scene.items()) == ["Deployment/a", "Deployment/b"]
    assert list(scene.items("-l", "app=b")) == ["Deployment/b"]
    everywhere = scene.detect("-A").stdout.splitlines()
    assert everywhere[0].startswith("NAMESPACE ")
    assert sum(line.startswith(scene.namespace) for line in everywhere) == 2
    assert scene.detect("-l", "app=web").stderr == f"No engines found in {scene.namespace} namespace.\n"


def test_two_versions_in_a_rollout_are_both_shown(scene: Scene, vllm: Engine) -> None:
    scene.deploy("vllm", container(vllm.port))
    scene.start(1)
    with engine({"/metrics": body("vllm-0.8.5-busy"), "/version": (200, '{"version": "0.8.5"}')}) as older:
        scene.deploy("vllm", container(older.port))
        scene.start(1, seconds=0)  # too young to be available, so the rollout waits
        item = scene.items()["Deployment/vllm"]
        lines = scene.detect().stdout.splitlines()
    assert {(one["version"], one["signals"]["kv-cache"]["metric"]) for one in item["templates"]} == {
        ("0.20.2", "vllm:kv_cache_usage_perc"),
        ("0.8.5", "vllm:gpu_cache_usage_perc"),
    }
    assert codes(item) == ["two-versions"]
    assert sorted(line.split()[2] for line in lines[1:3]) == ["0.20.2", "0.8.5"]


def test_an_undeclared_port_inside_a_shell(scene: Scene, vllm: Engine) -> None:
    script = f"export A=1 && \\\n  exec vllm serve m \\\n  --port={vllm.port} --max-num-seqs 16"
    scene.deploy(
        "vllm", {"name": "main", "image": "example.com/x:1", "command": ["/bin/sh", "-c"], "args": [script]}
    )
    scene.start(1)
    item = scene.items()["Deployment/vllm"]
    assert (item["port"], item["declared"], item["portName"]) == (vllm.port, False, None)
    assert item["seats"]["value"] == 16
    assert f"{vllm.port} (undeclared)" in scene.detect().stdout


def test_a_sidecar_in_front_does_not_hide_the_engine(scene: Scene, vllm: Engine) -> None:
    with engine({"/metrics": (200, "# TYPE envoy_up gauge\nenvoy_up 1\n")}) as proxy:
        sidecar = {
            "name": "mesh",
            "image": "envoy:1",
            "ports": [{"containerPort": proxy.port, "name": "http"}],
        }
        plain: Json = {
            "name": "engine",
            "image": "registry/vllm/vllm-openai:v0.20.2",
            "args": ["--model", "m"],
        }
        plain["ports"] = [{"containerPort": vllm.port, "name": "metrics"}]
        scene.deploy("vllm", sidecar, plain)
        scene.start(1)
        item = scene.items()["Deployment/vllm"]
    assert (item["engine"], item["port"], item["portName"]) == ("vllm", vllm.port, "metrics")


def test_without_the_pod_proxy_no_request_is_made_that_is_not_permitted(scene: Scene, vllm: Engine) -> None:
    scene.deploy("vllm", container(vllm.port, "--max-num-seqs", "8"))
    scene.start(1)
    user = scene.viewer()
    before = scene.refused()
    scene.kubectl.run("get", "secrets", "-n", scene.namespace, *user, check=False)
    assert scene.refused() == before + 1  # so a refusal is seen
    item = scene.items(*user)["Deployment/vllm"]
    assert scene.refused() == before + 1
    assert vllm.asked == []
    assert (item["engine"], item["evidence"]["source"]) == ("vllm", "command line")
    assert item["signals"]["waiting"] | {"query": "", "forms": []} == {
        "metric": "vllm:num_requests_waiting", "kind": "count", "query": "", "series_per_pod": 0, "value": None,
        "forms": [], "api_name": "vllm:num_requests_waiting",
    }  # fmt: skip
    assert (item["port"], item["scaleTarget"]["name"], item["seats"]["value"]) == (vllm.port, "vllm", 8)
    assert codes(item) == ["not-checked"]
    assert "(forbidden)" in item["findings"][0]["seen"]
    hinted = scene.items(*user, "--engine", "vllm@0.8.5")["Deployment/vllm"]
    assert (hinted["version"], hinted["versionSource"]) == ("0.8.5", "--engine")


def test_with_the_pod_proxy_alone_the_page_is_read(scene: Scene, vllm: Engine) -> None:
    scene.deploy("vllm", container(vllm.port))
    scene.start(1)
    user = scene.viewer({"apiGroups": [""], "resources": ["pods/proxy"], "verbs": ["get"]})
    before = scene.refused()
    item = scene.items(*user)["Deployment/vllm"]
    assert item["signals"]["waiting"]["value"] == 5
    assert scene.refused() == before


def test_the_users_word_serves_where_nothing_else_does(scene: Scene) -> None:
    opaque = {"name": "main", "image": "example.com/serving:1", "ports": [{"containerPort": 8000}]}
    scene.deploy("opaque", opaque)
    scene.start(1)
    user = scene.viewer()
    outcome = scene.detect(*user)
    assert "No engines found" in outcome.stderr
    assert f"1 more asked, which show no engine: {scene.namespace}/Deployment/opaque" in outcome.stderr
    item = scene.items(*user, "--engine", "vllm@0.20")["Deployment/opaque"]
    assert (item["engine"], item["version"], item["evidence"]["source"]) == ("vllm", "0.20", "--engine")


def test_pods_that_never_answer_are_known_by_their_command_line(scene: Scene) -> None:
    with socket.create_server((ADDRESS, 0)) as silent:  # connections are taken and nothing is ever said
        port = silent.getsockname()[1]
        for name in ("a", "b", "c", "d"):
            scene.deploy(name, container(port))
        scene.start(4)
        items = scene.items()
    assert {item["engine"] for item in items.values()} == {"vllm"}
    assert {item["signals"]["waiting"]["value"] for item in items.values()} == {None}
    assert {tuple(codes(item)) for item in items.values()} == {("not-checked",)}


def test_metrics_that_are_off_name_the_flag(scene: Scene) -> None:
    with engine({}) as server:
        command = ["python3", "-m", "sglang.launch_server", "--model-path", "m", "--port", str(server.port)]
        scene.deploy("sglang", {"name": "main", "image": "example.com/x:1", "command": command})
        scene.start(1)
        item = scene.items()["Deployment/sglang"]
        assert (item["engine"], item["signals"], item["seats"]) == ("sglang", {}, None)
        assert codes(item) == ["metrics-off"]
        assert "--enable-metrics" in item["findings"][0]["fix"]
        assert "error: Deployment/sglang: " in scene.detect().stdout


def test_the_json_page_of_trtllm_is_never_read(scene: Scene) -> None:
    with engine({"/prometheus/metrics": body("trtllm-1.3.0dev-transcribed-busy")}) as server:
        command = ["trtllm-serve", "m", "--host", "0.0.0.0", "--port", str(server.port)]
        declared = [{"containerPort": server.port}]
        scene.deploy(
            "trt", {"name": "main", "image": "example.com/x:1", "command": command, "ports": declared}
        )
        scene.start(1)
        item = scene.items()["Deployment/trt"]
        asked = set(server.asked)
    assert (item["engine"], item["path"]) == ("trtllm", "/prometheus/metrics")
    assert "/metrics" not in asked


def test_behind_a_wrapper_script_the_json_page_is_not_read_first(scene: Scene) -> None:
    pages = {
        "/prometheus/metrics": body("trtllm-1.3.0dev-transcribed-busy"), "/metrics": (200, '[{"iter": 1}]'),
    }  # fmt: skip
    with engine(pages) as server:
        declared = [{"containerPort": server.port}]
        script = {"name": "main", "image": "example.com/x:1", "command": ["bash", "/start.sh"]}
        accelerated = {"resources": {"limits": {"nvidia.com/gpu": "1"}}}
        scene.deploy("trt", {**script, **accelerated, "ports": declared})
        scene.start(1)
        item = scene.items()["Deployment/trt"]
        asked = set(server.asked)
    assert (item["engine"], item["path"]) == ("trtllm", "/prometheus/metrics")
    assert "/metrics" not in asked


def test_a_port_that_refuses_is_asked_once(scene: Scene) -> None:
    with socket.create_server((ADDRESS, 0)) as free:
        port = free.getsockname()[1]
    ports = [{"containerPort": port}]
    accelerated = {"limits": {"nvidia.com/gpu": "1"}}
    scene.deploy("x", {"name": "x", "image": "example.com/x:1", "ports": ports, "resources": accelerated})
    scene.start(1)
    (answer,) = scene.items("deploy/x")["Deployment/x"]["templates"][0]["answers"]
    assert answer.startswith(f"port {port}/prometheus/metrics: ")
    assert "connection refused" in answer


def test_a_router_in_the_selector_is_named(scene: Scene, vllm: Engine) -> None:
    with engine({"/metrics": body("router-production-stack-a6c01db-busy")}) as router:
        scene.deploy(
            "vllm", container(vllm.port), labels={"app": "llm", "part": "engine"}, selector={"app": "llm"}
        )
        command = ["python3", "-m", "vllm_router.app", "--port", str(router.port)]
        ports = [{"containerPort": router.port}]
        scene.deploy(
            "router", {"name": "router", "image": "example.com/x:1", "command": command, "ports": ports},
            labels={"app": "llm", "part": "router"}, selector={"part": "router"},
        )  # fmt: skip
        scene.start(2)
        items = scene.items()
        lines = scene.detect().stdout
    assert codes(items["Deployment/vllm"]) == ["router-in-match"]
    assert items["Deployment/router"]["engine"] is None
    assert items["Deployment/router"]["lookalike"] == "the vLLM production-stack router"
    assert "none: the vLLM production-stack router" in lines
    assert "note: Deployment/router: no engine: this is the vLLM production-stack router" in lines


def test_targets_that_cannot_work_are_found_in_the_hpa(scene: Scene, vllm: Engine) -> None:
    scene.deploy("vllm", container(vllm.port, "--max-num-seqs", "8"))
    scene.start(1)
    wanted = {
        "vllm:kv_cache_usage_perc": "80", "vllm:num_requests_running": "8", "vllm:gpu_cache_usage_perc": "800m",
    }  # fmt: skip
    scene.kubectl.apply(
        {
            "apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler",
            "metadata": {"name": "by-hand", "namespace": scene.namespace},
            "spec": {
                "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "vllm"}, "maxReplicas": 3,
                "metrics": [
                    {"type": "Pods", "pods": {
                        "metric": {"name": name}, "target": {"type": "AverageValue", "averageValue": value}}}
                    for name, value in wanted.items()
                ],
            },
        }
    )  # fmt: skip
    item = scene.items()["Deployment/vllm"]
    assert item["hpas"] == ["by-hand"]
    assert sorted(codes(item)) == ["ratio-target", "renamed-metric", "target-above-seats"]
    assert "hpa/by-hand" in scene.detect().stdout


def test_a_pod_of_its_own_cannot_be_scaled_and_says_so(scene: Scene, vllm: Engine) -> None:
    pod = {"schedulerName": "nobody", "containers": [container(vllm.port)]}
    scene.kubectl.apply(
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": "alone", "namespace": scene.namespace},
            "spec": pod,
        }
    )
    scene.start(1)
    item = scene.items()["Pod/alone"]
    assert (item["engine"], item["scaleTarget"]) == ("vllm", None)
    assert item["unscalable"]
    lines = scene.detect().stdout
    assert "cannot be" in lines.splitlines()[1]
    assert "note: Pod/alone: no HPA can scale it: " in lines


def test_pods_that_are_not_ready_are_shown_without_numbers(scene: Scene, vllm: Engine) -> None:
    scene.deploy("vllm", container(vllm.port))
    item: Json = {}
    while not item:
        item = scene.items().get("Deployment/vllm", {})
    assert (item["engine"], item["replicas"]["ready"], item["signals"]["running"]["value"]) == (
        "vllm",
        0,
        None,
    )
    assert item["templates"][0]["answers"] == ["no pod is ready"]


def test_the_annotated_port_is_asked(scene: Scene, vllm: Engine) -> None:
    opaque = {
        "name": "main",
        "image": "example.com/serving:1",
        "resources": {"limits": {"nvidia.com/gpu": "1"}},
    }
    scene.deploy("kserve", opaque)
    annotations = {"prometheus.kserve.io/port": str(vllm.port), "prometheus.kserve.io/path": "/metrics"}
    patch = {"spec": {"template": {"metadata": {"annotations": annotations}}}}
    scene.kubectl.run("patch", "deploy", "kserve", "-n", scene.namespace, "-p", json.dumps(patch))
    scene.start(1)
    assert scene.items()["Deployment/kserve"]["port"] == vllm.port
