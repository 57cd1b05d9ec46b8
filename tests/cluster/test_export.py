"""`enable --export DIR`: files that `kubectl apply -k` turns into what `enable` writes, the same bytes each time."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from kubectl_llmhpa.api import MANAGED_BY, MANAGER
from kubectl_llmhpa.plan.adapter.rules import CONFIG_HASH
from tests.cluster.ack import helm
from tests.cluster.conftest import ADAPTER, Json, Kubectl, Plugin, assert_one_sentence
from tests.cluster.dump import differences, dump
from tests.cluster.ground.layout import CHARTS
from tests.cluster.plain_adapter import CUSTOM, plain_adapter
from tests.cluster.stub_workload import Stub

pytestmark = pytest.mark.cluster

RELEASE, CHART, WHERE = "prometheus-adapter", str(CHARTS / "prometheus-adapter"), "--namespace=monitoring"
_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


def everything(kubectl: Kubectl, namespace: str) -> dict[str, Json]:
    """All objects but our records and Helm's, and of each what says something of its content.

    The value that restarts the adapter ends in the revision of its file, which is counted up with each write.
    """
    found = {}
    for key, one in dump(kubectl, namespace).items():
        metadata = one.get("metadata", {})
        record = one["kind"] == "ConfigMap" and (metadata.get("labels") or {}).get(MANAGED_BY) == MANAGER
        if record or one.get("type") == "helm.sh/release.v1":
            continue
        for field in ("uid", "creationTimestamp", "managedFields"):
            metadata.pop(field, None)
        if not (annotations := metadata.get("annotations") or {}) or not annotations.keys() - {_APPLIED}:
            metadata.pop("annotations", None)
        annotations.pop(_APPLIED, None)
        if one["kind"] == "Service":
            one["spec"] = {
                key: value for key, value in one["spec"].items() if not key.startswith("clusterIP")
            }
        if one["kind"] == "Deployment":
            marks = one["spec"]["template"]["metadata"].get("annotations") or {}
            if CONFIG_HASH in marks:
                marks[CONFIG_HASH] = marks[CONFIG_HASH].partition("-")[0]
        found[key] = one
    return found


def read(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def settled(kubectl: Kubectl, stub: Stub) -> None:
    """Wait until the HPA reads its metrics, of the engine that scrapes began with."""
    kubectl.run("wait", "hpa/vllm-inference", "-n", stub.namespace, "--for=create", "--timeout=60s")
    active = ("--for=condition=ScalingActive", "--timeout=150s")
    kubectl.run("wait", "hpa/vllm-inference", "-n", stub.namespace, *active, timeout=160)


def gone(kubectl: Kubectl, stub: Stub, folder: Path) -> None:
    kubectl.run("delete", "-k", str(folder))
    kubectl.run("wait", "hpa/vllm-inference", "-n", stub.namespace, "--for=delete", "--timeout=60s")


def test_apply_of_the_export_equals_enable(
    llm_hpa: Plugin, kubectl: Kubectl, stub: Stub, tmp_path: Path
) -> None:
    """Through KEDA, where nothing that is shared has to change."""
    words = ("enable", *stub.reference, "--max", "3", "--backend", "keda")
    before = everything(kubectl, stub.namespace)
    first = llm_hpa(*words, "--export", str(tmp_path / "a"))
    assert first.code == 0, first.stderr
    assert differences(before, everything(kubectl, stub.namespace)) == [], (
        "an export writes nothing to the cluster"
    )
    assert first.stdout.splitlines() == [str(tmp_path / "a" / name) for name in read(tmp_path / "a")]
    assert llm_hpa(*words, "--export", str(tmp_path / "b")).code == 0
    assert llm_hpa(*words, "--export", str(tmp_path / "b")).code == 0, "into its own folder once more"
    assert read(tmp_path / "a") == read(tmp_path / "b")
    kubectl.run("apply", "-k", str(tmp_path / "a"))
    settled(kubectl, stub)
    applied = everything(kubectl, stub.namespace)
    again = llm_hpa(*words, "--export", str(tmp_path / "c"))
    assert again.code == 0, again.stderr
    assert read(tmp_path / "c") == read(tmp_path / "a"), "the same files once they are applied"
    gone(kubectl, stub, tmp_path / "a")
    enabled = llm_hpa(*words)
    assert enabled.code == 0, enabled.stderr
    assert differences(applied, everything(kubectl, stub.namespace)) == []


@pytest.mark.timeout(600)
def test_two_applies_equal_enable_where_nobody_owns_the_adapter(
    llm_hpa: Plugin, kubectl: Kubectl, stub: Stub, tmp_path: Path
) -> None:
    """kube-prometheus' adapter, which serves no custom metrics yet: file, restart and API are in its own folder."""
    words = ("enable", *stub.reference, "--max=3", ADAPTER[0], "--install-custom-metrics-api")
    with plain_adapter(kubectl, stub.namespace) as plain:
        before = everything(kubectl, stub.namespace)
        exported = llm_hpa(*words, "--export", str(tmp_path / "a"))
        assert exported.code == 0, exported.stderr
        assert sorted(path.name for path in (tmp_path / "a" / "adapter").iterdir()) == [
            f"apiservice-{CUSTOM}.yaml", "configmap-adapter-config.yaml", "deployment-prometheus-adapter.yaml",
            "kustomization.yaml",
        ]  # fmt: skip
        kubectl.run("apply", "-k", str(tmp_path / "a"))
        kubectl.run("apply", "-k", str(tmp_path / "a" / "adapter"))
        kubectl.run("rollout", "status", f"deploy/{plain.name}", "-n", stub.namespace, "--timeout=90s")
        settled(kubectl, stub)
        applied = everything(kubectl, stub.namespace)
        assert llm_hpa(*words, "--export", str(tmp_path / "b")).code == 0
        assert read(tmp_path / "b") == read(tmp_path / "a"), "the same files once they are applied"
        gone(kubectl, stub, tmp_path / "a")
        kubectl.run("delete", "-k", str(tmp_path / "a" / "adapter"))
    with plain_adapter(kubectl, stub.namespace):
        assert differences(before, everything(kubectl, stub.namespace)) == []
        enabled = llm_hpa(*words)
        assert enabled.code == 0, enabled.stderr
        assert differences(applied, everything(kubectl, stub.namespace)) == []
        assert llm_hpa("disable", *stub.reference).code == 0


@pytest.mark.timeout(600)
def test_apply_and_helm_upgrade_equal_enable_where_helm_owns_the_adapter(
    llm_hpa: Plugin, kubectl: Kubectl, stub: Stub, tmp_path: Path
) -> None:
    words = ("enable", *stub.reference, "--max=3", ADAPTER[0], "--helm", CHART)
    outcome = llm_hpa(*words, "--export", str(tmp_path))
    assert outcome.code == 0, outcome.stderr
    values = tmp_path / "values-prometheus-adapter.yaml"
    present = yaml.safe_load(helm("get", "values", RELEASE, WHERE))["rules"]["custom"]
    custom = yaml.safe_load(values.read_text())["rules"]["custom"]
    assert custom[:-3] == present, "Helm replaces the list, so it has to be whole"
    kustomization = yaml.safe_load((tmp_path / "kustomization.yaml").read_text())
    assert kustomization["resources"] == [
        "horizontalpodautoscaler-vllm-inference.yaml",
        "podmonitor-llm-hpa-statefulset-vllm-inference.yaml",
    ]
    assert "helm upgrade prometheus-adapter" in (tmp_path / "README.md").read_text()
    kubectl.run("apply", "-k", str(tmp_path))
    helm("upgrade", RELEASE, CHART, WHERE, "--reuse-values", "-f", str(values))
    try:
        settled(kubectl, stub)
        applied = everything(kubectl, stub.namespace)
        gone(kubectl, stub, tmp_path)
    finally:
        helm("rollback", RELEASE, WHERE, "--wait")
    enabled = llm_hpa(*words)
    assert enabled.code == 0, enabled.stderr
    assert differences(applied, everything(kubectl, stub.namespace)) == []
    assert llm_hpa("disable", *stub.reference, "--helm", CHART).code == 0


def test_values_for_who_owns_the_release_have_the_new_rules_only(
    llm_hpa: Plugin, stub: Stub, tmp_path: Path
) -> None:
    """What the release has already is known to helm alone."""
    outcome = llm_hpa("enable", ADAPTER[0], *stub.reference, "--max", "3", "--export", str(tmp_path))
    assert outcome.code == 0, outcome.stderr
    values = yaml.safe_load((tmp_path / "values-prometheus-adapter.yaml").read_text())
    assert len(values["rules"]["custom"]) == 3
    assert "below the rules that its values have already" in (tmp_path / "README.md").read_text()


def test_files_of_others_stay(llm_hpa: Plugin, stub: Stub, tmp_path: Path) -> None:
    (tmp_path / "kustomization.yaml").write_text("resources: [theirs.yaml]\n")
    before = read(tmp_path)
    outcome = llm_hpa("enable", *stub.reference, "--max", "3", "--export", str(tmp_path))
    assert_one_sentence(outcome, "kustomization.yaml", "not written by an export")
    assert read(tmp_path) == before
