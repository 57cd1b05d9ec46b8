"""A small OpenAI-like server on loopback, and a run of the load client against it."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from kubectl_llmhpa.bench.pod import client

Handler = Callable[[str, dict[str, Any], asyncio.StreamWriter], Awaitable[None]]


class Engine:
    """Answers POSTs with `handler`; keeps what was asked."""

    def __init__(self, handler: Handler) -> None:
        self.handler = handler
        self.bodies: list[dict[str, Any]] = []
        self.heads: list[str] = []
        self.connections = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            length = next(
                int(line.split(":")[1]) for line in head.split("\r\n") if "content-length" in line.lower()
            )
            body = json.loads(await reader.readexactly(length))
            self.heads.append(head)
            self.bodies.append(body)
            await self.handler(head.split(" ")[1], body, writer)
        except ConnectionError:
            pass
        finally:
            writer.close()


async def reply(writer: asyncio.StreamWriter, status: str, body: dict[str, Any]) -> None:
    text = json.dumps(body)
    head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(text)}\r\n\r\n"
    writer.write((head + text).encode())
    await writer.drain()


async def stream(
    writer: asyncio.StreamWriter, tokens: int, *, gap: float = 0.002, usage: bool = True, end: bool = True
) -> None:
    """`tokens` chunks; every SSE event is split over two HTTP chunks to exercise the decoders."""
    writer.write(
        b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream;charset=x\r\nTransfer-Encoding: chunked\r\n\r\n"
    )

    def event(data: str) -> None:
        raw = f"data: {data}\n\n".encode()
        for part in (raw[:7], raw[7:]):
            writer.write(f"{len(part):x}\r\n".encode() + part + b"\r\n")

    for number in range(tokens):
        await asyncio.sleep(gap)
        reason = "length" if number == tokens - 1 else None
        event(json.dumps({"choices": [{"text": "x", "finish_reason": reason if end else None}]}))
        await writer.drain()
    if usage:
        event(json.dumps({"choices": [], "usage": {"completion_tokens": tokens * 2}}))
    if end:
        event("[DONE]")
        writer.write(b"0\r\n\r\n")
    await writer.drain()


def in_turn(handlers: Iterable[Handler]) -> Handler:
    """Each request by the next of the handlers, which are as many as are needed."""
    turns = iter(handlers)

    async def handler(path: str, body: dict[str, Any], writer: asyncio.StreamWriter) -> None:
        await next(turns)(path, body, writer)

    return handler


async def good(_path: str, body: dict[str, Any], writer: asyncio.StreamWriter) -> None:
    await stream(writer, body["max_tokens"])


def load(handler: Handler, **settings: Any) -> tuple[dict[str, Any], list[dict[str, Any]], Engine]:
    """The summary, all lines, and the engine after a run."""
    engine = Engine(handler)
    out = io.StringIO()

    async def go() -> dict[str, Any]:
        server = await asyncio.start_server(engine.serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        chosen: dict[str, Any] = {
            "base_url": f"http://127.0.0.1:{port}", "model": "m", "stages": [[0.4, 4]], "num_prompts": None,
            "input_tokens": 16, "output_tokens": 4, "seed": 1, "request_timeout_s": 5, "drain_s": 1,
        }  # fmt: skip
        chosen.update(settings)
        facts = await client.run(chosen, out)
        server.close()
        return facts

    facts = asyncio.run(go())
    lines = []
    for line in out.getvalue().splitlines():
        marker, _, text = line.partition(" ")
        assert marker == client.MARKER
        lines.append(json.loads(text))
    return facts, lines, engine


async def error_500(_path: str, _body: dict[str, Any], writer: asyncio.StreamWriter) -> None:
    await reply(writer, "500 Internal Server Error", {"error": "engine dead"})
