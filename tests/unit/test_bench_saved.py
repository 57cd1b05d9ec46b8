"""`bench --from`: a saved run told again in every form, without a cluster."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from kubectl_llmhpa.bench import report
from kubectl_llmhpa.output import documents
from tests.unit.bench_outcomes import swept
from tests.unit.command_line import ended


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    file = tmp_path / "bench.json"
    file.write_text(documents.dump(report.document(report.of_outcome(swept())), "json"), encoding="utf-8")
    return file


def told(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    code, out, err = ended(capsys, "bench", *arguments)
    assert err == ""
    return code, out


def test_a_saved_run_is_told_as_it_was(capsys: pytest.CaptureFixture[str], saved: Path) -> None:
    assert told(capsys, "--from", str(saved)) == (0, report.text(report.of_outcome(swept())) + "\n")


def test_it_becomes_every_other_form(capsys: pytest.CaptureFixture[str], saved: Path, tmp_path: Path) -> None:
    page, markdown, copy = tmp_path / "p.html", tmp_path / "m.md", tmp_path / "copy.json"
    forms = ("--html", str(page), "--markdown", str(markdown), "--save", str(copy), "-o", "json")
    code, out = told(capsys, "--from", str(saved), *forms)
    assert (code, json.loads(out)) == (0, json.loads(saved.read_text()))
    assert json.loads(copy.read_text()) == json.loads(saved.read_text())
    assert page.read_text() == report.page(report.of_outcome(swept()))
    assert markdown.read_text() == report.markdown(report.of_outcome(swept()))
