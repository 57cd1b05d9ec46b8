"""Which Prometheus will select a PodMonitor: null and `{}` differ, namespaces count, requirements become labels."""

from __future__ import annotations

import re
from typing import Any

import pytest

from kubectl_llmhpa.api import Json
from kubectl_llmhpa.errors import LlmHpaError
from kubectl_llmhpa.monitoring import prometheus, prometheus_operator
from kubectl_llmhpa.monitoring.model import MetricsPort


def server(name: str = "k8s", namespace: str = "monitoring", **spec: Json | None) -> Json:
    return {"metadata": {"name": name, "namespace": namespace}, "spec": spec}


EVERYTHING: Json = {"podMonitorSelector": {}, "podMonitorNamespaceSelector": {}}
BY_RELEASE: Json = {
    "podMonitorSelector": {"matchLabels": {"release": "kps"}},
    "podMonitorNamespaceSelector": {},
}


def choose(*servers: Json, **options: str) -> prometheus_operator.Selection:
    return prometheus_operator.choose(servers, "ml", {"team": "a"}, **options)  # type: ignore[arg-type]


def test_required_labels_are_taken_from_the_selector() -> None:
    expressions = {"matchLabels": {"release": "kps"}, "matchExpressions": [
        {"key": "tier", "operator": "In", "values": ["gold", "silver"]},
        {"key": "scrape", "operator": "Exists"},
        {"key": "legacy", "operator": "DoesNotExist"},
    ]}  # fmt: skip
    chosen = choose(server(podMonitorSelector=expressions, podMonitorNamespaceSelector={}))
    assert chosen.labels == {"release": "kps", "tier": "gold", "scrape": "true"}


@pytest.mark.parametrize(
    ("spec", "why"),
    [
        ({"podMonitorNamespaceSelector": {}, "probeSelector": {}}, "podMonitorSelector is not set"),
        ({}, "written by hand"),
        ({"podMonitorSelector": {}}, "looks in its own namespace only"),
        ({"podMonitorSelector": {}, "podMonitorNamespaceSelector": {"matchLabels": {"team": "b"}}}, "team=b"),
        ({"podMonitorSelector": {"matchExpressions": [
            {"key": "a", "operator": "Exists"}, {"key": "a", "operator": "DoesNotExist"}]},
          "podMonitorNamespaceSelector": {}}, "cannot be met"),
    ],
)  # fmt: skip
def test_a_refusal_names_the_selector(spec: Json, why: str) -> None:
    with pytest.raises(LlmHpaError, match=why):
        choose(server(**spec))


def test_no_prometheus_at_all() -> None:
    with pytest.raises(LlmHpaError, match="no Prometheus object"):
        choose()


def test_several_candidates_need_a_word_or_the_adapters_own() -> None:
    servers = (server("one", **EVERYTHING), server("two", **BY_RELEASE))
    with pytest.raises(LlmHpaError, match="--prometheus"):
        choose(*servers)
    assert choose(*servers, wanted="monitoring/two").name == "two"
    behind = prometheus_operator.choose(
        servers, "ml", {}, serving={"operator.prometheus.io/name": "two"}, serving_namespace="monitoring"
    )
    assert behind.name == "two"


def test_a_null_selector_selects_nothing_and_an_empty_one_everything() -> None:
    labels = {"app": "vllm"}
    assert not prometheus_operator.selects({"spec": {}}, labels)
    assert prometheus_operator.selects({"spec": {"selector": {}}}, labels)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://prometheus.monitoring.svc:9090", ("monitoring", "prometheus", 9090, "")),
        (
            "http://prometheus.monitoring.svc.cluster.local:80/prom/",
            ("monitoring", "prometheus", 80, "/prom/"),
        ),
        ("http://prometheus.monitoring", ("monitoring", "prometheus", 80, "")),
        ("https://prometheus", ("own", "prometheus", 443, "")),
        ("http://prometheus.example.com:9090", None),
        ("http://10.0.0.1:9090", None),
    ],
)
def test_the_service_behind_a_url(url: str, expected: tuple[str, str, int, str] | None) -> None:
    found = prometheus.server_of(url, "own")
    assert (found and (found.namespace, found.service, found.port, found.prefix)) == expected


def port(**changed: Any) -> MetricsPort:
    plain = {
        "number": 8000, "path": "/metrics", "scheme": "http", "declared": "http", "container": "vllm", "first": 8000
    }  # fmt: skip
    return MetricsPort(**{**plain, **changed})


def test_a_port_without_a_name_is_taken_by_its_number() -> None:
    assert prometheus_operator.endpoint(port(declared=8000), "15s") == {
        "portNumber": 8000,
        "path": "/metrics",
        "interval": "15s",
    }


def test_an_engine_behind_tls_is_scraped_over_https() -> None:
    found = prometheus_operator.endpoint(port(scheme="https"), "15s")
    assert (found["scheme"], found["tlsConfig"]) == ("https", {"insecureSkipVerify": True})


@pytest.mark.parametrize(
    ("container", "first", "targets", "kept"),
    [
        ("vllm", None, ["vllm;", "sidecar;9000"], "vllm;"),
        ("vllm", 9000, ["vllm;9000", "vllm;9001", "sidecar;9000"], "vllm;9000"),
        ("a.b", 80, ["axb;80", "a.b;8080", "a.b;80"], "a.b;80"),
    ],
)
def test_a_port_that_is_not_declared_is_reached_over_exactly_one_target(
    container: str, first: int | None, targets: list[str], kept: str
) -> None:
    keep, *addresses = prometheus_operator.endpoint(
        port(number=8001, declared=None, container=container, first=first), "15s"
    )["relabelings"]
    assert [one for one in targets if re.fullmatch(keep["regex"], one)] == [kept]
    for ip, address in (("10.0.0.7", "10.0.0.7:8001"), ("fd00::7", "[fd00::7]:8001")):
        (match,) = [one for one in addresses if re.fullmatch(one["regex"], ip)]
        assert match["replacement"].replace("$1", ip) == address
