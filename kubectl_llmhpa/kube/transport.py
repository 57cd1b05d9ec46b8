"""Requests to the API server: HTTP on connections that are kept alive, as many as there are requests at once."""

from __future__ import annotations

import abc
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from kubectl_llmhpa.api import Json
from kubectl_llmhpa.errors import ApiError
from kubectl_llmhpa.kube import failures, request_log
from kubectl_llmhpa.kube.http import HttpConnection, Server

_AT_ONCE = 8
#: How long one request may take where nothing else is said.
SECONDS = 60.0


class Transport(abc.ABC):
    """Requests to the API server, as bytes and JSON; every failure is an `ApiError`."""

    def request(
        self,
        method: str,
        path: str,
        *,
        accept: str = "application/json",
        content: bytes | None = None,
        timeout: float | None = None,
    ) -> bytes:
        """The body of a successful answer; `content` is JSON, `timeout` in seconds. Raises ApiError."""
        began = time.monotonic()
        status, size = 0, 0
        try:
            body = self._request(method, path, accept=accept, content=content, timeout=timeout)
            status, size = 200, len(body)
        except ApiError as error:
            status = error.code
            raise
        finally:
            request_log.answered(method, path, status, size, began)
        return body

    @abc.abstractmethod
    def _request(
        self, method: str, path: str, *, accept: str, content: bytes | None, timeout: float | None
    ) -> bytes:
        """See `request`."""

    @abc.abstractmethod
    def lines(self, path: str, timeout: float) -> Iterator[Any]:
        """The JSON lines of a watch.

        Ends when the server ends it or when nothing came for `timeout` seconds. Raises ApiError.
        """

    @abc.abstractmethod
    def close(self) -> None:
        """Close the connections of all threads."""

    def get_json(self, path: str, accept: str = "application/json") -> Json:
        """The JSON object at `path`."""
        return self._object(path, self.request("GET", path, accept=accept))

    def get_many(self, paths: Sequence[str]) -> list[Json | ApiError]:
        """The JSON objects at all paths, or why there is none."""
        from kubectl_llmhpa.kube.at_once import at_once

        return at_once(self._object_or_error, paths, _AT_ONCE)

    def _object_or_error(self, path: str) -> Json | ApiError:
        try:
            return self.get_json(path)
        except ApiError as error:
            return error

    def post_json(self, path: str, content: Mapping[str, Any]) -> Json:
        """The JSON object that answers a POST."""
        return self._object(path, self.request("POST", path, content=json.dumps(content).encode()))

    @staticmethod
    def _object(path: str, body: bytes) -> Json:
        try:
            value = json.loads(body)
        except ValueError as error:
            raise ApiError(f"read {path}", 0, "BadAnswer", f"the answer is not JSON: {error}") from error
        if not isinstance(value, dict):
            raise ApiError(f"read {path}", 0, "BadAnswer", "the answer is not a JSON object")
        return value


class SocketTransport(Transport):
    """Over sockets: to `kubectl proxy`, or to the API server itself."""

    def __init__(self, server: Server, said: failures.Said, *, timeout: float = SECONDS) -> None:
        """`said` gives what kubectl wrote on stderr, for the message of a failed credential plugin."""
        self._server = server
        self._said = said
        self._timeout = timeout
        self._free: list[HttpConnection] = []

    def dial(self, timeout: float) -> None:
        """Have one connection ready within so many seconds. Raises OSError."""
        connection = HttpConnection(self._server, timeout)
        connection.dial()
        self._free.append(connection)

    def get_in_turn(self, paths: Sequence[str]) -> list[Json | ApiError]:
        """As `get_many`, asked for at once on one connection: each connection more has a handshake more.

        What the connection was closed before is asked for again by itself.
        """
        found: list[Json | ApiError] = []
        connection = self._connection(self._timeout)
        began = time.monotonic()
        try:
            connection.ask(paths)
            for path in paths:
                answer = connection.answer()
                body = answer.read()
                request_log.answered("GET", path, answer.status, len(body), began)
                found.append(self._told(path, answer.status, body))
                if answer.last:
                    connection.close()
                    break
        except TimeoutError as error:
            connection.close()
            found += [failures.no_answer("GET", path, error) for path in paths[len(found) :]]
        except OSError:
            connection.close()
        self._free.append(connection)
        return [*found, *map(self._object_or_error, paths[len(found) :])]

    def _told(self, path: str, status: int, body: bytes) -> Json | ApiError:
        """What an answer says."""
        if status >= 400:
            return failures.from_answer("GET", path, status, body, self._said)
        try:
            return self._object(path, body)
        except ApiError as error:
            return error

    def _connection(self, timeout: float) -> HttpConnection:
        """One that is free, else a new one."""
        try:
            connection = self._free.pop()
        except IndexError:  # all are in use, or there is none yet
            connection = HttpConnection(self._server, self._timeout)
        connection.limit(timeout)
        return connection

    def close(self) -> None:
        """See `Transport.close`."""
        while self._free:
            self._free.pop().close()

    def _request(
        self, method: str, path: str, *, accept: str, content: bytes | None, timeout: float | None
    ) -> bytes:
        """See `Transport.request`; a kept-alive connection that the server closed is opened anew once."""
        connection = self._connection(timeout or self._timeout)
        for attempt in (1, 2):
            try:
                answer = connection.request(method, path, accept=accept, content=content)
                body = answer.read()
                break
            except OSError as error:
                connection.close()
                if attempt == 2 or isinstance(error, TimeoutError):
                    raise failures.no_answer(method, path, error) from error
        if answer.last:
            connection.close()
        self._free.append(connection)
        if answer.status >= 400:
            raise failures.from_answer(method, path, answer.status, body, self._said)
        return body

    def lines(self, path: str, timeout: float) -> Iterator[Any]:
        """See `Transport.lines`; on a connection of its own."""
        connection = HttpConnection(self._server, timeout)
        try:
            began = time.monotonic()
            try:
                answer = connection.request("GET", path, accept="application/json", whole=False)
            except OSError as error:
                raise failures.no_answer("GET", path, error) from error
            request_log.answered("GET", path, answer.status, 0, began)
            if answer.status >= 400:
                raise failures.from_answer("GET", path, answer.status, answer.read(), self._said)
            lines = answer.lines()
            while True:
                try:
                    line = next(lines, b"")
                except OSError:
                    return
                if not line:
                    return
                yield json.loads(line)
        finally:
            connection.close()
