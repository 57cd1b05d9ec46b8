"""What the modes of `bench` make of what came in: pure parts of sampling, starts, profiles and the guard."""

from __future__ import annotations

from pathlib import Path

import pytest

from kubectl_llmhpa.api import Json
from kubectl_llmhpa.bench import recording, starts, traffic
from kubectl_llmhpa.bench.load import Load
from kubectl_llmhpa.bench.modes import sweep
from kubectl_llmhpa.bench.observed import Lag, PodStart
from kubectl_llmhpa.bench.sampling import Look, Reading
from kubectl_llmhpa.bench.sizing.model import ColdStart
from kubectl_llmhpa.bench.timeline import Scaling
from kubectl_llmhpa.bench.traffic import Traffic
from kubectl_llmhpa.cli import bench_options
from kubectl_llmhpa.errors import LlmHpaError

ZERO = 1000.0


def look(at: float, running: float | None, waiting: float | None, finished: float | None) -> Look:
    return Look(at, {"a": Reading(running, waiting, None, finished, None, None)})


@pytest.mark.parametrize(
    ("looks", "idle", "words"),
    [
        (
            [look(0, 0, 0, 5), look(2, 0, 0, 5)],
            True,
            "1 pod runs 0 requests, 0 wait, 0 are finished a second",
        ),
        ([look(0, 0, 0, 5), look(2, 0, 0, 9)], False, "2 are finished a second"),
        ([look(0, 3, 1, None), look(2, 0, 0, None)], False, "1 pod runs 3 requests, 1 wait, ? are finished"),
        ([look(0, None, None, None), look(2, None, None, None)], False, "cannot be read"),
    ],
)
def test_only_what_is_seen_to_do_nothing_is_idle(looks: list[Look], idle: bool, words: str) -> None:
    found: Traffic = traffic.judge(looks)
    assert found.idle is idle
    assert words in found.text


def test_a_point_has_the_looks_from_within_it() -> None:
    looks = [look(at, 1, 0, 0) for at in (89.0, 90.5, 92.0, 98.0, 99.5, 101.0)]
    assert [one.at for one in sweep.during(looks, 100.0, {"duration_s": 10.0})] == [92.0, 98.0]
    assert [one.at for one in sweep.during(looks, 100.0, {"result": {"duration": 2.0}})] == [99.5]
    assert sweep.during(looks, 100.0, {}) == []


def test_each_part_of_a_cold_start_counts_from_the_last_moment_that_was_seen() -> None:
    quick = PodStart("a", created=1.0, ready=4.0, first_token=5.0)
    slow = PodStart(
        "b", created=2.0, scheduled=2.5, started=8.0, ready=20.0, first_sample=19.0, first_token=30.0
    )
    never = PodStart("c", created=3.0)
    assert starts.cold_start([quick, slow, never]) == ColdStart(
        scheduled=0.5,
        pulled=None,
        started=5.5,
        ready=12.0,
        first_sample=0.0,
        first_token=10.0,
        total=28.0,
        pods=2,
    )
    assert starts.cold_start([never]) is None
    without = starts.cold_start([PodStart("a", created=1.0, ready=4.0)])
    assert without is not None
    assert (without.ready, without.total) == (3.0, None)


def scaling(at: float, desired: int, value: float | None) -> Scaling:
    return Scaling(ZERO + at, 1, desired, 1, {"running": value})


def test_the_lag_is_split_where_each_link_first_moved() -> None:
    seen = [scaling(-5, 1, 9.0), scaling(2, 1, 4.2), scaling(6, 1, 5.0), scaling(8, 2, 5.0)]
    pods = [PodStart("a", created=9.0, ready=20.0, first_token=26.0), PodStart("b", created=8.5, ready=22.0)]
    found = starts.lag(seen, lambda _name, value: value > 4.4, pods, ZERO)
    assert found == Lag(metric=6.0, decision=8.0, created=8.5, ready=20.0, serving=26.0)
    assert starts.lag(seen[:2], lambda _name, value: value > 4.4, [], ZERO) == Lag()


def tick(t: float, done: int, good: int, **more: object) -> Json:
    return {
        "t": t, "want": 4, "in_flight": 3, "sent": done + 3, "done": done, "good": good, "failed": {}, "ttft_ms": 80.0,
        **more,
    }  # fmt: skip


def test_moments_are_what_came_between_two_ticks() -> None:
    first, second = recording.moments(
        [tick(1.0, 4, 4), tick(3.0, 10, 7, rate=2.5, failed={"http 500": 2}, shed=1)]
    )
    assert (first.want, first.finished, first.attainment, first.failed) == (4, 4.0, 1.0, 0)
    assert (second.want, second.finished, second.arrivals, second.attainment) == (2.5, 3.0, 3.0, 0.5)
    assert (second.failed, second.shed, second.ttft) == (2, 1, 0.08)
    assert recording.moments([tick(1.0, 4, 4, point=0)]) == ()  # a sweep counts every point anew


@pytest.mark.parametrize(
    ("load", "text"),
    [
        (Load(1, "", False), "1 request in flight"),
        (Load(16, "", False, rising=True), "up to 16 requests in flight"),
        (Load(0, "", False, rate=12.5), "at most 12.5 requests per second"),
    ],
)
def test_a_load_in_words(load: Load, text: str) -> None:
    assert load.text == text


def test_shapes_of_a_profile_have_their_peak_and_their_time() -> None:
    assert bench_options.profile("step", 10, 100) == ((25, 3, 3), (50, 10, 10), (25, 3, 3))
    assert bench_options.profile("ramp", 8, 40) == ((20, 0, 8), (10, 8, 8), (10, 8, 0))
    assert bench_options.profile("ramp", None, 40) == ((20, 0, 1), (10, 1, 1), (10, 1, 0))


def test_a_profile_from_a_file(tmp_path: Path) -> None:
    stages = tmp_path / "stages.csv"
    stages.write_text("seconds, rate\n60,2\n30,4\n")
    assert bench_options.profile(str(stages), None, None) == ((60, 2, 2), (30, 4, 4))
    assert bench_options.profile(str(stages), 8, 45) == ((30, 4, 4), (15, 8, 8))
    trace = tmp_path / "trace.csv"
    rows = [f"2023-11-16 18:15:{second:02d}.0000000,100,20" for second in (0, 1, 2, 3, 8, 9)]
    trace.write_text("TIMESTAMP,ContextTokens,GeneratedTokens\n" + "\n".join(rows) + "\n")
    assert bench_options.profile(str(trace), None, None) == ((5, 0.8, 0.8), (5, 0.4, 0.4))
    faults = {"60,0\n": "no load", "60,2\nsoon,2\n": "'soon,2' is not", "sixty,two\n": "no header of a trace"}
    for text, words in faults.items():
        stages.write_text(text)
        with pytest.raises(LlmHpaError, match=words):
            bench_options.profile(str(stages), None, None)
    trace.write_text(trace.read_text() + "soon,100,20\n")
    with pytest.raises(
        LlmHpaError, match=r"--profile .*trace\.csv: line 8: 'soon' is not a time; mend the file$"
    ):
        bench_options.profile(str(trace), None, None)
