"""What may reach a terminal, and what a stream can show."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TextIO

#: Erase the screen and go to its top left corner (ECMA-48).
CLEAR = "\x1b[2J\x1b[H"
#: The parts of a redraw without flicker: to the top left corner, erase the rest of a line, erase what is below.
HOME, ERASE_LINE, ERASE_BELOW = "\x1b[H", "\x1b[K", "\x1b[J"
_COLOURS = {"red": 31, "green": 32, "yellow": 33, "cyan": 36}


def escape(text: str) -> str:
    """Text of the cluster on one line, with control and format characters spelled out (`\\x1b`, `\\u202e`).

    Names, events and messages come from others: an escape sequence in them must not move the cursor or hide text.
    """
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else _spelled(char) for char in text)


def one_line(text: str) -> str:
    """Text of several lines on one, control characters made visible."""
    return escape(" ".join(text.split("\n")))


def live(stream: TextIO, env: Mapping[str, str]) -> bool:
    """Whether the stream is a terminal that can be redrawn."""
    return stream.isatty() and env.get("TERM", "") not in ("", "dumb")


def colour(stream: TextIO, env: Mapping[str, str]) -> bool:
    """Whether colour may be used: a terminal, and NO_COLOR unset or empty (no-color.org)."""
    return live(stream, env) and not env.get("NO_COLOR")


def coloured(text: str, name: str) -> str:
    """The text in a colour of the terminal's own, by its name."""
    return f"\x1b[{_COLOURS[name]}m{text}\x1b[0m"


def _spelled(char: str) -> str:
    if char in "\n\r\t":
        return {"\n": "\\n", "\r": "\\r", "\t": "\\t"}[char]
    code = ord(char)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
