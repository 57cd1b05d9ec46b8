"""The options of `bench`, by what they are about, and what the words after them mean."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from kubectl_llmhpa.bench.sizing.model import Arrivals, Slo
from kubectl_llmhpa.cli.value_types import Duration, OutputFile
from kubectl_llmhpa.errors import LlmHpaError

_Command = TypeVar("_Command", bound=Callable[..., Any])
Stages = tuple[tuple[float, float, float], ...]

_LIMIT = re.compile(r"(ttft|tpot|e2e)=(\d+(?:\.\d+)?)(ms|s)")
_ARRIVAL = re.compile(r"(rate|peak|growth)=(\d+(?:\.\d+)?)(%?)")
_WEIGHTED = re.compile(r"([^=,]+?)(?:=(\d+(?:\.\d+)?))?")
_SHARE = re.compile(r"share=(0?\.\d+|1|\d{1,2}(?:\.\d+)?%)")
#: A trace becomes stages of this many seconds, or so many stages where it is longer.
_BIN_S, _BINS = 5.0, 240
#: Parts of a profile's time: before, at and after its peak; what the load is beside the peak.
_STEP = ((0.25, 0.3, 0.3), (0.5, 1.0, 1.0), (0.25, 0.3, 0.3))
_RAMP = ((0.5, 0.0, 1.0), (0.25, 1.0, 1.0), (0.25, 1.0, 0.0))
SHAPES = {"step": _STEP, "ramp": _RAMP}


class SloType(click.ParamType[Slo]):
    """`ttft=2s,tpot=80ms`."""

    name = "slo"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> Slo:
        """The limits in seconds; fails with a sentence that shows the form."""
        found: dict[str, float] = {}
        for part in str(value).split(","):
            limit, share = _LIMIT.fullmatch(part.strip()), _SHARE.fullmatch(part.strip())
            if limit and float(limit[2]) > 0:
                found[limit[1]] = float(limit[2]) / (1000 if limit[3] == "ms" else 1)
            elif share:
                number = share[1]
                found["share"] = float(number[:-1]) / 100 if number.endswith("%") else float(number)
            else:
                self.fail(
                    f"{value!r} is not of the form ttft=2s,tpot=80ms (or e2e=10s, share=99%)", param, ctx
                )
        return Slo(**found)


class ArrivalsType(click.ParamType[Arrivals]):
    """`rate=3,peak=40,growth=50%`."""

    name = "arrivals"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> Arrivals:
        """Rates in requests per second, growth per second; fails with a sentence that shows the form."""
        found: dict[str, float] = {}
        for part in str(value).split(","):
            match = _ARRIVAL.fullmatch(part.strip())
            if not match or (match[1] == "growth") != bool(match[3]):
                self.fail(f"{value!r} is not of the form rate=3,peak=40,growth=50%", param, ctx)
            found[match[1]] = float(match[2]) / (6000 if match[3] else 1)
        if found.get("peak", math.inf) < found.get("rate", 0.0):
            self.fail(f"{value!r} has a peak below the rate that is always there", param, ctx)
        return Arrivals(**found)


class ModelsType(click.ParamType[tuple[tuple[str, float], ...]]):
    """`lora-a=3,lora-b=1`, or one name."""

    name = "names"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[tuple[str, float], ...]:
        """Names with their weights, 1 where none is said; fails with a sentence that shows the form."""
        found: dict[str, float] = {}
        for part in str(value).split(","):
            match = _WEIGHTED.fullmatch(part.strip())
            if not match or not float(match[2] or 1) or match[1] in found:
                self.fail(f"{value!r} is not a model's name, nor of the form lora-a=3,lora-b=1", param, ctx)
            found[match[1]] = float(match[2] or 1)
        return tuple(found.items())


class Points(click.ParamType[tuple[int, ...]]):
    """`1,2,4`: requests in flight, fewest first."""

    name = "n,n,..."

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, ...]:
        """The numbers; fails with a sentence that shows the form."""
        parts = str(value).split(",")
        if not all(part.strip().isdecimal() and 0 < int(part) <= 5000 for part in parts):
            self.fail(f"{value!r} is not a list of numbers such as 1,2,4,8", param, ctx)
        return tuple(sorted({int(part) for part in parts}))


def mode_options(command: _Command) -> _Command:
    """What is measured."""
    return _with(command, (
        click.option("--sweep", is_flag=True, help="Measure one concurrency after the other, and derive targets"),
        click.option(
            "--profile", metavar="step|ramp|FILE",
            help="Requests as they come, against the live HPA: FILE has lines `seconds,rate`, or is a trace",
        ),
        click.option("--prove", is_flag=True, help="A load that must make the HPA scale out in time, then scale in"),
        click.option(
            "--slo", type=SloType(), metavar="LIMITS",
            help="What users are to see, for example ttft=2s,tpot=80ms; of 95 % of the requests, or share=99%",
        ),
        click.option(
            "--points", type=Points(), metavar="N,N,...", help="Sweep these (default: chosen as it goes)"
        ),
        click.option(
            "--replicas", type=click.IntRange(1),
            help="Sweep at so many replicas, held (default: on one pod alone); prove that so many are reached",
        ),
        click.option(
            "--arrivals", type=ArrivalsType(), metavar="WHAT",
            help="What a sweep's targets and replicas are for, for example rate=3,peak=40,growth=50%: requests per "
            "second always and at most, and how much they may grow in a minute (default growth=25%)",
        ),
        click.option("--no-scale-in", is_flag=True, help="End a proof without waiting for the scale-in"),
        click.option(
            "--sync-period", type=Duration(), default="15s", show_default=True, metavar="TIME",
            help="How often the HPA controller looks, for the deadlines of a proof",
        ),
    ))  # fmt: skip


def load_options(command: _Command) -> _Command:
    """How much load."""
    return _with(command, (
        click.option(
            "--concurrency", type=click.IntRange(1, 5000),
            help="Requests in flight at any time (default: 1.5 times what the HPA tolerates); of a sweep the most",
        ),
        click.option(
            "--rate", type=click.FloatRange(0, min_open=True),
            help="Peak of a profile, requests per second (default: what is to double the replicas)",
        ),
        click.option(
            "--duration", type=Duration(), help="How long the load is held (default 180s; a point of a sweep 30s)"
        ),
        click.option(
            "--num-prompts", type=click.IntRange(1), help="End after this many requests, however long that takes"
        ),
        click.option("--input-len", type=click.IntRange(1, 1_000_000), help="Tokens of a prompt (default 256)"),
        click.option("--output-len", type=click.IntRange(1, 1_000_000), help="Tokens of an answer (default 128)"),
        click.option(
            "--preset", type=click.Choice(["vendor"]),
            help="vendor: 400 random prompts of 1500 tokens, 100 out, 20 at once, by vLLM's own generator",
        ),
    ))  # fmt: skip


def generator_options(command: _Command) -> _Command:
    """Who makes it, and where it goes."""
    return _with(command, (
        click.option(
            "--tool", type=click.Choice(["auto", "builtin", "vllm", "sglang"]), default="auto", show_default=True,
            help="Who makes the load; auto is the built-in client, and vLLM's generator with --preset vendor",
        ),
        click.option("--clients", type=click.IntRange(1, 64), default=1, show_default=True, help="Pods that make it"),
        click.option(
            "--url", default="",
            help="What to load: service/NAME, gateway/NAME or a base URL as pods reach it (default: its Service)",
        ),
        click.option(
            "--model", "models", type=ModelsType(), metavar="NAME|NAME=N,...",
            help="Model or LoRA adapter to ask for (default: what the engine says), or several with their weights, for "
            "example lora-a=3,lora-b=1",
        ),
        click.option("--image", default="", help="Image of the benchmark pod (default: the engine's own)"),
        click.option(
            "--timeout", type=Duration(), default="10m", show_default=True, help="How long its pod may take to start"
        ),
    ))  # fmt: skip


def result_options(command: _Command) -> _Command:
    """What becomes of the result."""
    return _with(command, (
        click.option(
            "--from", "saved", type=click.Path(path_type=Path), metavar="FILE",
            help="Tell again what --save wrote, in any form; nothing is loaded and no cluster is asked. With --profile "
            "step or ramp: the sweep that says how much a pod serves, for its peak",
        ),
        click.option("--apply", is_flag=True, help="Write the measured targets, as enable does, after showing them"),
        click.option("-y", "--yes", is_flag=True, help="Load what serves already, and write, without asking"),
        click.option("--save", type=OutputFile(), metavar="FILE", help="Write the document (JSON)"),
        click.option("--html", type=OutputFile(), metavar="FILE", help="Write a page"),
        click.option("--markdown", type=OutputFile(), metavar="FILE", help="Write Markdown"),
        click.option("--keep", is_flag=True, help="Leave the Job in the cluster when done"),
        click.option("-o", "--output", type=click.Choice(["json", "yaml"]), help="Output format of the report"),
    ))  # fmt: skip


def _with(command: _Command, options: tuple[Callable[[_Command], _Command], ...]) -> _Command:
    for option in reversed(options):
        command = option(command)
    return command


def profile(word: str, peak: float | None, duration: float | None) -> Stages:
    """The stages of `--profile`: a shape by name, or a file, in `seconds, first, last` requests per second.

    A shape has a peak of 1 where none is given. A file keeps its own times and rates unless a duration or a peak is
    given: then it is stretched to them. Raises LlmHpaError for a file that is neither stages nor a trace.
    """
    shape = SHAPES.get(word)
    if shape is not None:
        seconds, most = 180.0 if duration is None else duration, peak or 1.0
        return tuple((part * seconds, first * most, last * most) for part, first, last in shape)
    stages = _of_file(Path(word))
    longest, most = sum(stage[0] for stage in stages), max(stage[1] for stage in stages)
    if not most:
        raise LlmHpaError(f"--profile {word}", "it has no load")
    time = 1.0 if duration is None else duration / longest
    rate = 1.0 if peak is None else peak / most
    return tuple((seconds * time, first * rate, last * rate) for seconds, first, last in stages)


def _of_file(path: Path) -> Stages:
    from kubectl_llmhpa.simulate import traces

    attempted = f"--profile {path}"
    try:
        with path.open(encoding="utf-8-sig") as file:
            first = file.readline(1000).strip()
            titled = first.replace(" ", "").lower() == "seconds,rate"
            if titled or _pair(first):
                return _stages([*([] if titled else [first]), *file], attempted)
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        raise LlmHpaError(attempted, str(reason), "name step, ramp or a file") from error
    requests = traces.read(path, option="--profile").requests
    width = max(_BIN_S, requests.length / _BINS)
    counts = [0] * math.ceil(requests.length / width + 1e-9)
    for at in requests.at:
        counts[min(len(counts) - 1, int(at / width))] += 1
    return tuple((width, count / width, count / width) for count in counts)


def _stages(lines: list[str], attempted: str) -> Stages:
    """The lines `seconds,rate` as stages."""
    pairs = [(line.strip(), _pair(line)) for line in lines if line.strip()]
    bad = next((line for line, pair in pairs if pair is None), None)
    if bad is not None or not pairs:
        raise LlmHpaError(attempted, f"{bad!r} is not of the form seconds,rate" if bad else "it is empty")
    return tuple((pair[0], pair[1], pair[1]) for _, pair in pairs if pair is not None)


def _pair(line: str) -> tuple[float, float] | None:
    """`60,2.5` as seconds and requests per second."""
    first, _, second = line.partition(",")
    try:
        seconds, rate = float(first), float(second)
    except ValueError:
        return None
    good = 0 < seconds < math.inf and 0 <= rate < math.inf
    return (seconds, rate) if good else None
