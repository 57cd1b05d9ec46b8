"""A real Prometheus by itself that scrapes pages which the test serves."""

from __future__ import annotations

import contextlib
import http.server
import json
import socket
import subprocess
import threading
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import yaml

from tests.cluster.ground import programs


class Prometheus:
    """Its HTTP API."""

    def __init__(self, port: int) -> None:
        self.port = port

    def get(self, path: str, **parameters: str) -> Any:
        query = urllib.parse.urlencode(parameters)
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}?{query}", timeout=30) as answer:
            return json.load(answer)["data"]

    def by_pod(self, query: str) -> dict[str, list[float]]:
        """The values of an instant query by the pod that each is of."""
        found: dict[str, list[float]] = {}
        for series in self.get("/api/v1/query", query=query)["result"]:
            found.setdefault(series["metric"]["pod"], []).append(float(series["value"][1]))
        return found


@contextlib.contextmanager
def scraping(
    folder: Path, page: Callable[..., http.server.BaseHTTPRequestHandler], configuration: Callable[[int], Any]
) -> Iterator[tuple[Prometheus, Path]]:
    """Prometheus, perhaps not ready yet, and its log. `page` answers on the port that `configuration` is given."""
    programs.build(["prometheus"])
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), page)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    port = free_port()
    (folder / "prometheus.yml").write_text(yaml.safe_dump(configuration(server.server_port)))
    command = [
        str(programs.path_of("prometheus")),
        f"--config.file={folder}/prometheus.yml",
        f"--storage.tsdb.path={folder}/data",
        f"--web.listen-address=127.0.0.1:{port}",
    ]
    with (folder / "log").open("w") as log, subprocess.Popen(command, stdout=log, stderr=log) as process:
        try:
            yield Prometheus(port), folder / "log"
        finally:
            process.terminate()
            server.shutdown()
            server.server_close()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port
