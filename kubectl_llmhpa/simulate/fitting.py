"""A service curve out of a sweep: what one pod did at several concurrencies.

That is what `bench --sweep` keeps, or results of an engine's own benchmark: vLLM's `bench serve --save-result` (0.8 and
newer) and SGLang's `bench_serving --output-file` share the names that are read here; lists in them are left alone. Of a
sweep of our own the points that are valid count, per pod. Four numbers are searched for with which the model, put under
the same closed loop, comes closest in throughput and mean TTFT.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeGuard

from kubectl_llmhpa.errors import LlmHpaError
from kubectl_llmhpa.simulate.closed import point
from kubectl_llmhpa.simulate.service import Service

_NEEDED = (
    "max_concurrency", "completed", "total_input_tokens", "total_output_tokens", "request_throughput", "mean_ttft_ms",
)  # fmt: skip
_BENCH = "Bench"
_POINT = ("concurrency", "pods", "done", "inputTokens", "outputTokens", "throughput")
_SEARCHED = ("step", "per_request", "prefill", "overhead")
#: Factors of the search: each is tried up and down on every number until none helps.
_FACTORS = (2.0, 1.3, 1.1, 1.03)
_ROUNDS = 12


@dataclass(frozen=True)
class Measured:
    """One run: clients in a closed loop, mean tokens of a request, requests per second, mean TTFT in seconds."""

    clients: int
    prompt: int
    output: int
    throughput: float
    ttft: float


@dataclass(frozen=True)
class Fit:
    """A curve, and the largest relative errors of the model on the sweep: of throughput and of mean TTFT."""

    service: Service
    throughput_error: float
    ttft_error: float


@dataclass(frozen=True)
class Results:
    """The runs, fewest clients first, and what a pod holds where a document says so: requests at once, tokens."""

    runs: tuple[Measured, ...]
    seats: int | None = None
    kv_tokens: int | None = None


def read(paths: Sequence[Path]) -> Results:
    """What is in result files (a document of `bench`; or an object, a list of them, or one a line).

    Raises LlmHpaError for what is no such file, an open loop, and fewer than two concurrencies.
    """
    found = [_of_file(path) for path in paths]
    runs = [run for one in found for run in one.runs]
    if len({one.clients for one in runs}) < 2:
        raise LlmHpaError(
            f"--from-bench {paths[0]}",
            "one concurrency says nothing about how a pod slows down",
            "give the results of several, from 1 to more than the pod's seats",
        )
    return Results(
        tuple(sorted(runs, key=lambda one: one.clients)),
        next((one.seats for one in found if one.seats), None),
        next((one.kv_tokens for one in found if one.kv_tokens), None),
    )


def fit(runs: Sequence[Measured], base: Service) -> Fit:
    """The curve that comes closest, with the seats, the cache and the chunk of `base`."""
    service = replace(base, **_start(runs))
    best = _distance(service, runs)
    for factor in _FACTORS:
        for _ in range(_ROUNDS):
            before = best
            for name in _SEARCHED:
                for by in (factor, 1 / factor):
                    tried = replace(service, **{name: getattr(service, name) * by})
                    distance = _distance(tried, runs)
                    if distance < best:
                        service, best = tried, distance
            if best == before:
                break
    errors = [_errors(service, one) for one in runs]
    rounded: dict[str, Any] = {name: float(f"{getattr(service, name):.3g}") for name in _SEARCHED}
    found = replace(service, **rounded, origin=f"fitted to {len(runs)} runs of a sweep", assumed=False)
    return Fit(
        found,
        max(abs(math.expm1(throughput)) for throughput, _ in errors),
        max(abs(math.expm1(ttft)) for _, ttft in errors),
    )


def _start(runs: Sequence[Measured]) -> dict[str, Any]:
    """Where the search begins: a step of the fewest clients, and prompts that take most of their TTFT."""
    first, last = runs[0], runs[-1]
    step = max(1e-5, (first.clients / first.throughput - first.ttft) / max(1, first.output - 1))
    prefill = max(1.0, first.prompt / max(1e-4, first.ttft - step))
    return {
        "step": step * 0.9,
        "per_request": step * 0.1 / last.clients,
        "prefill": prefill,
        "overhead": 0.002,
    }


def _distance(service: Service, runs: Sequence[Measured]) -> float:
    """The sum of squared logarithmic errors; throughput counts double, since TTFT has more noise."""
    return sum(2 * x * x + y * y for x, y in (_errors(service, one) for one in runs))


def _errors(service: Service, run: Measured) -> tuple[float, float]:
    found = point(service, run.clients, run.prompt, run.output, count=4 * run.clients + 16)
    return math.log(found.throughput / run.throughput), math.log(found.ttft_mean / run.ttft)


def _of_file(path: Path) -> Results:
    attempted = f"--from-bench {path}"
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise LlmHpaError(attempted, "it is not text") from error
    except OSError as error:
        raise LlmHpaError(attempted, error.strerror or str(error)) from error
    objects = _objects(attempted, text)
    if objects[0].get("kind") == _BENCH:
        return _of_bench(attempted, objects[0])
    return Results(tuple(_measured(attempted, one) for one in objects))


def _of_bench(attempted: str, found: Mapping[str, Any]) -> Results:
    """The valid points of our own document."""
    sweep = found.get("sweep")
    if not isinstance(sweep, Mapping):
        raise LlmHpaError(attempted, "it has no sweep", "give what bench --sweep --save writes")
    points = [one for one in sweep.get("points") or () if isinstance(one, Mapping) and not one.get("invalid")]
    runs = tuple(_of_point(attempted, one) for one in points)
    seats, block, blocks = (sweep.get(name) for name in ("seats", "block", "blocks"))
    held = int(block * blocks) if _is_positive(block) and _is_positive(blocks) else None
    return Results(runs, int(seats) if _is_positive(seats) else None, held)


def _of_point(attempted: str, found: Mapping[str, Any]) -> Measured:
    ttft = (found.get("ttft") or {}).get("mean")
    if not all(_is_positive(found.get(name)) for name in _POINT) or not _is_positive(ttft):
        raise LlmHpaError(attempted, "a point of its sweep is not whole", "run bench --sweep again")
    return Measured(
        clients=max(1, round(found["concurrency"] / found["pods"])),
        prompt=max(1, round(found["inputTokens"] / found["done"])),
        output=max(1, round(found["outputTokens"] / found["done"])),
        throughput=found["throughput"] / found["pods"],
        ttft=ttft,
    )


def _objects(attempted: str, text: str) -> list[Mapping[str, Any]]:
    """The objects of a JSON document, or of one a line. `Infinity` for a rate is what SGLang writes."""
    parsers: tuple[Callable[[], Any], ...] = (
        lambda: json.loads(text),
        lambda: [json.loads(line) for line in text.splitlines() if line.strip()],
    )
    for parse in parsers:
        try:
            found = parse()
        except ValueError:
            continue
        objects = found if isinstance(found, list) else [found]
        if objects and all(isinstance(one, dict) for one in objects):
            return objects
    raise LlmHpaError(
        attempted, "it is no result of vLLM's or SGLang's benchmark", "give what --save-result writes"
    )


def _measured(attempted: str, found: Mapping[str, Any]) -> Measured:
    missing = [name for name in _NEEDED if not _is_positive(found.get(name))]
    if "max_concurrency" in missing and len(missing) == 1:
        raise LlmHpaError(attempted, "its load was not a closed loop", "run it with --max-concurrency")
    if missing:
        raise LlmHpaError(
            attempted,
            f"it says no {', '.join(missing)} above 0",
            "give what vLLM's bench serve --save-result, or SGLang's bench_serving --output-file, writes",
        )
    if _is_positive(found.get("request_rate")):
        raise LlmHpaError(attempted, "its load was held to a rate", "run it with --request-rate inf")
    completed = found["completed"]
    return Measured(
        clients=int(found["max_concurrency"]),
        prompt=max(1, round(found["total_input_tokens"] / completed)),
        output=max(1, round(found["total_output_tokens"] / completed)),
        throughput=float(found["request_throughput"]),
        ttft=found["mean_ttft_ms"] / 1000,
    )


def _is_positive(value: Any) -> TypeGuard[float]:
    """Whether it is a finite number above 0."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 < value < math.inf
