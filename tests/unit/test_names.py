"""The table of names is what the rows of the engines say, and which words of a query are names."""

from __future__ import annotations

import pytest

from kubectl_llmhpa import engines, names
from kubectl_llmhpa.engines import lookalikes
from kubectl_llmhpa.names.queries import words_in


@pytest.mark.parametrize("engine", engines.ENGINES, ids=lambda engine: engine.name)
def test_every_metric_of_an_engine_is_known(engine: engines.Engine) -> None:
    for signal in engine.signals:
        for metric in (signal.api_name, *signal.metrics):
            found = engines.signal_of(metric)
            assert found is not None
            for spelt in (metric, metric.replace(":", "_")):
                assert names.signal_named(spelt) == (found[0].name, found[1].name)


@pytest.mark.parametrize(
    ("metric", "engine"),
    [
        ("vllm:num_requests_waiting", "vllm"),
        ("vllm_num_requests_waiting", "vllm"),
        ("vllm:of_tomorrow", "vllm"),
        ("vllm:current_qps", "the vLLM production-stack router"),
        ("http_requests", None),
    ],
)
def test_whose_metric_a_name_is(metric: str, engine: str | None) -> None:
    assert names.engine_of(metric) == engine


def test_a_lookalike_comes_before_the_engine_that_it_looks_like() -> None:
    for row in lookalikes.LOOKALIKES:
        assert {names.engine_of(f"{prefix}x") for prefix in row.prefixes} <= {row.title}


def test_our_words_for_signals_are_those_of_the_engines() -> None:
    assert all(map(names.is_signal, engines.SIGNALS))
    assert not names.is_signal("requests")


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("sum(vllm:num_requests_waiting)", ["sum", "vllm:num_requests_waiting"]),
        ('a{pod="b", c=~\'d"e\', f!=`g`}', ["a", "pod", "c", "f"]),
        ('{__name__="vllm:num_requests_waiting", job="x"}', ["vllm:num_requests_waiting", "job"]),
        ('{__name__=~"sglang:a|sglang:b"}', ["sglang:a", "sglang:b"]),
        (r'label_replace(a, "b", "\"c", "d", "e")', ["label_replace", "a"]),
        ("", []),
    ],
)
def test_the_words_of_a_query(query: str, words: list[str]) -> None:
    assert words_in(query) == words
