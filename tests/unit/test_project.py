"""The project keeps the promises that no tool checks: module size, console scripts, Krew's manifest, documents."""

from __future__ import annotations

import importlib
import re
import sys
from itertools import combinations, pairwise, product
from pathlib import Path
from typing import Any

import pytest
import yaml

from kubectl_llmhpa import __version__

ROOT = Path(__file__).resolve().parents[2]
MANIFEST: dict[str, Any] = yaml.safe_load((ROOT / "plugin.yaml").read_text())
PLATFORMS: list[dict[str, Any]] = MANIFEST["spec"]["platforms"]
MOST_LINES = 400

# The pairs that Krew's own validation tries a selector on.
KREW_PLATFORMS = (
    *product(("linux",), ("386", "amd64", "arm", "arm64", "ppc64le", "s390x")),
    *product(("darwin",), ("amd64", "arm64")),
    *product(("windows",), ("386", "amd64", "arm64")),
)


def project() -> dict[str, Any]:
    tomllib = importlib.import_module("tomllib" if sys.version_info >= (3, 11) else "tomli")
    table: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())
    return table


@pytest.mark.parametrize("folder", ["kubectl_llmhpa", "tests", "scripts", "release"])
def test_modules_stay_readable_in_one_sitting(folder: str) -> None:
    modules = [
        path
        for path in (ROOT / folder).rglob("*")
        if path.is_file()
        and (path.suffix == ".py" or (folder == "scripts" and not path.suffix))
        and "__pycache__" not in path.parts
    ]
    long = {str(path.relative_to(ROOT)): len(path.read_text().splitlines()) for path in modules}
    assert {name: lines for name, lines in long.items() if lines >= MOST_LINES} == {}


def test_no_module_is_a_drawer_for_everything() -> None:
    names = {path.stem for path in (ROOT / "kubectl_llmhpa").rglob("*.py")}
    assert names & {"utils", "util", "helpers", "common", "misc"} == set()


def test_console_scripts_lead_somewhere() -> None:
    scripts = project()["project"]["scripts"]
    assert set(scripts) == {"kubectl-llm_hpa", "kubectl_complete-llm_hpa"}
    for target in scripts.values():
        module, function = target.split(":")
        assert callable(getattr(importlib.import_module(module), function))


def test_every_dependency_says_why() -> None:
    lines = (ROOT / "pyproject.toml").read_text().split("dependencies = [")[1].split("\n]")[0].splitlines()
    for before, line in pairwise(lines):
        if line.strip().startswith('"'):
            assert before.strip().startswith("#"), f"no reason above {line.strip()}"


def test_every_direct_dependency_is_locked() -> None:
    locked = set(
        re.findall(r"^([a-z0-9][a-z0-9.-]*)==", (ROOT / "requirements/dev.txt").read_text(), re.MULTILINE)
    )
    table = project()
    direct = table["project"]["dependencies"] + table["dependency-groups"]["dev"]
    names = {re.split(r"[<>=~! ;\[]", line)[0].lower().replace("_", "-") for line in direct}
    assert names <= locked, "run scripts/lock"


def test_manifest_has_what_krew_requires() -> None:
    assert MANIFEST["apiVersion"] == "krew.googlecontainertools.github.com/v1alpha2"
    assert MANIFEST["kind"] == "Plugin"
    assert re.fullmatch(r"[\w-]+", MANIFEST["metadata"]["name"])
    assert MANIFEST["metadata"]["name"] == "llm-hpa"
    assert MANIFEST["spec"]["homepage"].startswith("https://")


def test_manifest_version_is_ours() -> None:
    assert re.fullmatch(r"v\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?", MANIFEST["spec"]["version"])
    assert MANIFEST["spec"]["version"] == f"v{__version__}"


def test_manifest_text_fits_the_index() -> None:
    short = MANIFEST["spec"]["shortDescription"]
    assert 0 < len(short) <= 50
    assert "\n" not in short
    assert max(map(len, MANIFEST["spec"]["description"].splitlines())) <= 80


@pytest.mark.parametrize("platform", PLATFORMS, ids=lambda each: each["uri"].rpartition("_v")[2])
def test_platform_has_what_krew_requires(platform: dict[str, Any]) -> None:
    assert re.fullmatch(r"[a-f0-9]{64}", platform["sha256"])
    labels = platform["selector"]["matchLabels"]
    assert labels
    assert set(labels) <= {"os", "arch"}
    windows = labels["os"] == "windows"
    assert platform["bin"] == "kubectl-llm_hpa" + (".exe" if windows else "")
    archive = f"kubectl-llm_hpa_v{__version__}_{labels['os']}_{labels['arch']}" + (
        ".zip" if windows else ".tar.gz"
    )
    assert platform["uri"] == f"{MANIFEST['spec']['homepage']}/releases/download/v{__version__}/{archive}"
    assert "files" not in platform or platform["files"]


def matches(platform: dict[str, Any], os_name: str, arch: str) -> bool:
    labels: dict[str, str] = platform["selector"]["matchLabels"]
    return labels.get("os", os_name) == os_name and labels.get("arch", arch) == arch


def test_every_selector_matches_a_platform_and_no_two_the_same() -> None:
    chosen = [{pair for pair in KREW_PLATFORMS if matches(platform, *pair)} for platform in PLATFORMS]
    assert all(chosen)
    assert all(not (one & other) for one, other in combinations(chosen, 2))


def test_changelog_knows_this_version() -> None:
    text = (ROOT / "CHANGELOG.md").read_text()
    assert "## [Unreleased]" in text
    assert __version__ in text


@pytest.mark.parametrize("program", ["scripts/try", "scripts/test"])
def test_readme_names_a_program_that_is_there(program: str) -> None:
    assert program in (ROOT / "README.md").read_text()
    assert (ROOT / program).stat().st_mode & 0o111


@pytest.mark.parametrize(
    "page", sorted(ROOT.glob("*.md")) + sorted((ROOT / "docs").rglob("*.md")), ids=lambda p: p.name
)
def test_relative_links_lead_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\((?!https?:|#|mailto:)([^)#\s]+)", page.read_text())
    assert [target for target in targets if not (page.parent / target).exists()] == []


def test_ci_runs_the_same_as_a_developer() -> None:
    lines = (ROOT / ".ci" / "run").read_text().splitlines()
    assert [line for line in lines if line and not line.startswith("#")] == [
        'exec "$(dirname "$0")/../scripts/test"'
    ]
