"""The forecast of `anticipate` on a real Prometheus that holds ten minutes of made-up loads: what it does with them."""

from __future__ import annotations

import http.server
import math
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pytest
import yaml

from kubectl_llmhpa.backends import scaled_object
from kubectl_llmhpa.policy import decide
from kubectl_llmhpa.simulate import scalers
from kubectl_llmhpa.simulate.measures import over_time
from tests.cluster.ground import programs
from tests.cluster.test_queries import Prometheus, free_port

pytestmark = pytest.mark.control_plane

STEP = 15
NAN = math.nan
FACTS = scalers.facts_for([], 64, "told")
MEASURE = scalers.of_policy("anticipate", FACTS, least=1, most=9, external=True).scaling.measures[0]

#: Running requests of each pod every 15 s, the last one now; None: no sample. One request waits all the time.
LOADS: Mapping[str, Sequence[Sequence[float | None]]] = {
    "rises": [[10.0 + at for at in range(40)], [20.0] * 40],
    "falls": [[80.0 - 2 * at for at in range(40)]],
    "stays": [[30.0] * 40],
    "chance": [[30.0, 33.0] * 20],
    "new": [[None] * 36, [None] * 36 + [1.0, 20.0, 40.0, 60.0]],
    "restarted": [[30.0] * 30 + [0.0, 0.0, 1.0, 5.0, 9.0, 14.0, 19.0, 24.0, 29.0, 30.0], [30.0] * 40],
    "broken": [[10.0 + at for at in range(39)] + [NAN]],
    "once broken": [[10.0 + at for at in range(30)] + [NAN] + [41.0 + at for at in range(9)]],
}
GONE = [[10.0 + at for at in range(15)] + [None] * 25]


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Prometheus, int]]:
    """One that has scraped all of it at once, by the times that stand in the page; and the time of the last sample."""
    folder = tmp_path_factory.mktemp("forecast")
    programs.build(["prometheus"])
    now = int(time.time()) // STEP * STEP
    body = page(now).encode()

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
            yield ready(Prometheus(port), folder / "log"), now
        finally:
            process.terminate()
            server.shutdown()
            server.server_close()


def page(now: int) -> str:
    lines = []
    for load, pods in {**LOADS, "gone": GONE}.items():
        for number, samples in enumerate(pods):
            labels = f'{{namespace="{load}",pod="p{number}",engine="0",model_name="m"}}'
            for name, add in (("running", 0.0), ("waiting", None)):
                for at, sample in enumerate(samples):
                    if sample is not None:
                        value = 1.0 if add is None else sample
                        when = (now - STEP * (len(samples) - 1 - at)) * 1000
                        lines.append(f"vllm:num_requests_{name}{labels} {value} {when}")
    return "\n".join(lines) + "\n"


def ready(prometheus: Prometheus, log: Path) -> Prometheus:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        try:
            if prometheus.get("/api/v1/query", query="sum(scrape_samples_scraped)")["result"]:
                return prometheus
        except OSError:
            pass
        time.sleep(0.5)
    raise AssertionError(f"Prometheus is not ready\n{log.read_text()[-2000:]}")


def asked(prometheus: tuple[Prometheus, int], load: str) -> float | None:
    """What KEDA gets for a workload that has these loads, None for no element."""
    target = decide(FACTS, preset="anticipate", external=True).targets[0]
    source = FACTS.signals["in-flight"]
    made = scaled_object.trigger(
        "in-flight", target.value, source, f'namespace="{load}"', forecast=target.forecast
    )
    server, now = prometheus
    result = server.get("/api/v1/query", query=made.query, time=str(now))["result"]
    assert len(result) <= 1
    return float(result[0]["value"][1]) if result else None


def present(load: str, back: int = 0) -> float:
    """All requests in flight, so many steps ago."""
    seen = [pod[len(pod) - 1 - back] for pod in LOADS[load] if len(pod) > back]
    return sum(1 + one for one in seen if one is not None)


@pytest.mark.parametrize("load", [name for name in LOADS if "broken" not in name])
def test_prometheus_forecasts_as_the_model_does(prometheus: tuple[Prometheus, int], load: str) -> None:
    past = [(-STEP * back, present(load, back)) for back in reversed(range(20)) if present(load, back)]
    found = asked(prometheus, load)
    assert found is not None
    assert found == pytest.approx(over_time(MEASURE, past), rel=0.001)
    assert (found > present(load)) is (load == "rises")


def test_a_sum_that_is_gone_is_no_forecast(prometheus: tuple[Prometheus, int]) -> None:
    """What was there five minutes ago is no number, and above all no zero."""
    assert asked(prometheus, "gone") is None


def test_a_number_that_is_none_is_refused_and_its_past_is_no_forecast(
    prometheus: tuple[Prometheus, int],
) -> None:
    found = asked(prometheus, "broken")
    assert found is not None
    assert math.isnan(found)  # KEDA fails on it, and the HPA keeps its replicas
    assert asked(prometheus, "once broken") == present("once broken")
