"""As much YAML as kubectl writes into a kubeconfig: mappings and lists in blocks, scalars on one line.

Only for speed: `yaml` takes longer to load than the whole file to read. What is not surely understood is refused.
"""

from __future__ import annotations

import re
from typing import Any

_KEY = re.compile(r"([A-Za-z][A-Za-z0-9_./-]*):(?: +(.*))?")
#: A plain scalar: nothing in it that YAML may read as more than text, but for what `_OTHER` finds.
_PLAIN = re.compile(r"(?:[A-Za-z0-9/.]|-(?! ))(?:[A-Za-z0-9 _./+=@,()*~%-]|:(?! |$))*")
_QUOTED = re.compile(r"\"([^\"\\]*)\"|'([^']*)'")
#: What YAML 1.1 or 1.2 may take for a number, a date, a truth or nothing.
_OTHER = re.compile(
    r"[-.]*\d[\d_.:eExXabcdfABCDFoTZ +-]*|true|false|yes|no|on|off|y|n|null|[-+]?\.(inf|nan)", re.IGNORECASE
)
_EMPTY: dict[str, Any] = {"{}": {}, "[]": []}


def load(text: str) -> Any:
    """Dicts, lists and strings; None for a scalar that is no text. Raises ValueError for what is not understood."""
    lines = [
        (len(line) - len(line.lstrip(" ")), line.strip(" "))
        for line in text.splitlines()
        if line.strip(" ") and not line.lstrip(" ").startswith("#")
    ]
    value, end = _block(lines, 0)
    if end != len(lines):
        raise ValueError(f"not understood: {lines[end][1]!r}")
    return value


def _block(lines: list[tuple[int, str]], at: int) -> tuple[Any, int]:
    """The mapping or list whose first line is at a place, and the place after it."""
    if at == len(lines):
        raise ValueError("nothing there")
    indent, first = lines[at]
    return _list(lines, at, indent) if first.startswith("- ") else _mapping(lines, at, indent)


def _list(lines: list[tuple[int, str]], at: int, indent: int) -> tuple[list[Any], int]:
    items: list[Any] = []
    while at < len(lines) and lines[at][0] == indent and lines[at][1].startswith("- "):
        rest = lines[at][1][2:].lstrip(" ")
        if _KEY.fullmatch(rest):
            lines[at] = (indent + len(lines[at][1]) - len(rest), rest)
            item, at = _block(lines, at)
        else:
            item, at = _scalar(rest), at + 1
        items.append(item)
    return items, at


def _mapping(lines: list[tuple[int, str]], at: int, indent: int) -> tuple[dict[str, Any], int]:
    found: dict[str, Any] = {}
    while at < len(lines) and lines[at][0] == indent:
        match = _KEY.fullmatch(lines[at][1])
        if match is None or match[1] in found:
            break
        key, rest, at = match[1], match[2], at + 1
        below = lines[at] if at < len(lines) else (0, "")
        if rest:
            found[key] = _scalar(rest)
        elif below[0] > indent or (below[0] == indent and below[1].startswith("- ")):
            found[key], at = _block(lines, at)
        else:
            found[key] = None
    if not found:
        raise ValueError(f"not understood: {lines[at][1]!r}")
    return found, at


def _scalar(text: str) -> Any:
    if text in _EMPTY:
        return _EMPTY[text]
    if match := _QUOTED.fullmatch(text):
        return match[1] or match[2] or ""
    if not _PLAIN.fullmatch(text):
        raise ValueError(f"not understood: {text!r}")
    return None if _OTHER.fullmatch(text) else text
