"""A part of a report, before it is text, Markdown or a page."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Section:
    """`fields` are names with their values, `rows` a table under `headers` (none: a table without a head), `lines` what
    is said below. Cells and lines hold text of the cluster as it is: whoever shows them escapes it."""

    title: str = ""
    fields: tuple[tuple[str, str], ...] = ()
    headers: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    lines: tuple[str, ...] = ()
