"""The run while it runs, on stderr: a block that is redrawn on a terminal, lines that are appended elsewhere."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, TextIO

from kubectl_llmhpa.bench import results
from kubectl_llmhpa.bench.report import building, words
from kubectl_llmhpa.bench.report.verdict import asked_slo
from kubectl_llmhpa.output.terminal import escape, live

if TYPE_CHECKING:
    from rich.live import Live

    from kubectl_llmhpa.api import Json
    from kubectl_llmhpa.bench.preparing import Plan
    from kubectl_llmhpa.bench.recording import Progress
    from kubectl_llmhpa.bench.run import Observer

LINE_EVERY_S = 5.0
_BAR = 40


def choose(stream: TextIO, env: Mapping[str, str]) -> Observer:
    """The view that the stream can show."""
    return LiveView(stream) if live(stream, env) else LineView(stream)


def intro(plan: Plan) -> list[str]:
    """What is going to happen, before it does."""
    engine = words.engine_line(building.engine_of(plan), plan.model.name)
    options = plan.options
    lines = [
        f"benchmark of {plan.workload.reference} in namespace {plan.workload.namespace}: {engine}",
        f"through {plan.endpoint.url} ({plan.endpoint.what}): {plan.load.text} ({plan.load.reason}); "
        f"{options.input_tokens} tokens in, {options.output_tokens} out",
    ]
    if plan.hpa is None:
        lines.append("no HPA scales it: throughput and latency are measured, no rescale will come")
    lines += [f"note: {note}" for note in plan.load.notes]
    return [escape(line) for line in lines]


def status_line(progress: Progress) -> str:
    """Everything on one line, the autoscaler first."""
    parts = [f"+{progress.seconds:.0f}s"]
    if progress.phase:
        parts.append(progress.phase)
    if progress.hpa is not None and not progress.plan.only:
        parts += words.signals(progress.hpa.metrics, progress.plan.signals)
        parts.append(f"replicas {words.replicas(progress.hpa, progress.ready)}")
    parts += [_in_flight(progress), f"{progress.done} done", _failed(progress)]
    if progress.ttft_ms is not None:
        parts.append(f"TTFT {progress.ttft_ms:.0f} ms")
    return escape("  ".join(parts))


def block(progress: Progress) -> list[str]:
    """The lines of the live view."""
    share, goal = how_far(progress)
    filled = int(_BAR * max(0.0, min(1.0, share)))
    bar = "█" * filled + "░" * (_BAR - filled)
    ttft = "-" if progress.ttft_ms is None else f"{progress.ttft_ms:.0f} ms"
    lines = [
        f"load      {bar} {goal}",
        f"requests  {_in_flight(progress)}, {progress.done} done, {_failed(progress)}, TTFT {ttft}",
    ]
    if progress.sample is not None:
        running, waiting = (
            words.number(value, 1) for value in (progress.sample.running, progress.sample.waiting)
        )
        lines.append(f"engines   {running} running, {waiting} waiting on {progress.sample.pods} ready pods")
    if progress.hpa is not None:
        lines.append(f"signal    {', '.join(words.signals(progress.hpa.metrics, progress.plan.signals))}")
        lines.append(
            f"replicas  {words.replicas(progress.hpa, progress.ready)}  {progress.hpa.state}: {progress.hpa.why}"
        )
    if progress.shares and not progress.plan.only:
        shares = "  ".join(f"{each.pod} {each.share * 100:.0f}%" for each in progress.shares[:8])
        lines.append(
            f"pods      {shares}"
            + (f"  and {len(progress.shares) - 8} more" if len(progress.shares) > 8 else "")
        )
    return [escape(line) for line in lines]


def how_far(progress: Progress) -> tuple[float, str]:
    """The share of the run that is over, and the same in words."""
    options, settings = progress.plan.options, progress.plan.run.settings
    if progress.phase:
        return 1.0, progress.phase
    if options.num_prompts:
        return progress.done / options.num_prompts, f"{progress.done} of {options.num_prompts}"
    listed = settings.get("points")
    if listed or settings.get("adaptive"):
        number = len(progress.points)
        least = options.duration_s
        within = f"point {number + 1}" + (f" of {len(listed)}" if listed else "")
        share = number / len(listed) if listed else min(1.0, progress.seconds / least)
        return share, f"{within}: {progress.want:g} in flight, {progress.seconds:.0f} s"
    seconds = sum(stage[0] for stage in settings.get("rates") or settings["stages"])
    return progress.seconds / seconds, f"{progress.seconds:.0f} s of {seconds:.0f} s"


def point_line(plan: Plan, fact: Json) -> str:
    """A point of a sweep when it is over."""
    point = results.point(plan.options.tool, fact, 1)
    kept = (
        f", {words.percent(point.good / point.done)} kept the SLO" if asked_slo(plan) and point.done else ""
    )
    ttft = "-" if point.ttft.p95 is None else words.duration(point.ttft.p95)
    return escape(
        f"{point.concurrency} in flight: {point.throughput:.2f} requests/s, TTFT p95 {ttft}{kept}"
        + (f" (not valid: {point.invalid})" if point.invalid else "")
    )


def _in_flight(progress: Progress) -> str:
    """`12/16 in flight`; of an open loop the rate too."""
    if progress.rate is not None:
        return f"{progress.in_flight} in flight at {progress.rate:g}/s"
    return f"{progress.in_flight}/{progress.want:g} in flight"


def _failed(progress: Progress) -> str:
    """`0 failed`, `3 failed (http 500)`."""
    count = sum(progress.failed.values())
    return f"{count} failed" + (f" ({', '.join(progress.failed)})" if count else "")


class LineView:
    """One line every few seconds and one per event."""

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream
        self._told = ""
        self._entries = self._points = 0
        self._next = 0.0

    def say(self, line: str) -> None:
        self.stream.write(line + "\n")
        self.stream.flush()

    def planned(self, plan: Plan) -> None:
        for line in intro(plan):
            self.say(line)

    def waiting(self, text: str) -> None:
        if text != self._told:
            self._told = text
            self.say(escape(text))

    def progress(self, progress: Progress) -> None:
        self._news(progress)
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + LINE_EVERY_S
            self.say(status_line(progress))

    def finishing(self, text: str) -> None:
        self.say(escape(text))

    def _news(self, progress: Progress) -> None:
        """What happened since the last time, each a line that stays."""
        for entry in progress.entries[self._entries :]:
            self.say(f"{words.stamp(entry.at - progress.started):>7}  {escape(entry.text)}")
        for fact in progress.points[self._points :]:
            self.say(point_line(progress.plan, fact))
        self._entries, self._points = len(progress.entries), len(progress.points)


class LiveView(LineView):
    """The state at the bottom, redrawn; events scroll above it."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__(stream)
        self._live: Live | None = None

    def say(self, line: str) -> None:
        if self._live is None:
            super().say(line)
            return
        from rich.text import Text

        self._live.console.print(Text(line), soft_wrap=True)

    def waiting(self, text: str) -> None:
        self._show([escape(text)])

    def progress(self, progress: Progress) -> None:
        self._news(progress)
        self._show(block(progress))

    def finishing(self, text: str) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None
        super().say(escape(text))

    def _show(self, lines: list[str]) -> None:
        from rich.console import Console
        from rich.live import Live
        from rich.text import Text

        if self._live is None:
            console = Console(file=self.stream, highlight=False, markup=False)
            self._live = Live(console=console, auto_refresh=False, transient=True)
            self._live.start()
        self._live.update(Text("\n".join(lines), overflow="ellipsis", no_wrap=True), refresh=True)
