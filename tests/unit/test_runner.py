"""scripts/test: a red ring makes a red run, nothing is passed over in silence, no cluster is left behind."""

from __future__ import annotations

import argparse
from pathlib import Path
from types import ModuleType

import pytest

from tests import loading

REPORT = '<testsuites><testsuite tests="5" failures="1" errors="1" skipped="1"/></testsuites>'


@pytest.fixture
def runner() -> ModuleType:
    return loading.script("test")


@pytest.fixture
def cluster_log(runner: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A stand-in for scripts/cluster that writes down how it was called."""
    log = tmp_path / "log"
    program = tmp_path / "cluster"
    program.write_text(f'#!/bin/sh\necho "$1 $3" >> {log}\ntest "$1" != "$REFUSE"\n')
    program.chmod(0o755)
    monkeypatch.setattr(runner, "CLUSTER", str(program))
    monkeypatch.setattr(runner, "WHEELS", "true")
    return log


def options(**given: object) -> argparse.Namespace:
    return argparse.Namespace(**{"full": False, "keep": False, "pytest_arguments": [], **given})


def ring(runner: ModuleType, name: str) -> object:
    return next(each for each in runner.RINGS if each.name == name)


def test_rings_of_the_clusters_know_what_they_need(runner: ModuleType) -> None:
    assert [each.name for each in runner.RINGS] == [
        "static",
        "unit",
        "browser",
        "archive",
        "control-plane",
        "cluster",
        "engine",
        "ground",
    ]
    assert all(each.needs_root for each in runner.RINGS if each.cluster)


def test_totals_come_from_the_report(runner: ModuleType, tmp_path: Path) -> None:
    report = tmp_path / "r.xml"
    report.write_text(REPORT)
    outcome = runner.Outcome(ring(runner, "unit"))
    runner.count(report, outcome)
    assert (outcome.passed, outcome.failed, outcome.skipped) == (2, 2, 1)


RED = (
    '<testsuites><testsuite tests="3" failures="1" errors="1" skipped="0">'
    '<testcase classname="tests.unit.test_runner" name="test_a[x-1.5]"><failure/></testcase>'
    '<testcase classname="tests.cluster.test_faults_adapter.TestARule" name="test_b"><error/></testcase>'
    '<testcase classname="tests.unit.test_runner" name="test_c"/></testsuite></testsuites>'
)
GREEN = '<testsuites><testsuite tests="2" failures="0" errors="0" skipped="0"/></testsuites>'


def test_red_tests_are_known_by_the_id_that_pytest_takes(runner: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "r.xml").write_text(RED)
    outcome = runner.Outcome(ring(runner, "unit"))
    runner.count(tmp_path / "r.xml", outcome)
    assert outcome.red == [
        "tests/unit/test_runner.py::test_a[x-1.5]",
        "tests/cluster/test_faults_adapter.py::TestARule::test_b",
    ]


@pytest.mark.parametrize(
    ("code", "report", "verdict", "late"),
    [(0, GREEN, "passed", 2), (1, RED, "FAILED", 0), (124, GREEN, "FAILED", 0), (0, "", "FAILED", 0)],
)
def test_what_is_red_again_stays_red(
    runner: ModuleType,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    code: int,
    report: str,
    verdict: str,
    late: int,
) -> None:
    (tmp_path / "r.xml").write_text(RED)
    outcome = runner.Outcome(ring(runner, "cluster"))
    runner.count(tmp_path / "r.xml", outcome)
    outcome.fail("pytest exit code 1")
    commands: list[list[str]] = []

    def run(command: list[str], *_: object, **__: object) -> int:
        commands.append(command)
        if report:
            (tmp_path / "cluster-again.xml").write_text(report)
        return code

    monkeypatch.setattr(runner, "run", run)
    runner.run_again(outcome, tmp_path)
    assert commands[0][-1] == "tests/cluster/test_faults_adapter.py::TestARule::test_b"
    assert (outcome.verdict, len(outcome.late)) == (verdict, late)
    assert outcome.failed == 2 - late


def test_last_line_is_the_total_and_red_is_red(
    runner: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    good = runner.Outcome(ring(runner, "unit"), passed=3)
    bad = runner.Outcome(ring(runner, "cluster"), passed=1, failed=2, skipped=1)
    bad.fail("pytest exit code 1")
    assert runner.summary([good]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "3 passed, 0 failed"
    assert runner.summary([good, bad]) == 1
    assert capsys.readouterr().out.splitlines()[-1] == "4 passed, 2 failed, 1 skipped"


@pytest.mark.parametrize(("in_ci", "verdict"), [(False, "skipped"), (True, "FAILED")])
def test_a_ring_that_cannot_run_says_so_and_fails_in_ci(
    runner: ModuleType, monkeypatch: pytest.MonkeyPatch, in_ci: bool, verdict: str
) -> None:
    monkeypatch.setattr(runner, "IN_CI", in_ci)
    monkeypatch.setattr(runner.shutil, "which", lambda _: None)
    monkeypatch.setattr(runner.os, "geteuid", lambda: 0)
    monkeypatch.setattr(runner.sys, "platform", "linux")
    outcome = runner.run_ring(ring(runner, "cluster"), options(), Path("unused"))
    assert outcome.verdict == verdict
    assert "Go toolchain" in outcome.reason


NAMES = ("llm-hpa-test", "llm-hpa-test-2")


def test_clusters_are_taken_down_after_their_tests(runner: ModuleType, cluster_log: Path) -> None:
    outcome = runner.Outcome(ring(runner, "cluster"))
    runner.with_clusters(outcome.ring, 2, False, lambda: None, outcome)
    built, *lines = cluster_log.read_text().splitlines()
    assert built.startswith("build")
    assert lines[:2] == [f"up {name}" for name in NAMES]
    assert sorted(lines[2:4]) == [f"load-image {name}" for name in NAMES]
    assert sorted(lines[4:]) == [f"down {name}" for name in NAMES]
    assert outcome.verdict == "passed"


def test_clusters_are_taken_down_when_their_tests_are_interrupted(
    runner: ModuleType, cluster_log: Path
) -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    outcome = runner.Outcome(ring(runner, "cluster"))
    with pytest.raises(KeyboardInterrupt):
        runner.with_clusters(outcome.ring, 2, False, interrupted, outcome)
    assert sorted(cluster_log.read_text().splitlines()[-2:]) == [f"down {name}" for name in NAMES]


@pytest.mark.parametrize("command", ["build", "up", "load-image"])
def test_a_cluster_that_does_not_come_up_fails_the_ring(
    runner: ModuleType, cluster_log: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    monkeypatch.setenv("REFUSE", command)
    outcome = runner.Outcome(ring(runner, "control-plane" if command == "build" else "cluster"))
    runner.with_clusters(outcome.ring, 2, False, lambda: pytest.fail("tests ran"), outcome)
    assert (outcome.verdict, outcome.failed) == ("FAILED", 1)
    assert sorted(cluster_log.read_text().splitlines()[-2:]) == [f"down {name}" for name in NAMES]


@pytest.mark.parametrize(("free_gb", "count"), [(2, 1), (7, 2), (64, 3)])
def test_as_many_clusters_as_the_memory_holds(
    runner: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free_gb: int, count: int
) -> None:
    memory = tmp_path / "meminfo"
    memory.write_text(f"MemTotal: 99999999 kB\nMemAvailable: {free_gb}000000 kB\n")
    monkeypatch.setattr(runner, "MEMORY", memory)
    assert runner.workers(ring(runner, "cluster")) == count
    assert runner.workers(ring(runner, "engine")) == 1


def test_of_commands_at_once_the_first_failure_counts(runner: ModuleType) -> None:
    assert runner.run_all([["true"], ["false"]], 10) == 1
    assert runner.run_all([], 10) == 0


def test_what_runs_too_long_is_ended(runner: ModuleType) -> None:
    assert runner.run(["sleep", "60"], limit_s=0.2) == 124
