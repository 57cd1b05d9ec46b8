"""How several clients start together: each waits to be told, over its own port.

The one who follows the run asks every client, through the pod proxy, for `/start?in=SECONDS`, with the time that is
left until one instant of its own clock. So no two machines' clocks are compared, nothing else is made in the cluster,
and no right is needed beyond the one that metrics pages are read with.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import time

PORT = 8099
LONGEST_DELAY_S = 60.0
_START = re.compile(rb"GET /start\?in=([0-9]+(?:\.[0-9]+)?) ")


class Meeting:
    """Listens from `open` to `close`; `wait` lasts until the instant that it is told."""

    def __init__(self) -> None:
        self.told: asyncio.Future[float] = asyncio.get_running_loop().create_future()
        self.server: asyncio.AbstractServer | None = None

    async def open(self) -> int:
        """The port it listens on, at every address of the pod, of either family."""
        self.server = await asyncio.start_server(self._answer, None, PORT)
        found: int = self.server.sockets[0].getsockname()[1]
        return found

    async def wait(self) -> None:
        start = await self.told
        await asyncio.sleep(max(0.0, start - time.monotonic()))

    async def close(self) -> None:
        if self.server is not None:
            self.server.close()
            await self.server.wait_closed()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            asked = _START.match(await reader.readuntil(b"\r\n"))
            if asked and not self.told.done():
                self.told.set_result(time.monotonic() + min(float(asked[1]), LONGEST_DELAY_S))
            status = b"200 OK" if asked else b"404 Not Found"
            writer.write(b"HTTP/1.1 " + status + b"\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            await writer.drain()
        writer.close()
