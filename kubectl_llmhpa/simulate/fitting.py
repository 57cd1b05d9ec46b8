"""A service curve out of a sweep: results of an engine's own benchmark at several concurrencies of one pod.

vLLM's `bench serve --save-result` (0.8 and newer) and SGLang's `bench_serving --output-file` share the names that are
read here; lists in them are left alone. Four numbers are searched for with which the model, put under the same closed
loop, comes closest in throughput and mean TTFT.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from kubectl_llmhpa.errors import LlmHpaError
from kubectl_llmhpa.simulate.closed import point
from kubectl_llmhpa.simulate.service import Service

_NEEDED = (
    "max_concurrency", "completed", "total_input_tokens", "total_output_tokens", "request_throughput", "mean_ttft_ms",
)  # fmt: skip
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


def read(paths: Sequence[Path]) -> tuple[Measured, ...]:
    """The runs of result files (an object, a list of them, or one a line), fewest clients first.

    Raises LlmHpaError for what is no such file, an open loop, and fewer than two concurrencies.
    """
    runs = [run for path in paths for run in _of_file(path)]
    if len({one.clients for one in runs}) < 2:
        raise LlmHpaError(
            f"--from-bench {paths[0]}",
            "one concurrency says nothing about how a pod slows down",
            "give the results of several, from 1 to more than the pod's seats",
        )
    return tuple(sorted(runs, key=lambda one: one.clients))


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


def _of_file(path: Path) -> list[Measured]:
    attempted = f"--from-bench {path}"
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise LlmHpaError(attempted, "it is not text") from error
    except OSError as error:
        raise LlmHpaError(attempted, error.strerror or str(error)) from error
    return [_measured(attempted, one) for one in _objects(attempted, text)]


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


def _is_positive(value: Any) -> bool:
    """Whether it is a finite number above 0."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 < value < math.inf
