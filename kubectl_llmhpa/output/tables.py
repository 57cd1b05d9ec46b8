"""Tables as `kubectl get` prints them: upper-case headers, three spaces between columns, nothing else."""

from __future__ import annotations

from collections.abc import Sequence

from kubectl_llmhpa.output.terminal import escape

NONE = "<none>"
UNKNOWN = "<unknown>"


def table(
    headers: Sequence[str], rows: Sequence[Sequence[str]], *, header: bool = True, indent: str = ""
) -> str:
    """The table, without a final newline. Cells are escaped; an empty cell reads `<none>`."""
    # Its column widths know wide characters; its plain format differs from kubectl's in the gap only.
    from tabulate import DataRow, TableFormat, tabulate

    gap = DataRow("", "   ", "")
    shape = TableFormat(
        lineabove=None,
        linebelowheader=None,
        linebetweenrows=None,
        linebelow=None,
        headerrow=gap,
        datarow=gap,
        padding=0,
        with_header_hide=None,
    )
    cells = [[escape(cell) or NONE for cell in row] for row in rows]
    titles = [name.upper() for name in headers]
    drawn = tabulate(
        [titles, *cells] if header else cells, tablefmt=shape, disable_numparse=True, stralign="left"
    )
    return "\n".join(indent + line.rstrip() for line in drawn.splitlines())


def fields(pairs: Sequence[tuple[str, str]]) -> str:
    """`Name:   value` lines as `kubectl describe` prints them, without a final newline."""
    width = max((len(name) for name, _ in pairs), default=0) + 1
    return "\n".join(f"{name + ':':<{width}}   {escape(value) or NONE}".rstrip() for name, value in pairs)
