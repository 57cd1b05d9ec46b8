"""`enable --export DIR`: files that `kubectl apply -k` turns into what `enable` writes, the same bytes each time."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.cluster.conftest import ADAPTER, Json, Kubectl, Plugin, assert_one_sentence
from tests.cluster.stub_workload import Stub

pytestmark = pytest.mark.cluster

_KINDS = "hpa,scaledobject,podmonitor,triggerauthentication"


@pytest.fixture
def stub(kubectl: Kubectl, namespace: str, llm_hpa: Plugin) -> Iterator[Stub]:
    workload = Stub(kubectl, namespace)
    workload.start()
    yield workload
    llm_hpa("disable", *workload.reference)


def specs(kubectl: Kubectl, namespace: str) -> dict[str, Json]:
    """Spec and labels of everything that scrapes and scales in a namespace."""
    return {
        f"{one['kind']}/{one['metadata']['name']}": {
            "spec": one["spec"],
            "labels": one["metadata"].get("labels") or {},
        }
        for one in kubectl.get(_KINDS, "-n", namespace)["items"]
    }


def read(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def test_apply_of_the_export_equals_enable(
    llm_hpa: Plugin, kubectl: Kubectl, stub: Stub, tmp_path: Path
) -> None:
    """Through KEDA, where nothing that is shared has to change."""
    words = ("enable", *stub.reference, "--max", "3", "--backend", "keda")
    before = specs(kubectl, stub.namespace)
    first = llm_hpa(*words, "--export", str(tmp_path / "a"))
    assert first.code == 0, first.stderr
    assert specs(kubectl, stub.namespace) == before == {}, "an export writes nothing to the cluster"
    assert first.stdout.splitlines() == [str(tmp_path / "a" / name) for name in read(tmp_path / "a")]
    assert llm_hpa(*words, "--export", str(tmp_path / "b")).code == 0
    assert llm_hpa(*words, "--export", str(tmp_path / "b")).code == 0, "into its own folder once more"
    assert read(tmp_path / "a") == read(tmp_path / "b")
    kubectl.run("apply", "-k", str(tmp_path / "a"))
    kubectl.run("wait", "hpa/vllm-inference", "-n", stub.namespace, "--for=create", "--timeout=60s")
    applied = specs(kubectl, stub.namespace)
    again = llm_hpa(*words, "--export", str(tmp_path / "c"))
    assert again.code == 0, again.stderr
    assert read(tmp_path / "c") == read(tmp_path / "a"), "the same files once they are applied"
    kubectl.run("delete", "-k", str(tmp_path / "a"))
    kubectl.run("wait", "hpa/vllm-inference", "-n", stub.namespace, "--for=delete", "--timeout=60s")
    enabled = llm_hpa(*words)
    assert enabled.code == 0, enabled.stderr
    assert specs(kubectl, stub.namespace) == applied
    assert applied.keys() == {
        "HorizontalPodAutoscaler/vllm-inference",
        "PodMonitor/llm-hpa-statefulset-vllm-inference",
        "ScaledObject/vllm-inference",
    }


def test_rules_go_into_a_values_file_where_helm_owns_the_adapter(
    llm_hpa: Plugin, stub: Stub, tmp_path: Path
) -> None:
    outcome = llm_hpa("enable", *ADAPTER, *stub.reference, "--max", "3", "--export", str(tmp_path))
    assert outcome.code == 0, outcome.stderr
    values = yaml.safe_load((tmp_path / "values-prometheus-adapter.yaml").read_text())
    assert len(values["rules"]["custom"]) == 3
    kustomization = yaml.safe_load((tmp_path / "kustomization.yaml").read_text())
    assert kustomization["resources"] == [
        "horizontalpodautoscaler-vllm-inference.yaml",
        "podmonitor-llm-hpa-statefulset-vllm-inference.yaml",
    ]
    assert "helm upgrade prometheus-adapter" in (tmp_path / "README.md").read_text()


def test_files_of_others_stay(llm_hpa: Plugin, stub: Stub, tmp_path: Path) -> None:
    (tmp_path / "kustomization.yaml").write_text("resources: [theirs.yaml]\n")
    before = read(tmp_path)
    outcome = llm_hpa("enable", *stub.reference, "--max", "3", "--export", str(tmp_path))
    assert_one_sentence(outcome, "kustomization.yaml", "not written by an export")
    assert read(tmp_path) == before
