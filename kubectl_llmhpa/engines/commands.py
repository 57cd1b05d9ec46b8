"""A container's command line as words and flags.

Engines are started as `vllm serve M --port 8001`, as `python3 -m vllm...`, and very often inside `sh -c "..."`, so
the words are those of the joined string, with line continuations and comments gone.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence

#: What the shell parts words at: shlex leaves other blanks (a no-break space, a form feed) in a word.
_BLANK = re.compile(r"[ \t\r\n]")
_VARIABLE = re.compile(r"\$\((?P<k8s>\w+)\)|\$\{(?P<shell>\w+)(:?-(?P<default>[^}]*))?\}|\$(?P<plain>\w+)")


def words(command: Sequence[str], env: Mapping[str, str] | None = None) -> list[str]:
    """Command and args as flat words: scripts of `sh -c` are split too, `$(X)`, `${X:-d}`, `$X` come from `env`."""
    flat: list[str] = []
    for part in command:
        filled = _fill(part, env or {})
        flat += _split(filled) if _BLANK.search(filled) else [filled]
    return flat


def flag(flat: Sequence[str], *names: str) -> str | None:
    """The value of a flag, written `--a-b 1`, `--a-b=1` or `--a_b 1`; the last one wins; None when absent."""
    wanted = {name.replace("_", "-") for name in names}
    found: str | None = None
    for position, word in enumerate(flat):
        name, equals, value = word.partition("=")
        if name.replace("_", "-") in wanted:
            if equals:
                found = value
            elif position + 1 < len(flat):
                found = flat[position + 1]
    return found


def switch(flat: Sequence[str], *names: str) -> str | None:
    """The word that switches a flag without a value on; None when it is absent or `=false`."""
    wanted = {name.replace("_", "-") for name in names}
    for word in flat:
        name, _, value = word.partition("=")
        if name.replace("_", "-") in wanted and value.lower() not in ("false", "0"):
            return word
    return None


def after(flat: Sequence[str], *programs: str) -> str | None:
    """The argument right after some program and its subcommands (`vllm`, `serve`); None when none, or a flag, is."""
    for position in range(len(flat) - len(programs)):
        first, *rest = flat[position : position + len(programs)]
        word = flat[position + len(programs)]
        if (first.rsplit("/", 1)[-1], *rest) == programs and not word.startswith(("-", "$")):
            return word
    return None


def without_values(flat: Sequence[str]) -> str:
    """The joined words, each that may be the value of a `--flag` blotted out: what can be a program stays in place."""
    before = ("", *flat)
    blotted = (
        re.fullmatch(r"--[^=]+", flag) and not word.startswith("-")
        for flag, word in zip(before, flat, strict=False)
    )
    return " ".join("_" * len(word) if blot else word for blot, word in zip(blotted, flat, strict=True))


def whole(text: str | None) -> int | None:
    """A positive whole number, or None for anything else (`auto`, `$UNSET`, `1k`)."""
    return int(text) if text is not None and re.fullmatch(r"[1-9][0-9]{0,8}", text) else None


def readable(text: str | None) -> int | None:
    """A whole number as vLLM takes it for tokens (`8192`, `8k` = 8000, `8K` = 8192), or None for anything else."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([kKmM])", text or "")
    if match is None:
        return whole(text)
    return int(float(match[1]) * {"k": 1000, "K": 1024, "m": 10**6, "M": 2**20}[match[2]]) or None


def _fill(text: str, env: Mapping[str, str]) -> str:
    def value(match: re.Match[str]) -> str:
        name = match["k8s"] or match["shell"] or match["plain"]
        if name in env:
            return env[name]
        return match["default"] if match["default"] is not None else match[0]

    return _VARIABLE.sub(value, text)


def _split(script: str) -> list[str]:
    joined = re.sub(r"(?m)(^|\s)#\s.*$", " ", script.replace("\\\n", " "))
    try:
        found = shlex.split(joined)
    except ValueError:  # an unclosed quote: the shell would refuse it too, yet a look costs nothing
        found = joined.split()
    parts = (_split(word) if _BLANK.search(word) and word != script else [word] for word in found)
    return [inner for part in parts for inner in part]
