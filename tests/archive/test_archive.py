"""What lies in the archive, and that nothing is missing there: every command runs from it."""

from __future__ import annotations

import os
import shutil
import sys
import tarfile
from pathlib import Path

import pytest

from kubectl_llmhpa.cli.group import COMMANDS
from release import manifest, pack
from tests.archive import installed
from tests.archive.conftest import Run

MB = 1_000_000
#: What `--help`, `--version` and completion of a command's name do without.
NOT_FOR_HELP = ("jinja2", "kubernetes", "prometheus_client", "promql_parser", "pydantic", "requests",
                "rich", "urllib3", "yaml")  # fmt: skip
HPA = """
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: vllm, namespace: default}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: vllm}
  minReplicas: 1
  maxReplicas: 3
  metrics:
    - type: Pods
      pods:
        metric: {name: vllm:num_requests_running}
        target: {type: AverageValue, averageValue: "4"}
"""


def test_it_holds_what_krew_takes_and_no_more() -> None:
    with tarfile.open(installed.archive()) as archive:
        entries = archive.getmembers()
    names = [entry.name for entry in entries]
    assert all(entry.isfile() for entry in entries)
    assert all(".." not in name and not name.startswith("/") for name in names)
    assert names == sorted(set(names))
    assert {(entry.uid, entry.gid, entry.uname, entry.gname) for entry in entries} == {(0, 0, "", "")}
    assert {entry.mtime for entry in entries} == {pack.MOMENT}
    assert {entry.mode for entry in entries} == {0o755, 0o644}
    assert {"LICENSE", "THIRD-PARTY.txt", manifest.PROGRAM, installed.COMPLETION} <= set(names)


def test_it_is_small() -> None:
    with tarfile.open(installed.archive()) as archive:
        unpacked = sum(entry.size for entry in archive.getmembers())
    assert installed.archive().stat().st_size <= 35 * MB
    assert unpacked <= 90 * MB


def test_every_part_of_others_has_its_licence(unpacked: Path) -> None:
    lines = (unpacked / "THIRD-PARTY.txt").read_text().splitlines()
    named = {line.split()[0] for line in lines if ": " in line}
    assert {"CPython", "pyinstaller", "click", "kubernetes", "PyYAML"} <= named
    assert named == {path.name for path in (unpacked / "licenses").iterdir()}
    assert all(
        any(text.stat().st_size for text in path.iterdir()) for path in (unpacked / "licenses").iterdir()
    )
    assert "readline" not in " ".join(path.name for path in unpacked.rglob("*"))


@pytest.mark.full
def test_built_again_it_has_the_same_bytes(tmp_path: Path) -> None:
    again = installed.said(str(installed.ROOT / "scripts" / "build"), XDG_CACHE_HOME=str(tmp_path))
    assert Path(again).read_bytes() == installed.archive().read_bytes()


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_every_command_has_its_help(run: Run, command: str) -> None:
    outcome = run(*filter(None, [command]), "--help")
    assert outcome.code == 0, outcome.stderr
    assert outcome.stdout.startswith(f"Usage: kubectl llm-hpa {command}".rstrip())


def test_lint_reads_a_file(run: Run) -> None:
    outcome = run("lint", "-f", "-", "-o", "json", stdin=HPA)
    assert outcome.code in (0, 1), outcome.stderr
    assert '"schemaVersion"' in outcome.stdout
    query = run("lint", "-f", str(installed.ROOT / "tests/lint/recipes"), "-o", "sarif")
    assert '"results"' in query.stdout, query.stderr


def test_simulate_plays_a_file_and_writes_its_page(run: Run, tmp_path: Path) -> None:
    (tmp_path / "hpa.yaml").write_text(HPA)
    page = tmp_path / "page.html"
    words = ["--load", "step:high=8,low=2", "--seats", "8", "--html", str(page)]
    outcome = run("simulate", "-f", str(tmp_path / "hpa.yaml"), *words)
    assert outcome.code == 0, outcome.stderr
    assert "<svg" in page.read_text()


def test_detect_reads_a_body(run: Run) -> None:
    (body, *_) = sorted((installed.ROOT / "tests/bodies").glob("vllm-*.txt"))
    outcome = run("detect", "--body", str(body))
    assert outcome.code == 0, outcome.stderr
    assert "vllm" in outcome.stdout


def test_it_answers_through_links_and_completes_by_another_name(
    run: Run, unpacked: Path, tmp_path: Path
) -> None:
    """As Krew links the plugin, and as its caveats say to link the completion to that."""
    plugin, completion = tmp_path / manifest.PROGRAM, tmp_path / installed.COMPLETION
    plugin.symlink_to(unpacked / manifest.PROGRAM)
    completion.symlink_to(manifest.PROGRAM)
    assert run("--version", path=plugin).stdout == f"kubectl-llm-hpa {manifest.version()[1:]}\n"
    for path in (completion, unpacked / installed.COMPLETION):
        lines = run("stat", path=path).stdout.splitlines()
        assert lines[0].startswith("status\t")
        assert lines[-1] == ":4"


@pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="only there the program's libraries need a variable"
)
@pytest.mark.parametrize("before", ["", "/somewhere"])
def test_kubectl_gets_the_environment_that_we_got(run: Run, tmp_path: Path, before: str) -> None:
    spy = tmp_path / "kubectl"
    spy.write_text(f"#!/bin/sh\nenv > {tmp_path}/seen\nexit 1\n")
    spy.chmod(0o755)
    variables = {"LD_LIBRARY_PATH": before} if before else {}
    outcome = run(
        "status", PATH=f"{tmp_path}:/usr/bin:/bin", KUBECTL_PATH=str(spy), KUBECONFIG="/none", **variables
    )
    assert outcome.code == 1
    seen = dict(line.split("=", 1) for line in (tmp_path / "seen").read_text().splitlines() if "=" in line)
    assert seen.get("LD_LIBRARY_PATH", "") == before
    assert [name for name in seen if "_PYI_" in name or name.endswith("_ORIG")] == []


@pytest.mark.parametrize(
    ("name", "arguments"),
    [(manifest.PROGRAM, ["--help"]), (manifest.PROGRAM, ["--version"]), (installed.COMPLETION, ["en"])],
    ids=["help", "version", "completion"],
)
def test_help_loads_nothing_heavy(
    run: Run, unpacked: Path, tmp_path: Path, name: str, arguments: list[str]
) -> None:
    """It is the same where these are not even there."""
    light = tmp_path / "light"
    shutil.copytree(unpacked, light, copy_function=os.link)
    for package in NOT_FOR_HELP:
        shutil.rmtree(light / "_internal" / package)
    assert run(*arguments, path=light / name) == run(*arguments, path=unpacked / name)
