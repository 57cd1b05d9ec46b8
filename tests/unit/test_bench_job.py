"""The benchmark's Job: the engine's image and mounts, and nothing that could disturb the engine."""

from __future__ import annotations

import ast
import json
from pathlib import PurePosixPath
from typing import Any

import pytest

from kubectl_llmhpa.bench import job


def engine_pod(**container: Any) -> dict[str, Any]:
    return {
        "metadata": {"name": "vllm-0", "namespace": "llm", "labels": {"app": "vllm"}},
        "spec": {
            "nodeName": "gpu-1",
            "imagePullSecrets": [{"name": "registry"}],
            "tolerations": [
                {"key": "nvidia.com/gpu", "operator": "Exists"},
                {"key": "node.kubernetes.io/not-ready"},
            ],
            "volumes": [
                {"name": "model", "persistentVolumeClaim": {"claimName": "models"}},
                {"name": "shm", "emptyDir": {"medium": "Memory"}},
                {"name": "kube-api-access-x", "projected": {"sources": []}},
                {"name": "unused", "configMap": {"name": "c"}},
            ],
            "containers": [
                {
                    "name": "vllm",
                    "image": "vllm/vllm-openai:v0.10.0",
                    "command": ["vllm", "serve", "/models/Q"],
                    "env": [
                        {"name": "VLLM_API_KEY", "valueFrom": {"secretKeyRef": {"name": "k", "key": "v"}}},
                        {"name": "HF_HOME", "value": "/models/hf"},
                        {"name": "CUDA_VISIBLE_DEVICES", "value": "0"},
                    ],
                    "resources": {"limits": {"nvidia.com/gpu": "1"}},
                    "volumeMounts": [
                        {"name": "model", "mountPath": "/models"},
                        {"name": "shm", "mountPath": "/dev/shm"},
                        {
                            "name": "kube-api-access-x",
                            "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount",
                        },
                    ],
                    **container,
                }
            ],
        },
    }


def a_run(**changes: Any) -> job.Run:
    values: dict[str, Any] = {
        "run": "abc123", "name": "llm-hpa-bench-vllm-abc123", "namespace": "llm", "workload": "StatefulSet.vllm",
        "module": "client", "settings": {"model": "m"}, "deadline_s": 300,
    }  # fmt: skip
    return job.Run(**{**values, **changes})


def container(rendered: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = rendered["spec"]["template"]["spec"]["containers"][0]
    return found


def test_it_ends_by_itself_and_asks_for_no_gpu() -> None:
    rendered = job.render(a_run(), engine_pod())
    spec = rendered["spec"]
    pod = spec["template"]["spec"]
    assert (spec["backoffLimit"], spec["activeDeadlineSeconds"], spec["ttlSecondsAfterFinished"]) == (
        0,
        300,
        600,
    )
    assert pod["restartPolicy"] == "Never"
    assert pod["automountServiceAccountToken"] is False
    assert "nvidia.com/gpu" not in json.dumps(container(rendered)["resources"])
    assert {"name": "NVIDIA_VISIBLE_DEVICES", "value": "void"} in container(rendered)["env"]
    assert container(rendered)["image"] == "vllm/vllm-openai:v0.10.0"
    assert pod["imagePullSecrets"] == [{"name": "registry"}]


def test_no_selector_of_the_engine_can_match_it() -> None:
    rendered = job.render(a_run(), engine_pod())
    assert set(rendered["spec"]["template"]["metadata"]["labels"]) == {
        "app.kubernetes.io/managed-by", "kubectl-llm-hpa/workload", "kubectl-llm-hpa/bench",
    }  # fmt: skip


def test_the_builtin_client_mounts_nothing_of_the_engine() -> None:
    rendered = job.render(a_run(), engine_pod())
    assert [each["mountPath"] for each in container(rendered)["volumeMounts"]] == ["/llm-hpa", "/tmp"]
    assert container(rendered)["command"][0] == "python3"
    assert container(rendered)["securityContext"]["capabilities"] == {"drop": ["ALL"]}


def test_the_engines_generator_gets_its_model_read_only_and_its_environment() -> None:
    rendered = job.render(a_run(module="vllm_serve", like_engine=True), engine_pod())
    mounts = {each["mountPath"]: each for each in container(rendered)["volumeMounts"]}
    assert mounts["/models"]["readOnly"] is True
    assert set(mounts) == {"/llm-hpa", "/tmp", "/models"}
    names = [volume["name"] for volume in rendered["spec"]["template"]["spec"]["volumes"]]
    assert names == ["llm-hpa", "llm-hpa-tmp", "model"]
    env = {each["name"] for each in container(rendered)["env"]}
    assert "HF_HOME" in env
    assert "CUDA_VISIBLE_DEVICES" not in env


def test_the_api_key_stays_a_reference() -> None:
    rendered = job.render(a_run(), engine_pod())
    key = {"name": "OPENAI_API_KEY", "valueFrom": {"secretKeyRef": {"name": "k", "key": "v"}}}
    assert key in container(rendered)["env"]


@pytest.mark.parametrize(
    ("command", "variable"),
    [
        (["vllm", "serve", "m"], "VLLM_API_KEY"),
        (["vllm", "serve", "m", "--api-key", "$(MINE)"], "MINE"),
        (["sh", "-c", "vllm serve m --api-key ${MINE}"], "MINE"),
        (["vllm", "serve", "m", "--api-key", "$(ABSENT)"], ""),
    ],
)
def test_which_variable_holds_the_key(command: list[str], variable: str) -> None:
    env = [{"name": "VLLM_API_KEY", "value": "a"}, {"name": "MINE", "value": "b"}]
    assert job.api_key_variable({"command": command, "env": env}) == variable


@pytest.mark.parametrize(
    ("command", "python"),
    [
        (["vllm", "serve", "m"], "python3"),
        (["python3", "-m", "vllm.entrypoints.openai.api_server"], "python3"),
        (["/x/venv/bin/python", "-m", "vllm"], "/x/venv/bin/python"),
        (["sh", "-c", "exec /x/venv/bin/python3.11 -m vllm"], "/x/venv/bin/python3.11"),
        (["/x/venv/bin/vllm", "serve", "m"], "/x/venv/bin/python3"),
        ([], "python3"),
    ],
)
def test_interpreter(command: list[str], python: str) -> None:
    assert job.interpreter({"command": command}) == python


def test_a_python_of_its_own_needs_the_engines_mounts() -> None:
    pod = engine_pod(command=["/models/venv/bin/python", "-m", "vllm"])
    assert "/models" in [each["mountPath"] for each in container(job.render(a_run(), pod))["volumeMounts"]]


def test_another_image_takes_nothing_from_the_engine() -> None:
    rendered = job.render(
        a_run(image="python:3.12-slim", like_engine=True), engine_pod(command=["/v/bin/python"])
    )
    assert container(rendered)["image"] == "python:3.12-slim"
    assert container(rendered)["command"][0] == "python3"
    assert len(container(rendered)["volumeMounts"]) == 2
    assert "affinity" not in rendered["spec"]["template"]["spec"]


def test_it_stays_near_the_engine_where_the_image_is() -> None:
    spec = job.render(a_run(), engine_pod())["spec"]["template"]["spec"]
    assert "preferredDuringSchedulingIgnoredDuringExecution" in spec["affinity"]["nodeAffinity"]
    assert spec["tolerations"] == [{"key": "nvidia.com/gpu", "operator": "Exists"}]
    pod = engine_pod(command=["/models/venv/bin/python"])
    pod["spec"]["volumes"][0] = {"name": "model", "hostPath": {"path": "/m"}}
    spec = job.render(a_run(), pod)["spec"]["template"]["spec"]
    assert "requiredDuringSchedulingIgnoredDuringExecution" in spec["affinity"]["nodeAffinity"]


def test_privileges_are_not_taken_over() -> None:
    pod = engine_pod(
        securityContext={"privileged": True, "runAsUser": 1000, "capabilities": {"add": ["SYS_PTRACE"]}}
    )
    assert container(job.render(a_run(), pod))["securityContext"] == {
        "runAsUser": 1000, "capabilities": {"drop": ["ALL"]}, "allowPrivilegeEscalation": False,
    }  # fmt: skip


def test_the_config_map_carries_the_program_as_a_package() -> None:
    rendered = job.render(a_run(), engine_pod())
    made = job.config_map(a_run(), {"metadata": {"uid": "u"}})
    items = rendered["spec"]["template"]["spec"]["volumes"][0]["configMap"]["items"]
    assert {item["key"] for item in items} == set(made["data"])
    assert "kubectl_llmhpa/bench/pod/client.py" in [item["path"] for item in items]
    assert made["immutable"] is True
    assert made["metadata"]["ownerReferences"][0]["uid"] == "u"
    assert json.loads(made["data"]["settings.json"]) == {"model": "m"}
    assert len(json.dumps(made)) < 100_000


def test_the_program_is_python_3_8_and_imports_only_what_is_carried() -> None:
    data = job.config_map(a_run(), {"metadata": {"uid": "u"}})["data"]
    carried = {f"kubectl_llmhpa.bench.pod.{PurePosixPath(key).stem}" for key in data}
    for key, source in data.items():
        if key.endswith(".py"):
            tree = ast.parse(source, feature_version=(3, 8))
            for node in ast.walk(tree):
                if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("kubectl_llmhpa"):
                    names = [f"{node.module}.{each.name}" for each in node.names]
                    assert node.module in carried or set(names) <= carried
            assert "removesuffix" not in source
            assert "removeprefix" not in source


@pytest.mark.parametrize(
    "name", ["x", "a-very-long-workload-name-that-goes-on-and-on-for-ever", "dots.in.name"]
)
def test_names_leave_room_for_the_pods_suffix(name: str) -> None:
    made = job.job_name(name, "abc123")
    assert len(made) <= 57
    assert "." not in made


def test_several_clients_are_an_indexed_job_that_outlives_one_of_them() -> None:
    spec = job.render(a_run(clients=3), engine_pod())["spec"]
    assert (spec["completionMode"], spec["completions"], spec["parallelism"]) == ("Indexed", 3, 3)
    assert spec["backoffLimitPerIndex"] == 0
    data = job.config_map(a_run(clients=3), {"metadata": {"uid": "u"}})["data"]
    assert json.loads(data["settings.json"])["clients"] == 3
