"""Which words of a query that somebody else wrote may be metrics? Apart, for few commands ask it."""

from __future__ import annotations

import re

_WORD = re.compile(r"[A-Za-z_:][A-Za-z0-9_:]*")
_QUOTED = r"\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*'|`[^`]*`"
_IN_QUOTES = re.compile(_QUOTED)
_OF_NAME = re.compile(rf"__name__\s*=~?\s*({_QUOTED})")


def words_in(query: str) -> list[str]:
    """The words that may be metrics, in their order: those in quotes are none, but for `__name__`'s."""
    return _WORD.findall(_IN_QUOTES.sub("", _OF_NAME.sub(lambda one: one[1][1:-1], query)))
