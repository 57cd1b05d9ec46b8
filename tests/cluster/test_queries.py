"""Every query on a real Prometheus that scrapes every recorded body: its answer is the number read from the body."""

from __future__ import annotations

import http.server
import time
from collections.abc import Iterator
from functools import cache, partial
from pathlib import Path
from typing import Any

import pytest

from kubectl_llmhpa.backends.adapter_rules import rule_for
from kubectl_llmhpa.engines import (
    Kind,
    NotAnEngine,
    Signal,
    SignalSource,
    endpoint_picker,
    identify,
    over_all,
)
from tests.cluster.lone_prometheus import Prometheus, scraping

pytestmark = pytest.mark.control_plane

BODIES = Path(__file__).parents[1] / "bodies"
NAMES = sorted(path.stem for path in BODIES.glob("*.txt"))
NAMESPACE = "recorded"
#: The same pod as a second scrape object sees it: other `job`, `instance` and `container`.
TWICE = "-twice"
SCRAPE_S = 15
START_S = 240


@cache
def sources(name: str) -> dict[str, SignalSource]:
    """The signals of a body, or those of a picker that External metrics can use."""
    try:
        return dict(identify((BODIES / f"{name}.txt").read_text()).signals)
    except NotAnEngine as refused:
        return dict(refused.upstream)


class Page(http.server.SimpleHTTPRequestHandler):
    """A body at /NAME.txt, with the content type of an engine."""

    protocol_version = "HTTP/1.1"
    extensions_map = {".txt": "text/plain; version=0.0.4; charset=utf-8"}  # noqa: RUF012 - as the base class has it

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    """A Prometheus that scrapes every body as a pod of one scrape job, and again as a pod of two."""
    folder = tmp_path_factory.mktemp("prometheus")
    with scraping(folder, partial(Page, directory=str(BODIES)), configuration) as (prometheus, log):
        yield scraped(prometheus, log)


def configuration(port: int) -> dict[str, Any]:
    def targets(suffix: str, **labels: str) -> list[dict[str, Any]]:
        return [
            {
                "targets": [f"127.0.0.1:{port}"],
                "labels": {
                    "__metrics_path__": f"/{name}.txt",
                    "namespace": NAMESPACE,
                    "pod": name + suffix,
                    **labels,
                },
            }
            for name in NAMES
        ]

    both = [*targets(""), *targets(TWICE, container="engine")]
    jobs = {"podmonitor": both, "annotations": targets(TWICE, container="sidecar", node="n1")}
    return {
        "global": {"scrape_interval": f"{SCRAPE_S}s"},
        "scrape_configs": [{"job_name": job, "static_configs": found} for job, found in jobs.items()],
    }


def scraped(prometheus: Prometheus, log: Path) -> Prometheus:
    """Wait until every target was scraped twice, which a rate needs."""
    deadline = time.monotonic() + START_S
    scrapes = f"sum_over_time(up[{START_S}s])"
    seen = "nothing answered"
    while time.monotonic() < deadline:
        try:
            counts = [
                float(one["value"][1]) for one in prometheus.get("/api/v1/query", query=scrapes)["result"]
            ]
        except OSError as error:
            seen = str(error)
        else:
            seen = f"{len(counts)} targets, the slowest scraped {min(counts, default=0)} times"
            if len(counts) == 3 * len(NAMES) and min(counts) >= 2:
                return prometheus
        time.sleep(1)
    raise AssertionError(f"Prometheus is not ready: {seen}\n{log.read_text()[-2000:]}")


def test_prometheus_takes_every_body(prometheus: Prometheus) -> None:
    failed = [
        (target["labels"]["pod"], target["lastError"])
        for target in prometheus.get("/api/v1/targets")["activeTargets"]
        if target["health"] != "up"
    ]
    assert failed == []


@pytest.mark.parametrize("name", NAMES)
def test_the_query_gives_the_number_of_the_body_however_often_it_is_scraped(
    prometheus: Prometheus, name: str
) -> None:
    for signal, source in sources(name).items():
        found = prometheus.by_pod(source.query)
        if source.value is not None:
            for pod in (name, name + TWICE):
                assert found.get(pod, []) == pytest.approx([source.value], abs=1e-9), (signal, source.query)
        elif source.kind is Kind.RATE and source.series:
            assert found.get(name) == [0], (signal, source.query)
        else:
            assert all(len(values) == 1 for values in found.values()), (signal, source.query)


@pytest.mark.parametrize("name", NAMES)
def test_the_adapters_rule_finds_the_pod_and_gives_the_same_number(prometheus: Prometheus, name: str) -> None:
    for signal, source in sources(name).items():
        if source.kind is Kind.LATENCY or not source.series:
            continue
        rule = rule_for(source)
        series = prometheus.get("/api/v1/series", **{"match[]": rule["seriesQuery"]})
        assert name in {one["pod"] for one in series}, (signal, rule["seriesQuery"])
        # As MetricsQuery.Build fills it in for pods (pkg/naming/metrics_query.go).
        pods = "|".join((name, name + TWICE))
        query = rule["metricsQuery"].replace("<<.GroupBy>>", "pod")
        query = query.replace("<<.LabelMatchers>>", f'namespace="{NAMESPACE}",pod=~"{pods}"')
        assert "<<" not in query
        found = prometheus.by_pod(query)
        expected = 0 if source.kind is Kind.RATE else source.value
        if expected is not None:
            assert found.keys() == {name, name + TWICE}, (signal, query)
            for values in found.values():
                assert values == pytest.approx([expected], abs=1e-9), (signal, query)


@pytest.mark.parametrize("name", NAMES)
def test_all_pods_give_one_number_and_none_where_there_is_no_series(
    prometheus: Prometheus, name: str
) -> None:
    def asked(signal: Signal, pods: str) -> list[float]:
        query = over_all(signal, matchers=f'namespace="{NAMESPACE}",pod=~"{pods}"')
        result = prometheus.get("/api/v1/query", query=query)["result"]
        return [float(one["value"][1]) for one in result]

    for signal, source in sources(name).items():
        found = asked(source.spec, f"{name}|{name}{TWICE}")
        if source.value is not None:
            assert found == pytest.approx([2 * source.value], abs=1e-9), signal
        elif source.series:  # counters and buckets stand still: no tokens, and the latency of no request
            assert found == [0], signal
        assert asked(source.spec, "nobody") == [], signal


def test_every_body_that_should_speak_does() -> None:
    """Nothing above is vacuous: only routers, hidden metrics and empty answers have nothing to ask for."""
    silent = {name for name in NAMES if not sources(name)}
    assert all(name.startswith("router-") or "nostats" in name or "fresh" in name for name in silent), silent


def test_the_queue_of_a_pools_picker(prometheus: Prometheus) -> None:
    """Two pods of llm-d's picker hold 5 requests each; that of GIE 1.2 has no pool, and holds none when it is empty."""

    def asked(query: str) -> list[float]:
        return [float(one["value"][1]) for one in prometheus.get("/api/v1/query", query=query)["result"]]

    assert asked(endpoint_picker.held(NAMESPACE, "qwen")) == [10]
    assert asked(endpoint_picker.empty(NAMESPACE, "qwen")) == []
    assert asked(f"vector(3) or {endpoint_picker.empty(NAMESPACE, 'qwen')}") == [3]
    assert asked(endpoint_picker.held(NAMESPACE, "another")) == []
    assert asked(endpoint_picker.held("elsewhere", "qwen")) == []
    signs = prometheus.get("/api/v1/query", query=endpoint_picker.signs(NAMESPACE))["result"]
    pools = {(one["metric"]["__name__"], one["metric"].get(endpoint_picker.POOL_LABEL)) for one in signs}
    queue = "inference_extension_flow_control_queue_size"
    assert {(queue, "qwen"), (queue, None), (endpoint_picker.SATURATION[0], "qwen")} <= pools
    assert {one["metric"].get("name") for one in signs} == {"qwen", None}
