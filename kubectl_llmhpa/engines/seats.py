"""Seats of one pod from what bounds them: a configured limit, and the KV cache over the mean length of a request.

A running request holds its prompt and, averaged over its life, half of its output in the cache. So the cache seats
`tokens / mean(prompt + output / 2)`, whatever the flag says; the smaller bound counts, and what is seen to run beats
both.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from kubectl_llmhpa.engines.exposition import Exposition
from kubectl_llmhpa.engines.model import Seats

#: Fewer finished requests than this say nothing about the mean length of a request.
ENOUGH_REQUESTS = 10
#: From here on a float no longer counts (IEEE 754 double), so no gauge can mean it.
UNCOUNTABLE = 2**53


class Lengths(NamedTuple):
    """Mean tokens of the finished requests."""

    prompt: float
    output: float


@dataclass(frozen=True)
class Bound:
    """A limit of requests and the sentence for it. `stated`: a flag or a gauge says so, not a default."""

    value: int
    evidence: str
    stated: bool = True


def decide(
    limit: Bound | None, cache: Bound | None, *, running: int, waiting: int, ceiling: int | None = None
) -> Seats | None:
    """The smaller of both bounds, or what runs while others wait; None when nothing says a number.

    Proved is what the cache bounds, what is seen to be full, and a stated limit that the cache could hold. More than
    the smaller bound running is the most only while others wait.
    """
    bounds = [bound for bound in (limit, cache) if bound is not None]
    if not bounds:
        if running and waiting:
            return Seats(running, f"{running} requests run while {waiting} wait", proved=False)
        return None
    smallest = min(bounds, key=lambda bound: bound.value)
    if running > smallest.value:
        seen = f"{running} requests run at once right now"
        return Seats(running, f"{seen} while {waiting} wait" if waiting else seen, waiting > 0, ceiling)
    if limit is None or (cache is not None and cache.value <= limit.value):
        return Seats(smallest.value, smallest.evidence, proved=True, ceiling=ceiling)
    filled = waiting > 0 and running == limit.value
    evidence = f"{limit.evidence}, all taken while {waiting} wait" if filled else limit.evidence
    if cache is not None:
        evidence += f"; the KV cache would hold {cache.value}"
    proved = filled or (limit.stated and cache is not None)
    return Seats(limit.value, evidence, proved=proved, ceiling=ceiling)


def by_cache(tokens: int, what: str, lengths: Lengths | None) -> Bound | None:
    """Requests of mean length that `tokens` of KV cache hold; `what` names the cache (`100 KV blocks x 16 tokens`)."""
    if lengths is None:
        return None
    prompt, output = lengths
    per_request = prompt + output / 2
    if per_request <= 0 or not 0 < tokens < UNCOUNTABLE or tokens / per_request >= UNCOUNTABLE:
        return None
    evidence = f"{what} / mean ({prompt:.0f} prompt + {output / 2:.0f}) tokens"
    return Bound(max(1, math.floor(tokens / per_request)), evidence)


def of_prefill(
    limit: Bound | None, tokens: int, what: str, lengths: Lengths | None, *, stated: bool
) -> Seats | None:
    """Seats of a prefill pod: the prompts of mean length that one pass of `tokens` takes, within the limit.

    A prefill pod keeps a request for its prompt only, and what runs in one pass is bound by tokens. While no lengths
    are known only a stated limit says a number. `what` names the tokens (`--chunked-prefill-size 8192`).
    """
    ceiling = limit.value if limit is not None and limit.stated else None
    if lengths is None or not 0 < tokens / UNCOUNTABLE < lengths.prompt:
        if limit is None or not limit.stated:
            return None
        return Seats(limit.value, limit.evidence, proved=False, ceiling=ceiling)
    value = max(1, math.floor(tokens / lengths.prompt))
    if limit is not None and limit.value <= value:
        return Seats(limit.value, limit.evidence, proved=limit.stated, ceiling=ceiling)
    evidence = f"{what} / mean {lengths.prompt:.0f} prompt tokens"
    return Seats(value, evidence, proved=stated, ceiling=ceiling)


def mean_lengths(body: Exposition, *sources: tuple[str, str, str]) -> Lengths | None:
    """Mean lengths from the first source that is whole: (finished requests, prompt tokens, output tokens) by name.

    None while too few have finished. Per-request histograms come before counters, which count running requests too.
    """
    for names in sources:
        totals = [body.total(name) for name in names]
        finished, prompt, output = totals
        if finished is None or prompt is None or output is None:
            continue
        if not all(map(countable, (finished, prompt, output))) or finished < ENOUGH_REQUESTS:
            return None
        return Lengths(prompt / finished, output / finished)
    return None


def whole_total(body: Exposition, *names: str) -> int:
    """The sum of the samples of all names as a whole number; 0 where one is missing or no count."""
    totals: Sequence[float | None] = [body.total(name) for name in names]
    return sum(int(total) for total in totals if total is not None and countable(total))


def countable(value: float) -> bool:
    """Whether a value can be a count of something: finite, and small enough that one more makes a difference."""
    return abs(value) < UNCOUNTABLE
