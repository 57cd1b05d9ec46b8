"""The load client that runs inside a pod.

    python3 -u -m kubectl_llmhpa.bench.pod.client settings.json

Each request has a connection of its own, because a kept connection through a ClusterIP never reaches a replica that
came later. Prompts are random token ids, so no tokenizer is needed and no two requests share a prefix. What it
measures goes to stdout, one line a second: MARKER, a blank and a JSON object (`kind`: ready, start, tick, point,
summary; `n` counts the lines). SIGTERM and SIGINT end the load with the summary of what there is. The API key is read
from OPENAI_API_KEY and goes nowhere but into the Authorization header.

Settings (JSON), one of these loads:

    stages       closed loop: [[seconds, requests in flight], ...]; with num_prompts by count, the time is no limit
    points       closed loop, a sweep: see `points`; stop: when to give up
    adaptive     closed loop, a sweep that chooses its points: see `adaptive`
    rates        open loop: [[seconds, first, last], ...] requests a second, Poisson; burstiness; in_flight_limit

and for all: base_url, host (name for the Host header where the URL has an address), model or models ([[name, weight],
...]: one of them a request), input_tokens, output_tokens, output_spread (by up to this share an answer is longer or
shorter), seed, slo ({ttft_s, tpot_s, e2e_s}), request_timeout_s, drain_s, insecure, clients (how many share the load:
JOB_COMPLETION_INDEX says which one this is).
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
import time
from typing import TYPE_CHECKING

from kubectl_llmhpa.bench.pod import farewell, loops
from kubectl_llmhpa.bench.pod.arrivals import part
from kubectl_llmhpa.bench.pod.measure import Tally
from kubectl_llmhpa.bench.pod.meeting import Meeting
from kubectl_llmhpa.bench.pod.request import Endpoint, RequestError

if TYPE_CHECKING:
    from typing import Any, TextIO

MARKER = "LLMHPA"
GIVE_UP_S = 20.0  # so long nothing but failures: there is nothing to measure
MEETING_S = 900.0  # how long it waits for the other clients
TICK_S = 1.0


class Client:
    """Holds the load and counts what comes back."""

    def __init__(self, settings: dict[str, Any], out: TextIO) -> None:
        self.settings = settings
        self.out = out
        self.endpoint = Endpoint(settings)
        self.lines = 0
        self.want = 0  # in flight: what a closed loop holds, what an open one may reach
        # Why the load is over: time, prompts, points, signal, gave up, refused, never started.
        self.ended = ""
        self.stopped = ""  # why a sweep ended before its last point
        self.over = asyncio.Event()
        self.workers: dict[int, asyncio.Task[None]] = {}
        self.open: set[asyncio.Task[bool]] = set()
        self.point: dict[str, Any] | None = None
        self.measured = True  # not in the warm-up of a point
        self.told = 0  # points
        self.began = 0.0
        self.tally = self._count()

    def _count(self, in_flight: int = 0) -> Tally:
        return Tally(time.monotonic(), self.settings.get("slo"), in_flight)

    def say(self, kind: str, **facts: Any) -> None:
        """One line: the marker and a JSON object."""
        self.lines += 1
        line = json.dumps({"kind": kind, "n": self.lines, **facts}, separators=(",", ":"))
        self.out.write(f"{MARKER} {line}\n")
        self.out.flush()

    def end(self, why: str) -> None:
        if not self.ended:
            self.ended = why
            self.tally.close(time.monotonic())
            self.over.set()

    async def run(self) -> dict[str, Any]:
        """Probes, meets the others, loads, drains; returns (and prints) the summary."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            # Not in a thread, and not on a platform without signals.
            with contextlib.suppress(NotImplementedError, RuntimeError, ValueError):
                loop.add_signal_handler(number, self.end, "signal")
        if await self._probe() and await self._meet():
            self.tally = self._count()
            self.began = self.tally.started
            self.say("start", mode=self.mode())
            if self.settings.get("points") or self.settings.get("adaptive"):
                load = loops.points(self)
            else:
                load = loops.open_loop(self) if self.settings.get("rates") else loops.stages(self)
            await self._until_over(load, self._ticks())
            self.end("time")
            if self.point is not None:
                self.tell_point()
            await self._drain()
        return self.summary()

    async def _until_over(self, *work: Any) -> asyncio.Future[Any]:
        """Waits for the first of the coroutines, or the end; cancels the others. The first one, finished or not."""
        tasks = [asyncio.ensure_future(each) for each in (*work, self.over.wait())]
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            if not task.done():
                task.cancel()
        await asyncio.wait(tasks, timeout=1)
        for task in tasks:
            fault = task.exception() if task.done() and not task.cancelled() else None
            if fault is not None and not isinstance(fault, RequestError):
                raise fault  # of our own: not kept quiet
        first: asyncio.Future[Any] = tasks[0]
        return first

    async def _probe(self) -> bool:
        """Whether the engine answers; else the load has ended, with the reason counted."""
        probe = await self._until_over(self.endpoint.choose_mode())
        self.tally = self._count()
        if self.ended:
            return False
        refusal = probe.exception()
        if isinstance(refusal, RequestError):
            self.tally.sent += 1
            self.tally.fail(refusal.reason, str(refusal))
            self.end("refused")
        return not self.ended

    async def _meet(self) -> bool:
        """Waits for the common start where there are other clients; whether there is a load to make."""
        if self.settings.get("clients", 1) > 1:
            meeting = Meeting()
            port = await meeting.open()
            self.say("ready", port=port)
            await self._until_over(meeting.wait(), asyncio.sleep(MEETING_S))
            await meeting.close()
            if not meeting.told.done() or meeting.told.cancelled():
                self.end("never started")
        return not self.ended

    def mode(self) -> str:
        path, ids, extras = self.endpoint.mode
        prompts = "token ids" if ids else "text"
        return f"{path}, {prompts}" if extras else f"{path}, {prompts}, output length not forced"

    def begin(self, point: dict[str, Any], *, measured: bool) -> Tally:
        """Counts anew from here, with what is in flight: the warm-up of a point, then the point."""
        self.point, self.measured = point, measured
        self.tally = self._count(self.tally.in_flight)
        return self.tally

    def tell_point(self) -> dict[str, Any]:
        """Prints what was measured of the point; cut short in its warm-up that is nothing, and `complete` says so."""
        point, self.point = self.point, None
        assert point is not None
        facts = self.tally.summary(time.monotonic())
        facts.update(
            point=self.told,
            asked_concurrency=point["concurrency"],
            seed=point["seed"],
            complete=not self.ended,
            measured=self.measured,
        )
        self.told += 1
        self.say("point", **facts)
        return facts

    async def one(self) -> bool:
        """One request; whether it succeeded. A request still open when the drain ends counts as cut."""
        self.tally.sent += 1
        self.tally.change(time.monotonic(), 1)
        try:
            sample = await asyncio.wait_for(self.endpoint.ask(), self.settings.get("request_timeout_s", 300))
            self.tally.succeed(sample, time.monotonic())
            return True
        except asyncio.TimeoutError:
            self.tally.fail("timeout", "no complete answer in time")
        except RequestError as failure:
            self.tally.fail(failure.reason, str(failure))
        except asyncio.CancelledError:
            self.tally.cut += 1
            raise
        finally:
            self.tally.change(time.monotonic(), -1)
        return False

    async def _ticks(self) -> None:
        due = time.monotonic()
        while True:
            due += TICK_S
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            now, tally = time.monotonic(), self.tally
            tally.lag.add(max(0.0, now - due) * 1000)
            facts: dict[str, Any] = {
                "t": round(now - self.began, 1),
                "want": self.want,
                "in_flight": tally.in_flight,
                "sent": tally.sent,
                "done": tally.done,
                "good": tally.good,
                "failed": tally.failed,
                "tokens": tally.output_tokens,
                "ttft_ms": tally.recent_ttft(now),
            }
            if self.settings.get("rates"):
                facts.update(rate=loops.rate_now(self, now - self.began), late=tally.late, shed=tally.shed)
            if self.point is not None:
                facts.update(point=self.told, measured=self.measured)
            self.say("tick", **facts)
            if now - tally.succeeded > GIVE_UP_S and tally.unanswered >= 10:
                self.end("gave up")

    async def _drain(self) -> None:
        """Lets open requests finish for a while; after a signal there is no time for that."""
        open_ones = [task for task in (*self.workers.values(), *self.open) if not task.done()]
        if open_ones:
            grace = 0.5 if self.ended in ("signal", "gave up") else self.settings.get("drain_s", 15)
            _, late = await asyncio.wait(open_ones, timeout=0 if self.ended == "points" else grace)
            for task in late:
                task.cancel()
            if late:
                await asyncio.wait(late, timeout=2)

    def summary(self) -> dict[str, Any]:
        facts = self.tally.summary(time.monotonic())
        facts.update(
            ended=self.ended,
            mode=self.mode(),
            asked_concurrency=self.want,
            points=self.told,
            stopped=self.stopped,
        )
        self.say("summary", **facts)
        return facts


async def run(settings: dict[str, Any], out: TextIO) -> dict[str, Any]:
    """Makes the client inside the running loop (Python 3.8 binds an Event to the loop where it is made)."""
    return await Client(settings, out).run()


def allow_many_files() -> None:
    """Each stream is an open file, and the usual soft limit is 1024."""
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource

        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def main(argv: list[str]) -> int:
    """0 with a summary printed, whatever it says: counts decide, not the exit code."""
    with open(argv[1], encoding="utf-8") as file:
        settings = json.load(file)
    clients = settings.get("clients", 1)
    if clients > 1:
        settings = part(settings, int(os.environ["JOB_COMPLETION_INDEX"]), clients)
    allow_many_files()
    farewell.stay(asyncio.run(run(settings, sys.stdout))["ended"])
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
