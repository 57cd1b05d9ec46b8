"""Several requests at once on one connection: each answer belongs to its path, and none is lost with a connection."""

from __future__ import annotations

import json
import re
import socket
from pathlib import Path

import pytest

from kubectl_llmhpa.api import Json
from kubectl_llmhpa.errors import ApiError
from kubectl_llmhpa.kube.http import UnixServer
from kubectl_llmhpa.kube.transport import SocketTransport
from tests.unit.test_kube_http import Server, bodied

PATHS = ["/a", "/b", "/c"]
A, B, C = ({"name": path} for path in PATHS)
LAST = b"Connection: close\r\n"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "s"


def sent(obj: Json, more: bytes = b"") -> bytes:
    return bodied(json.dumps(obj).encode(), more)


def found(path: Path, connections: list[list[bytes]]) -> tuple[list[Json | str], list[list[str]]]:
    """What was found, errors by their problem, and the paths that were asked for by each write."""
    server = Server(path, connections)
    transport = SocketTransport(UnixServer(path), str, timeout=5)
    answers = transport.get_in_turn(PATHS)
    transport.close()
    server.close()
    asked = [re.findall("GET (.*) HTTP", one.decode()) for one in server.requests]
    return [one.problem if isinstance(one, ApiError) else one for one in answers], asked


def test_all_are_asked_for_at_once(path: Path) -> None:
    assert found(path, [[sent(A) + sent(B) + sent(C)]]) == ([A, B, C], [PATHS])


def test_one_that_is_denied_or_no_json_is_alone(path: Path) -> None:
    denied = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno"
    answers, asked = found(path, [[denied + bodied(b"<html>") + sent(C)]])
    assert answers[0] == "no"
    assert "not JSON" in str(answers[1])
    assert answers[2] == C
    assert asked == [PATHS]


@pytest.mark.parametrize(
    "first",
    [
        pytest.param(sent(A), id="cut off between two answers"),
        pytest.param(sent(A) + sent(B)[:-3], id="cut off in an answer"),
        pytest.param(sent(A, LAST), id="ended by the server"),
        pytest.param(sent(A) + b"nonsense\r\n\r\n", id="no HTTP"),
    ],
)
def test_what_a_connection_takes_with_it_is_asked_for_again(path: Path, first: bytes) -> None:
    answers, asked = found(path, [[first], [sent(B), sent(C)]])
    assert answers == [A, B, C]
    assert asked == [PATHS, ["/b"], ["/c"]]


def test_a_connection_that_was_closed_meanwhile_is_opened_anew(path: Path) -> None:
    answers, asked = found(path, [[b""], [sent(A), sent(B), sent(C)]])
    assert answers == [A, B, C]
    assert asked == [PATHS, ["/a"], ["/b"], ["/c"]]


def test_silence_is_waited_for_once(path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(str(path))
        listener.listen()
        answers = SocketTransport(UnixServer(path), str, timeout=0.05).get_in_turn(PATHS)
        listener.settimeout(0)
        listener.accept()[0].close()
        with pytest.raises(BlockingIOError):
            listener.accept()
    assert ["in time" in str(one) for one in answers] == [True] * 3
