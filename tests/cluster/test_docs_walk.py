"""The commands of the pages for beginners, run in their order on a real cluster, and those of others that only look.

Left out are a watch, which has no end, and `bench`, which takes minutes and has tests of its own; `--preset vendor`
needs vLLM's own generator, which the stub's image lacks. Two teams (rbac.md) are in test_split_work.py; what `lint -f`
says is in the unit tests.
"""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.cluster.conftest import ROOT, Kubectl
from tests.cluster.stub_workload import Stub
from tests.cluster.workloads import Kind

pytestmark = pytest.mark.cluster


def walk(page: str, namespace: str, folder: Path) -> None:
    """Run the lines of the page's `console` blocks in order."""
    blocks = re.findall(r"(?ms)^```console\n(.*?)^```$", (ROOT / "docs" / page).read_text())
    lines = [line.removeprefix("$ ") for block in blocks for line in block.splitlines()]
    lines = [line for line in lines if not re.search(r"llm-hpa bench | -w$", line)]
    for line in lines:
        done = subprocess.run(
            ["bash", "-c", line.replace("-n llm", f"-n {namespace}")],
            cwd=folder, capture_output=True, text=True, timeout=300, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"{line}\n{done.stderr}"


@pytest.mark.parametrize(
    ("page", "kind", "scaled"), [("getting-started.md", "StatefulSet", 0), ("gitops.md", "Deployment", 1)]
)
def test_a_page_works_as_it_is_written(
    kubectl: Kubectl, namespace: str, tmp_path: Path, page: str, kind: Kind, scaled: int
) -> None:
    Stub(kubectl, namespace, name="vllm", kind=kind).start()
    walk(page, namespace, tmp_path)
    assert len(kubectl.get("scaledobjects", "-n", namespace)["items"]) == scaled


def test_lines_that_only_look_work_as_they_are_written(
    kubectl: Kubectl, namespace: str, tmp_path: Path
) -> None:
    for kind in ("Deployment", "StatefulSet"):
        Stub(kubectl, namespace, name="vllm", kind=kind).start(wait=False)
    kubectl.run("autoscale", "statefulset", "vllm", "--name=other", "--max=3", "-n", namespace)
    config = tmp_path / "kubeconfig"
    config.write_text(kubectl.run("config", "view", "--raw", "--flatten").stdout)
    kubectl.run("config", "set-context", "--current", f"--namespace={namespace}", f"--kubeconfig={config}")
    pages = "".join((ROOT / "docs" / page).read_text() for page in ("status.md", "lint.md", "rbac.md"))
    lines = re.findall(r"(?m)^kubectl llm-hpa (?:status|lint|rbac) (?!-w|-f).*$", pages)
    assert len(lines) >= 7
    for line in lines:
        command = line.replace("-n llm", f"-n {namespace}").replace("apply", "apply --dry-run=server")
        done = subprocess.run(
            ["bash", "-o", "pipefail", "-c", command], capture_output=True, text=True, timeout=60, check=False,
            env={**os.environ, "KUBECONFIG": str(config)},
        )  # fmt: skip
        assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"
