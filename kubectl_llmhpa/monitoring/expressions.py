"""Regular expressions as Prometheus reads them: RE2, which knows neither lookaround nor backreferences."""

from __future__ import annotations

import re
import warnings

_NOT_IN_RE2 = re.compile(r"(?<!\\)(?:\\\\)*(\(\?(?:[=!>]|<[=!]|\()|\\[1-9]|(?:[*+?]|\{\d*,?\d*\})\+)")
#: What RE2 knows and Python does not, as something that Python does.
_ONLY_IN_RE2 = (
    (re.compile(r"\\[pP](?:\{\^?\w+\}|\w)"), "x"),
    (re.compile(r"\\z"), ""),
    (re.compile(r"\\C"), "."),
)
_LITERAL = re.compile(r"\\Q(.*?)(?:\\E|$)", re.DOTALL)


def quoted(pattern: str) -> str:
    """A pattern as it stands between double quotes in PromQL."""
    return pattern.replace("\\", "\\\\").replace('"', '\\"')


def problem(pattern: str) -> str:
    """Why Prometheus cannot read a regular expression, "" when nothing speaks against it."""
    text = _LITERAL.sub(lambda found: re.escape(found[1]), pattern)
    if found := _NOT_IN_RE2.search(text):
        return f"{found[1]} is not supported"
    for only, instead in _ONLY_IN_RE2:
        text = only.sub(instead, text)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            re.compile(text)
    except re.error as error:
        # flags within an expression are valid there
        return "" if "global flags" in error.msg else error.msg
    return ""
