"""Errors that a user meets before anything else works: one sentence, exit 1, nothing written."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cluster.conftest import Json, Kubectl, Plugin, assert_one_sentence

pytestmark = pytest.mark.control_plane

COMMANDS = [
    ("enable", "sts/x", "--max", "3"), ("status",), ("bench", "sts/x"), ("disable", "sts/x"), ("detect",),
]  # fmt: skip

#: What each of them reads before anything else.
FIRST_READ = {
    "enable": "statefulsets", "status": "horizontalpodautoscalers", "bench": "statefulsets",
    "disable": "configmaps", "detect": "pods",
}  # fmt: skip


@pytest.fixture
def kubeconfig(kubectl: Kubectl, tmp_path: Path) -> Json:
    """The administrator's kubeconfig, flattened, to be changed by a test."""
    config: Json = json.loads(
        kubectl.run("config", "view", "--raw", "--flatten", "--minify", "-o", "json").stdout
    )
    return config


def written(config: Json, tmp_path: Path) -> str:
    path = tmp_path / "kubeconfig"
    path.write_text(json.dumps(config))
    return str(path)


@pytest.mark.parametrize("command", COMMANDS, ids=lambda words: words[0])
class TestConnection:
    def test_no_kubeconfig(self, llm_hpa: Plugin, command: tuple[str, ...], tmp_path: Path) -> None:
        outcome = llm_hpa(*command, KUBECONFIG=str(tmp_path / "absent"), HOME=str(tmp_path))
        assert_one_sentence(outcome, "connect to the cluster", "refused")

    def test_wrong_context(self, llm_hpa: Plugin, command: tuple[str, ...]) -> None:
        assert_one_sentence(llm_hpa(*command, "--context", "nope"), 'context "nope" does not exist')

    def test_refused_connection(self, llm_hpa: Plugin, command: tuple[str, ...]) -> None:
        outcome = llm_hpa(*command, "--server", "https://127.0.0.1:1")
        assert_one_sentence(outcome, "connect to the cluster", "127.0.0.1:1", "refused")

    def test_credentials_not_accepted(
        self, llm_hpa: Plugin, command: tuple[str, ...], kubeconfig: Json, tmp_path: Path
    ) -> None:
        kubeconfig["users"][0]["user"] = {"token": "not-a-token"}
        outcome = llm_hpa(*command, KUBECONFIG=written(kubeconfig, tmp_path))
        assert_one_sentence(outcome, "does not accept these credentials")

    def test_credential_plugin_fails(
        self, llm_hpa: Plugin, command: tuple[str, ...], kubeconfig: Json, tmp_path: Path
    ) -> None:
        script = "echo please log in >&2; exit 3"
        kubeconfig["users"][0]["user"] = {"exec": {
            "apiVersion": "client.authentication.k8s.io/v1", "command": "/bin/sh", "args": ["-c", script],
            "interactiveMode": "Never",
        }}  # fmt: skip
        outcome = llm_hpa(*command, KUBECONFIG=written(kubeconfig, tmp_path))
        assert_one_sentence(outcome, "credentials", "please log in")

    def test_forbidden(self, llm_hpa: Plugin, command: tuple[str, ...]) -> None:
        outcome = llm_hpa(*command, "--as", "somebody")
        assert_one_sentence(outcome, "forbidden", FIRST_READ[command[0]], 'namespace "default"')


@pytest.mark.parametrize("command", [COMMANDS[0], COMMANDS[2], COMMANDS[3]], ids=lambda words: words[0])
class TestWorkload:
    def test_absent(self, llm_hpa: Plugin, command: tuple[str, ...], namespace: str) -> None:
        assert_one_sentence(llm_hpa(*command, "-n", namespace), "find statefulset x", f"'{namespace}'")

    def test_namespace_missing(self, llm_hpa: Plugin, command: tuple[str, ...]) -> None:
        assert_one_sentence(llm_hpa(*command, "-n", "nowhere"), "the namespace does not exist")

    @pytest.mark.parametrize("word", ["x", "sts/", "sts/a/b"])
    def test_not_a_workload(self, llm_hpa: Plugin, command: tuple[str, ...], word: str) -> None:
        assert_one_sentence(llm_hpa(command[0], word, *command[2:]), "read the workload")

    def test_not_a_type(self, llm_hpa: Plugin, command: tuple[str, ...]) -> None:
        assert_one_sentence(llm_hpa(command[0], "gadget/x", *command[2:]), "read the type 'gadget'")


def test_no_pod_ready(llm_hpa: Plugin, kubectl: Kubectl, namespace: str) -> None:
    kubectl.apply(
        {
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "vllm", "namespace": namespace},
            "spec": {"selector": {"matchLabels": {"app": "v"}}, "template": {
                "metadata": {"labels": {"app": "v"}},
                "spec": {"containers": [{"name": "vllm", "image": "vllm/vllm-openai:v0.20.0"}]},
            }},
        }
    )  # fmt: skip
    outcome = llm_hpa("enable", "deploy/vllm", "--max", "3", "-n", namespace)
    assert_one_sentence(outcome, "detect the engine of Deployment/vllm", "get pods -l")
    assert (
        kubectl.get("hpa,cm", "-n", namespace, "-l", "app.kubernetes.io/managed-by=kubectl-llm-hpa")["items"]
        == []
    )


def test_verbose_shows_the_traceback(llm_hpa: Plugin) -> None:
    outcome = llm_hpa("status", "--context", "nope", "-v", "8")
    assert "Traceback" in outcome.stderr
    assert outcome.code == 1


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (("enable", "sts/x", "--max", "0"), "--max"),
        (("enable", "sts/x", "--signal", "running"), "running=4"),
        (("enable", "sts/x", "--scrape-interval", "soon"), "not a duration"),
        (("enable",), "TYPE/NAME"),
        (("nonsense",), "unknown command"),
    ],
)
def test_bad_usage_ends_with_1_as_kubectls(llm_hpa: Plugin, arguments: tuple[str, ...], word: str) -> None:
    outcome = llm_hpa(*arguments)
    assert outcome.code == 1
    assert word in outcome.stderr
    assert outcome.stdout == ""
