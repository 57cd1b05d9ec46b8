"""A load out of Prometheus: what its answers say of minutes, and requests drawn from those."""

from __future__ import annotations

import statistics
import urllib.parse
from dataclasses import replace
from typing import Any

import pytest

from kubectl_llmhpa.api import STATEFUL_SETS, Json
from kubectl_llmhpa.engines import Seats
from kubectl_llmhpa.errors import LlmHpaError
from kubectl_llmhpa.lint import promql
from kubectl_llmhpa.monitoring.prometheus import Server, query_range
from kubectl_llmhpa.simulate import history, scalers
from kubectl_llmhpa.simulate.history import STEP_S, Past
from kubectl_llmhpa.workloads import Workload

VLLM = Workload(STATEFUL_SETS, "llm", "vllm", {}, 1, "app=vllm")
FACTS = scalers.facts_for([], 64, "told")


def per_minute(*numbers: float | None, start: int = 0) -> dict[int, float]:
    return {start + STEP_S * at: number for at, number in enumerate(numbers) if number is not None}


def of(*ended: float | None, **numbers: dict[int, float]) -> Past:
    named = {name.replace("_", "-"): found for name, found in numbers.items()}
    return history.minutes(per_minute(*ended), named, None, "yesterday")


def test_what_a_queue_held_back_came_when_it_came() -> None:
    past = of(10, 10, 10, 10, in_flight=per_minute(5, 25, 25, 5))
    assert past.arrivals == (10.0, 30.0, 10.0, 0.0)
    assert sum(of(10, 20, 30).arrivals) == 60


def test_lengths_are_means_of_the_minutes_before() -> None:
    past = of(10, 10, 0, prompt_tokens=per_minute(100, 300, 0), generation_tokens=per_minute(None, 50, None))
    assert past.prompt == (600.0, 1200.0, 1200.0)
    assert past.output == (0.0, 150.0, 150.0)


def test_a_length_is_forgotten_after_a_while() -> None:
    ended = [10.0] * 40
    past = of(*ended, prompt_tokens=per_minute(*[100.0] * 20, *[200.0] * 20))
    assert (past.prompt[19], past.prompt[-1]) == (600, 1200)


def test_minutes_without_samples_are_counted() -> None:
    past = of(10, None, None, 10)
    assert (past.arrivals, past.silent) == ((10, 0, 0, 10), 2)
    assert "2 of 4 minutes have no samples" in " ".join(history.notes(past))
    assert "1000 for prompts and 200 for outputs are assumed" in " ".join(history.notes(past))


PAST = Past((60.0,) * 30 + (600.0,) * 30, (500.0,) * 60, (80.0,) * 60, 0, None, "yesterday")


def test_requests_are_drawn_at_each_minutes_rate() -> None:
    made = history.requests(PAST, seed=1)
    assert list(made.at) == sorted(made.at)
    assert made.length == 3600
    early = sum(at < 1800 for at in made.at)
    assert early == pytest.approx(1800, rel=0.1)
    assert len(made) - early == pytest.approx(18_000, rel=0.03)
    assert statistics.fmean(made.prompt) == pytest.approx(500, rel=0.05)
    assert statistics.fmean(made.output) == pytest.approx(80, rel=0.05)
    assert history.requests(PAST, seed=1).at == made.at != history.requests(PAST, seed=2).at


def test_a_minute_that_tells_no_length_has_the_mean_of_the_others() -> None:
    made = history.requests(replace(PAST, prompt=(0.0,) * 30 + (500.0,) * 30, output=(0.0,) * 60))
    assert statistics.fmean(made.prompt[:1500]) == pytest.approx(500, rel=0.2)
    assert statistics.fmean(made.output) == pytest.approx(200, rel=0.05)


@pytest.mark.parametrize(
    ("arrivals", "said"), [((1e9,), "more than 20,000,000"), ((0.0, 1e-12), "hardly a request")]
)
def test_what_cannot_be_simulated_is_refused(arrivals: tuple[float, ...], said: str) -> None:
    none = (0.0,) * len(arrivals)
    with pytest.raises(LlmHpaError, match=said):
        history.requests(replace(PAST, arrivals=arrivals, prompt=none, output=none))


class Answering:
    """What Prometheus behind the operator's Service answers, by a word of the query."""

    namespace = "llm"

    def __init__(self, answers: dict[str, list[float]], full: float | None = None) -> None:
        self.answers, self.full = answers, full

    def get(self, path: str, *, accept: str = "application/json") -> Json:
        del accept
        if path.endswith("/prometheuses"):
            return {"items": [{"metadata": {"namespace": "monitoring", "name": "k8s"}}]}
        if "/api/v1/query" not in path:
            raise LlmHpaError("read", f"nothing is at {path}")
        asked = {
            name: one[0] for name, one in urllib.parse.parse_qs(urllib.parse.urlsplit(path).query).items()
        }
        promql.read(asked["query"])
        if "start" not in asked:
            number = 1.0 if asked["query"] == "vector(1)" else self.full
            found = [] if number is None else [{"metric": {}, "value": [0, str(number)]}]
            return {"status": "success", "data": {"result": found}}
        end = int(asked["end"])
        for word, numbers in self.answers.items():
            if word in asked["query"]:
                values = [
                    [end - STEP_S * (len(numbers) - 1 - at), str(number)] for at, number in enumerate(numbers)
                ]
                return {"status": "success", "data": {"result": [{"metric": {}, "values": values}]}}
        return {"status": "success", "data": {"result": []}}


def read(answers: dict[str, list[float]], full: float | None = None, engine: str = "vllm") -> Past:
    reader: Any = Answering(answers, full)
    return history.read(reader, VLLM, [], replace(FACTS, engine=engine), 3600)


def test_the_load_of_a_workload() -> None:
    past = read({"request_success": [10.0, 20.0], "prompt_tokens": [100.0, 200.0]}, 24.0)
    assert past.arrivals == (10.0, 20.0)
    assert past.prompt == (600.0, 600.0)
    assert past.seats == Seats(
        24, "the most that a pod ran while requests waited, in the last 1 h", proved=True
    )
    assert past.origin == "the last 1 h of Prometheus monitoring/prometheus-operated"


def test_an_older_counter_serves_where_the_newest_has_nothing() -> None:
    past = read({"e2e_request_latency_seconds_count": [10.0, 20.0]})
    assert (past.arrivals, past.seats) == ((10, 20), None)


@pytest.mark.parametrize(
    ("answers", "engine", "said"),
    [
        ({}, "vllm", "knows of no request that ended in the last 1 h"),
        ({"request_success": [0.0, 0.0]}, "vllm", "knows of no request"),
        ({}, "llamacpp", "counts no finished requests"),
    ],
)
def test_without_a_history_there_is_a_reason(answers: dict[str, list[float]], engine: str, said: str) -> None:
    with pytest.raises(LlmHpaError, match=said):
        read(answers, engine=engine)


def test_a_query_over_time_that_has_no_element_is_empty() -> None:
    reader: Any = Answering({})
    assert query_range(reader, Server("a", "b", 1), "x", start=0, end=60, step=60) == []
