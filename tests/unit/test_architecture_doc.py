"""docs/architecture.md is true to the tree."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "architecture.md").read_text()
PACKAGE = ROOT / "kubectl_llmhpa"


def test_every_folder_is_named() -> None:
    folders = {path.parent.relative_to(PACKAGE).as_posix() for path in PACKAGE.rglob("__init__.py")} - {"."}
    assert {folder for folder in folders if f"{folder}/" not in PAGE} == set()


def test_every_top_level_module_is_named() -> None:
    modules = {path.name for path in PACKAGE.glob("*.py")} - {"__init__.py"}
    assert {module for module in modules if module not in PAGE} == set()


def test_every_path_it_names_is_there() -> None:
    named = set(re.findall(r"`((?:[\w.-]+/)+[\w.-]*|[\w-]+\.(?:py|md|yaml|toml))`", PAGE))
    missing = {path for path in named if not ((ROOT / path).exists() or (PACKAGE / path).exists())}
    assert missing == set()


def test_it_stays_short() -> None:
    assert len(PAGE.splitlines()) <= 240
