"""Peaks and seats seen on a real Prometheus that holds ten minutes of made-up loads: what the queries make of them."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import TypeAlias

import pytest

from kubectl_llmhpa.backends import scaled_object
from kubectl_llmhpa.policy import decide
from kubectl_llmhpa.simulate import scalers
from kubectl_llmhpa.simulate.measures import Sample, over_time, reading
from tests.cluster.lone_prometheus import Prometheus
from tests.cluster.timed_samples import holding

pytestmark = pytest.mark.control_plane

STEP = 15
NAN = math.nan
FACTS = scalers.facts_for([], 64, "told")
MEASURE = scalers.of_policy("anticipate", FACTS, least=1, most=9, external=True).scaling.measures[0]

#: Running requests of each pod every 15 s, the last one now; None: no sample. Nothing waits.
LOADS: Mapping[str, Sequence[Sequence[float | None]]] = {
    "rises": [[10.0 + at for at in range(40)], [20.0] * 40],
    "falls": [[80.0 - 2 * at for at in range(40)]],
    "stays": [[30.0] * 40],
    "burst": [[10.0] * 24 + [40.0, 60.0, 50.0] + [10.0] * 13, [5.0] * 40],
    "burst over": [[10.0] * 10 + [60.0] * 5 + [10.0] * 25],
    "new": [[None] * 36, [None] * 36 + [1.0, 20.0, 40.0, 30.0]],
    "broken": [[10.0] * 39 + [NAN]],
    "once broken": [[10.0] * 30 + [NAN] + [11.0] * 9],
}
GONE = [[10.0 + at for at in range(15)] + [None] * 25]

Pod: TypeAlias = tuple[Sequence[float | None], Sequence[float | None]]

#: Running and waiting requests of each pod, and the seats that are seen by them, None: none.
FULL: Mapping[str, tuple[Sequence[Pod], float | None]] = {
    "full": ([([16.0] * 40, [5.0] * 40)], 16),
    "fullest": ([([12.0] * 40, [5.0] * 40), ([20.0] * 40, [1.0] * 40)], 20),
    "was full": ([([24.0] * 10 + [2.0] * 30, [5.0] * 10 + [0.0] * 30)], 24),
    "queue too short": ([([16.0] * 40, [0.0] * 38 + [5.0] * 2)], None),
    "new pod": ([([None] * 38 + [16.0] * 2, [None] * 38 + [5.0] * 2)], None),
    "another's queue": ([([16.0] * 40, [0.0] * 40), ([0.0] * 40, [5.0] * 40)], None),
    "hardly any": ([([1.0] * 40, [50.0] * 40)], 1),
    "more than told": ([([90.0] * 40, [5.0] * 40)], 90),
}


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Prometheus, int]]:
    """One that holds all of it, and the time of the last sample."""
    now = int(time.time()) // STEP * STEP
    with holding(tmp_path_factory.mktemp("peak"), page(now)) as server:
        yield server, now


def page(now: int) -> str:
    lines = []
    idle: dict[str, Sequence[Pod]] = {
        load: [(pod, [0.0] * len(pod)) for pod in pods] for load, pods in {**LOADS, "gone": GONE}.items()
    }
    for load, pods in {**idle, **{load: pods for load, (pods, _) in FULL.items()}}.items():
        for number, (running, waiting) in enumerate(pods):
            labels = f'{{namespace="{load}",pod="p{number}",engine="0",model_name="m"}}'
            for name, samples in (("running", running), ("waiting", waiting)):
                for at, (sample, known) in enumerate(zip(samples, running, strict=True)):
                    if known is not None:
                        when = (now - STEP * (len(samples) - 1 - at)) * 1000
                        lines.append(f"vllm:num_requests_{name}{labels} {sample} {when}")
    return "\n".join(lines) + "\n"


def asked(prometheus: tuple[Prometheus, int], load: str) -> float | None:
    """What KEDA gets for a workload that has these loads, None for no element."""
    target = decide(FACTS, preset="anticipate", external=True).targets[0]
    made = scaled_object.trigger(target, FACTS.signals, f'namespace="{load}"')
    server, now = prometheus
    result = server.get("/api/v1/query", query=made.query, time=str(now))["result"]
    assert len(result) <= 1
    return float(result[0]["value"][1]) if result else None


def present(load: str, back: int = 0) -> float:
    """All that run, so many steps ago."""
    seen = [pod[len(pod) - 1 - back] for pod in LOADS[load] if len(pod) > back]
    return sum(one for one in seen if one is not None)


@pytest.mark.parametrize("load", [name for name in LOADS if "broken" not in name])
def test_prometheus_counts_peaks_as_the_model_does(prometheus: tuple[Prometheus, int], load: str) -> None:
    past = [(-STEP * back, present(load, back)) for back in reversed(range(20)) if present(load, back)]
    found = asked(prometheus, load)
    assert found is not None
    assert found == pytest.approx(over_time(MEASURE, past), rel=0.001)
    assert (found > present(load)) is (load in ("falls", "burst", "new"))


@pytest.mark.parametrize("load", FULL)
def test_prometheus_counts_by_seats_seen_and_by_queues_as_the_model_does(
    prometheus: tuple[Prometheus, int], load: str
) -> None:
    pods, seen = FULL[load]
    samples: dict[str, Sample] = {
        str(at): (int(running[-1] or 0), int(waiting[-1] or 0), 0.0)
        for at, (running, waiting) in enumerate(pods)
    }
    ran, waited = (
        [sum(number or 0.0 for number in numbers) for numbers in zip(*each, strict=True)]
        for each in zip(*pods, strict=True)
    )
    past = [(float(STEP * at), total) for at, total in enumerate(ran)]
    expected = reading(MEASURE, samples, past, seen, float(STEP * sum(map(bool, waited))))
    assert isinstance(expected, tuple)
    assert asked(prometheus, load) == pytest.approx(expected[0] / 1000, rel=0.001)


def test_a_sum_that_is_gone_is_no_peak(prometheus: tuple[Prometheus, int]) -> None:
    """What was there five minutes ago is no number, and above all no zero."""
    assert asked(prometheus, "gone") is None


def test_a_number_that_is_none_is_refused_and_one_in_the_past_is_passed_over(
    prometheus: tuple[Prometheus, int],
) -> None:
    found = asked(prometheus, "broken")
    assert found is not None
    assert math.isnan(found)  # KEDA fails on it, and the HPA keeps its replicas
    assert asked(prometheus, "once broken") == present("once broken")
