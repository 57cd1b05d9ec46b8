"""Loads that are made up: `day:peak=40,trough=4` and what it stands for.

Arrivals are Poisson at a rate that changes with time; lengths are drawn from a lognormal around a mean, as in published
traces, where a few long ones hold most of the tokens. All draws come from the seed.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from kubectl_llmhpa.errors import LlmHpaError
from kubectl_llmhpa.simulate.requests import Requests
from kubectl_llmhpa.simulate.words import pairs, seconds

#: More than this takes minutes and gigabytes.
MOST_REQUESTS = 20_000_000
_LENGTHS = {"prompt": "1000", "output": "200", "spread": "1"}


@dataclass(frozen=True)
class Shape:
    """A kind of load: its numbers with their defaults ("" must be given), the rate at a time, the highest rate.

    Rates are requests per second, and times seconds. `change` is when the load steps up.
    """

    title: str
    defaults: Mapping[str, str]
    rate: Callable[[Mapping[str, float], float], float]
    change: Callable[[Mapping[str, float]], float | None] = lambda _: None


def _ramp(of: Mapping[str, float], at: float) -> float:
    return of["from"] + (of["to"] - of["from"]) * min(1.0, at / of["duration"])


def _step(of: Mapping[str, float], at: float) -> float:
    return of["high"] if of["at"] <= at < of["at"] + of["for"] else of["low"]


def _day(of: Mapping[str, float], at: float) -> float:
    """From the trough to the peak in the middle and back."""
    middle = (of["peak"] + of["trough"]) / 2
    return middle - (of["peak"] - of["trough"]) / 2 * math.cos(2 * math.pi * at / of["duration"])


def _bursty(of: Mapping[str, float], at: float) -> float:
    return of["peak"] if at % of["every"] >= of["every"] - of["for"] else of["base"]


SHAPES: Mapping[str, Shape] = {
    "constant": Shape("the same rate all the time", {"rate": "", "duration": "1h"}, lambda of, _: of["rate"]),
    "ramp": Shape("from one rate to another", {"from": "1", "to": "", "duration": "30m"}, _ramp),
    "step": Shape(
        "low, then high, then low again",
        {"low": "1", "high": "", "at": "10m", "for": "20m", "duration": "1h"},
        _step,
        lambda of: of["at"] if of["high"] > of["low"] else None,
    ),
    "day": Shape(
        "a day from trough to peak and back, in four hours",
        {"peak": "", "trough": "0.1x", "duration": "4h"},
        _day,
    ),
    "bursty": Shape(
        "bursts on top of a base",
        {"base": "1", "peak": "", "every": "10m", "for": "1m", "duration": "1h"},
        _bursty,
    ),
}
_DURATIONS = {"duration", "at", "for", "every"}


def load(text: str, *, seed: int = 0) -> Requests:
    """The requests of `SHAPE:key=value,...`; `trough=0.1x` is a tenth of the peak.

    Raises LlmHpaError with the shapes, or the keys of the shape, for what it cannot read.
    """
    name, _, rest = text.partition(":")
    attempted = f"--load {text}"
    if name not in SHAPES:
        raise LlmHpaError(attempted, f"there is no load {name!r}", f"choose one of {', '.join(SHAPES)}")
    shape = SHAPES[name]
    given = pairs(attempted, rest)
    known = {**shape.defaults, **_LENGTHS}
    for key in given:
        if key not in known:
            raise LlmHpaError(attempted, f"{name} has no {key!r}", f"choose from {', '.join(known)}")
    texts = {**known, **given}
    for key, value in texts.items():
        if not value:
            raise LlmHpaError(attempted, f"{key} is missing", f"for example {name}:{key}=20")
    share = texts["trough"][:-1] if texts.get("trough", "").endswith("x") else ""
    numbers = {
        key: _number(attempted, key, value) for key, value in texts.items() if not share or key != "trough"
    }
    if share:
        numbers["trough"] = _number(attempted, "trough", share) * numbers["peak"]
    _check(attempted, numbers)
    shown = ", ".join(f"{key} {texts[key]}" for key in (*shape.defaults, "prompt", "output"))
    made = _drawn(shape, numbers, random.Random(f"load {seed}"), attempted)
    made.origin = f"{name} load made up: {shown}"
    made.change = shape.change(numbers)
    return made


def _number(attempted: str, key: str, text: str) -> float:
    if key in _DURATIONS:
        return seconds(attempted, text)
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value < math.inf:
        raise LlmHpaError(attempted, f"{key}={text} is not a number of 0 or more")
    return value


def _check(attempted: str, numbers: Mapping[str, float]) -> None:
    if not numbers["duration"] > 0:
        raise LlmHpaError(attempted, "duration must be above 0")
    for key in ("prompt", "output"):
        if not 1 <= numbers[key] <= 10_000_000:
            raise LlmHpaError(attempted, f"{key} must be at least 1 token and at most 10 million")
    if numbers["spread"] > 3:
        raise LlmHpaError(
            attempted, "spread is the sigma of a lognormal: more than 3 is no length of a request"
        )
    if "every" in numbers and not 0 < numbers["for"] <= numbers["every"]:
        raise LlmHpaError(attempted, "a burst must be shorter than the time from one to the next")
    if "at" in numbers and numbers["at"] >= numbers["duration"]:
        raise LlmHpaError(attempted, "the step comes after the end")


def _drawn(shape: Shape, of: Mapping[str, float], draw: random.Random, attempted: str) -> Requests:
    """Poisson arrivals by thinning: at the highest rate, of which each is kept with the chance of its moment."""
    duration = of["duration"]
    grid = [shape.rate(of, duration * place / 2000) for place in range(2001)]
    highest = max(grid)
    expected = sum(grid) / len(grid) * duration
    if expected > MOST_REQUESTS:
        raise LlmHpaError(
            attempted, f"that is {expected:.3g} requests, more than {MOST_REQUESTS:,}", "shorten the duration"
        )
    made = Requests(length=duration)
    if not highest:
        raise LlmHpaError(attempted, "no request ever comes")
    now = 0.0
    spread = of["spread"]
    while True:
        now += draw.expovariate(highest)
        if now >= duration:
            return made
        if draw.random() * highest < shape.rate(of, now):
            made.at.append(now)
            made.prompt.append(drawn_length(draw, of["prompt"], spread))
            made.output.append(drawn_length(draw, of["output"], spread))


def drawn_length(draw: random.Random, mean: float, spread: float) -> int:
    """Tokens of one request, from a lognormal around the mean whose sigma is `spread`."""
    if not spread:
        return max(1, round(mean))
    return max(1, round(math.exp(math.log(mean) - spread**2 / 2 + spread * draw.gauss(0.0, 1.0))))
