"""Completion: the words offered, the scripts in real shells, and silence where kubectl is of no help."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import stat
import subprocess
import time
from pathlib import Path

import pytest
from click.shell_completion import ShellComplete

from kubectl_llmhpa.cli.group import COMMANDS, cli

#: Answers as kubectl does and writes down what it was asked.
KUBECTL = """#!/bin/sh
echo "$*" >> "$0.asked"
case "$*" in
  *namespaces*) printf 'namespace/default\\nnamespace/team-a\\n' ;;
  *get-contexts*) printf 'dev\\nprod\\n' ;;
  *deployments*) printf 'deployment.apps/llama\\nstatefulset.apps/vllm\\n'
                 case "$*" in *horizontal*) echo horizontalpodautoscaler.autoscaling/vllm ;; esac
                 echo 'Error from server (Forbidden)' >&2; exit 1 ;;
  *"get lws"*) printf 'leaderworkerset.leaderworkerset.x-k8s.io/big\\n' ;;
  *) exit 1 ;;
esac
"""


@pytest.fixture
def kubectl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    program = tmp_path / "kubectl"
    program.write_text(KUBECTL)
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("KUBECTL_PATH", str(program))
    return program


def offered(*words: str) -> list[str]:
    completion = ShellComplete(cli, {}, "kubectl llm-hpa", "_COMPLETE")
    return [item.value for item in completion.get_completions(list(words[:-1]), words[-1])]


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (("",), [*COMMANDS]),
        (("de",), ["detect"]),
        (("status", "--conte"), ["--context"]),
        (("status", "-n", ""), ["default", "team-a"]),
        (("status", "--namespace=te"), ["team-a"]),
        (("status", "--context", "p"), ["prod"]),
        (("enable", ""), ["deployment/llama", "statefulset/vllm"]),
        (("enable", "state"), ["statefulset/vllm"]),
        (("explain", ""), ["deployment/llama", "statefulset/vllm", "hpa/vllm"]),
        (("enable", "lws/"), ["lws/big"]),
        (("enable", "lws", ""), ["big"]),
        (("enable", "-x/"), []),
        (("enable", "nothing/"), []),
        (("status", "statefulset/vllm", "s"), []),
        (("migrate", "sts/vllm", "--to", "k"), ["keda"]),
        (("completion", "p"), ["powershell"]),
    ],
    ids=" ".join,
)
def test_what_is_offered(kubectl: Path, words: tuple[str, ...], found: list[str]) -> None:
    assert offered(*words) == found


def test_kubectl_gets_the_connection_that_is_typed_already(kubectl: Path) -> None:
    offered("enable", "--context=prod", "-n", "team-a", "--as-group", "ops", "lws/")
    asked = kubectl.with_name("kubectl.asked").read_text().split()
    assert {"--context=prod", "--namespace=team-a", "--as-group=ops"} <= set(asked)


def test_a_kubectl_that_hangs_is_ended_with_its_children(
    kubectl: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kubectl_llmhpa.cli.candidates._LIMIT_S", 0.3)
    kubectl.write_text('#!/bin/sh\nsleep 600 & echo $! > "$0.child"; wait\n')
    assert offered("status", "-n", "") == []
    child = Path("/proc", kubectl.with_name("kubectl.child").read_text().strip(), "stat")
    with contextlib.suppress(FileNotFoundError):
        while child.read_text().rpartition(")")[2].split()[0] != "Z":  # dead, and not yet waited for
            time.sleep(0.05)


def test_no_kubectl_offers_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KUBECTL_PATH", raising=False)
    monkeypatch.setenv("PATH", "/nowhere")
    assert offered("status", "-n", "") == []


def printed(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout


@pytest.mark.parametrize(
    ("words", "last_line"),
    [
        (["status", "--conte"], ":4"),
        (["lint", "-f", ""], ":0"),
        (["enable", "--export", ""], ":16"),
        ([], ":4"),
    ],
)
def test_kubectls_mechanism_gets_a_directive(words: list[str], last_line: str) -> None:
    lines = printed("kubectl_complete-llm_hpa", *words).splitlines()
    assert lines[-1] == last_line


def test_kubectls_mechanism_is_silent_on_failure() -> None:
    done = subprocess.run(
        ["kubectl_complete-llm_hpa", "status", "-v", "x", "-n", ""], capture_output=True, text=True,
        env={**os.environ, "KUBECTL_PATH": "/nowhere"}, timeout=60, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (0, ":4\n", "")


IN_BASH = """
source <(kubectl-llm_hpa completion bash)
COMP_WORDS=(kubectl-llm_hpa status -n te); COMP_CWORD=3
$(complete -p kubectl-llm_hpa | sed 's/.*-F \\([^ ]*\\).*/\\1/') kubectl-llm_hpa
printf '%s\\n' "${COMPREPLY[@]}"
"""
IN_ZSH = """
autoload -Uz compinit && compinit -u -d "$(mktemp -u)"
source <(kubectl-llm_hpa completion zsh)
print -- "$_comps[kubectl-llm_hpa]"
env COMP_WORDS="kubectl-llm_hpa status -n te" COMP_CWORD=3 _KUBECTL_LLM_HPA_COMPLETE=zsh_complete kubectl-llm_hpa
"""
IN_FISH = 'kubectl-llm_hpa completion fish | source; complete -C "kubectl-llm_hpa status -n te"'


@pytest.mark.parametrize(
    ("shell", "script", "lines"),
    [
        ("bash", IN_BASH, ["team-a"]),
        ("zsh", IN_ZSH, ["_kubectl_llm_hpa_completion", "plain", "team-a", "_"]),
        ("fish", IN_FISH, ["team-a"]),
    ],
)
def test_in_a_real_shell(kubectl: Path, shell: str, script: str, lines: list[str]) -> None:
    if not shutil.which(shell):
        pytest.skip(f"{shell} is not installed")
    assert printed(shell, "-c", script).splitlines() == lines


def test_the_powershell_script_asks_as_the_program_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    script = printed("kubectl-llm_hpa", "completion", "powershell")
    variable = re.search(r"\$env:(_\w+) = 'powershell_complete'", script)
    assert "-CommandName kubectl-llm_hpa" in script
    assert variable is not None
    monkeypatch.setenv(variable[1], "powershell_complete")
    monkeypatch.setenv("COMP_WORDS", "kubectl-llm_hpa dete")
    monkeypatch.setenv("COMP_CWORD", "1")
    assert printed("kubectl-llm_hpa").splitlines()[:2] == ["plain", "detect"]
