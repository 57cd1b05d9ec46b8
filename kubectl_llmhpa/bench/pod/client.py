"""The load client that runs inside a pod.

    python3 -u -m kubectl_llmhpa.bench.pod.client settings.json

A closed loop: `concurrency` requests are in flight at any time, each on a connection of its own, because a
kept connection through a ClusterIP never reaches a replica that came later. Prompts are random token ids, so
no tokenizer is needed and no two requests share a prefix. What it measures goes to stdout, one line a second:
MARKER, a blank and a JSON object (`kind`: start, tick, summary; `n` counts the lines). SIGTERM and SIGINT end
the load with the summary of what there is. The API key is read from OPENAI_API_KEY and goes nowhere but into
the Authorization header.

Settings (JSON): base_url, model, stages ([[seconds, concurrency], ...]), num_prompts (null: by time; the
stages' time is then no limit), input_tokens, output_tokens, seed, request_timeout_s, drain_s, insecure.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import sys
import time
from typing import TYPE_CHECKING

from kubectl_llmhpa.bench.pod.measure import Tally
from kubectl_llmhpa.bench.pod.request import Endpoint, RequestError

if TYPE_CHECKING:
    from typing import Any, TextIO

MARKER = "LLMHPA"
GIVE_UP_S = 20.0  # without one success by then, there is nothing to measure
TICK_S = 1.0


class Client:
    """Holds the load at its stages' concurrency and counts what comes back."""

    def __init__(self, settings: dict[str, Any], out: TextIO) -> None:
        self.settings = settings
        self.out = out
        self.endpoint = Endpoint(settings)
        self.lines = 0
        self.want = 0
        self.ended = ""  # why the load is over: time, prompts, signal, gave up, refused
        self.over = asyncio.Event()
        self.workers: dict[int, asyncio.Task[None]] = {}
        self.tally = Tally(time.monotonic())

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
        """Probes, loads, drains; returns (and prints) the summary."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            # Not in a thread, and not on a platform without signals.
            with contextlib.suppress(NotImplementedError, RuntimeError, ValueError):
                loop.add_signal_handler(number, self.end, "signal")
        probe = asyncio.ensure_future(self.endpoint.choose_mode())
        await self._first(probe, asyncio.ensure_future(self.over.wait()))
        self.tally = Tally(time.monotonic())
        if self.ended or not probe.done():
            return self.summary()
        refusal = probe.exception()
        if isinstance(refusal, RequestError):
            self.tally.sent += 1
            self.tally.fail(refusal.reason, str(refusal))
            self.end("refused")
            return self.summary()
        if refusal is not None:
            raise refusal
        self.say("start", mode=self.mode())
        await self._first(
            asyncio.ensure_future(self._stages()),
            asyncio.ensure_future(self._ticks()),
            asyncio.ensure_future(self.over.wait()),
        )
        self.end("time")
        await self._drain()
        return self.summary()

    @staticmethod
    async def _first(*tasks: asyncio.Future[Any]) -> None:
        """Waits for the first to finish and cancels the others."""
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            if not task.done():
                task.cancel()
        await asyncio.wait(tasks, timeout=1)

    def mode(self) -> str:
        path, ids, extras = self.endpoint.mode
        prompts = "token ids" if ids else "text"
        return f"{path}, {prompts}" if extras else f"{path}, {prompts}, output length not forced"

    async def _stages(self) -> None:
        for seconds, concurrency in self.settings["stages"]:
            self.want = concurrency
            for number in range(concurrency):
                if number not in self.workers or self.workers[number].done():
                    self.workers[number] = asyncio.ensure_future(self._work(number))
            if self.settings.get("num_prompts"):
                await asyncio.wait([self.workers[number] for number in range(concurrency)])
                self.end("prompts")
                return
            await asyncio.sleep(seconds)

    async def _work(self, number: int) -> None:
        limit, pause = self.settings.get("num_prompts"), 0.0
        while not self.ended and number < self.want and (not limit or self.tally.sent < limit):
            pause = 0.0 if await self._one() else min(1.0, pause * 2 or 0.1)
            if pause:
                await asyncio.sleep(pause)

    async def _one(self) -> bool:
        """One request; whether it succeeded. A request still open when the drain ends counts as cut."""
        tally = self.tally
        tally.sent += 1
        tally.change(time.monotonic(), 1)
        try:
            sample = await asyncio.wait_for(self.endpoint.ask(), self.settings.get("request_timeout_s", 300))
            tally.succeed(sample, time.monotonic())
            return True
        except asyncio.TimeoutError:
            tally.fail("timeout", "no complete answer in time")
        except RequestError as failure:
            tally.fail(failure.reason, str(failure))
        except asyncio.CancelledError:
            tally.cut += 1
            raise
        finally:
            tally.change(time.monotonic(), -1)
        return False

    async def _ticks(self) -> None:
        due = time.monotonic()
        while True:
            due += TICK_S
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            now, tally = time.monotonic(), self.tally
            tally.lag.add(max(0.0, now - due) * 1000)
            failed = sum(tally.failed.values())
            self.say(
                "tick",
                t=round(now - tally.started, 1),
                want=self.want,
                in_flight=tally.in_flight,
                sent=tally.sent,
                done=tally.done,
                failed=tally.failed,
                tokens=tally.output_tokens,
                ttft_ms=tally.recent_ttft(now),
            )
            if now - tally.started > GIVE_UP_S and not tally.done and failed >= max(10, self.want):
                self.end("gave up")

    async def _drain(self) -> None:
        """Lets open requests finish for a while; after a signal there is no time for that."""
        open_ones = [task for task in self.workers.values() if not task.done()]
        if open_ones:
            grace = 0.5 if self.ended in ("signal", "gave up") else self.settings.get("drain_s", 15)
            _, late = await asyncio.wait(open_ones, timeout=grace)
            for task in late:
                task.cancel()
            if late:
                await asyncio.wait(late, timeout=2)

    def summary(self) -> dict[str, Any]:
        facts = self.tally.summary(time.monotonic())
        facts.update(ended=self.ended, mode=self.mode(), asked_concurrency=self.want)
        self.say("summary", **facts)
        return facts


async def run(settings: dict[str, Any], out: TextIO) -> dict[str, Any]:
    """Makes the client inside the running loop (Python 3.8 binds an Event to the loop where it is made)."""
    return await Client(settings, out).run()


def main(argv: list[str]) -> int:
    """0 with a summary printed, whatever it says: counts decide, not the exit code."""
    with open(argv[1], encoding="utf-8") as file:
        settings = json.load(file)
    asyncio.run(run(settings, sys.stdout))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
