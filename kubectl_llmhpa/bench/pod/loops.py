"""The loops that make load: a closed one by stages, a closed one by points of a sweep, an open one by arrivals.

Each is a coroutine over the client, which holds the counts and ends it from outside.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from kubectl_llmhpa.bench.pod.adaptive import AdaptivePoints
from kubectl_llmhpa.bench.pod.arrivals import arrivals, rate_at
from kubectl_llmhpa.bench.pod.points import FixedPoints

if TYPE_CHECKING:
    from typing import Any, Protocol

    from kubectl_llmhpa.bench.pod.measure import Tally
    from kubectl_llmhpa.bench.pod.request import Endpoint

    class Client(Protocol):
        """What the loops need of `client.Client`."""

        settings: dict[str, Any]
        endpoint: Endpoint
        tally: Tally
        want: int
        ended: str
        stopped: str
        workers: dict[int, asyncio.Task[None]]
        open: set[asyncio.Task[bool]]

        async def one(self) -> bool:
            """One request; whether it succeeded."""

        def begin(self, point: dict[str, Any], *, measured: bool) -> Tally:
            """Counts anew from here."""

        def tell_point(self) -> dict[str, Any]:
            """Prints the figures of the point that is over."""

        def end(self, why: str) -> None:
            """Ends the load."""


LATE_S = 0.05  # an arrival that is sent later than this was not sent when it was due
IN_FLIGHT_LIMIT = 1000  # of an open loop, unless the settings say another
LOOK_S = 0.02  # how often it is looked whether a point is over
POINT_LIMIT_S = 600.0


async def stages(client: Client) -> None:
    """Holds the concurrency of each stage for its time, or until `num_prompts` requests were sent."""
    for seconds, concurrency in client.settings["stages"]:
        staff(client, concurrency)
        if client.settings.get("num_prompts"):
            if concurrency:
                await asyncio.wait([client.workers[number] for number in range(concurrency)])
            client.end("prompts")
            return
        await asyncio.sleep(seconds)


def staff(client: Client, concurrency: int) -> None:
    """From now on so many workers; those that are too many end with their request."""
    client.want = concurrency
    for number in range(concurrency):
        if number not in client.workers or client.workers[number].done():
            client.workers[number] = asyncio.ensure_future(_work(client, number))


async def _work(client: Client, number: int) -> None:
    limit, pause = client.settings.get("num_prompts"), 0.0
    while not client.ended and number < client.want and (not limit or client.tally.sent < limit):
        pause = 0.0 if await client.one() else min(1.0, pause * 2 or 0.1)
        if pause:
            await asyncio.sleep(pause)


async def points(client: Client) -> None:
    """One point of a sweep after the other; each is told as a line `point` when it is over.

    The load does not pause in between: what is in flight when a point ends belongs to the warm-up of the next one.
    """
    settings = client.settings
    plan: AdaptivePoints | FixedPoints
    if settings.get("adaptive"):
        plan = AdaptivePoints(settings["adaptive"])
    else:
        plan = FixedPoints(settings["points"], settings.get("stop"))
    point = plan.next(None)
    while point is not None:
        point = plan.next(await _point(client, point))
    client.stopped = plan.stopped
    client.end("points")


async def _point(client: Client, point: dict[str, Any]) -> dict[str, Any]:
    """The figures of one point, as printed.

    It is measured from when the warm-up time is over and as many answers came as there are streams: by then the
    burst of the start is past. Both have at most half of `max_seconds`.
    """
    concurrency, began = point["concurrency"], time.monotonic()
    over = began + point.get("max_seconds", POINT_LIMIT_S)
    client.endpoint.random.seed(point["seed"])
    client.begin(point, measured=False)
    staff(client, concurrency)
    while time.monotonic() < began + (over - began) / 2 and (
        time.monotonic() < began + point.get("warmup_s", 0) or client.tally.done < concurrency
    ):
        await asyncio.sleep(LOOK_S)
    tally = client.begin(point, measured=True)
    enough, least = point.get("min_requests", 0), tally.started + point.get("min_seconds", 0)
    while time.monotonic() < over and (tally.done < enough or time.monotonic() < least):
        await asyncio.sleep(LOOK_S)
    return client.tell_point()


async def open_loop(client: Client) -> None:
    """Sends each request when it is due, however many are in flight, up to a limit.

    An arrival that would pass the limit is not sent, and counted: sent later, it would be another load.
    """
    settings = client.settings
    rates, limit = settings["rates"], settings.get("in_flight_limit", IN_FLIGHT_LIMIT)
    client.want, tally, began = limit, client.tally, time.monotonic()
    for due in arrivals(rates, settings.get("seed", 0), settings.get("burstiness") or 1.0):
        await asyncio.sleep(max(0.0, began + due - time.monotonic()))
        tally.arrivals += 1
        tally.late += time.monotonic() - began - due > LATE_S
        if tally.in_flight >= limit:
            tally.shed += 1
        else:
            task = asyncio.ensure_future(client.one())
            client.open.add(task)
            task.add_done_callback(client.open.discard)
            await asyncio.sleep(0)  # so that it counts as in flight before the next one
    await asyncio.sleep(max(0.0, began + sum(stage[0] for stage in rates) - time.monotonic()))


def rate_now(client: Client, seconds: float) -> float | None:
    """The rate that an open loop asks for now; None for a closed one."""
    rates = client.settings.get("rates")
    return round(rate_at(rates, seconds), 3) if rates else None
