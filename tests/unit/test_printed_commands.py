"""Remedies act on the cluster that was typed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from kubectl_llmhpa.cli.main import main
from kubectl_llmhpa.cli.printed_commands import completed, flags_of, namespace_of

PROD = "--context prod"


@pytest.mark.parametrize(
    ("words", "flags"),
    [
        ("status", ""),
        ("status --context prod -n x", "--context prod"),
        ("status --context=prod --as=eve", "--context prod"),
        ("status --kubeconfig /tmp/a'b", "--kubeconfig '/tmp/a'\"'\"'b'"),
        ("status -s https://x:6443", "--server https://x:6443"),
        ("status -shttps://x:6443 --context a", "--server https://x:6443 --context a"),
        ("status --token secret", ""),
        ("status --context", ""),
        ("status --context=", ""),
        ("bench -- --context prod", ""),
    ],
)
def test_what_says_where(words: str, flags: str) -> None:
    assert flags_of(words.split()) == flags


@pytest.mark.parametrize(
    ("words", "where"),
    [
        ("status", ""),
        ("status -n lab", "-n lab"),
        ("status -nlab", "-n lab"),
        ("status --namespace=lab", "-n lab"),
        ("status -n $x", "-n '$x'"),
        ("status -A", "-A"),
        ("bench -s https://n -- -n lab", ""),
    ],
)
def test_which_namespace(words: str, where: str) -> None:
    assert namespace_of(words.split()) == where


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("see kubectl llm-hpa explain", "see kubectl llm-hpa explain --context prod"),
        (
            "use kubectl llm-hpa enable deploy/x -n a --max 3",
            "use kubectl llm-hpa enable --context prod deploy/x -n a --max 3",
        ),
        ("see: kubectl -n a logs deploy/x", "see: kubectl --context prod -n a logs deploy/x"),
        (
            "kubectl get pods; kubectl describe pod x",
            "kubectl --context prod get pods; kubectl --context prod describe pod x",
        ),
        ("fix:\n  kubectl apply -f x", "fix:\n  kubectl --context prod apply -f x"),
        # no commands, or whole ones
        ("as kubectl takes them", "as kubectl takes them"),
        ("kubectl proxy ended", "kubectl proxy ended"),
        ("kubectl-llm-hpa 0.1 failed", "kubectl-llm-hpa 0.1 failed"),
        ("kubectl llm-hpa status --context a -w", "kubectl llm-hpa status --context a -w"),
    ],
)
def test_commands_in_a_text(text: str, expected: str) -> None:
    assert completed(text, PROD) == expected
    assert completed(text, "") == text


def test_an_error_keeps_the_cluster(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["enable", "deploy/x", "--max", "3", "--kubeconfig", "/nowhere", "--context", "prod", "-n", "x"])
    said = capsys.readouterr().err
    assert "kubectl --kubeconfig /nowhere --context prod" in said
    assert completed("see kubectl llm-hpa doctor") == "see kubectl llm-hpa doctor", (
        "one command line is not another"
    )


def test_what_lint_says_keeps_it_too(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    by_cpu = {
        "type": "Resource",
        "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 8}},
    }
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "vllm"}
    container = {"name": "vllm", "image": "vllm/vllm-openai:v0.20.2"}
    objects = [
        {
            "apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": {"name": "vllm"},
            "spec": {"scaleTargetRef": target, "maxReplicas": 3, "metrics": [by_cpu]},
        },
        {
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "vllm"},
            "spec": {"template": {"spec": {"containers": [container]}}},
        },
    ]  # fmt: skip
    file = tmp_path / "hpa.yaml"
    file.write_text("\n---\n".join(json.dumps(one) for one in objects))
    with pytest.raises(SystemExit):
        main(["lint", "-f", str(file), "--context", "prod"])
    assert "kubectl llm-hpa enable --context prod deployment/vllm" in capsys.readouterr().out
