"""The way through a Gateway: the route to the workload's pods, and to no others."""

from __future__ import annotations

from typing import Any

import pytest

from kubectl_llmhpa.bench.gateways import choose
from kubectl_llmhpa.errors import LlmHpaError

GATEWAY: dict[str, Any] = {
    "metadata": {"name": "edge", "namespace": "llm"},
    "spec": {"listeners": [
        {"name": "tls", "protocol": "HTTPS", "port": 443, "hostname": "*.models.example"},
        {"name": "web", "protocol": "HTTP", "port": 80},
        {"name": "raw", "protocol": "TCP", "port": 9000},
    ]},
    "status": {"addresses": [{"type": "IPAddress", "value": "10.0.0.9"}]},
}  # fmt: skip
OWN = {"vllm-0", "vllm-1"}
SELECTED = {"Service/vllm": OWN, "Service/other": {"other-0"}, "InferencePool/pool": OWN}


def route(*backends: dict[str, Any], match: dict[str, Any] | None = None, **spec: Any) -> dict[str, Any]:
    rule: dict[str, Any] = {"backendRefs": list(backends)}
    if match is not None:
        rule["matches"] = [match]
    return {
        "metadata": {"name": "r", "namespace": "llm"},
        "spec": {"parentRefs": [{"name": "edge"}], "rules": [rule], **spec},
    }


VLLM, OTHER = {"name": "vllm", "port": 80}, {"name": "other", "port": 80}
POOL = {"kind": "InferencePool", "name": "pool", "group": "inference.networking.k8s.io"}


def prefix(value: str) -> dict[str, Any]:
    return {"path": {"type": "PathPrefix", "value": value}}


@pytest.mark.parametrize(
    ("found", "url", "host"),
    [
        (route(VLLM), "http://10.0.0.9:80", ""),
        (route(POOL), "http://10.0.0.9:80", ""),
        (route(VLLM, {**OTHER, "weight": 0}), "http://10.0.0.9:80", ""),
        (route(VLLM, hostnames=["a.example", "b.example"]), "http://10.0.0.9:80", "a.example"),
        (route(VLLM, match=prefix("/")), "http://10.0.0.9:80", ""),
        (route(VLLM, match=prefix("/v1")), "http://10.0.0.9:80", ""),
        (route(VLLM, match=prefix("/v")), "http://10.0.0.9:80/v", ""),
        (route(VLLM, match=prefix("/llama/")), "http://10.0.0.9:80/llama", ""),
        (route(VLLM, match={"path": {"type": "Exact", "value": "/a/v1/completions"}}), "http://10.0.0.9:80/a", ""),
        (
            route(VLLM, parentRefs=[{"name": "edge", "sectionName": "tls"}]),
            "https://10.0.0.9:443", "bench.models.example",
        ),
    ],
)  # fmt: skip
def test_the_way_to_the_pods(found: dict[str, Any], url: str, host: str) -> None:
    way = choose(GATEWAY, [route(OTHER), found], OWN, SELECTED)
    assert (way.url, way.host, way.route) == (url, host, "httproute/r")


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (route(OTHER), "does not lead to the workload's pods"),
        (route(VLLM, OTHER), "also leads to other-0"),
        (route({"name": "gone"}), "leads to Service/gone, whose pods are not known"),
        (route({**VLLM, "namespace": "elsewhere"}), "whose pods are not known"),
        (route(VLLM, match={"headers": [{"name": "x", "value": "y"}]}), "asks for headers"),
        (route(VLLM, match={"path": {"type": "Exact", "value": "/v1/chat/completions"}}), "another path"),
        (route(VLLM, parentRefs=[{"name": "another"}]), "no HTTPRoute of this namespace is attached"),
        (route(VLLM, parentRefs=[{"name": "edge", "namespace": "x"}]), "no HTTPRoute"),
    ],
)
def test_no_way_and_why(found: dict[str, Any], words: str) -> None:
    with pytest.raises(LlmHpaError, match=words):
        choose(GATEWAY, [found], OWN, SELECTED)


def test_a_gateway_without_an_address() -> None:
    with pytest.raises(LlmHpaError, match="no address"):
        choose({**GATEWAY, "status": {}}, [route(VLLM)], OWN, SELECTED)


def test_an_address_of_the_newer_family() -> None:
    gateway = {**GATEWAY, "status": {"addresses": [{"value": "fd00::9"}]}}
    assert choose(gateway, [route(VLLM)], OWN, SELECTED).url == "http://[fd00::9]:80"
