"""The HTTP that is spoken with `kubectl proxy`: every way in which a body can come, and what is refused."""

from __future__ import annotations

import gzip
import socket
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubectl_llmhpa.kube.http import Answer, HttpConnection, UnixServer

OK = b"HTTP/1.1 200 OK\r\n"


class Server:
    """Answers the requests on a unix socket with prepared bytes, one list of answers a connection."""

    def __init__(self, path: Path, connections: Sequence[Sequence[bytes]]) -> None:
        self.requests: list[bytes] = []
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(str(path))
        self._listener.listen()
        self._thread = threading.Thread(target=self._serve, args=(connections,), daemon=True)
        self._thread.start()

    def _serve(self, connections: Sequence[Sequence[bytes]]) -> None:
        for answers in connections:
            client, _ = self._listener.accept()
            with client:
                for answer in answers:
                    self.requests.append(client.recv(65536))
                    client.sendall(answer)

    def close(self) -> None:
        self._thread.join(5)
        self._listener.close()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "s"


def bodied(body: bytes, more: bytes = b"") -> bytes:
    return OK + more + b"Content-Length: %d\r\n\r\n" % len(body) + body


def chunked(pieces: Sequence[bytes]) -> bytes:
    sent = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces if piece)
    return OK + b"Transfer-Encoding: chunked\r\n\r\n" + sent + b"0\r\n\r\n"


def test_a_connection_is_kept_and_a_request_is_whole(path: Path) -> None:
    server = Server(path, [[bodied(b"one"), chunked([b"tw", b"o"])]])
    connection = HttpConnection(UnixServer(path), 5)
    assert connection.request("GET", "/a?b=c", accept="*/*").read() == b"one"
    second = connection.request("POST", "/d", accept="application/json", content=b"{}")
    assert (second.status, second.read(), second.last) == (200, b"two", False)
    connection.close()
    server.close()
    assert server.requests[0] == b"GET /a?b=c HTTP/1.1\r\nHost: localhost\r\nAccept: */*\r\n\r\n"
    assert server.requests[1].endswith(b"Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}")


@given(st.lists(st.binary(max_size=50), max_size=8))
def test_chunks_and_lines_are_put_together(pieces: list[bytes]) -> None:
    whole = b"".join(pieces)
    assert answer(chunked(pieces)).read() == whole
    lines = whole.split(b"\n")
    assert list(answer(chunked(pieces)).lines()) == (lines if lines[-1] else lines[:-1])


def answer(sent: bytes) -> Answer:
    """The answer in bytes that end there."""
    here, there = socket.socketpair()
    with there:
        there.sendall(sent)
    with here:
        return Answer(here.makefile("rb"))


@pytest.mark.parametrize(
    ("sent", "status", "body", "last"),
    [
        (b"HTTP/1.1 204 No Content\r\n\r\n", 204, b"", False),
        (b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + bodied(b"x"), 200, b"x", False),
        (OK + b"Connection: Close\r\nContent-Length: 1\r\n\r\nx", 200, b"x", True),
        (b"HTTP/1.0 200 OK\r\n\r\nto the end", 200, b"to the end", True),
        (OK + b"transfer-encoding: chunked\r\n\r\n1;a=b\r\nx\r\n0\r\nTrailer: y\r\n\r\n", 200, b"x", False),
        (bodied(gzip.compress(b"x", mtime=0), b"Content-Encoding: gzip\r\n"), 200, b"x", False),
        (b"HTTP/1.1 404\r\nContent-Length: 0\r\n\r\n", 404, b"", False),
    ],
)
def test_answers(sent: bytes, status: int, body: bytes, last: bool) -> None:
    found = answer(sent)
    assert (found.status, found.read(), found.last) == (status, body, last)


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"SSH-2.0\r\n",
        b"HTTP/1.1 2x0 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-",
        bodied(b"x", b"Content-Encoding: gzip\r\n"),
        OK + b"Content-Length: 5\r\n\r\nx",
        OK + b"Content-Length: -1\r\n\r\nx",
        OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nx",
        OK + b"Transfer-Encoding: chunked\r\n\r\n0x1\r\nx\r\n0\r\n\r\n",
        OK + b"Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n",
        OK + b"X: " + b"y" * 70000 + b"\r\n\r\n",
    ],
)
def test_an_answer_that_is_cut_off_or_no_http_is_an_error(sent: bytes) -> None:
    with pytest.raises(OSError, match=r"answer|connection"):
        answer(sent).read()


@pytest.mark.parametrize("asked", ["/a b", "/a\r\nX: y", "/a\x00", "/é"])
def test_a_path_that_is_not_encoded_is_not_sent(path: Path, asked: str) -> None:
    with pytest.raises(OSError, match="path"):
        HttpConnection(UnixServer(path), 5).request("GET", asked, accept="*/*")


def test_silence_is_a_timeout(path: Path) -> None:
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(str(path))
    listener.listen()
    connection = HttpConnection(UnixServer(path), 5)
    connection.limit(0.05)
    with pytest.raises(TimeoutError):
        connection.request("GET", "/", accept="*/*")
    connection.close()
    listener.close()
