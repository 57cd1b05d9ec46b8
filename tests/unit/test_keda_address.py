"""How KEDA reaches Prometheus: the Service that leads to it alone, and the NetworkPolicies in between."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from kubectl_llmhpa.api import Json
from kubectl_llmhpa.backends.keda import Keda
from kubectl_llmhpa.errors import LlmHpaError
from kubectl_llmhpa.monitoring import address
from kubectl_llmhpa.monitoring.network_policies import blocking
from kubectl_llmhpa.monitoring.prometheus_operator import Selection

OPERATED = {"app.kubernetes.io/name": "prometheus"}


def prometheus(name: str = "k8s", **spec: Any) -> Json:
    return {"metadata": {"name": name, "namespace": "monitoring"}, "spec": spec}


def selection(name: str = "k8s", **more: str) -> Selection:
    labels = {**OPERATED, "operator.prometheus.io/name": name, "prometheus": name, **more}
    return Selection("monitoring", name, {}, labels)


def service(name: str, selector: Json, *ports: Json, **spec: Any) -> Json:
    listed = list(ports) or [{"name": "web", "port": 9090, "targetPort": "web"}]
    return {
        "metadata": {"name": name, "namespace": "monitoring"},
        "spec": {"selector": selector, "ports": listed, **spec},
    }


GOVERNING = service("prometheus-operated", OPERATED, clusterIP="None")
OWN = service("prometheus-k8s", {"prometheus": "k8s"})


def test_the_operators_own_service_does_for_the_only_one() -> None:
    found = address.of(selection(), [GOVERNING], [prometheus()])
    assert found.url == "http://prometheus-operated.monitoring.svc:9090"


def test_one_with_an_address_of_its_own_is_better() -> None:
    assert address.of(selection(), [GOVERNING, OWN], [prometheus()]).service == "prometheus-k8s"


def test_a_service_that_leads_to_several_is_none() -> None:
    both = [prometheus(), prometheus("second")]
    assert address.of(selection(), [GOVERNING, OWN], both).service == "prometheus-k8s"
    with pytest.raises(LlmHpaError, match="prometheus-operated leads to every Prometheus of the namespace"):
        address.of(selection("second"), [GOVERNING, OWN], both)


def test_others_are_told_by_the_labels_that_their_pods_get() -> None:
    shared = service("prometheus", {"team": "a"})
    both = [prometheus(), prometheus("second", podMetadata={"labels": {"team": "a"}})]
    assert address.of(selection(team="a"), [shared, OWN], both).service == "prometheus-k8s"


@pytest.mark.parametrize(
    ("ports", "spec", "url"),
    [
        ([{"name": "reloader-web", "port": 8080, "targetPort": "reloader-web"},
          {"name": "http-web", "port": 9090, "targetPort": 9090}], {"portName": "http-web"}, ":9090"),
        ([{"name": "http", "port": 80, "targetPort": "web"}], {}, ":80"),
        ([{"port": 80, "targetPort": 9090}], {"routePrefix": "/"}, ":80"),
        ([{"port": 9090}], {"routePrefix": "/prometheus/", "externalUrl": "https://x/y"}, ":9090/prometheus"),
        ([{"name": "web", "port": 9091, "targetPort": "metrics"}], {"externalUrl": "https://x/y"}, ":9091"),
    ],
)  # fmt: skip
def test_port_and_path(ports: list[Json], spec: Json, url: str) -> None:
    found = address.of(selection(), [service("p", {"prometheus": "k8s"}, *ports)], [prometheus(**spec)])
    assert found.url == f"http://p.monitoring.svc{url}"


def test_tls_of_prometheus_itself() -> None:
    secured = prometheus(web={"tlsConfig": {"cert": {}}})
    assert address.of(selection(), [OWN], [secured]).url == "https://prometheus-k8s.monitoring.svc:9090"


@pytest.mark.parametrize(
    ("services", "spec", "said"),
    [
        ([], {}, "no Service leads to it"),
        (
            [service("p", {"prometheus": "k8s"}, {"name": "grpc", "port": 10901})],
            {},
            "no Service leads to it",
        ),
        ([service("p", {"prometheus": "k8s"}, type="ExternalName")], {}, "no Service leads to it"),
        ([OWN], {"shards": 2}, "split into 2 shards"),
        ([OWN], {"listenLocal": True}, "inside its own pod only"),
    ],
)
def test_where_no_address_gives_all_samples(services: list[Json], spec: Json, said: str) -> None:
    with pytest.raises(LlmHpaError, match=rf"{said}.*--prometheus-url"):
        address.of(selection(), services, [prometheus(**spec)])


KEDA = Keda("keda", "2.21.0", "", True, {"app": "keda-operator"}, {"kubernetes.io/metadata.name": "keda"})
PORTS = [{"port": 9090, "protocol": "TCP"}]


def policy(*ingress: Json, pods: Json | None = None, **spec: Any) -> Json:
    return {
        "metadata": {"name": "prometheus-k8s", "namespace": "monitoring"},
        "spec": {"podSelector": pods or {"matchLabels": OPERATED}, "ingress": list(ingress), **spec},
    }


def kube_prometheus() -> Json:
    """Its policy admits Prometheis, the adapter and Grafana of its own namespace."""
    names = ("prometheus", "prometheus-adapter", "grafana")
    rules = [
        {"from": [{"podSelector": {"matchLabels": {"app.kubernetes.io/name": one}}}], "ports": PORTS}
        for one in names
    ]
    return policy(*rules, policyTypes=["Egress", "Ingress"], egress=[{}])


def test_kube_prometheus_keeps_keda_out_and_the_fix_lets_it_in() -> None:
    (found,) = blocking([kube_prometheus()], selection(), KEDA)
    assert (found.code, found.about) == ("keda-blocked", "NetworkPolicy/prometheus-k8s")
    patch = re.fullmatch(
        r"kubectl -n monitoring patch networkpolicy prometheus-k8s --type=json -p '(.*)'", found.fix
    )
    assert patch
    (change,) = json.loads(patch[1])
    assert change["path"] == "/spec/ingress/-"
    assert change["value"] == {
        "from": [{
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "keda"}},
            "podSelector": {"matchLabels": {"app": "keda-operator"}},
        }],
        "ports": PORTS,
    }  # fmt: skip
    mended = kube_prometheus()
    mended["spec"]["ingress"].append(change["value"])
    assert blocking([mended], selection(), KEDA) == ()


def test_a_policy_that_admits_nobody_gets_its_first_rule() -> None:
    closed = policy(policyTypes=["Ingress"])
    (found,) = blocking([closed], selection(), KEDA)
    assert '"path":"/spec/ingress","value":[{' in found.fix


@pytest.mark.parametrize(
    "admitting",
    [
        policy({}),
        policy({"ports": [{"port": "web"}]}),
        policy({"ports": [{"port": 9000, "endPort": 9100}]}),
        policy({"ports": [{"protocol": "TCP"}]}),
        policy({"from": [{"namespaceSelector": {}}]}),
        policy({"from": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "keda"}}}]}),
        policy({"from": [{"ipBlock": {"cidr": "10.0.0.0/8"}}]}),
        policy(pods={"matchLabels": {"app": "other"}}),
        policy(policyTypes=["Egress"]),
    ],
)
def test_who_is_let_in(admitting: Json) -> None:
    assert blocking([admitting], selection(), KEDA) == ()
    if admitting["spec"]["ingress"]:
        assert blocking([kube_prometheus(), admitting], selection(), KEDA) == ()


@pytest.mark.parametrize(
    "refusing",
    [
        policy({"ports": [{"port": 8080}]}),
        policy({"ports": [{"port": 9090, "protocol": "UDP"}]}),
        policy({"from": [{"podSelector": {}}]}),
        policy({"from": [{"namespaceSelector": {}, "podSelector": {"matchLabels": {"app": "grafana"}}}]}),
    ],
)
def test_who_is_not(refusing: Json) -> None:
    assert blocking([refusing], selection(), KEDA)


def test_nothing_is_said_where_the_operators_labels_are_not_known() -> None:
    assert blocking([kube_prometheus()], selection(), Keda("keda", "", "", False)) == ()
