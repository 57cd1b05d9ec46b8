"""Each rule of lint on a shape that people have written, and none on manifests that are sound."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from kubectl_llmhpa.findings import RULES
from kubectl_llmhpa.lint import documents, registry
from tests.loading import ROOT

BROKEN = sorted((ROOT / "tests" / "lint" / "broken").glob("*.yaml"))
SOUND = sorted((ROOT / "tests" / "lint" / "sound").glob("*.yaml"))


def codes(path: Path) -> set[str]:
    manifests = documents.read([str(path)])
    assert manifests.unreadable == manifests.notes == ()
    report = registry.run(manifests.documents)
    assert report.judged > 0
    return {one.finding.code for one in report.found}


@pytest.mark.parametrize("path", BROKEN, ids=lambda path: path.stem)
def test_a_broken_manifest_has_exactly_its_findings(path: Path) -> None:
    (expected,) = re.findall(r"(?m)^# expect: (.+)$", path.read_text())
    assert codes(path) == set(expected.split(", "))


@pytest.mark.parametrize("path", SOUND, ids=lambda path: path.stem)
def test_a_sound_manifest_has_no_finding(path: Path) -> None:
    assert codes(path) == set()
