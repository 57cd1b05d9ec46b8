"""Which Service the load goes through, and what the model is called."""

from __future__ import annotations

from typing import Any

import pytest

from kubectl_llmhpa.bench import target
from kubectl_llmhpa.errors import ApiError, LlmHpaError


def pod(name: str, port_name: str = "http", **labels: str) -> dict[str, Any]:
    return {
        "metadata": {"name": name, "namespace": "llm", "labels": labels},
        "spec": {"containers": [{"name": "vllm", "ports": [{"name": port_name, "containerPort": 8000}]}]},
    }


def service(
    name: str, selector: dict[str, str] | None, target_port: Any = 8000, **spec: Any
) -> dict[str, Any]:
    ports = [{"port": 80, "targetPort": target_port}]
    return {
        "metadata": {"name": name, "namespace": "llm"},
        "spec": {"selector": selector, "ports": ports, **spec},
    }


OWN = [pod("vllm-0", app="vllm", role="a"), pod("vllm-1", app="vllm", role="a")]
OTHER = pod("other-0", app="vllm", role="b")


@pytest.mark.parametrize(
    ("services", "url"),
    [
        ([service("a", {"app": "vllm"})], "http://a.llm.svc:80"),
        ([service("a", {"app": "vllm"}, "http")], "http://a.llm.svc:80"),
        (
            [service("head", {"app": "vllm"}, clusterIP="None"), service("z", {"app": "vllm"})],
            "http://z.llm.svc:80",
        ),
        ([service("head", {"app": "vllm"}, clusterIP="None")], "http://head.llm.svc:8000"),
        (
            [service("none", None), service("x", {"app": "x"}), service("a", {"app": "vllm"})],
            "http://a.llm.svc:80",
        ),
        ([service("metrics", {"app": "vllm"}, 9000), service("z", {"app": "vllm"})], "http://z.llm.svc:80"),
    ],
    ids=["number", "name", "ClusterIP first", "headless", "only ours", "other port"],
)
def test_the_service_of_the_pods(services: list[dict[str, Any]], url: str) -> None:
    assert target.choose(services, OWN, OWN, 8000).url == url


def test_a_service_that_mixes_workloads_is_refused_and_named() -> None:
    with pytest.raises(LlmHpaError, match="all also selects other-0"):
        target.choose([service("all", {"app": "vllm"})], [*OWN, OTHER], OWN, 8000)
    narrow = service("narrow", {"app": "vllm", "role": "a"})
    found = target.choose([service("all", {"app": "vllm"}), narrow], [*OWN, OTHER], OWN, 8000)
    assert found.what == "service/narrow port 80"


@pytest.mark.parametrize(
    ("services", "words"),
    [([], "no Service selects"), ([service("m", {"app": "vllm"}, 9000)], "no port of m")],
)
def test_without_a_service_it_says_so(services: list[dict[str, Any]], words: str) -> None:
    with pytest.raises(LlmHpaError, match=words):
        target.choose(services, OWN, OWN, 8000)


class Pods:
    """A reader of which only the pod proxy is asked."""

    def __init__(self, answers: dict[str, str]) -> None:
        self.answers = answers
        self.namespace = "llm"

    def get_text(self, path: str, *, timeout: float | None = None) -> str:
        if path not in self.answers:
            raise ApiError(f"read {path}", 503, "ServiceUnavailable", "no answer")
        return self.answers[path]

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"{name} is not for this test")


def models(text: str) -> Any:
    return Pods({"/api/v1/namespaces/llm/pods/vllm-0:8000/proxy/v1/models": text})


LISTED = (
    '{"object":"list","data":[{"id":"tiny","root":"/models/Q"},{"id":"alias","root":"/models/Q"},'
    '{"id":"lora","root":"/loras/a","parent":"tiny"}]}'
)


@pytest.mark.parametrize(
    ("reader", "command", "wanted", "model"),
    [
        (models(LISTED), [], "", target.Model("tiny", "/models/Q")),
        (models(LISTED), [], "lora", target.Model("lora", "/models/Q", "tiny")),
        (models(LISTED), [], "alias", target.Model("alias", "/models/Q")),
        (models(LISTED), [], "on-demand", target.Model("on-demand", "")),
        (models('{"data":[{"id":"tiny"}]}'), ["vllm", "serve", "/m"], "", target.Model("tiny", "/m")),
        (Pods({}), ["vllm", "serve", "/m"], "", target.Model("/m", "/m")),
        (Pods({}), ["x", "--model=/m", "--served-model-name", "t"], "", target.Model("t", "/m")),
        (Pods({}), [], "mine", target.Model("mine", "")),
    ],
)
def test_the_models_name(reader: Any, command: list[str], wanted: str, model: target.Model) -> None:
    assert target.model(reader, OWN[0], 8000, {"command": command}, wanted=wanted) == model


TWO = '{"data":[{"id":"a","root":"/a"},{"id":"b","root":"/b"}]}'


@pytest.mark.parametrize("reader", [Pods({}), models("<html>"), models('{"data":[]}'), models(TWO)])
def test_without_a_name_it_asks_for_one(reader: Any) -> None:
    with pytest.raises(LlmHpaError, match="--model"):
        target.model(reader, OWN[0], 8000, {})


def test_a_pod_with_another_model_is_refused_and_named() -> None:
    answers = {f"/api/v1/namespaces/llm/pods/vllm-{number}:8000/proxy/v1/models": LISTED for number in (0, 1)}
    reader: Any = Pods(answers)
    assert target.model(reader, OWN[0], 8000, {}, wanted="lora", own=OWN).name == "lora"
    answers["/api/v1/namespaces/llm/pods/vllm-1:8000/proxy/v1/models"] = '{"data":[{"id":"big"}]}'
    with pytest.raises(LlmHpaError, match="pod vllm-1 serves big and not tiny"):
        target.model(reader, OWN[0], 8000, {}, own=OWN)


@pytest.mark.parametrize(
    "url", ["localhost:8000", "ftp://x", "http://", "http://x:99999", "http://k@x", "http://x?y"]
)
def test_a_bad_url_is_refused(url: str) -> None:
    with pytest.raises(LlmHpaError, match="http://HOST:PORT"):
        target.find(Pods({}), "llm", OWN, 8000, url=url)
