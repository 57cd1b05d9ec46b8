"""The way for machines without unix sockets (Windows): a kubectl for each read, the package's connection for writes.

Slower, and never wider: every read is still kubectl's own, with its contexts, credential plugins and
proxies; writes take the flattened kubeconfig that kubectl shows.
"""

from __future__ import annotations

import contextlib
import json
import re
import subprocess
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from kubectl_llmhpa.errors import ApiError, LlmHpaError
from kubectl_llmhpa.kube import failures
from kubectl_llmhpa.kube.connection import Connection
from kubectl_llmhpa.kube.proxy import kubectl
from kubectl_llmhpa.kube.transport import Transport

if TYPE_CHECKING:
    from kubernetes.client import ApiClient

_SERVER_SAID = re.compile(r"Error from server(?: \((?P<reason>\w+)\))?: (?P<message>.*)", re.DOTALL)
_CODES = {
    "BadRequest": 400, "Unauthorized": 401, "Forbidden": 403, "NotFound": 404, "MethodNotAllowed": 405,
    "AlreadyExists": 409, "Conflict": 409, "Gone": 410, "Expired": 410, "Invalid": 422, "TooManyRequests": 429,
    "InternalError": 500, "ServiceUnavailable": 503, "Timeout": 504,
}  # fmt: skip
#: Flags that `kubectl config view` does not work into the kubeconfig that it shows.
_NOT_SHOWN = {
    "server",
    "token",
    "as",
    "as-group",
    "as-uid",
    "as-user-extra",
    "client-certificate",
    "client-key",
    "password",
    "proxy-url",
    "tls-server-name",
    "username",
}


class KubectlTransport(Transport):
    """One `kubectl --raw` for each request."""

    def __init__(self, connection: Connection, *, timeout: float = 60.0) -> None:
        self._base = [kubectl(), *connection.arguments()]
        self._timeout = timeout

    def _request(
        self, method: str, path: str, *, accept: str, content: bytes | None, timeout: float | None
    ) -> bytes:
        """See `Transport.request`; kubectl asks for JSON, whatever `accept` says."""
        del accept
        words = ["get", "--raw", path] if method == "GET" else ["create", "--raw", path, "-f", "-"]
        try:
            done = subprocess.run(
                [*self._base, *words],
                input=content or b"",
                capture_output=True,
                timeout=timeout or self._timeout,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise failures.no_answer(method, path, TimeoutError()) from error
        if done.returncode:
            raise failure(method, path, done.stderr.decode("utf-8", "replace"))
        return done.stdout

    def lines(self, path: str, timeout: float) -> Iterator[Any]:
        """See `Transport.lines`; the timeout is that of the whole watch."""
        with subprocess.Popen(
            [*self._base, "get", "--raw", path],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        ) as watch:  # fmt: skip
            assert watch.stdout is not None
            assert watch.stderr is not None
            limit = threading.Timer(timeout, watch.kill)
            limit.start()
            empty = True
            try:
                for line in watch.stdout:
                    empty = False
                    yield json.loads(line)
                if empty and watch.wait() > 0:
                    raise failure("GET", path, watch.stderr.read().decode("utf-8", "replace"))
            finally:
                limit.cancel()
                with contextlib.suppress(OSError):
                    watch.kill()

    def close(self) -> None:
        """Nothing is kept open."""


def failure(method: str, path: str, said: str) -> ApiError:
    """An `ApiError` from what kubectl wrote on stderr."""
    text = said.strip()
    match = _SERVER_SAID.search(text)
    attempted = failures.describe(method, path)
    if match:
        reason = match["reason"] or "InternalError"
        return failures.from_status(attempted, _CODES.get(reason, 500), reason, match["message"].strip())
    if "getting credentials" in text:
        return failures.from_answer(
            method, path, 500, text[text.index("getting credentials") :].encode(), lambda: text
        )
    if "must be logged in" in text or "Unauthorized" in text:
        return failures.from_status(attempted, 401, "Unauthorized", text)
    last = text.splitlines()[-1].removeprefix("error: ") if text else "kubectl said nothing"
    return ApiError("connect to the cluster", 0, "NoConnection", last, "check with: kubectl version")


def configured_client(connection: Connection) -> ApiClient:
    """The package's client, from the kubeconfig that kubectl shows for this connection.

    Raises LlmHpaError for flags that it does not show, and when no credentials come of it: the package goes
    on anonymously where a credential plugin fails.
    """
    from kubernetes import config

    hidden = sorted(_NOT_SHOWN & connection.flags.keys())
    if hidden:
        raise LlmHpaError(
            "write to the cluster", f"--{hidden[0]} cannot be used for writes on this machine",
            "put it into a kubeconfig context and name that with --context",
        )  # fmt: skip
    view = [
        kubectl(),
        *connection.arguments(),
        "config",
        "view",
        "--raw",
        "--minify",
        "--flatten",
        "-o",
        "json",
    ]
    done = subprocess.run(view, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode:
        raise failure("GET", "/version", done.stderr)
    shown = json.loads(done.stdout)
    if not shown.get("contexts"):
        raise LlmHpaError(
            "connect to the cluster", "kubectl has no context to connect to", "check --kubeconfig"
        )
    client = config.new_client_from_config_dict(shown)
    settings = client.configuration
    user = (shown.get("users") or [{}])[0].get("user") or {}
    if user and not (settings.api_key or settings.cert_file or settings.username):
        raise LlmHpaError(
            "get credentials for the cluster", "the credential plugin gave none", "run its login again"
        )  # fmt: skip
    return client
