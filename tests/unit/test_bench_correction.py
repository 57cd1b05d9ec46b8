"""A proof through KEDA, whose queries count more requests than there are where a full pod runs fewer than told."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from kubectl_llmhpa.bench import seats_seen
from kubectl_llmhpa.bench.load import Load
from kubectl_llmhpa.bench.preparing import Options, Scene
from kubectl_llmhpa.bench.sizing.compare import differences
from kubectl_llmhpa.bench.sizing.correction import EARLIEST_S, Correction
from kubectl_llmhpa.bench.sizing.prove import Prediction, Timing, predict
from kubectl_llmhpa.engines import by_seats_seen
from kubectl_llmhpa.errors import ApiError
from kubectl_llmhpa.hpa import arithmetic
from tests.unit import bench_outcomes as made
from tests.unit.test_bench_prove import hpa

QUICK = Timing(scrape=2, sync=2, ready=20, drain=5, slack=3)
TOLD = 32
#: What `enable` writes for 32 seats.
LOAD = {"running": "16", "waiting": "8"}
PEAK = {"in-flight": "19.2", "waiting": "8"}


def predicted(
    targets: Mapping[str, str],
    seen: float | None,
    *,
    most: int = 3,
    goal: int | None = 2,
    timing: Timing = QUICK,
) -> Prediction:
    correction = Correction(frozenset({"running", "in-flight"} & {*targets}), TOLD, seen)
    spec = hpa(targets, most=most, kind="External")
    return predict(
        spec, list(targets), replicas=1, seats=TOLD, timing=timing, goal=goal, correction=correction
    )


@pytest.mark.parametrize(
    ("targets", "seen", "load", "path"),
    [
        # seats that are right need what they need without a correction: 0.9 x 20 > 1.1 x 16
        (LOAD, 32, 20, [2]),
        # pods run 8 of 32, so one that runs counts for four
        (LOAD, 8, 5, [2]),
        (PEAK, 8, 6, [2]),
        # nobody knows whether they run 17, which is no reason for a pod, or fewer: the queue has to do it
        (LOAD, 0, 54, [3]),
        # what is in flight needs no seats, but a queue beside it may ask for more: for 3 that both do
        (PEAK, 0, 43, [3]),
    ],
)
def test_the_load_is_certain_whatever_a_pod_runs(
    targets: Mapping[str, str], seen: float, load: int, path: list[int]
) -> None:
    found = predicted(targets, seen)
    assert (found.concurrency, [step.replicas for step in found.up], found.exact) == (load, path, True)
    assert found.hold < EARLIEST_S  # so no queue of the load's own can count before it is over


def test_time_with_a_queue_counts_for_as_much_as_a_load_can_change_it() -> None:
    made = Correction(frozenset({"running"}), TOLD, TOLD, memory=3600, queued=0.25)
    assert made.factors(TOLD, 0) == pytest.approx((1.25, 1.25), abs=15 / 3600)
    assert made.factors(TOLD, 360) == pytest.approx((1.15, 1.35), abs=15 / 3600)
    assert made.factors(TOLD, 7200) == (1, 2)
    assert Correction(frozenset(), TOLD, TOLD, memory=3600, queued=None).factors(TOLD, 0) == (1, 2)
    assert Correction(frozenset(), TOLD, TOLD, queued=0.25).factors(TOLD, 0) == (1, 1)


def test_where_nobody_can_be_asked_the_most_is_expected() -> None:
    known, unknown = (predicted(PEAK, seen, most=9, timing=Timing()) for seen in (TOLD, None))
    assert known.highest < unknown.highest
    assert known.concurrency < unknown.concurrency


def test_what_a_queue_tells_during_a_long_load_is_bounded() -> None:
    found = predicted(PEAK, 0, most=9, timing=Timing())
    assert found.exact
    assert found.highest > found.up[-1].replicas
    assert (
        f"it may go on to {found.highest} replicas before the last sample of the load is gone" in found.notes
    )


@pytest.mark.parametrize("targets", [LOAD, PEAK], ids=["load", "peak"])
@pytest.mark.parametrize(
    ("seen", "goal", "sync"),
    [(0, 2, 2.0), (0, 2, 15.0), (0, 3, 2.0), (8, 2, 2.0), (8, 3, 15.0), (32, 2, 15.0)],
)
def test_what_comes_is_what_was_predicted(
    targets: Mapping[str, str], seen: float, goal: int, sync: float
) -> None:
    timing = Timing(scrape=2, sync=sync, ready=20, drain=5, slack=3)
    found = predicted(targets, seen, most=6, goal=goal, timing=timing)
    for seats in (4, 8, 16, 17, 24, TOLD):
        if seats >= seen:
            for phase in (0.0, 0.3, 0.6, 0.9):
                came = list(played(targets, found, seats, seen, phase, timing))
                assert differences(found, [(0.0, 1), *came]) == ()


def played(
    targets: Mapping[str, str], found: Prediction, seats: int, seen: float, phase: float, timing: Timing
) -> Iterator[tuple[float, int]]:
    """What the HPA asks for while pods of `seats` seats hold the load, looking at `phase` of its period."""
    spec = hpa(targets, most=6, kind="External")
    memory, replicas, now = arithmetic.Memory(()), 1, phase * timing.sync
    ready_at = [0.0]
    while now < found.hold:
        ready = sum(at <= now for at in ready_at)
        flight = found.concurrency if now >= timing.scrape else 0
        running = min(flight, seats * ready)
        if now >= timing.scrape + EARLIEST_S and running < flight:
            seen = max(seen, seats)
        times = TOLD / max(TOLD / 8, min(seen, TOLD)) if seen else 1.0
        totals = {"running": running * times, "in-flight": flight * times, "waiting": flight - running}
        pods = [arithmetic.Pod(f"p{at}", ready=at < ready) for at in range(replicas)]
        readings: list[arithmetic.Reading] = [[int(1000 * totals[one])] for one in targets]
        outcome = arithmetic.sync(spec, memory, readings, pods, replicas=replicas, now=now)
        memory = outcome.memory
        if outcome.replicas != replicas:
            ready_at += [now + timing.ready / 2] * (outcome.replicas - replicas)
            replicas = outcome.replicas
            yield now, replicas
        now += timing.sync


RUNNING, WAITING = "vllm:num_requests_running", "vllm:num_requests_waiting"
CORRECTED = by_seats_seen(f"sum({RUNNING})", running=RUNNING, waiting=WAITING, told=TOLD)


class Answers:
    """A reader of a Prometheus with this answer; None: it may not be asked."""

    def __init__(self, answer: str | None) -> None:
        self.answer, self.asked = answer, ""

    def get(self, path: str, *, accept: str = "") -> dict[str, Any]:
        self.asked = path
        if self.answer is None:
            raise ApiError("read", 403, "Forbidden", "no")
        result = [{"metric": {}, "value": [0, self.answer]}] if self.answer else []
        return {"status": "success", "data": {"result": result}}

    def may(self, *right: str) -> bool:
        return True


@pytest.mark.parametrize(
    ("query", "answer", "seen", "said"),
    [
        (CORRECTED, "8", 8.0, "32 told; a full pod ran 8 in the last 3 h"),
        (f"({CORRECTED}) or vector(0)", "", 0.0, "32 told; no pod was full in the last 3 h"),
        (CORRECTED, None, None, "32 told; what a full pod runs cannot be asked for"),
    ],
)
def test_what_the_live_query_has_seen_is_asked_of_the_prometheus_that_keda_asks(
    query: str, answer: str | None, seen: float | None, said: str
) -> None:
    reader: Any = Answers(answer)
    found, line = seats_seen.correction(reader, scene(query))
    assert found == Correction(frozenset({"running"}), TOLD, seen)
    assert line.startswith(said)
    assert "/namespaces/monitoring/services/prometheus:9090/proxy/" in reader.asked
    assert "sum%28" not in reader.asked


def test_without_a_correction_nobody_is_asked() -> None:
    nobody: Any = None
    for query in ("", f"sum({RUNNING})"):
        assert seats_seen.correction(nobody, scene(query)) == (None, "")


def scene(query: str) -> Scene:
    """A workload whose HPA is KEDA's, with a query on running requests ("": it is not)."""
    plan = made.plan(Load(1, "", False), Options())
    metric = {"name": "s0-prometheus", "selector": {"matchLabels": {"scaledobject.keda.sh/name": "h"}}}
    scaled = json.loads(json.dumps(made.hpa(1)))
    scaled["spec"]["metrics"] = [
        {
            "type": "External",
            "external": {"metric": metric, "target": {"type": "AverageValue", "averageValue": "16"}},
        }
    ]
    trigger = {
        "type": "prometheus", "name": "running",
        "metadata": {"query": query, "serverAddress": "http://prometheus.monitoring.svc:9090"},
    }  # fmt: skip
    found = {"spec": {"triggers": [trigger]}} if query else None
    return Scene(plan.workload, plan.sight, scaled, (), plan.model, plan.options, found)
