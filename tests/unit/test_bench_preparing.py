"""What is decided before a load is made: the models that it asks for, and what a generator cannot do."""

from __future__ import annotations

import pytest

from kubectl_llmhpa.bench import preparing
from kubectl_llmhpa.bench.load import Load
from kubectl_llmhpa.bench.pod.request import Endpoint as ClientEndpoint
from kubectl_llmhpa.bench.target import Endpoint
from kubectl_llmhpa.cli.bench_options import ModelsType
from kubectl_llmhpa.errors import LlmHpaError
from tests.unit.bench_outcomes import plan

PLAN = plan(Load(4, "as asked", False), preparing.Options())


@pytest.mark.parametrize(
    ("word", "models", "notes"),
    [
        ("tiny", (("tiny", 1.0),), ()),
        ("org/tiny:latest", (("org/tiny:latest", 1.0),), ()),
        ("a=3,b=1", (("a", 3.0), ("b", 1.0)), ("why", "requests ask for a (75%), b (25%)")),
        ("a, b", (("a", 1.0), ("b", 1.0)), ("why", "requests ask for a (50%), b (50%)")),
    ],
)
def test_models_with_their_weights(
    word: str, models: tuple[tuple[str, float], ...], notes: tuple[str, ...]
) -> None:
    assert ModelsType().convert(word, None, None) == models
    assert preparing.mixed(Load(4, "", False, ("why",)), models).notes == (notes or ("why",))


def test_requests_ask_for_the_models_by_their_weights() -> None:
    settings = {"base_url": "http://engine", "model": "a", "input_tokens": 1, "output_tokens": 1, "seed": 1}
    client = ClientEndpoint({**settings, "models": [["a", 3.0], ["b", 1.0]]})
    asked = [client.body() for _ in range(400)]
    assert 70 <= sum(b'"model":"b"' in body for body in asked) <= 130
    assert b'"model":"a"' in ClientEndpoint({**settings, "models": []}).body()


def test_a_route_by_host_name_needs_a_client_that_sends_it() -> None:
    way = Endpoint("http://10.0.0.9:80", "gateway/edge (httproute/r)", "llm.example")
    with pytest.raises(
        LlmHpaError, match=r"vllm's generator cannot ask for host llm\.example, by which gateway/edge"
    ):
        preparing.refuse_other_host(way, "vllm", PLAN.workload)
    preparing.refuse_other_host(way, "builtin", PLAN.workload)
    preparing.refuse_other_host(Endpoint("http://10.0.0.9:80", "gateway/edge"), "vllm", PLAN.workload)
