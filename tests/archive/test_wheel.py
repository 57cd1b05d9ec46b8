"""The other way to install: a wheel, by pip, with the versions of the lock."""

from __future__ import annotations

import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

from release import manifest
from tests.archive import installed
from tests.archive.installed import COMPLETION, ROOT, said


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built by hatchling, as for a release."""
    folder = tmp_path_factory.mktemp("wheel")
    said(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", f"--wheel-dir={folder}", str(ROOT))
    (built,) = folder.glob("*.whl")
    return built


def test_it_holds_all_of_the_package(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    ours = {path.relative_to(ROOT).as_posix() for path in (ROOT / "kubectl_llmhpa").rglob("*.py")}
    assert ours <= names
    assert "kubectl_llmhpa/py.typed" in names
    assert any(name.endswith("/licenses/LICENSE") for name in names)
    assert {name.partition("/")[0].partition("-")[0] for name in names} == {
        "kubectl_llmhpa",
        "kubectl_llm_hpa",
    }


def test_both_programs_work_in_an_environment_of_their_own(wheel: Path, tmp_path: Path) -> None:
    venv.create(tmp_path / "venv", with_pip=True, symlinks=True)
    programs = tmp_path / "venv" / "bin"
    said(str(programs / "pip"), "install", "--quiet", str(wheel), **installed.offline())
    version = said(str(programs / manifest.PROGRAM), "--version", PYTHONPATH="")
    assert version == f"kubectl-llm-hpa {manifest.version()[1:]}"
    assert "status\t" in said(str(programs / COMPLETION), "stat", PYTHONPATH="")
    body = min((ROOT / "tests" / "bodies").glob("vllm-*.txt"))
    assert "vllm" in said(str(programs / manifest.PROGRAM), "detect", "--body", str(body), PYTHONPATH="")
    check = subprocess.run([programs / "pip", "check"], capture_output=True, text=True, check=False)
    assert check.returncode == 0, check.stdout
