"""`simulate --history` on a real Prometheus that holds half an hour of a made-up load."""

from __future__ import annotations

import json
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from kubectl_llmhpa.api import STATEFUL_SETS, Json
from kubectl_llmhpa.errors import LlmHpaError
from kubectl_llmhpa.simulate import history, scalers
from kubectl_llmhpa.workloads import Workload
from tests.cluster.lone_prometheus import Prometheus
from tests.cluster.timed_samples import holding

pytestmark = pytest.mark.control_plane

STEP, POINTS = 15, 120
#: Of each pod, a minute: requests that stop and that are cut by length, prompt and output tokens.
STOP, LENGTH, PROMPT, OUTPUT = 8, 4, 6000, 2400


@dataclass(frozen=True)
class Proxied:
    """The API server's proxy to it, with one Prometheus object."""

    prometheus: Prometheus

    def get(self, path: str, *, accept: str = "application/json") -> Json:
        del accept
        if path.endswith("/prometheuses"):
            return {"items": [{"metadata": {"namespace": "monitoring", "name": "k8s"}}]}
        if "/proxy/" not in path:
            raise LlmHpaError(f"read {path}", "it is not there")
        address = f"http://127.0.0.1:{self.prometheus.port}/{path.partition('/proxy/')[2]}"
        with urllib.request.urlopen(address, timeout=30) as answer:
            found: Json = json.load(answer)
        return found


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with holding(tmp_path_factory.mktemp("history"), page(int(time.time()) // STEP * STEP)) as server:
        yield Proxied(server)


def page(now: int) -> str:
    """Two pods, scraped by two jobs; from the middle on the second one is full with 24 requests."""
    lines = []
    for at in range(POINTS):
        when, minute = (now - STEP * (POINTS - 1 - at)) * 1000, at * STEP / 60
        for pod in ("vllm-0", "vllm-1", "vllm-canary-0"):
            for job in ("ours", "theirs"):
                labels = f'namespace="llm",pod="{pod}",job="{job}",engine="0",model_name="m"'
                full = pod == "vllm-1" and POINTS / 2 <= at < POINTS / 2 + 8
                rows = [
                    ("request_success_total", 'finished_reason="stop",', STOP * minute),
                    ("request_success_total", 'finished_reason="length",', LENGTH * minute),
                    ("prompt_tokens_total", "", PROMPT * minute),
                    ("generation_tokens_total", "", OUTPUT * minute),
                    ("num_requests_running", "", 24 if full else 10),
                    ("num_requests_waiting", "", 6 if full else 0),
                ]
                lines += [f"vllm:{name}{{{more}{labels}}} {number} {when}" for name, more, number in rows]
    return "\n".join(lines) + "\n"


def test_the_load_that_a_workload_had(reader: Any) -> None:
    workload = Workload(STATEFUL_SETS, "llm", "vllm", {}, 2, "app=vllm")
    past = history.read(reader, workload, [], scalers.facts_for([], 64, "told"), 1200)
    requests = 2 * (STOP + LENGTH)
    assert sum(past.arrivals) == pytest.approx(requests * len(past.arrivals), rel=0.05)
    grown = [at for at, count in enumerate(past.arrivals) if count == pytest.approx(requests + 20, rel=0.05)]
    assert len(grown) == 1, "20 more in flight at once are 20 that came"
    assert past.prompt[-1] == pytest.approx(PROMPT / (STOP + LENGTH), rel=0.05)
    assert past.output[-1] == pytest.approx(OUTPUT / (STOP + LENGTH), rel=0.05)
    assert past.seats is not None
    assert past.seats.value == 24
    assert past.silent == 0
