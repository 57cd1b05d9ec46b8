"""Each rule of lint on a shape that people have written, and none on manifests that are sound."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from kubectl_llmhpa import lint
from kubectl_llmhpa.findings import RULES
from kubectl_llmhpa.lint import documents, registry
from tests.loading import ROOT

BROKEN = sorted((ROOT / "tests" / "lint" / "broken").glob("*.yaml"))
SOUND = sorted((ROOT / "tests" / "lint" / "sound").glob("*.yaml"))


def expected(path: Path) -> set[str]:
    (line,) = re.findall(r"(?m)^# expect: (.+)$", path.read_text())
    return set(line.split(", "))


def codes(path: Path) -> set[str]:
    manifests = documents.read([str(path)])
    assert not manifests.unreadable
    assert not manifests.notes
    report = registry.run(manifests.documents)
    assert report.judged > 0
    return {one.finding.code for one in report.found}


@pytest.mark.parametrize("path", BROKEN, ids=lambda path: path.stem)
def test_a_broken_manifest_has_exactly_its_findings(path: Path) -> None:
    assert codes(path) == expected(path)


@pytest.mark.parametrize("path", SOUND, ids=lambda path: path.stem)
def test_a_sound_manifest_has_no_finding(path: Path) -> None:
    assert codes(path) == set()


def test_every_rule_has_a_broken_manifest_and_a_lesson() -> None:
    source = "".join(path.read_text() for path in Path(lint.__file__).parent.glob("*.py"))
    rules = [rule for code, rule in RULES.items() if f'"{code}"' in source]
    assert len(rules) > 50
    shown = {code for path in BROKEN for code in expected(path)}
    assert {rule.code for rule in rules} - shown == set()
    assert [rule.code for rule in rules if not rule.lesson] == []


def test_what_is_malformed_is_named_itself_and_not_what_was_judged_beside_it() -> None:
    path = ROOT / "tests" / "lint" / "broken" / "quantity-with-a-blank.yaml"
    (found,) = registry.run(documents.read([str(path)]).documents).found
    assert str(found.finding).startswith("StatefulSet/vllm: ValueError: not a quantity: '40 Gi'")
