"""Traces of real requests: times and lengths from a file, in the formats that are published.

Azure LLM inference (AzurePublicDataset, 2023 and 2024): CSV with TIMESTAMP, ContextTokens, GeneratedTokens, the time
with up to nine digits of a second and perhaps a zone. Mooncake (kvcache-ai): JSON lines with `timestamp` in
milliseconds, `input_length`, `output_length`.
"""

from __future__ import annotations

import calendar
import json
import math
import random
import re
import time
from array import array
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from kubectl_llmhpa.errors import LlmHpaError
from kubectl_llmhpa.simulate.requests import Requests

#: No engine takes a request of more tokens: a longer one is a broken row.
MOST_TOKENS = 10_000_000
#: No load pauses for so long: a later row has a broken time.
LONGEST_GAP_S = 7 * 86400.0
_AZURE = ("TIMESTAMP", "ContextTokens", "GeneratedTokens")
_MOONCAKE = ("timestamp", "input_length", "output_length")
_ZONE = re.compile(r"(?:Z|[+-]\d\d:?\d\d)$")

Row = tuple[float, int, int]


@dataclass(frozen=True)
class Trace:
    """The requests of a file, and how many rows were left out with the first of their faults ("" for none)."""

    requests: Requests
    skipped: int = 0
    fault: str = ""


class _BadRow(Exception):
    """What is wrong with a row."""


def read(path: Path, *, option: str = "", skip_bad: bool = False, remedy: str = "mend the file") -> Trace:
    """The requests of a trace file, from its first one on.

    Raises LlmHpaError with the line, the fault and the `remedy` for a bad row, unless those are to be skipped, and for
    a file that is no trace or holds no good row. `option` is the one that names the file.
    """
    attempted = f"{option} {path}".lstrip()
    try:
        with path.open(encoding="utf-8-sig", errors="strict") as lines:
            return _read(enumerate(lines, 1), attempted, skip_bad, remedy)
    except UnicodeDecodeError as error:
        raise LlmHpaError(attempted, "it is not text", "give the uncompressed CSV or JSON lines") from error
    except OSError as error:
        raise LlmHpaError(attempted, error.strerror or str(error)) from error


def superposed(requests: Requests, copies: int, *, seed: int = 0) -> Requests:
    """So many copies on top of each other, the first as it is, each other one begun at another moment of the trace.

    What happens to two users at once in the trace happens to different ones here, so bursts become flatter, as they do
    where more users come.
    """
    length, draw = requests.length, random.Random(f"copies {seed}")
    shifts = [0.0, *(draw.random() * length for _ in range(copies - 1))]
    at = array("d", ((when + shift) % length if shift else when for shift in shifts for when in requests.at))
    order = sorted(range(len(at)), key=at.__getitem__)
    rows = len(requests)
    made = Requests.of(
        ((at[one], requests.prompt[one % rows], requests.output[one % rows]) for one in order), length=length
    )
    made.origin = f"{requests.origin}, {copies} times over" if copies > 1 else requests.origin
    return made


def _read(lines: Iterator[tuple[int, str]], attempted: str, skip_bad: bool, remedy: str) -> Trace:
    parse, start = _format(lines, attempted)
    made = Requests()
    at, prompts, outputs = made.at, made.prompt, made.output
    first = last = math.nan
    skipped, fault = 0, ""
    for number, line in start:
        if not line.strip():
            continue
        try:
            when, prompt, output = parse(line)
            if when < last:
                raise _BadRow(
                    f"it comes {last - when:g} s before the row above it, and rows must be in order"
                )
            if when - last > LONGEST_GAP_S:
                raise _BadRow(f"it comes {(when - last) / 86400:.0f} days after the row above it")
            if not 0 < prompt <= MOST_TOKENS or not 0 < output <= MOST_TOKENS:
                which, tokens = ("prompt", prompt) if not 0 < prompt <= MOST_TOKENS else ("answer", output)
                raise _BadRow(f"{which} of {tokens} tokens")
        except _BadRow as bad:
            skipped += 1
            fault = fault or f"line {number}: {bad}"
            if not skip_bad:
                raise LlmHpaError(attempted, fault, remedy) from bad
            continue
        if first != first:
            first = when
        last = when
        at.append(when - first)
        prompts.append(prompt)
        outputs.append(output)
    if not at:
        raise LlmHpaError(attempted, f"no request in it ({fault})" if fault else "no request in it")
    if not at[-1]:
        raise LlmHpaError(attempted, "all requests come at the same moment, so it says nothing about time")
    made.length = at[-1]
    made.origin = f"trace of {made.length / 60:.0f} min"
    return Trace(made, skipped, fault)


def _format(
    lines: Iterator[tuple[int, str]], attempted: str
) -> tuple[Callable[[str], Row], Iterator[tuple[int, str]]]:
    """How to read a row, and the rows, from the first line of the file."""
    number, first = next(((number, line) for number, line in lines if line.strip()), (0, ""))
    if not first:
        raise LlmHpaError(attempted, "it is empty")
    if first.lstrip().startswith("{"):

        def with_first() -> Iterator[tuple[int, str]]:
            yield number, first
            yield from lines

        return _mooncake, with_first()
    names = [word.strip() for word in first.split(",")]
    missing = [name for name in _AZURE if name not in names]
    if missing:
        raise LlmHpaError(
            attempted,
            f"line {number} is no header of a trace: no column {', '.join(missing)}",
            f"CSV with {','.join(_AZURE)}, or JSON lines with {', '.join(_MOONCAKE)}, can be read",
        )
    return _azure([names.index(name) for name in _AZURE], len(names)), lines


def _azure(columns: list[int], count: int) -> Callable[[str], Row]:
    seconds: dict[str, float] = {}

    def parse(line: str) -> Row:
        cells = line.rstrip("\r\n").split(",")
        if len(cells) != count:
            raise _BadRow(f"{len(cells)} columns instead of {count}")
        when, prompt, output = (cells[column].strip() for column in columns)
        whole, _, part = when.partition(".")
        if whole not in seconds:
            seconds.clear()  # rows come in order: the second before does not come again
            seconds[whole] = _epoch(whole)
        fraction = _ZONE.sub("", part)
        if part and not fraction.isdecimal():
            raise _BadRow(f"{when!r} is not a time")
        return seconds[whole] + (float(f"0.{fraction}") if part else 0.0), _count(prompt), _count(output)

    return parse


def _epoch(text: str) -> float:
    try:
        return float(
            calendar.timegm(time.strptime(_ZONE.sub("", text).replace("T", " "), "%Y-%m-%d %H:%M:%S"))
        )
    except ValueError:
        raise _BadRow(f"{text!r} is not a time" if text else "no time") from None


def _mooncake(line: str) -> Row:
    try:
        row = json.loads(line)
    except ValueError:
        raise _BadRow("not a JSON object") from None
    if not isinstance(row, dict):
        raise _BadRow("not a JSON object")
    missing = [name for name in _MOONCAKE if row.get(name) is None]
    if missing:
        raise _BadRow(f"no {', '.join(missing)}")
    when, prompt, output = (row[name] for name in _MOONCAKE)
    if not isinstance(when, (int, float)) or isinstance(when, bool) or not 0 <= when < math.inf:
        raise _BadRow(f"timestamp {when!r} is not a number of milliseconds")
    return when / 1000, _count(prompt), _count(output)


def _count(value: object) -> int:
    try:
        if isinstance(value, bool) or (isinstance(value, float) and value != int(value)):
            raise ValueError
        return int(value)  # type: ignore[call-overload,no-any-return]
    except (TypeError, ValueError, OverflowError):
        raise _BadRow(
            f"{value!r} is not a number of tokens" if value != "" else "no number of tokens"
        ) from None
