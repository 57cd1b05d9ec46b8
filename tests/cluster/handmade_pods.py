"""Pods that run nowhere: written by hand as ready, at an address where this process answers for their engine.

The API server's pod proxy dials `status.podIP` itself (pkg/registry/core/pod/strategy.go, ResourceLocation), so a
cluster without a node is enough to read a metrics page through it. The address is the cluster network's own.
"""

from __future__ import annotations

import contextlib
import http.server
import json
import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone

from kubectl_llmhpa.api import PODS
from kubectl_llmhpa.kube import Connection
from kubectl_llmhpa.kube.http import UnixServer
from kubectl_llmhpa.kube.proxy import Proxy
from kubectl_llmhpa.kube.transport import SocketTransport
from tests.cluster.conftest import Json
from tests.cluster.ground.layout import NODE_IP

#: The API server reaches this process there; it dials no loopback address.
ADDRESS = NODE_IP
#: A metrics page and the like: path to (status, body).
Answers = Mapping[str, tuple[int, str]]


class Engine(http.server.ThreadingHTTPServer):
    """A small HTTP server with fixed answers; `asked` are the paths that were read."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, answers: Answers, address: str, port: int = 0) -> None:
        self.answers = answers
        self.asked: list[str] = []
        super().__init__((address, port), _Handler)

    @property
    def port(self) -> int:
        return int(self.server_address[1])


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Engine

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        code, body = self.server.answers.get(self.path, (404, "404 page not found\n"))
        content = body.encode()
        self.send_response(code)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Nothing: the test looks at `asked`."""


@contextlib.contextmanager
def engine(answers: Answers, port: int = 0) -> Iterator[Engine]:
    """An engine that answers until the end of the block."""
    server = Engine(answers, ADDRESS, port)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def make_ready(pods: Sequence[Json], *, seconds: float = 3600) -> None:
    """Write the status that a kubelet would write: running, ready for so many seconds, at our address."""
    since = datetime.now(timezone.utc) - timedelta(seconds=seconds)
    proxy = Proxy(Connection(), read_only=False)
    try:
        proxy.ready()
        transport = SocketTransport(UnixServer(proxy.socket), proxy.said)

        def write(pod: Json) -> None:
            meta = {key: value for key, value in pod["metadata"].items() if key != "resourceVersion"}
            path = PODS.path(meta["namespace"], meta["name"], "status")
            content = {**pod, "metadata": meta, "status": status(since)}
            transport.request("PUT", path, content=json.dumps(content).encode())

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(write, pods))
        transport.close()
    finally:
        proxy.stop()


def status(since: datetime) -> Json:
    """The status of a pod that is ready since then."""
    time = since.strftime("%Y-%m-%dT%H:%M:%SZ")
    conditions = [
        {"type": kind, "status": "True", "lastTransitionTime": time} for kind in ("PodScheduled", "Ready")
    ]
    return {
        "phase": "Running", "podIP": ADDRESS, "podIPs": [{"ip": ADDRESS}], "conditions": conditions,
        "startTime": time,
    }  # fmt: skip
