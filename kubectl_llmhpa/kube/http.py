"""HTTP/1.1, as much of it as Go's own server speaks: that of `kubectl proxy` and that of the API server.

Not `http.client`: that loads `email` and, for a unix socket as well, `ssl`: a tenth of all that `status` loads.
"""

from __future__ import annotations

import io
import socket
from collections.abc import Iterator, Mapping, Sequence
from typing import IO, TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from pathlib import Path

#: The longest line of an answer, as in Go and in `http.client`.
_LINE = 1 << 16
#: Bytes that are taken at once: with few calls the reader seldom waits for other threads.
_PIECE = 1 << 18
_NO_BODY = (204, 304)


class Server(Protocol):
    """Where requests go."""

    #: The path in front of all others.
    prefix: str
    #: Whether answers are better sent compressed.
    far: bool

    def dial(self, timeout: float | None) -> socket.socket:
        """A new connection, within `timeout` seconds (None: however long it takes). Raises OSError."""

    def headers(self) -> list[str]:
        """The lines that each request has for this server."""


class UnixServer:
    """A server on a unix socket."""

    prefix = ""
    far = False  # what comes over the network to `kubectl proxy` is

    def __init__(self, path: Path) -> None:
        self._path = path

    def dial(self, timeout: float | None) -> socket.socket:
        """See `Server.dial`."""
        dialled = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        dialled.settimeout(timeout)
        dialled.connect(str(self._path))
        return dialled

    def headers(self) -> list[str]:
        """See `Server.headers`."""
        return ["Host: localhost"]


class HttpConnection:
    """A connection to a server, kept alive: one request at a time, each answer read to its end.

    Whatever goes wrong is an OSError: a timeout, a server that is gone, an answer that is not HTTP.
    """

    def __init__(self, server: Server, timeout: float | None) -> None:
        """`timeout` is in seconds without a byte of the answer. Connects with the first request, or by `dial`."""
        self._server = server
        self._timeout = timeout
        self._socket: socket.socket | None = None
        self._stream: IO[bytes] | None = None

    def dial(self) -> None:
        """Connect now."""
        self._socket = self._server.dial(self._timeout)
        self._stream = io.BufferedReader(self._socket.makefile("rb", buffering=0), _PIECE)

    def limit(self, seconds: float) -> None:
        """Give up after so many seconds without an answer, from the next request on."""
        self._timeout = seconds
        if self._socket is not None:
            self._socket.settimeout(seconds)

    def close(self) -> None:
        """End the connection; the next request makes a new one."""
        for one in (self._stream, self._socket):
            if one is not None:
                one.close()
        self._socket = self._stream = None

    def request(
        self, method: str, path: str, *, accept: str, content: bytes | None = None, whole: bool = True
    ) -> Answer:
        """The answer, its body still to be read: `whole`, or in pieces as they come.

        `path` is encoded already, `content` is JSON.
        """
        self._send(self._head(method, path, accept=accept, content=content, whole=whole) + (content or b""))
        return self.answer()

    def ask(self, paths: Sequence[str]) -> None:
        """Send a GET for each path, all at once; the answers come in their order (RFC 9112, 9.3.2).

        Each `answer` is read to its end before the next.
        """
        self._send(b"".join(self._head("GET", path, accept="application/json") for path in paths))

    def answer(self) -> Answer:
        """The next answer, its body still to be read."""
        if self._stream is None:
            raise OSError("the connection was closed")
        return Answer(self._stream)

    def _head(
        self, method: str, path: str, *, accept: str, content: bytes | None = None, whole: bool = True
    ) -> bytes:
        """A request up to its content."""
        if not path.isascii() or not path.isprintable() or " " in path:
            raise OSError("the path has characters that no path can have")
        lines = [
            f"{method} {self._server.prefix}{path} HTTP/1.1",
            *self._server.headers(),
            f"Accept: {accept}",
        ]
        if self._server.far and whole:
            lines.append("Accept-Encoding: gzip")
        if content is not None:
            lines += ["Content-Type: application/json", f"Content-Length: {len(content)}"]
        return "\r\n".join([*lines, "", ""]).encode()

    def _send(self, content: bytes) -> None:
        if self._socket is None:
            self.dial()
        assert self._socket is not None
        self._socket.sendall(content)


class Answer:
    """The status of an answer, and its body as it comes. Raises OSError for one that is cut off or no HTTP."""

    def __init__(self, stream: IO[bytes]) -> None:
        """Read the status and the headers; informational answers before them are skipped."""
        self._stream = stream
        self.status = 100
        while 100 <= self.status < 200:
            version, _, rest = self._line().partition(b" ")
            if not version.startswith(b"HTTP/1."):
                raise OSError(f"an answer that is not HTTP: {version[:40]!r}")
            self.status = _number(rest[:3], 10)
            self._headers = self._fields()
        self._old = version == b"HTTP/1.0"

    @property
    def last(self) -> bool:
        """Whether the server ends the connection after this answer."""
        return self._old or self._headers.get(b"connection", b"").lower() == b"close"

    def read(self) -> bytes:
        """The whole body, unpacked."""
        body = b"".join(self.pieces())
        if self._headers.get(b"content-encoding", b"").lower() != b"gzip":
            return body
        import zlib

        try:
            return zlib.decompress(body, wbits=31)
        except zlib.error as error:
            raise OSError(f"an answer that is not what it says: {error}") from error

    def lines(self) -> Iterator[bytes]:
        """The lines of a body that is not compressed, without their ends, each as soon as it is whole."""
        rest = b""
        for piece in self.pieces():
            *whole, rest = (rest + piece).split(b"\n")
            yield from whole
        if rest:
            yield rest

    def pieces(self) -> Iterator[bytes]:
        """The body in the pieces in which it is sent."""
        if self.status in _NO_BODY:
            return
        if self._headers.get(b"transfer-encoding", b"").lower() == b"chunked":
            while size := _number(self._line().partition(b";")[0], 16):
                yield self._exactly(size)
                self._line()
            self._fields()  # trailers
        elif (length := self._headers.get(b"content-length")) is not None:
            yield self._exactly(_number(length, 10))
        else:
            yield self._stream.read()

    def _fields(self) -> Mapping[bytes, bytes]:
        """Header fields to the empty line; names in small letters."""
        fields = {}
        while line := self._line():
            name, _, value = line.partition(b":")
            fields[name.lower()] = value.strip()
        return fields

    def _line(self) -> bytes:
        line = self._stream.readline(_LINE)
        if not line.endswith(b"\n"):
            raise OSError("the answer ends in the middle" if line else "the connection was closed")
        return line.rstrip(b"\r\n")

    def _exactly(self, size: int) -> bytes:
        piece = self._stream.read(size)
        if len(piece) < size:
            raise OSError("the answer ends in the middle")
        return piece


def _number(text: bytes, base: int) -> int:
    """A number of the protocol: digits alone."""
    digits = text.strip().lower()
    if not digits or digits.strip(b"0123456789abcdef" if base == 16 else b"0123456789"):
        raise OSError(f"an answer that is not HTTP: {text[:40]!r}")
    return int(digits, base)
