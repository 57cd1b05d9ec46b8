"""The table of names is what the rows of the engines say."""

from __future__ import annotations

import pytest

from kubectl_llmhpa import engines, names
from kubectl_llmhpa.engines import lookalikes


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
