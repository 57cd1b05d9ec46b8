"""A Prometheus that has scraped a page of samples of the past at once, by the times that stand in it."""

from __future__ import annotations

import contextlib
import http.server
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import yaml

from tests.cluster.ground import programs
from tests.cluster.test_queries import Prometheus, free_port


@contextlib.contextmanager
def holding(folder: Path, page: str) -> Iterator[Prometheus]:
    """`page` has a time in milliseconds behind each number; the labels are as they stand there."""
    programs.build(["prometheus"])
    body = page.encode()

    class Page(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/plain; version=0.0.4")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Page)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    port = free_port()
    target = {"targets": [f"127.0.0.1:{server.server_port}"]}
    job = {"job_name": "engines", "honor_labels": True, "static_configs": [target]}
    (folder / "prometheus.yml").write_text(
        yaml.safe_dump({"global": {"scrape_interval": "2s"}, "scrape_configs": [job]})
    )
    command = [
        str(programs.path_of("prometheus")),
        f"--config.file={folder}/prometheus.yml",
        f"--storage.tsdb.path={folder}/data",
        f"--web.listen-address=127.0.0.1:{port}",
    ]
    with (folder / "log").open("w") as log, subprocess.Popen(command, stdout=log, stderr=log) as process:
        try:
            yield _ready(Prometheus(port), folder / "log")
        finally:
            process.terminate()
            server.shutdown()
            server.server_close()


def _ready(prometheus: Prometheus, log: Path) -> Prometheus:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        try:
            if prometheus.get("/api/v1/query", query="sum(scrape_samples_scraped)")["result"]:
                return prometheus
        except OSError:
            pass
        time.sleep(0.5)
    raise AssertionError(f"Prometheus is not ready\n{log.read_text()[-2000:]}")
