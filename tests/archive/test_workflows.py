"""The workflows are well formed, take only what is pinned, and run programs that are there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from release import manifest
from tests.archive.installed import ROOT, needs_go, program, said

WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yaml"))


def steps(path: Path) -> Iterator[dict[str, Any]]:
    for job in yaml.safe_load(path.read_text())["jobs"].values():
        yield from job["steps"]


@needs_go
def test_actionlint_finds_nothing() -> None:
    assert said(program("actionlint"), *map(str, WORKFLOWS)) == ""


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_every_action_is_pinned_by_its_commit(path: Path) -> None:
    lines = [line.strip() for line in path.read_text().splitlines() if "uses:" in line]
    for line in lines:
        assert re.fullmatch(r"- uses: [\w.-]+/[\w.-]+@[0-9a-f]{40}  # v\d+\.\d+\.\d+", line), line


def test_an_action_has_one_version() -> None:
    pins = {
        line.split("uses: ")[1]
        for path in WORKFLOWS
        for line in path.read_text().splitlines()
        if "uses:" in line
    }
    assert len(pins) == len({pin.partition("@")[0] for pin in pins})


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_nobody_may_write_by_default(path: Path) -> None:
    workflow = yaml.safe_load(path.read_text())
    assert workflow["permissions"] in ({}, {"contents": "read"})
    for step in steps(path):
        if step.get("uses", "").startswith("actions/checkout@"):
            assert step["with"]["persist-credentials"] is False


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_no_command_is_made_of_what_a_stranger_wrote(path: Path) -> None:
    assert [step["run"] for step in steps(path) if "${{" in step.get("run", "")] == []


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_every_program_of_ours_is_there(path: Path) -> None:
    commands = "\n".join(step.get("run", "") for step in steps(path))
    ours = set(re.findall(r"(?<![\w/.-])(?:scripts|release|tests|requirements)/[\w./-]+", commands))
    assert ours
    for name in ours:
        assert (ROOT / name).exists(), name
        if name.startswith(("scripts/", "release/")):
            assert (ROOT / name).stat().st_mode & 0o111, name


def test_every_platform_of_the_manifest_is_built() -> None:
    release = yaml.safe_load((ROOT / ".github/workflows/release.yaml").read_text())
    built = [row["platform"] for row in release["jobs"]["archive"]["strategy"]["matrix"]["include"]]
    assert built == [f"{system}_{machine}" for system, machine in manifest.PLATFORMS]
