"""Every page is reached, every link and every anchor inside the repository leads somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "CHANGELOG.md",
    ROOT / "release" / "README.md",
    *sorted((ROOT / "docs").rglob("*.md")),
]
LINK = re.compile(r"\]\((?!https?:|mailto:)([^)\s]+)\)")
FENCE = re.compile(r"(?ms)^```.*?^```$")


def links(page: Path) -> list[tuple[Path, str]]:
    """The file and the anchor of each link of a page that leads into the repository."""
    found = (link.partition("#") for link in LINK.findall(FENCE.sub("", page.read_text())))
    return [((page.parent / path).resolve() if path else page, anchor) for path, _, anchor in found]


def anchors(page: Path) -> set[str]:
    """What GitHub makes of the headings: lower case, words joined by hyphens, the second of a name with -1."""
    found: dict[str, int] = {}
    for heading in re.findall(r"(?m)^#+ (.*)$", FENCE.sub("", page.read_text())):
        text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)
        slug = re.sub(r"[^\w\- ]", "", text.strip().lower()).replace(" ", "-")
        count = found.get(slug, -1) + 1
        found[slug] = count
        if count:
            found[f"{slug}-{count}"] = 0
    return set(found)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page: Path) -> None:
    assert [str(path) for path, _ in links(page) if not path.exists()] == []
    assert [
        f"{path.relative_to(ROOT)}#{anchor}"
        for path, anchor in links(page)
        if anchor and path.suffix == ".md" and anchor not in anchors(path)
    ] == []


@pytest.mark.parametrize("start", ["README.md", "docs/README.md"])
def test_every_page_is_reached(start: str) -> None:
    seen: set[Path] = set()
    ahead = {ROOT / start}
    while ahead:
        page = ahead.pop()
        seen.add(page)
        ahead |= {path for path, _ in links(page) if path.suffix == ".md" and path.exists()} - seen
    assert {str(page.relative_to(ROOT)) for page in PAGES} - {
        str(page.relative_to(ROOT)) for page in seen
    } <= {"README.md"}


def test_every_picture_is_shown() -> None:
    shown = {path for page in PAGES for path, _ in links(page)}
    assert {path for path in (ROOT / "docs").rglob("*.svg") if path not in shown} == set()


def test_pictures_load_nothing_and_keep_their_text() -> None:
    for path in sorted((ROOT / "docs" / "pictures").glob("*.svg")):
        text = path.read_text()
        assert "<text" in text
        assert not re.search(r"(?:href|src)=\"http|url\(\"?http|@import|<script", text)
