"""One streamed completion over a connection of its own: HTTP/1.1, chunked coding, server-sent events."""

from __future__ import annotations

import asyncio
import errno
import json
import math
import os
import random
import re
import socket
import ssl
import time
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from kubectl_llmhpa.bench.pod.measure import Sample

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from typing import Any

PATIENCE_S = 15.0  # how long the first request may meet nobody, or one of several pods that fails
_PASSING = ("connect", "http 429", "http 500", "http 502", "http 503", "http 504")
#: Failures to connect that are this machine's, not the engine's: no file, no port left.
_OURS = (errno.EMFILE, errno.ENFILE, errno.EADDRNOTAVAIL)
TOKEN_IDS = (10, 250)  # in every vocabulary, above the usual special tokens
EXTRAS = {"ignore_eos": True, "stream_options": {"include_usage": True}}
#: Ways to ask, the best first; the first that the engine accepts is used. (path, token ids?, extras?)
MODES = (
    ("/v1/completions", True, True),
    ("/v1/completions", False, True),
    ("/v1/completions", False, False),
    ("/v1/chat/completions", False, True),
    ("/v1/chat/completions", False, False),
)


class RequestError(Exception):
    """`reason` is a short word that failures are counted by; the message is for a person."""

    def __init__(self, reason: str, message: str) -> None:
        self.reason = reason
        super().__init__(message)


class Dechunker:
    """Takes the chunked transfer coding off a stream of bytes, piece by piece."""

    def __init__(self) -> None:
        self.rest = b""
        self.left = 0  # bytes of the current chunk still to come
        self.line_end = False  # the chunk is complete, its line end is still to come
        self.ended = False

    def feed(self, data: bytes) -> bytes:
        """The payload in `data` and what was kept before; raises RequestError on a bad chunk size."""
        self.rest += data
        payload = []
        while not self.ended:
            if self.left:
                piece, self.rest = self.rest[: self.left], self.rest[self.left :]
                self.left -= len(piece)
                payload.append(piece)
                if self.left:
                    break
                self.line_end = True
            if self.line_end:
                if len(self.rest) < 2:
                    break
                self.rest = self.rest[2:]
                self.line_end = False
            line, end, after = self.rest.partition(b"\r\n")
            if not end:
                break
            try:
                self.left = int(line.split(b";")[0], 16)
            except ValueError:
                raise RequestError("protocol", f"bad chunk size {line[:20]!r}") from None
            self.rest = after
            self.ended = self.left == 0
        return b"".join(payload)


class Endpoint:
    """The engine's address and how to ask it. Names are looked up anew every two seconds."""

    def __init__(self, settings: dict[str, Any]) -> None:
        self.settings = settings
        url = urlsplit(settings["base_url"])
        self.tls = url.scheme == "https"
        self.host = url.hostname or ""
        self.port = url.port or (443 if self.tls else 80)
        self.name = settings.get("host") or self.host  # of the certificate and the Host header
        self.netloc = settings.get("host") or url.netloc.rpartition("@")[2]
        models = settings.get("models") or [[settings.get("model"), 1]]
        self.models = [name for name, _ in models]
        self.weights = [weight for _, weight in models]
        path = url.path.rstrip("/")
        self.prefix = re.sub("/v1$", "", path)
        self.mode = MODES[0]
        self.addresses: list[Any] = []
        self.looked_up = -math.inf
        self.random = random.Random(settings.get("seed", 0))
        self.context: ssl.SSLContext | None = None
        if self.tls:
            self.context = ssl.create_default_context()
            if settings.get("insecure"):
                self.context.check_hostname = False
                self.context.verify_mode = ssl.CERT_NONE

    async def address(self) -> Any:
        """One socket address; of several (a headless Service) a random one."""
        if time.monotonic() - self.looked_up > 2 or not self.addresses:
            loop = asyncio.get_running_loop()
            found = await loop.getaddrinfo(self.host, self.port, type=socket.SOCK_STREAM)
            self.addresses = sorted({info[4] for info in found})
            self.looked_up = time.monotonic()
        return self.random.choice(self.addresses)

    def length(self) -> int:
        """Tokens of the next answer: as many as asked for, give or take the spread."""
        spread = self.settings.get("output_spread") or 0.0
        mean: int = self.settings["output_tokens"]
        return max(1, round(mean * (1 + self.random.uniform(-spread, spread)))) if spread else mean

    def body(self) -> bytes:
        path, ids, extras = self.mode
        length = self.settings["input_tokens"]
        low, high = TOKEN_IDS
        asked: dict[str, Any] = {
            "model": self.random.choices(self.models, self.weights)[0],
            "max_tokens": self.length(),
            "stream": True,
            "temperature": 0,
        }
        numbers = [self.random.randint(low, high) for _ in range(length)]
        # About one token a word in common vocabularies.
        prompt: Any = numbers if ids else " ".join(str(n) for n in numbers)
        if path.endswith("/chat/completions"):
            asked["messages"] = [{"role": "user", "content": prompt}]
        else:
            asked["prompt"] = prompt
        if extras:
            asked.update(EXTRAS)
        return json.dumps(asked, separators=(",", ":")).encode()

    async def ask(self) -> Sample:
        """One request on a connection of its own; raises RequestError."""
        body = self.body()
        head = [
            f"POST {self.prefix}{self.mode[0]} HTTP/1.1",
            f"Host: {self.netloc}",
            "Content-Type: application/json",
            f"Content-Length: {len(body)}",
            "Accept: text/event-stream",
            "User-Agent: kubectl-llm-hpa-bench",
            "Connection: close",
        ]
        key = os.environ.get("OPENAI_API_KEY")
        if key:
            head.append(f"Authorization: Bearer {key}")
        started = time.monotonic()
        try:
            address = await self.address()
            reader, writer = await asyncio.open_connection(
                address[0], address[1], ssl=self.context, server_hostname=self.name if self.tls else None
            )
        except (OSError, ssl.SSLError) as error:
            self.looked_up = -math.inf
            ours = "client limit" if error.errno in _OURS else "connect"
            raise RequestError("tls" if isinstance(error, ssl.SSLError) else ours, str(error)) from None
        try:
            writer.write(("\r\n".join(head) + "\r\n\r\n").encode("latin-1", "replace") + body)
            await writer.drain()
            return await self._read(reader, started)
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError) as error:
            raise RequestError("disconnected", str(error) or "the engine closed the connection") from None
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise RequestError("protocol", f"not an answer in the OpenAI form: {error!r}") from None
        finally:
            writer.close()

    async def _read(self, reader: asyncio.StreamReader, started: float) -> Sample:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        words = head[0].split(" ", 2)
        status = int(words[1]) if len(words) > 1 and words[1].isdigit() else 0
        headers = {}
        for line in head[1:]:
            name, _, value = line.partition(":")
            headers[name.strip().lower()] = value.strip().lower()
        pieces = self._body(reader, headers)
        if status != 200:
            text = b""
            async for piece in pieces:
                text += piece
                if len(text) > 4096:
                    break
            raise RequestError(f"http {status}", said_in(text) or head[0])
        streamed = "text/event-stream" in headers.get("content-type", "text/event-stream")
        answer = Answer(started, self.settings["input_tokens"])
        whole, rest = b"", b""
        async for piece in pieces:
            if not streamed:
                whole += piece
                continue
            lines = (rest + piece).split(b"\n")
            rest = lines.pop()
            now = time.monotonic()
            for raw in lines:
                if raw.startswith(b"data:"):
                    answer.event(raw[5:].strip(), now)
            if answer.ended:
                break
        if not streamed:
            answer.whole(whole, time.monotonic())
        return answer.sample()

    @staticmethod
    async def _body(reader: asyncio.StreamReader, headers: dict[str, str]) -> AsyncIterator[bytes]:
        chunks = Dechunker() if "chunked" in headers.get("transfer-encoding", "") else None
        length = headers.get("content-length", "")
        left = int(length) if chunks is None and length.isdigit() else None
        while left != 0 and not (chunks and chunks.ended):
            data = await reader.read(65536)
            if not data:
                if left or chunks:
                    raise RequestError("disconnected", "the answer broke off")
                return
            if left is not None:
                left = max(0, left - len(data))
            yield chunks.feed(data) if chunks else data

    async def choose_mode(self) -> None:
        """Finds the first way of asking that the engine accepts; raises the first way's failure if none."""
        first: RequestError | None = None
        for mode in MODES:
            self.mode = mode
            try:
                await asyncio.wait_for(self._patiently(), self.settings.get("request_timeout_s", 300))
                return
            except asyncio.TimeoutError:
                raise RequestError("timeout", "no answer to the first request") from None
            except RequestError as error:
                first = first or error
                if error.reason not in ("http 400", "http 404", "http 405", "http 422", "http 501"):
                    raise first from None
        self.mode = MODES[0]
        raise first or RequestError("protocol", "no way to ask")

    async def _patiently(self) -> None:
        """Asks once, and again for PATIENCE_S after a failure that may pass."""
        until = time.monotonic() + PATIENCE_S
        while True:
            try:
                await self.ask()
                return
            except RequestError as error:
                if error.reason not in _PASSING or time.monotonic() > until:
                    raise
                await asyncio.sleep(1)


def said_in(body: bytes) -> str:
    """The message of an error answer: of its JSON where it has one, else its text."""
    text = body.decode("utf-8", "replace").strip()
    try:
        said = json.loads(text)
    except ValueError:
        return text[:300]
    for key in ("error", "message", "detail"):
        if isinstance(said, dict) and key in said:
            said = said[key]
    return said[:300] if isinstance(said, str) else text[:300]


class Answer:
    """What one response said, event by event."""

    def __init__(self, started: float, asked: int) -> None:
        self.started, self.asked = started, asked
        self.first: float | None = None
        self.last = started
        self.gaps: list[float] = []
        self.chunks = 0
        self.tokens: int | None = None
        self.finished = False
        self.ended = False

    def event(self, data: bytes, now: float) -> None:
        if data == b"[DONE]":
            self.ended = self.finished = True
            return
        try:
            said = json.loads(data)
        except ValueError:
            raise RequestError("protocol", f"not JSON: {data[:80]!r}") from None
        if not isinstance(said, dict):
            raise RequestError("protocol", f"not an object: {data[:80]!r}")
        if "error" in said:
            raise RequestError("stream error", json.dumps(said["error"])[:300])
        usage = said.get("usage")
        if isinstance(usage, dict) and isinstance(usage.get("completion_tokens"), int):
            self.tokens = usage["completion_tokens"]
        for choice in said.get("choices") or ():
            delta = choice.get("delta") or {}
            text = choice.get("text") or delta.get("content") or delta.get("reasoning_content")
            last = choice.get("finish_reason") is not None
            self.finished = self.finished or last
            if "role" in delta and not text:
                continue
            if text or not last:
                self.chunks += 1
                if self.first is None:
                    self.first = now
                else:
                    self.gaps.append(now - self.last)
                self.last = now

    def whole(self, body: bytes, now: float) -> None:
        """An engine that does not stream: the token count counts, the time to the first token does not."""
        try:
            said = json.loads(body)
            self.tokens = said["usage"]["completion_tokens"]
        except (ValueError, KeyError, TypeError):
            raise RequestError("protocol", f"not a completion: {body[:80]!r}") from None
        self.last, self.finished = now, True

    def sample(self) -> Sample:
        if not self.finished:
            raise RequestError("disconnected", "the stream ended before the answer did")
        tokens = self.chunks if self.tokens is None else self.tokens
        if tokens < 1:
            raise RequestError("empty answer", "the engine answered without a token")
        ttft = None if self.first is None else self.first - self.started
        return Sample(ttft, self.gaps, self.last - self.started, tokens, self.tokens is not None, self.asked)
