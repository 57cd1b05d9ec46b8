"""Failures of platforms that no test cluster can be, as field reports tell them: `doctor` on recorded facts.

A file of tests/facts/reported has the reports (`sources`), which recorded facts they are about (`base`), what was
different there (`change`, a JSON merge patch), and what doctor has to say.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from kubectl_llmhpa import findings
from kubectl_llmhpa.api import Json
from kubectl_llmhpa.cli import doctor_text
from kubectl_llmhpa.doctor import Mark, codec, diagnose
from kubectl_llmhpa.findings import found
from tests import loading
from tests.unit.doctor_cases import CASES
from tests.unit.doctor_changes import KEDA, both, keda_says, on

FACTS = loading.ROOT / "tests" / "facts"
REPORTED = sorted((FACTS / "reported").glob("*.json"))
PAGE = loading.ROOT / "docs" / "failure-modes.md"


def merged(base: object, change: object) -> object:
    """RFC 7396: null takes a field away, what is no object takes the place of what was there."""
    if not isinstance(change, dict):
        return change
    result: Json = dict(base) if isinstance(base, dict) else {}
    for key, one in change.items():
        if one is None:
            result.pop(key, None)
        else:
            result[key] = merged(result.get(key), one)
    return result


@pytest.mark.parametrize("path", REPORTED, ids=lambda one: one.stem)
def test_a_report_from_the_field(path: Path) -> None:
    report = json.loads(path.read_text())
    base = json.loads((FACTS / f"{report['base']}.json").read_text())
    facts = codec.load(json.dumps(merged(base, {"facts": report["change"]})), path.name)
    said = diagnose(facts)
    text = doctor_text.text(said)
    assert said.broken is not None, text
    finding = said.broken.verdict.finding
    assert finding is not None
    assert (said.broken.hop, finding.code) == (report["hop"], report["code"]), text
    for words in report["fix"]:
        assert words in finding.fix
    before = said.hops[: [one.hop for one in said.hops].index(report["hop"])]
    assert Mark.BROKEN not in {one.verdict.mark for one in before}
    assert codec.cleaned(facts) == facts, "nothing in it looks like a secret"
    assert path.stem in PAGE.read_text(), "the page says which failures are recorded ones"


def test_a_name_without_an_address_is_no_network_policy() -> None:
    blocked = found("keda-blocked", "x", "it admits no pod", command="kubectl patch")
    cause = "dial tcp: lookup nobody.monitoring.svc on 10.96.0.10:53: no such host"
    facts = both(keda_says(cause), on("keda", policies=(blocked,)))(KEDA)
    broken = diagnose(facts).broken
    assert broken is not None
    assert broken.verdict.finding is not None
    assert broken.verdict.finding.code == "keda-unreachable"


def test_the_page_is_complete() -> None:
    """All thirty, each staged or recorded; every word in it names a finding, a chain or test, or a file."""
    rows = [line.split("|") for line in PAGE.read_text().splitlines() if re.match(r"\| \d+ \|", line)]
    assert [int(row[1]) for row in rows] == list(range(1, 31))
    staged = (loading.ROOT / "tests/cluster/test_doctor_faults.py").read_text()
    for _, number, _, _, codes, chains, files, _ in rows:
        assert set(words(codes)) <= findings.RULES.keys(), number
        assert [one for one in words(chains) if not re.search(rf'"{one}"|def {one}\(', staged)] == [], number
        assert set(words(files)) <= {path.stem for path in REPORTED}, number
        assert words(chains) or words(files), number
        assert {case.code for case in CASES if int(number) in case.modes} <= set(words(codes)), number


def words(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)
