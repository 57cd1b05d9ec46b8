"""What goes wrong while a benchmark runs: what was measured stays, and what is not valid says why."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from itertools import count
from typing import Any

import pytest

from kubectl_llmhpa.bench import following, preparing, results, run, sampling
from kubectl_llmhpa.bench.job import INDEX, Run
from kubectl_llmhpa.bench.load import Load
from kubectl_llmhpa.bench.modes import sweep
from kubectl_llmhpa.bench.report.verdict import verdict
from kubectl_llmhpa.bench.sampling import Look, Reading
from kubectl_llmhpa.bench.sizing import validity
from kubectl_llmhpa.bench.sizing.judge import judge
from kubectl_llmhpa.bench.sizing.model import Arrivals, Gauge
from kubectl_llmhpa.errors import ExitCode, LlmHpaError
from tests.unit import bench_outcomes as made
from tests.unit.bench_engine import Handler, error_500, good, load
from tests.unit.sweeps import measured


def failing_by_turns(first: int) -> Handler:
    """Every second request fails, from the number `first` on."""
    numbers = count(1)

    async def handler(path: str, body: dict[str, Any], writer: asyncio.StreamWriter) -> None:
        number = next(numbers)
        await (error_500 if number >= first and number % 2 else good)(path, body, writer)

    return handler


def test_half_of_the_requests_fail() -> None:
    facts, _, _ = load(failing_by_turns(2), num_prompts=40)
    outcome = made.plain(**{name: facts[name] for name in ("sent", "done", "failed", "examples")})
    found = verdict(outcome)
    assert found.exit_code == ExitCode.MEASUREMENT_INVALID
    assert found.text == ("measurement invalid: 50 % of the requests failed (most: http 500) (engine dead)")
    assert outcome.result.done == 20


def test_half_of_the_requests_fail_in_a_sweep() -> None:
    point = {"seed": 1, "min_seconds": 0.1, "min_requests": 40, "max_seconds": 30}
    points = [{"concurrency": number, **point} for number in (2, 4, 8)]
    facts, lines, _ = load(failing_by_turns(50), points=points, stop={"failures": 0.05})
    told = [results.point("builtin", line, 1) for line in lines if line["kind"] == "point"]
    assert [one.concurrency for one in told] == [2, 4]  # and 8 is not tried
    assert facts["stopped"]
    assert told[0].done >= 40
    assert "of the requests failed" in validity.reason(told[1], 0.95, validity.Rules())


def test_a_sweep_without_a_valid_point_says_why() -> None:
    found = made.swept()
    assert found.sweep is not None
    points = [replace(one, invalid="50 % of the requests failed") for one in found.sweep.points]
    bad = replace(found, sweep=replace(found.sweep, points=tuple(points)))
    assert verdict(bad).exit_code == ExitCode.MEASUREMENT_INVALID
    assert verdict(bad).text.endswith("no point of the sweep may be used: 50 % of the requests failed")


def test_metrics_that_vanish_leave_what_was_seen() -> None:
    read = Reading(running=3.0, waiting=1.0, kv_cache=0.2, finished=10.0, output_tokens=9.0, preemptions=0.0)
    looks = [Look(2.0, {"a": read}), Look(4.0, {}), Look(6.0, {})]
    assert sampling.gauge(looks, "running") == Gauge(3.0, 3.0, 1)
    assert sampling.growth(looks, "output_tokens") is None
    assert [one.running for one in sampling.samples(looks, 0.0)] == [3.0, None, None]
    assert sampling.gauge(looks[1:], "running") is None


def test_a_sweep_without_the_engines_metrics_finds_the_same_limit() -> None:
    blind = [replace(one, running=None, waiting=None, kv_cache=None) for one in measured().points]
    seen, unseen = judge(measured()), judge(replace(measured(), points=tuple(blind), block=None, blocks=None))
    assert (unseen.n_max, unseen.confidence) == (seen.n_max, seen.confidence)
    targets = {one.signal: one.value for one in unseen.targets}
    assert (targets["running"], targets["kv-cache"]) == (5, None)


class Namespace:
    """A reader of a namespace with one pod of the benchmark, its events and Jobs; nothing can be made in it."""

    def __init__(self, pod: dict[str, Any], event: dict[str, Any], job: dict[str, Any]) -> None:
        self.found = {"/pods": [pod], "/events": [event], "/jobs": [job]}

    def get(self, path: str) -> dict[str, Any]:
        return {"items": next(items for kind, items in self.found.items() if kind in path)}


FULL = "0/3 nodes are available: 3 Insufficient memory."
PENDING = Namespace(
    {
        "metadata": {"name": "bench-0", "annotations": {INDEX: "0"}},
        "spec": {},
        "status": {"phase": "Pending", "conditions": [
            {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": FULL}
        ]},
    },
    {"type": "Warning", "reason": "FailedScheduling", "message": FULL},
    {"metadata": {"name": "llm-hpa-bench-vllm-abc"}},
)  # fmt: skip


def test_a_pod_that_no_node_has_room_for_ends_it_in_time_with_the_reason() -> None:
    seconds: Iterator[float] = map(float, count(0, 10))
    said: list[str] = []
    reader: Any = PENDING
    job = Run("abc", "bench", "llm", "w", "client", {}, 300)
    one = following.Follower(reader, job, clock=lambda: next(seconds), sleep=lambda _: None)
    with pytest.raises(LlmHpaError, match=f"did not start within 60 s: FailedScheduling: {FULL}.*--timeout"):
        one.wait_for_start(60, said.append)
    assert said[0] == f"no node takes the pod yet: {FULL}"


def test_a_benchmark_that_began_since_the_plan_is_seen_before_anything_is_made() -> None:
    cluster: Any = PENDING
    view: Any = None
    plan = made.plan(Load(4, "as asked", False), preparing.Options())
    with pytest.raises(
        LlmHpaError, match=r"another benchmark of it runs already \(job/llm-hpa-bench-vllm-abc\)"
    ):
        run.record(cluster, plan, view)
    preparing.refuse_second_run(cluster, plan.workload, own="llm-hpa-bench-vllm-abc")
    with pytest.raises(LlmHpaError, match="another benchmark"):
        preparing.refuse_second_run(cluster, plan.workload, own="llm-hpa-bench-vllm-def")


def test_what_is_to_come_counts_without_an_hpa_too() -> None:
    plan = made.plan(Load(4, "as asked", False), preparing.Options(arrivals=Arrivals(rate=3.0, peak=9.0)))
    scene = preparing.Scene(plan.workload, plan.sight, None, (), plan.model, plan.options)
    reader: Any = None
    found = sweep.conditions(reader, scene)
    assert (found.rate, found.peak) == (3.0, 9.0)
