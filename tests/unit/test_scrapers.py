"""Every scraper: when it is taken for being here, what is written for it, what must be known of it."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from kubectl_llmhpa.api import MANAGED_BY, MANAGER, Json
from kubectl_llmhpa.errors import LlmHpaError
from kubectl_llmhpa.monitoring import arms, registry, scrape_rights, victoriametrics
from kubectl_llmhpa.monitoring.model import MetricsPort, Wanted
from kubectl_llmhpa.monitoring.scene import Scene

GOOGLE, VM, AZURE = "monitoring.googleapis.com", "operator.victoriametrics.com", "azmonitoring.coreos.com"
PROMETHEUS: Json = {"metadata": {"namespace": "monitoring", "name": "k8s"}}
ARMS = "http://cn-beijing.arms.aliyuncs.com:9090/api/v1/prometheus/x/y/z/cn-beijing"


def agent(kind: str = "VMAgent", namespace: str = "vm", **spec: Any) -> Json:
    return {"kind": kind, "metadata": {"namespace": namespace, "name": "main"}, "spec": spec}


def wanted(**changed: Any) -> Wanted:
    port = {
        "number": 8000, "path": "/metrics", "scheme": "http", "declared": "http", "container": "vllm", "first": 8000
    }  # fmt: skip
    interval = changed.pop("interval", "5s")
    metrics = MetricsPort(**{**port, **changed})
    return Wanted("x", "ml", {"matchLabels": {"app": "vllm"}}, metrics, interval, {"a": "b"}, {"c": "d"})


def endpoint(word: str, **changed: Any) -> Json:
    scraper = registry.named(word)
    (only,) = scraper.render(wanted(**changed))["spec"][scraper.endpoints]
    found: Json = only
    return found


@pytest.mark.parametrize(
    ("scene", "asked", "expected", "why"),
    [
        (Scene(prometheuses=[PROMETHEUS]), "", "prometheus-operator", "a Prometheus object"),
        (Scene(agents=[PROMETHEUS]), "", "prometheus-operator", "PrometheusAgent"),
        (Scene(namespaces=frozenset({"arms-prom"})), "", "arms", "namespace arms-prom"),
        (Scene(groups=frozenset({GOOGLE})), "", "google", GOOGLE),
        (Scene(groups=frozenset({VM}), vm_agents=[agent()]), "", "victoriametrics", "VMAgent vm/main"),
        (Scene(groups=frozenset({AZURE})), "", "azure", AZURE),
        (Scene(groups=frozenset({GOOGLE}), prometheuses=[PROMETHEUS]), "", "prometheus-operator", "before google"),
        (
            Scene(groups=frozenset({"monitoring.coreos.com"}), prometheuses=[PROMETHEUS]), ARMS,
            "arms", "the metric adapter asks cn-beijing.arms.aliyuncs.com",
        ),
        (Scene(groups=frozenset({GOOGLE}), prometheuses=[PROMETHEUS]), ARMS, "prometheus-operator", ""),
        (
            Scene(groups=frozenset({VM}), vm_agents=[agent()], prometheuses=[PROMETHEUS]),
            "http://vmsingle-main.vm.svc:8428", "victoriametrics", "asks vmsingle-main.vm.svc",
        ),
        (
            Scene(groups=frozenset({VM}), vm_agents=[agent()], prometheuses=[PROMETHEUS]),
            "http://prometheus.monitoring.svc:9090", "prometheus-operator", "",
        ),
    ],
)  # fmt: skip
def test_what_is_here_decides_and_the_adapters_url_first(
    scene: Scene, asked: str, expected: str, why: str
) -> None:
    scraper, reason = registry.choose(scene, asked)
    assert scraper.name == expected
    assert why in reason


def test_nothing_is_here() -> None:
    with pytest.raises(LlmHpaError, match="--scrape"):
        registry.choose(Scene(groups=frozenset({"apps", VM})))


def test_the_words_of_the_flag_are_those_of_the_registry() -> None:
    from kubectl_llmhpa.cli.enable import SCRAPERS

    assert SCRAPERS == registry.WORDS


def test_arms_is_the_vendors_document() -> None:
    """Its PodMonitor word for word, except for the selector and the name, which are for one workload here."""
    made = arms.pod_monitor(wanted(interval="15s"))
    assert made["spec"]["podMetricsEndpoints"] == yaml.safe_load("""
    - interval: 15s
      path: /metrics
      port: "http"
      relabelings:
      - {action: replace, sourceLabels: [__meta_kubernetes_pod_name], targetLabel: pod_name}
      - {action: replace, sourceLabels: [__meta_kubernetes_namespace], targetLabel: pod_namespace}
      - action: replace
        sourceLabels: [__meta_kubernetes_pod_label_rolebasedgroup_workloads_x_k8s_io_role]
        regex: (.+)
        targetLabel: rbg_role
      - action: replace
        sourceLabels: [__meta_kubernetes_pod_label_alibabacloud_com_inference_workload]
        regex: (.+)
        targetLabel: workload_name
      - action: replace
        sourceLabels: [__meta_kubernetes_pod_label_alibabacloud_com_inference_backend]
        regex: (.+)
        targetLabel: backend
    """)
    assert made["metadata"]["annotations"] == {
        "arms.prometheus.io/discovery": "true", "arms.prometheus.io/resource": "arms", "c": "d",
    }  # fmt: skip
    assert arms.is_arms(made)
    assert not arms.is_arms(registry.named("prometheus-operator").render(wanted()))


def test_arms_keeps_the_way_to_a_port_that_is_not_declared() -> None:
    first, *_, last = endpoint("arms", declared=None)["relabelings"]
    assert (first["action"], last["targetLabel"]) == ("keep", "backend")


@pytest.mark.parametrize("word", [one.name for one in registry.SCRAPERS])
def test_a_short_interval_has_a_shorter_time_limit(word: str) -> None:
    interval, timeout = registry.named(word).timing
    for given, expected in (("5s", "4s"), ("1s", None), ("10s", None), ("1m", None)):
        found = endpoint(word, interval=given)
        assert (found[interval], found.get(timeout)) == (given, expected)


@pytest.mark.parametrize(
    ("changed", "port"),
    [({}, "http"), ({"declared": 8000}, 8000), ({"number": 9000, "declared": None}, 9000)],
)
def test_google_takes_a_name_or_any_number(changed: Json, port: str | int) -> None:
    assert endpoint("google", **changed) == {
        "port": port, "path": "/metrics", "interval": "5s", "timeout": "4s"
    }  # fmt: skip
    secure = endpoint("google", scheme="https")
    assert (secure["scheme"], secure["tls"]) == ("https", {"insecureSkipVerify": True})
    assert registry.named("google").job("ml", "x") == "x"


def test_azure_has_its_group_and_its_limits() -> None:
    made = registry.named("azure").render(wanted())
    assert made["apiVersion"] == "azmonitoring.coreos.com/v1"
    assert {"labelLimit": 63, "labelNameLengthLimit": 511, "labelValueLengthLimit": 1023}.items() <= made[
        "spec"
    ].items()


def test_victoriametrics_spells_relabelings_its_own_way() -> None:
    found = endpoint("victoriametrics", declared=None)
    assert found["relabelConfigs"] == endpoint("prometheus-operator", declared=None)["relabelings"]
    assert "relabelings" not in found


class TestVMAgents:
    """Which VMAgent selects a VMPodScrape: its own rules, which are not the Prometheus operator's."""

    @pytest.mark.parametrize(
        ("spec", "expected"),
        [
            ({}, "selects nothing"),
            ({"selectAllByDefault": True}, {}),
            ({"selectAllByDefault": True, "ingestOnlyMode": True}, "only takes samples in"),
            ({"podScrapeNamespaceSelector": {}}, {}),
            ({"podScrapeNamespaceSelector": {"matchLabels": {"team": "a"}}}, {}),
            ({"podScrapeNamespaceSelector": {"matchLabels": {"team": "b"}}}, "team=b on the namespace"),
            ({"podScrapeSelector": {}}, "own namespace only"),
            (
                {"podScrapeSelector": {"matchLabels": {"x": "y"}}, "podScrapeNamespaceSelector": {}},
                {"x": "y"},
            ),
            (
                {"podScrapeSelector": {"matchLabels": {"own": "2"}}, "podScrapeNamespaceSelector": {}},
                "cannot be met",
            ),
        ],
    )
    def test_selection(self, spec: Json, expected: str | Json) -> None:
        agents = [agent(**spec)]
        if isinstance(expected, str):
            with pytest.raises(LlmHpaError, match=expected):
                victoriametrics.choose(agents, "ml", {"team": "a"}, {"own": "1"})
        else:
            chosen = victoriametrics.choose(agents, "ml", {"team": "a"}, {"own": "1"})
            assert (chosen.by, chosen.labels) == ("vmagent vm/main", expected)

    def test_a_selector_alone_is_for_its_own_namespace(self) -> None:
        chosen = victoriametrics.choose([agent(namespace="ml", podScrapeSelector={})], "ml", {}, {})
        assert chosen.labels == {}

    def test_a_vmsingle_scrapes_only_when_told(self) -> None:
        quiet = agent("VMSingle", selectAllByDefault=True)
        with pytest.raises(LlmHpaError, match="ingestOnlyMode"):
            victoriametrics.choose([quiet], "ml", {}, {})
        scraping = agent("VMSingle", selectAllByDefault=True, ingestOnlyMode=False)
        assert victoriametrics.choose([quiet, scraping], "ml", {}, {}).by == "vmsingle vm/main"


def test_a_converted_pod_scrape_is_told_from_ours_and_from_what_is_collected_anyway() -> None:
    def made(manager: str, **metadata: Any) -> Json:
        return {
            "metadata": {"labels": {MANAGED_BY: MANAGER}, "managedFields": [{"manager": manager}], **metadata}
        }

    assert victoriametrics.converted(made("manager"))
    assert not victoriametrics.converted(made(MANAGER))
    assert not victoriametrics.converted(made("manager", ownerReferences=[{"kind": "PodMonitor"}]))
    assert not victoriametrics.converted(made("manager", labels={}))


class TestGrants:
    """Whether role bindings let a ServiceAccount list pods."""

    @pytest.mark.parametrize(
        ("subject", "rule", "expected"),
        [
            ({"kind": "ServiceAccount", "name": "p", "namespace": "mon"}, {}, True),
            ({"kind": "ServiceAccount", "name": "p", "namespace": "other"}, {}, False),
            ({"kind": "User", "name": "system:serviceaccount:mon:p"}, {}, True),
            ({"kind": "User", "name": "p"}, {}, False),
            ({"kind": "Group", "name": "system:serviceaccounts:mon"}, {}, True),
            ({"kind": "Group", "name": "system:serviceaccounts:other"}, {}, False),
            ({"kind": "Group", "name": "system:authenticated"}, {"verbs": ["*"]}, True),
            ({"kind": "Group", "name": "system:authenticated"}, {"verbs": ["get"]}, False),
            ({"kind": "Group", "name": "system:authenticated"}, {"resources": ["services"]}, False),
            ({"kind": "Group", "name": "system:authenticated"}, {"apiGroups": ["apps"]}, False),
            ({"kind": "Group", "name": "system:authenticated"}, {"resourceNames": ["x"]}, False),
        ],
    )
    def test_one_binding(self, subject: Json, rule: Json, expected: bool) -> None:
        whole = {"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list"], **rule}
        binding = {"roleRef": {"kind": "Role", "name": "r"}, "subjects": [subject]}
        assert scrape_rights.granted("mon/p", [binding], {("Role", "r"): [whole]}) is expected

    def test_a_role_of_the_same_name_and_another_kind(self) -> None:
        everybody = {"kind": "Group", "name": "system:authenticated"}
        binding = {"roleRef": {"kind": "ClusterRole", "name": "r"}, "subjects": [everybody]}
        rule = {"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}
        assert not scrape_rights.granted("mon/p", [binding], {("Role", "r"): [rule]})
