"""Which Prometheus will select a PodMonitor: null and `{}` differ, namespaces count, requirements become labels."""

from __future__ import annotations

import re
from typing import Any, ClassVar

import pytest

from kubectl_llmhpa.api import Json
from kubectl_llmhpa.errors import LlmHpaError
from kubectl_llmhpa.monitoring import operator_scope, prometheus, prometheus_operator
from kubectl_llmhpa.monitoring.model import MetricsPort


def server(name: str = "k8s", namespace: str = "monitoring", **spec: Any) -> Json:
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


@pytest.mark.parametrize(
    ("selector", "remedy"),
    [
        ({"matchLabels": {"team": "b"}}, "kubectl label namespace ml team=b --overwrite"),
        ({"matchLabels": {"scrape": "yes"}}, "kubectl label namespace ml scrape=yes,"),
        ({"matchExpressions": [{"key": "tier", "operator": "In", "values": ["x", "y"]}]}, "namespace ml tier=x,"),
        ({"matchExpressions": [{"key": "tier", "operator": "Exists"}]}, "namespace ml tier=true,"),
        ({"matchExpressions": [{"key": "team", "operator": "DoesNotExist"}]}, "namespace ml team-,"),
        ({"matchExpressions": [{"key": "team", "operator": "NotIn", "values": ["a"]}]}, "namespace ml team-,"),
        ({"matchLabels": {"kubernetes.io/metadata.name": "prod"}}, "widen its podMonitorSelector or"),
        ({"matchExpressions": [{"key": "a", "operator": "In", "values": []}]}, "correct that selector"),
        ({"matchExpressions": [{"key": "a", "operator": "Gt", "values": ["1"]}]}, "correct that selector"),
    ],
)  # fmt: skip
def test_a_namespace_that_is_not_selected_is_told_its_label(selector: Json, remedy: str) -> None:
    with pytest.raises(LlmHpaError) as refusal:
        choose(server(podMonitorSelector={}, podMonitorNamespaceSelector=selector))
    assert remedy in refusal.value.remedy


def test_a_label_is_chosen_that_no_other_requirement_forbids() -> None:
    which = {"matchExpressions": [
        {"key": "tier", "operator": "NotIn", "values": ["gold"]},
        {"key": "tier", "operator": "In", "values": ["gold", "silver"]},
        {"key": "on", "operator": "Exists"}, {"key": "on", "operator": "NotIn", "values": ["true"]},
    ]}  # fmt: skip
    chosen = choose(server(podMonitorSelector=which, podMonitorNamespaceSelector={}))
    assert chosen.labels == {"tier": "silver", "on": "yes"}


def test_labels_that_ours_always_has_count() -> None:
    """A selector that no object of ours can match, because of our own labels."""
    which = {"matchLabels": {"app.kubernetes.io/managed-by": "Helm"}}
    with pytest.raises(LlmHpaError, match="managed-by=Helm"):
        prometheus_operator.choose(
            [server(podMonitorSelector=which, podMonitorNamespaceSelector={})], "ml", {},
            own={"app.kubernetes.io/managed-by": "kubectl-llm-hpa"},
        )  # fmt: skip


def test_a_paused_prometheus_gets_no_new_pod_monitor() -> None:
    with pytest.raises(LlmHpaError, match="paused"):
        choose(server(paused=True, **EVERYTHING))


class TestAgents:
    """PrometheusAgent objects select as a Prometheus does, and keep nothing."""

    agent: ClassVar[Json] = {
        "kind": "PrometheusAgent", "metadata": {"name": "edge", "namespace": "monitoring"},
        "spec": {**EVERYTHING, "remoteWrite": [{"url": "https://u:p@mimir.example/api/v1/push"}]},
    }  # fmt: skip

    def test_one_is_taken_where_no_prometheus_selects(self) -> None:
        chosen = prometheus_operator.choose([server()], "ml", {}, agents=[self.agent])
        assert (chosen.agent, chosen.reference) == (True, "monitoring/edge")
        assert chosen.remote_write == ("mimir.example",)

    def test_a_prometheus_comes_first(self) -> None:
        both = prometheus_operator.choose([server(**EVERYTHING)], "ml", {}, agents=[self.agent])
        assert not both.agent

    def test_one_can_be_named(self) -> None:
        chosen = prometheus_operator.choose(
            [server(**EVERYTHING)], "ml", {}, agents=[self.agent], wanted="monitoring/edge"
        )
        assert chosen.agent


class TestOperatorScope:
    """The operator's flags limit which namespaces and which Prometheus objects it looks at."""

    def deployment(self, *flags: str, **env: str | None) -> Json:
        variables = [
            {"name": key, "value": value} if value is not None else {"name": key, "valueFrom": {}}
            for key, value in env.items()
        ]
        container = {
            "name": "operator", "image": "quay.io/prometheus-operator/prometheus-operator:v0.93.0",
            "args": list(flags), "env": variables,
        }  # fmt: skip
        return {
            "metadata": {"name": "operator", "namespace": "monitoring"},
            "spec": {"template": {"spec": {"containers": [{"image": "proxy"}, container]}}},
        }

    def refusal(self, *flags: str, prometheus: Json | None = None) -> str:
        scope = operator_scope.of(self.deployment(*flags))
        assert scope is not None
        try:
            prometheus_operator.choose(
                [prometheus or server(**EVERYTHING)], "ml", {"team": "a"}, operators=[scope]
            )
        except LlmHpaError as error:
            return str(error)
        return ""

    @pytest.mark.parametrize(
        ("flags", "why"),
        [
            ((), ""),
            (("--namespaces=monitoring,ml",), ""),
            (("--namespaces=monitoring", "--namespaces=ml"), ""),
            (("--namespaces", "monitoring,ml"), ""),
            (("--namespaces=monitoring",), "--namespaces=monitoring of deployment monitoring/operator"),
            (("-namespaces=monitoring",), "--namespaces=monitoring"),
            (("--deny-namespaces=ml",), "--deny-namespaces=ml"),
            (("--deny-namespaces=x", "--kubelet-endpoints"), ""),
            (("--prometheus-instance-namespaces=elsewhere",), "no operator looks after it"),
            (("--prometheus-instance-namespaces=monitoring", "--namespaces=ml"), ""),
            (("--namespaces=ml",), "no operator looks after it"),
            (("--prometheus-instance-selector=tenant in (a,b)",), "no operator looks after it"),
            (("--prometheus-instance-selector=!tenant",), ""),
            (("--controller-id=mine",), "no operator looks after it"),
        ],
    )
    def test_what_a_flag_leaves_out(self, flags: tuple[str, ...], why: str) -> None:
        said = self.refusal(*flags)
        assert why in said
        assert bool(why) == bool(said)

    def test_the_controller_id_of_a_prometheus(self) -> None:
        marked = server(**EVERYTHING)
        marked["metadata"]["annotations"] = {"operator.prometheus.io/controller-id": "mine"}
        assert self.refusal("--controller-id=mine", prometheus=marked) == ""
        assert "no operator" in self.refusal(prometheus=marked)

    def test_one_that_an_unknown_operator_manages(self) -> None:
        managed = {**server(**EVERYTHING), "status": {"availableReplicas": 1}}
        assert self.refusal("--prometheus-instance-namespaces=elsewhere", prometheus=managed) == ""
        assert "--namespaces=monitoring" in self.refusal("--namespaces=monitoring", prometheus=managed)

    def test_flags_from_the_environment(self) -> None:
        scope = operator_scope.of(self.deployment("--namespaces=$(WATCH)", WATCH="a,b"))
        assert scope is not None
        assert scope.namespaces == {"a", "b"}
        assert operator_scope.of(self.deployment("--namespaces=$(WATCH)", WATCH=None)) is None


@pytest.mark.parametrize(
    ("endpoint", "why"),
    [
        ({"interval": "5s", "scrapeTimeout": "10s"}, "longer than its interval"),
        ({"interval": "1m", "scrapeTimeout": "59s"}, ""),
        ({"interval": "500ms", "scrapeTimeout": "1s"}, "longer than its interval"),
        ({"relabelings": [{"regex": "(.+"}]}, "regex"),
        ({"metricRelabelings": [{"regex": "vllm:(?!num).*"}]}, "(?! is not supported"),
        ({"relabelings": [{"regex": r"(a)\1"}]}, "not supported"),
        ({"relabelings": [{"regex": r"\pL+\z|(?i)x|\Q(\E"}]}, ""),
        ({"relabelings": [{"regex": r"\\1"}]}, ""),
    ],
)
def test_what_the_operator_skips(endpoint: Json, why: str) -> None:
    monitor = {"spec": {"selector": {}, "podMetricsEndpoints": [endpoint]}}
    said = prometheus_operator.rejected(monitor)
    assert why in said
    assert bool(why) == bool(said)


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
