"""A Prometheus that has scraped a page of samples of the past at once, by the times that stand in it."""

from __future__ import annotations

import contextlib
import http.server
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.cluster.lone_prometheus import Prometheus, scraping


@contextlib.contextmanager
def holding(folder: Path, page: str) -> Iterator[Prometheus]:
    """`page` has a time in milliseconds behind each number; the labels are as they stand there."""
    body = page.encode()

    class Page(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/plain; version=0.0.4")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    def configuration(port: int) -> dict[str, Any]:
        target = {"targets": [f"127.0.0.1:{port}"]}
        job = {"job_name": "engines", "honor_labels": True, "static_configs": [target]}
        return {"global": {"scrape_interval": "2s"}, "scrape_configs": [job]}

    with scraping(folder, Page, configuration) as (prometheus, log):
        yield _ready(prometheus, log)


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
