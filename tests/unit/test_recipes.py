"""Published recipes that do not work, in our own words: lint names the defect, and is silent on the corrected one."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from kubectl_llmhpa.findings import RULES
from kubectl_llmhpa.lint import documents, registry
from tests.loading import ROOT
from tests.unit.test_lint_rules import codes, expected

RECIPES = sorted((ROOT / "tests" / "lint" / "recipes").iterdir())


def test_there_are_thirteen() -> None:
    assert [one.name[:2] for one in RECIPES] == [f"{number:02}" for number in range(1, 14)]


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda path: path.name)
def test_lint_names_the_defect(recipe: Path) -> None:
    assert codes(recipe / "broken.yaml") == expected(recipe / "broken.yaml")


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda path: path.name)
def test_lint_is_silent_on_the_corrected_one(recipe: Path) -> None:
    manifests = documents.read([str(recipe / "corrected.yaml")])
    assert [str(one.finding) for one in registry.run(manifests.documents).found] == []


def test_the_page_has_a_row_for_each() -> None:
    page = (ROOT / "docs" / "recipes.md").read_text()
    for number, recipe in enumerate(RECIPES, 1):
        (row,) = re.findall(rf"(?m)^\| \[{number}\]\(\.\./tests/lint/recipes/{recipe.name}/\) .*$", page)
        named = set(re.findall(r"\(findings\.md#([\w-]+)\)", row))
        assert named == expected(recipe / "broken.yaml") & named != set()
        assert named <= RULES.keys()
