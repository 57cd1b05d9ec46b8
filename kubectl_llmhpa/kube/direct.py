"""The API server itself, over TLS, where the kubeconfig is plain (`kube/kubeconfig.py`): no kubectl is started.

Its certificate is checked as Go would: against the kubeconfig's authority alone, and by its names, never the common
name. Where the server cannot be reached in this way, kubectl is asked to, and says why not in its own words.
"""

from __future__ import annotations

import os
import socket
import ssl
from collections.abc import Sequence

from kubectl_llmhpa import __version__
from kubectl_llmhpa.api import Json
from kubectl_llmhpa.errors import ApiError
from kubectl_llmhpa.kube import failures
from kubectl_llmhpa.kube.kubeconfig import Endpoint
from kubectl_llmhpa.kube.transport import SocketTransport

_REVIEWS = "/apis/authorization.k8s.io/"
#: Of the first connection; after that it is kubectl's turn, which has more patience.
_SECONDS = 5.0
#: In paths behind which others answer, who may take their time.
_OTHERS = ("/proxy", ".metrics.k8s.io/")
#: Requests that a connection has room for while nobody reads the first answer.
_IN_TURN = 16


def transport(endpoint: Endpoint) -> ReadingTransport:
    """Requests to the endpoint, with one connection open. Raises OSError (also for TLS) and ValueError."""
    connected = ReadingTransport(TlsServer(endpoint), str)
    connected.dial(_SECONDS)
    return connected


class ReadingTransport(SocketTransport):
    """Sends nothing but GET and access reviews, whatever it is asked to."""

    def get_many(self, paths: Sequence[str]) -> list[Json | ApiError]:
        """See `Transport.get_many`: what the API server itself answers, in turn."""
        slow = any(other in path for path in paths for other in _OTHERS)
        return self.get_in_turn(paths) if 1 < len(paths) <= _IN_TURN and not slow else super().get_many(paths)

    def _request(
        self, method: str, path: str, *, accept: str, content: bytes | None, timeout: float | None
    ) -> bytes:
        """See `Transport.request`."""
        if method != "GET" and not (method == "POST" and path.startswith(_REVIEWS)):
            raise ApiError(failures.describe(method, path), 405, "ReadOnly", "this command only reads")
        return super()._request(method, path, accept=accept, content=content, timeout=timeout)


class TlsServer:
    """A server behind TLS. Implements `http.Server`."""

    far = True

    def __init__(self, endpoint: Endpoint) -> None:
        """Raises OSError and ValueError for certificates and a token's file that cannot be used."""
        self.prefix = endpoint.prefix
        self._endpoint = endpoint
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self._context.hostname_checks_common_name = False
        self._context.load_verify_locations(cadata=endpoint.authority.decode("ascii"))
        if endpoint.certificate:
            _present(self._context, endpoint.certificate + b"\n" + endpoint.key)
        host = f"[{endpoint.host}]" if ":" in endpoint.host else endpoint.host
        self._headers = [f"Host: {host}:{endpoint.port}", f"User-Agent: kubectl-llm-hpa/{__version__}"]
        self.headers()

    def dial(self, timeout: float | None) -> socket.socket:
        """See `http.Server.dial`."""
        plain = socket.create_connection((_bare(self._endpoint.host), self._endpoint.port), timeout)  # type: ignore[arg-type]  # bytes too
        try:
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            name = self._endpoint.server_name or self._endpoint.host
            return self._context.wrap_socket(plain, server_hostname=_bare(name))
        except BaseException:
            plain.close()
            raise

    def headers(self) -> list[str]:
        """See `http.Server.headers`. A token's file is read each time, since tokens in files are replaced.

        Raises OSError when there is none in it.
        """
        token = self._endpoint.token
        if self._endpoint.token_file:
            with open(self._endpoint.token_file, encoding="utf-8", errors="replace") as file:
                token = file.read().strip()
            if not token or not token.isprintable():
                raise OSError(f"no token in {self._endpoint.token_file}")
        return [*self._headers, f"Authorization: Bearer {token}"] if token else self._headers


def _bare(host: str) -> str | bytes:
    """A name in plain letters as bytes, which are not looked through for others: that takes 3 ms to load."""
    return host.encode() if host.isascii() else host


def _present(context: ssl.SSLContext, pem: bytes) -> None:
    """Give the context a client certificate with its key. OpenSSL takes a file alone: one in memory where there are."""
    if hasattr(os, "memfd_create"):
        file = os.memfd_create("client", os.MFD_CLOEXEC)
        path = f"/proc/self/fd/{file}"
    else:
        from kubectl_llmhpa.kube.proxy import private_folder

        path = str(private_folder() / "client.pem")
        file = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    try:
        os.write(file, pem)
        context.load_cert_chain(path, password=str)  # a key with a password is no key, as for Go
    finally:
        os.close(file)
        if not hasattr(os, "memfd_create"):
            os.unlink(path)
            os.rmdir(os.path.dirname(path))
