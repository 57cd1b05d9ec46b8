"""The model of pods and of the control loop: what must hold whatever the numbers, and what was measured."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import replace
from itertools import pairwise
from typing import Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kubectl_llmhpa.hpa.arithmetic import Metric, ScalingPolicy, ScalingRules, Spec
from kubectl_llmhpa.simulate.control import Scaling
from kubectl_llmhpa.simulate.fleet import Run, World, run
from kubectl_llmhpa.simulate.loads import load
from kubectl_llmhpa.simulate.measures import Measure, Sample, over_time, reading
from kubectl_llmhpa.simulate.requests import Requests
from kubectl_llmhpa.simulate.results import Slo, figures, first_extra, quantile
from kubectl_llmhpa.simulate.service import DEFAULT, Service
from kubectl_llmhpa.simulate.sweep import H100, SMALL, Measured, Sweep

POD = Service(
    seats=2,
    step=0.01,
    per_request=0.001,
    prefill=1000.0,
    chunk=512,
    kv_tokens=10_000,
    overhead=0.0,
    origin="",
)
UP = ScalingRules(0, "Max", (ScalingPolicy("Percent", 100, 30),))
DOWN = ScalingRules(60, "Max", (ScalingPolicy("Pods", 1, 60),))


def one_pod(rows: list[tuple[float, int, int]], service: Service = POD) -> Run:
    return run(Requests.of(rows, length=60.0), service, World())


def scaling(signal: str = "running", target: int = 1000, *, most: int = 8, source: str = "Pods") -> Scaling:
    kind: Literal["Pods", "External"] = "External" if source == "External" else "Pods"
    spec = Spec((Metric(kind, signal, "AverageValue", target),), 1, most, UP, DOWN)
    return Scaling(spec, (Measure(signal, "sum" if kind == "External" else "pods"),))


# One pod


def test_a_request_alone_takes_its_prefill_and_its_tokens() -> None:
    made = one_pod([(1.0, 100, 11)])
    assert made.served.first[0] == pytest.approx(1.0 + 0.01 + 0.1)
    assert made.served.last[0] == pytest.approx(1.11 + 10 * 0.011)


def test_a_long_prompt_takes_several_steps() -> None:
    assert one_pod([(0.0, 1100, 1)]).served.first[0] == pytest.approx(3 * 0.01 + 1.1)


def test_seats_make_the_third_request_wait() -> None:
    made = one_pod([(0.0, 100, 100), (0.0, 100, 100), (0.0, 100, 100)])
    assert made.served.first[2] > min(made.served.last[:2])


def test_more_running_requests_make_each_slower() -> None:
    alone = one_pod([(0.0, 1, 1000)])
    both = one_pod([(0.0, 1, 1000), (0.0, 1, 1000)])
    assert both.served.last[0] - alone.served.last[0] == pytest.approx(1.0, rel=0.05)  # 1 ms for each token


def test_a_full_cache_sends_the_youngest_back_and_all_are_served() -> None:
    small = replace(POD, kv_tokens=1000)
    made = one_pod([(0.0, 100, 600), (0.0, 100, 600)], small)
    assert made.preempted == 1
    assert made.served.last[0] < made.served.last[1]
    assert made.served.first[1] < made.served.last[0], "its first token came before it was sent back"


def test_what_no_cache_holds_is_refused_and_counted() -> None:
    made = one_pod([(0.0, 20_000, 1), (0.0, 1, 1)])
    assert made.refused == 1
    assert math.isnan(made.served.first[0])
    assert not math.isnan(made.served.last[1])


requests_of_any_kind = st.lists(
    st.tuples(st.floats(0, 30), st.integers(1, 400), st.integers(1, 300)), min_size=1, max_size=60
).map(sorted)


@settings(max_examples=60, deadline=None)
@given(requests_of_any_kind, st.integers(1, 8), st.integers(800, 4000), st.integers(1, 3))
def test_every_request_is_served_once_and_in_order_of_time(
    rows: list[tuple[float, int, int]], seats: int, cache: int, pods: int
) -> None:
    service = replace(POD, seats=seats, kv_tokens=cache)
    made = run(Requests.of(rows, length=60.0), service, World(balance="least-loaded"), replicas=pods)
    assert made.refused == made.cut == 0
    for (at, prompt, output), first, last in zip(rows, made.served.first, made.served.last, strict=True):
        fastest = at + prompt / service.prefill
        assert fastest < first <= last
        assert last - first >= (output - 1) * service.step_time(1) - 1e-6
    if pods == 1 and not made.preempted:
        assert list(made.served.first) == sorted(made.served.first), "first come, first served"


def step_by_step(rows: list[tuple[int, int]], service: Service) -> tuple[list[float], list[float]]:
    """What a literal engine does, one step after the other, with (prompt, output) that all come at 0, in their order.

    The first is read alone, since the engine does not wait for the others.
    """
    first, last = [0.0] * len(rows), [0.0] * len(rows)
    waiting, left, now = deque(range(len(rows))), dict[int, int](), 0.0
    while waiting or left:
        reading: list[int] = []
        total = 0
        while waiting and len(left) + len(reading) < service.seats and (now > 0 or not reading):
            prompt = rows[waiting[0]][0]
            if total and total + prompt > service.chunk:
                break
            reading.append(waiting.popleft())
            total += prompt
        now += service.step_time(len(left)) + total / service.prefill
        for index in [*left]:
            left[index] -= 1
            if not left[index]:
                last[index] = now
                del left[index]
        for index in reading:
            first[index] = last[index] = now
            if rows[index][1] > 1:
                left[index] = rows[index][1] - 1
    return first, last


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.tuples(st.integers(1, 500), st.integers(1, 40)), min_size=1, max_size=40), st.integers(1, 9)
)
def test_counting_tokens_is_the_same_as_going_step_by_step(rows: list[tuple[int, int]], seats: int) -> None:
    # The literal engine does not schedule a step ahead.
    service = replace(POD, seats=seats, kv_tokens=10**6, joining=0.0)
    made = one_pod([(0.0, *row) for row in rows], service)
    first, last = step_by_step(rows, service)
    assert list(made.served.first) == pytest.approx(first)
    assert list(made.served.last) == pytest.approx(last)


def test_a_request_that_joins_others_waits_for_the_steps_under_way() -> None:
    rows = [(0.0, 100, 40), (0.5, 100, 40)]
    soon, late = (one_pod(rows, replace(POD, joining=joining)).served.first for joining in (0.5, 1.5))
    assert late[0] == soon[0], "nobody was there before it"
    assert late[1] - soon[1] == pytest.approx(POD.step_time(1))


# Against a real engine


@pytest.mark.parametrize(
    ("engine", "measured"),
    [(engine, one) for engine in (SMALL, H100) for one in engine.points],
    ids=lambda one: one.engine if isinstance(one, Sweep) else f"{one.clients} clients",
)
def test_the_service_model_follows_a_measured_sweep(engine: Sweep, measured: Measured) -> None:
    """Closed loops on vLLM: throughput within 10 %, TTFT within 20 % up to the knee."""
    found = engine.modelled(measured)
    assert found.throughput == pytest.approx(measured.throughput, rel=0.10)
    if measured.clients <= engine.knee:
        assert engine.ttft(found) == pytest.approx(measured.ttft, rel=0.20)


# Many pods


def test_the_same_seed_gives_the_same_run_and_another_does_not() -> None:
    requests = load("step:low=1,high=6,at=2m,for=3m,duration=8m", seed=3)
    first, same = (run(requests, POD, World(start_up=(20, 40), seed=1), scaling=scaling()) for _ in range(2))
    assert first.served.last.tobytes() == same.served.last.tobytes()
    assert first.ready == same.ready
    other = run(requests, POD, World(start_up=(20, 40), seed=2), scaling=scaling())
    assert other.served.last.tobytes() != first.served.last.tobytes()


@pytest.mark.parametrize("source", ["Pods", "External"])
def test_replicas_follow_the_load_up_and_down(source: str) -> None:
    requests = load("step:low=0.1,high=6,at=2m,for=3m,duration=20m,spread=0,prompt=100,output=40")
    made = run(requests, POD, World(start_up=(10.0,)), scaling=scaling(source=source))
    assert max(asked for _, asked, _ in made.ready) > 2
    assert made.ready[-1][1] == 1
    assert made.cut == 0


def test_a_pod_serves_nothing_before_it_is_ready() -> None:
    requests = load("step:low=0.1,high=6,at=2m,for=3m,duration=8m,spread=0,prompt=100,output=40")
    slow, fast = (run(requests, POD, World(start_up=(s,)), scaling=scaling()) for s in (100.0, 5.0))
    more = [first_extra(one, requests.change) for one in (slow, fast)]
    assert more[0] is not None
    assert more[1] is not None
    assert more[0] - more[1] == pytest.approx(95.0, abs=1.0)


def test_pods_in_order_start_one_after_the_other() -> None:
    requests = load("step:low=0.1,high=9,at=1m,for=8m,duration=10m,spread=0,prompt=100,output=40")
    together, ordered = (
        run(requests, POD, World(start_up=(30.0,), ordered=one), scaling=scaling(), replicas=1)
        for one in (False, True)
    )
    starts = [
        at
        for (at, _, ready), (_, _, before) in zip(ordered.ready[1:], ordered.ready, strict=False)
        if ready > before
    ]
    assert min(after - one for one, after in pairwise(starts[1:])) >= 30.0
    full = [max(ready for at, _, ready in one.ready if at < 180) for one in (together, ordered)]
    assert full[0] > full[1]
    assert ordered.pod_seconds < together.pod_seconds, "a pod that is not made yet costs nothing"


def test_a_latency_of_the_last_minute_can_guard() -> None:
    spec = Spec((Metric("External", "ttft", "Value", 500),), 1, 8, UP, DOWN)
    measure = Measure("ttft", "quantile", window=60, share=0.95, when_empty=0)
    requests = load("step:low=0.1,high=6,at=2m,for=3m,duration=12m,spread=0,prompt=100,output=40")
    made = run(requests, POD, World(start_up=(10.0,)), scaling=Scaling(spec, (measure,)))
    assert made.rescales[0].at > 120, "an idle pod is fast"
    assert made.rescales[0].after > 1
    assert made.ready[-1][1] == 1


def test_a_pod_that_leaves_ends_its_requests_or_is_cut_off() -> None:
    # Two long requests on two pods, and nothing that asks for the second one.
    rows = [(0.0, 10, 12_000), (0.0, 10, 12_000)]
    service = replace(POD, kv_tokens=100_000)
    world = World(balance="round-robin")
    patient, hasty = (
        run(Requests.of(rows, length=300.0), service, there, scaling=scaling(target=9000), replicas=2)
        for there in (replace(world, grace=600.0), replace(world, grace=5.0))
    )
    assert patient.cut == 0
    assert hasty.cut == 1
    assert hasty.pod_seconds < patient.pod_seconds


def test_pods_that_start_cost_from_the_moment_they_are_asked_for() -> None:
    requests = Requests.of([(1.0, 1, 1), (100.0, 1, 1)])
    made = run(requests, POD, World(), replicas=3)
    assert made.pod_seconds == pytest.approx(300.0)


@pytest.mark.parametrize("balance", ["random", "round-robin", "least-loaded"])
def test_every_balancer_gives_every_pod_work(balance: str) -> None:
    requests = load("constant:rate=6,duration=2m,prompt=50,output=20")
    world = World(balance=balance)  # type: ignore[arg-type]
    alone, shared = (run(requests, POD, world, replicas=n) for n in (1, 4))
    assert sum(shared.served.last) < sum(alone.served.last)


# Metrics


SAMPLES: dict[str, Sample] = {"pod-0": (3, 1, 0.5), "pod-1": (1, 0, 0.25)}


@pytest.mark.parametrize(
    ("measure", "expected"),
    [
        (Measure("running"), {"pod-0": 3000, "pod-1": 1000}),
        (Measure("in-flight"), {"pod-0": 4000, "pod-1": 1000}),
        (Measure("kv-cache"), {"pod-0": 500, "pod-1": 250}),
        (Measure("waiting", "sum"), (1000,)),
        (Measure("running", "mean"), (2000,)),
        (Measure("kv-cache", "max"), (500,)),
    ],
)
def test_a_metric_is_read_as_its_backend_serves_it(measure: Measure, expected: object) -> None:
    assert reading(measure, SAMPLES, []) == expected


@pytest.mark.parametrize(
    ("over", "expected"),
    [("mean", 20.0), ("max", 30.0), ("peak", 30.0), ("forecast", 50.0)],
)
def test_a_metric_over_a_window(over: str, expected: float) -> None:
    measure = Measure("running", "sum", over, window=60, ahead=40, share=0.9)  # type: ignore[arg-type]
    past = [(0.0, 500.0), (60.0, 10.0), (80.0, 20.0), (100.0, 30.0)]
    assert over_time(measure, past) == pytest.approx(expected)


def test_a_forecast_is_never_below_what_is_there() -> None:
    measure = Measure("running", "sum", "forecast", window=60, ahead=40)
    assert over_time(measure, [(60.0, 30.0), (80.0, 20.0), (100.0, 10.0)]) == 10.0


# Figures


def test_figures_count_what_missed_the_slo() -> None:
    requests = Requests.of([(0.0, 100, 1), (0.0, 100, 1), (0.0, 100, 1), (40.0, 100, 1)], length=50.0)
    made = run(requests, POD, World())
    found = figures(requests, made, Slo(ttft=0.25), POD, gpus=2)
    assert found.attainment == 0.5, "the first is read alone, the two that came with it after that"
    assert found.slow_seconds == 10.0
    assert found.gpu_hours == pytest.approx(2 * 50 / 3600)
    assert found.mean_replicas == pytest.approx(1.0)
    assert found.tpot_p95 is None, "one token has no time between tokens"


@pytest.mark.parametrize(("share", "expected"), [(0.5, 2), (0.95, 4), (0.0, 1), (1.0, 4), (0.25, 1)])
def test_quantiles_are_numbers_that_were_there(share: float, expected: int) -> None:
    assert quantile([1, 2, 3, 4], share) == expected


def test_the_default_curve_says_that_it_is_one() -> None:
    assert DEFAULT.assumed
