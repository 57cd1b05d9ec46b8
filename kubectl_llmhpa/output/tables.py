"""Tables as `kubectl get` prints them: upper-case headers, three spaces between columns, nothing else.

Not by the package tabulate: it counts a wide character as one column unless another package is there, cuts no line to
the width of a terminal, takes six times as long for 1,000 rows, and takes longer to load than `status` has time for.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Sequence

from kubectl_llmhpa.output.terminal import escape

NONE = "<none>"
UNKNOWN = "<unknown>"
_GAP = "   "

#: Gives a cell its colour: the column's title and the cell in, the cell between escape sequences out.
Paint = Callable[[str, str], str]


def table(
    headers: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    header: bool = True,
    indent: str = "",
    paint: Paint | None = None,
    columns: int = 0,
) -> str:
    """The table, without a final newline. Cells are escaped; an empty cell reads `<none>`.

    `columns` cuts lines that are wider, for a view that is redrawn in place; 0: no line is cut.
    """
    titles, *cells = _cells(headers, rows)
    drawn = [titles, *cells] if header else cells
    widths = _widths(drawn)
    return "\n".join(
        _line(headers, row, widths, indent, None if header and row is titles else paint, columns)
        for row in drawn
    )


def fitting(
    headers: Sequence[str], rows: Sequence[Sequence[str]], spared: Sequence[str], columns: int
) -> set[str]:
    """The columns to do without, by their titles: of those that can be `spared`, the first first, as far as the table
    is wider than `columns`."""
    takes = dict(zip(headers, _widths(_cells(headers, rows)), strict=True))
    gone: set[str] = set()
    for title in spared:
        if sum(takes.values()) + len(_GAP) * (len(takes) - 1) <= columns:
            break
        del takes[title]
        gone.add(title)
    return gone


def width(text: str) -> int:
    """The columns that a text takes on a terminal: two for a wide character, none for a combining one."""
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in "WF" else 1
        for char in text
    )


def cut(text: str, columns: int) -> str:
    """The text, or as much of it as fits with an ellipsis at its end."""
    if width(text) <= columns:
        return text
    kept = text
    while kept and width(kept) > columns - 1:
        kept = kept[: min(len(kept) - 1, columns)]
    return kept + "…" if columns > 0 else ""


def fields(pairs: Sequence[tuple[str, str]]) -> str:
    """`Name:   value` lines as `kubectl describe` prints them, without a final newline."""
    longest = max((len(name) for name, _ in pairs), default=0) + 1
    return "\n".join(f"{name + ':':<{longest}}   {escape(value) or NONE}".rstrip() for name, value in pairs)


def _cells(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> list[list[str]]:
    return [[name.upper() for name in headers], *([escape(cell) or NONE for cell in row] for row in rows)]


def _widths(drawn: Sequence[Sequence[str]]) -> list[int]:
    return [max(map(width, column)) for column in zip(*drawn, strict=True)]


def _line(
    headers: Sequence[str],
    cells: Sequence[str],
    widths: Sequence[int],
    indent: str,
    paint: Paint | None,
    columns: int,
) -> str:
    """One line: each cell is painted after it was measured and cut."""
    parts = [indent]
    used = len(indent)
    for position, (title, cell, full) in enumerate(zip(headers, cells, widths, strict=True)):
        gap = _GAP if position else ""
        shown = cut(cell, columns - used - len(gap)) if columns else cell
        pad = " " * (full - width(cell))
        parts += [gap, paint(title, shown) if paint is not None else shown, pad]
        used += len(gap) + full
        if columns and used >= columns:
            break
    return "".join(parts).rstrip()
