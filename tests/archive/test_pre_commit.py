"""The hook for repositories with manifests, run by the real pre-commit as docs/lint.md says."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.archive import installed
from tests.archive.installed import ROOT, said

WITH_THE_WHEEL = ("kubectl_llmhpa", "pyproject.toml", "README.md", "LICENSE", ".pre-commit-hooks.yaml")
BROKEN, SOUND = ROOT / "tests/lint/broken/gpu-per-cent.yaml", ROOT / "tests/lint/sound/vllm-hpa.yaml"


def git(folder: Path, *arguments: str) -> str:
    return said("git", "-C", str(folder), "-c", "user.name=a", "-c", "user.email=a@example.com", *arguments)


@pytest.fixture
def released(tmp_path: Path) -> Path:
    """A repository with the sources of this checkout."""
    folder = tmp_path / "released"
    folder.mkdir()
    for name in WITH_THE_WHEEL:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, folder)
    git(folder, "init", "--quiet")
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "--message=Release")
    return folder


def test_the_hook_judges_what_is_committed(released: Path, tmp_path: Path) -> None:
    (text,) = re.findall(r"(?ms)^```yaml\n(repos:.*?)^```$", (ROOT / "docs" / "lint.md").read_text())
    config = yaml.safe_load(text)
    (repository,) = config["repos"]
    git(released, "tag", repository["rev"])
    repository["repo"] = str(released)

    manifests = tmp_path / "manifests"
    (manifests / "deploy").mkdir(parents=True)
    (manifests / ".pre-commit-config.yaml").write_text(yaml.safe_dump(config))
    git(manifests, "init", "--quiet")

    def judged(manifest: Path) -> subprocess.CompletedProcess[str]:
        shutil.copy(manifest, manifests / "deploy" / "hpa.yaml")
        git(manifests, "add", ".")
        home = {"PRE_COMMIT_HOME": str(tmp_path / "home")}
        return subprocess.run(
            ["pre-commit", "run"], cwd=manifests, capture_output=True, text=True, check=False, timeout=300,
            env={**os.environ, **installed.offline(), **home},
        )  # fmt: skip

    passed, refused = judged(SOUND), judged(BROKEN)
    assert passed.returncode == 0, passed.stdout + passed.stderr
    assert refused.returncode == 1, refused.stdout + refused.stderr
    assert "deploy/hpa.yaml:" in refused.stdout
