"""What a sweep says: validity, knee, SLO, targets, replicas, start and verdict, on a real sweep and made-up ones."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubectl_llmhpa.bench.pod.adaptive import enough
from kubectl_llmhpa.bench.sizing import slo as slos
from kubectl_llmhpa.bench.sizing import validity
from kubectl_llmhpa.bench.sizing.curve import curve
from kubectl_llmhpa.bench.sizing.judge import judge
from kubectl_llmhpa.bench.sizing.knee import knee
from kubectl_llmhpa.bench.sizing.model import (
    ESTIMATED,
    PROVED,
    SWEEP_FURTHER,
    Arrivals,
    ColdStart,
    Conditions,
    Gauge,
    Latency,
    Point,
    Sizing,
    Slo,
    Sweep,
)
from kubectl_llmhpa.cli.bench_options import ArrivalsType
from kubectl_llmhpa.output import documents
from tests.unit.bench_outcomes import SLO
from tests.unit.sweeps import measured, point, sweep

SIGNALS = (
    "running",
    "waiting",
    "kv-cache",
    "in-flight",
    "generation-tokens",
    "prompt-tokens",
    "ttft",
    "itl",
    "e2e",
)


def judged(found: Sweep, **conditions: object) -> Sizing:
    return judge(validity.checked(found), replace(Conditions(signals=SIGNALS), **conditions))  # type: ignore[arg-type]


def values(sizing: Sizing) -> dict[str, float | None]:
    return {one.signal: one.value for one in sizing.targets}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, ""),
        ({"invalid": "the pod was evicted"}, "the pod was evicted"),
        ({"done": 0, "good": 0}, "no request succeeded"),
        ({"failed": {"timeout": 40}}, "6 % of the requests failed"),
        ({"failed": {"timeout": 30}}, ""),
        ({"client_cpu": 0.95}, "the client was the limit: it used 95 % of a core"),
        ({"seconds": 20.0}, "20 s is too short: at least 30 s"),
        ({"done": 63}, "63 requests are too few: at least 64"),
        ({"throughput": 9.0}, "throughput x latency is 7.20 and not 8 requests in flight"),
        ({"throughput": 10.6}, "throughput x latency is 8.48 and not 8 requests in flight"),
        ({"e2e": Latency()}, "no latency was measured"),
    ],
)
def test_a_point_is_valid_or_says_why_not(changes: dict[str, object], said: str) -> None:
    one = replace(point(8, 10.0), **changes)  # type: ignore[arg-type]
    found = validity.reason(one, 0.95, validity.Rules())
    assert found.startswith(said) if said else not found


def test_one_in_flight_needs_what_proves_the_share() -> None:
    assert validity.reason(point(1, 1.7, seconds=30), 0.95, validity.Rules()).startswith(
        "51 requests are too few"
    )
    assert not validity.reason(point(1, 1.75, seconds=30), 0.95, validity.Rules())
    assert validity.reason(point(1, 4, seconds=60), 0.99, validity.Rules()).endswith("at least 268")


def test_the_real_sweep() -> None:
    found = validity.checked(measured())
    assert not any(one.invalid for one in found.points)
    sizing = judged(found, rate=10.0, peak=40.0)
    assert sizing.knee.chord == sizing.knee.near_peak == sizing.knee.value == 8
    assert sizing.knee.power == 6
    assert sizing.knee.two_lines == pytest.approx(6.6, abs=0.1)
    assert sizing.knee.asymptote == pytest.approx(4.4, abs=0.1)
    assert (sizing.slo.value, sizing.slo.proved, sizing.slo.first_miss) == (8, True, 10)
    assert (sizing.n_max, sizing.rate_max, sizing.saturation) == (8, 9.52, 10.16)
    assert sizing.confidence == PROVED
    # 8 / (1.1 x (1 + 25 % a minute x 90 s)) = 5.3; the cache: 5 requests of 2 blocks, of 63
    assert values(sizing) == {
        "running": 5, "waiting": 1, "kv-cache": 0.15, "in-flight": 5, "generation-tokens": 411,
        "prompt-tokens": 822, "ttft": 0.6, "itl": 0.04, "e2e": None,
    }  # fmt: skip
    # 5 in flight: 7.555 a second, of which 0.9 are planned with
    assert (sizing.replicas.least, sizing.replicas.most, sizing.replicas.warm) == (2, 7, 0)
    assert sizing.start.lag.value == 90
    assert sizing.verdict.startswith(
        "a pod can have 8 requests in flight (9.52 a second), proved; targets: running 5"
    )
    assert sizing.notes == ("nothing between 8 and 10 in flight was tested",)


def test_a_miss_where_less_was_served_than_before_may_not_be_the_engines_own() -> None:
    """As seen: of ten sweeps side by side one met a machine that others had filled, and found 9 instead of 11."""
    points = [point(n, rate) for n, rate in ((1, 2.33), (4, 6.53), (8, 9.5), (9, 9.63))]
    disturbed = judged(sweep([*points, point(10, 8.83, kept=0.913)], seats=8))
    assert disturbed.notes[-1].startswith("with 10 in flight it served 8% less than with fewer")
    quiet = judged(sweep([*points, point(10, 9.4, kept=0.913)], seats=8))
    assert not any("less than with fewer" in note for note in quiet.notes)


@pytest.mark.parametrize("highest", [4, 6, 8])
def test_below_the_knee_there_is_none_yet(highest: int) -> None:
    sizing = judged(measured(highest))
    assert sizing.knee.value is None
    assert sizing.knee.why.startswith(f"no knee yet: {highest} in flight still serve")
    assert (sizing.n_max, sizing.confidence) == (highest, SWEEP_FURTHER)
    assert sizing.notes[-1].endswith("sweep further")
    assert sizing.verdict.startswith(f"a pod can have at least {highest} requests in flight")
    assert sizing.verdict.endswith("its limit was not found, sweep further")


@pytest.mark.parametrize(
    ("slo", "n_max", "confidence", "first_miss"),
    [
        (Slo(), 8, ESTIMATED, None),  # the knee alone
        (SLO, 8, PROVED, 10),
        (replace(SLO, share=0.7), 8, PROVED, 12),  # the SLO is kept up to 10, the knee is before
        (replace(SLO, share=0.9999), 8, ESTIMATED, 10),  # faultless, and too few requests to prove it
    ],
)
def test_the_most_in_flight_is_the_least_of_knee_and_slo(
    slo: Slo, n_max: float, confidence: str, first_miss: float | None
) -> None:
    sizing = judge(replace(measured(), slo=slo))
    assert (sizing.n_max, sizing.confidence, sizing.slo.first_miss) == (n_max, confidence, first_miss)


def test_a_chord_that_ends_before_the_throughput_does_is_no_knee() -> None:
    rates = ((1, 3.0, 1.0), (4, 8.0, 1.0), (8, 9.9, 1.0), (10, 10.0, 0.99), (12, 10.1, 0.8), (16, 10.2, 0.1))
    sizing = judged(sweep([point(n, rate, kept=kept) for n, rate, kept in rates], seats=8))
    assert (sizing.knee.chord, sizing.knee.near_peak, sizing.slo.value) == (4, 8, 10)
    assert (sizing.knee.value, sizing.n_max) == (8, 8)
    assert sizing.knee.why == (
        "the first with 90% of the largest throughput; 4 is farthest above the line from the first to the last point, "
        "with 78% of it"
    )
    assert values(sizing)["running"] == 5


def test_without_one_request_alone_there_is_no_asymptote() -> None:
    points = [one for one in measured().points if one.concurrency > 1]
    assert knee(curve(sweep(points))).asymptote is None


def test_the_slo_counts_without_a_gap() -> None:
    found = curve(sweep([point(1, 2), point(2, 4, kept=0.5), point(4, 8), point(8, 9)]))
    kept = slos.kept(found, SLO)
    assert (kept.value, kept.first_miss) == (1, 2)


def test_points_of_one_concurrency_count_together() -> None:
    again = [point(1, 2), point(4, 6, kept=0.90), point(4, 6, kept=0.98, seconds=120), point(8, 9, kept=0)]
    found = curve(sweep(again))
    assert [one.n for one in found.levels] == [1, 4, 8]
    assert found.levels[1].kept == pytest.approx((0.9 + 2 * 0.98) / 3, abs=0.01)
    assert slos.kept(found, SLO).value == 4


def test_a_sweep_of_several_pods_counts_by_pod() -> None:
    one, three = measured(), measured()
    three = replace(
        three,
        points=tuple(
            replace(
                each, concurrency=3 * each.concurrency, pods=3, throughput=3 * each.throughput,
                output_token_rate=3 * each.output_token_rate, done=3 * each.done, good=3 * each.good,
                input_tokens=3 * each.input_tokens, waiting=each.waiting and Gauge(3 * each.waiting.mean, 99, 9),
            )
            for each in three.points
        ),
    )  # fmt: skip
    assert values(judged(three)) == values(judged(one))
    assert judged(three).n_max == 8


def test_failed_requests_have_not_kept_the_slo() -> None:
    found = curve(sweep([replace(point(1, 10), failed={"x": 31})]))  # 600 done
    assert found.levels[0].kept == pytest.approx(600 / 631)


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (sweep([]), "no valid point: nothing can be said"),
        (sweep([replace(point(1, 2), invalid="x")]), "no valid point: nothing can be said"),
        (
            sweep([point(1, 2, kept=0.2), point(4, 6, kept=0)]),
            "no number of replicas can meet this SLO: already 1 in",
        ),
        (sweep([point(4, 6, kept=0.2)]), "the SLO was never kept: already 4 in flight kept it for 20"),
    ],
)
def test_nothing_to_ask_for(found: Sweep, said: str) -> None:
    sizing = judge(found)
    assert sizing.verdict.startswith(said)
    assert (sizing.n_max, sizing.targets, sizing.confidence) == (None, (), SWEEP_FURTHER)


def test_no_reactive_scaler_can_follow_what_grows_faster_than_pods_start() -> None:
    slow = replace(measured(), cold_start=ColdStart(total=1800, pods=2))
    sizing = judge(slow)
    assert sizing.verdict == (
        "no reactive scaler can meet this SLO: 1 request in flight x (1 + 0.1) x (1 + 25% a minute x 1800 s) = 9.35 > "
        "8: even pods with one request each are over their limit before a new one takes load"
    )
    assert values(sizing)["running"] == 1
    assert not judge(slow, Conditions(growth=0.2 / 60)).start.impossible
    assert sizing.start.scale_down_window == 3600


@pytest.mark.parametrize(
    ("cold", "conditions", "lag", "origin", "window"),
    [
        (None, Conditions(), 140, "assumed: no pod was seen to start", 300),
        (
            ColdStart(scheduled=1, pulled=30, started=1, ready=128, pods=1),
            Conditions(),
            180,
            "one pod, to Ready",
            360,
        ),
        (
            ColdStart(total=40, pods=3),
            Conditions(backend=10, scrape=15),
            80,
            "slowest of 3 pods, to its first",
            300,
        ),
        (
            ColdStart(total=40, pods=3),
            Conditions(lag=33, lag_origin="measured by --prove"),
            33,
            "by --prove",
            300,
        ),
    ],
)
def test_the_lag_and_the_window_of_scale_in(
    cold: ColdStart | None, conditions: Conditions, lag: float, origin: str, window: int
) -> None:
    start = judge(replace(measured(), cold_start=cold), conditions).start
    assert (start.lag.value, start.scale_down_window) == (lag, window)
    assert origin in start.lag.origin


def test_a_queue_inside_the_slo_is_told_and_running_stays_below_the_seats() -> None:
    patient = [replace(one, good=one.done) for one in measured(16).points]
    sizing = judged(sweep([*patient, point(24, 10.11, kept=0.1, latency=2.277)], seats=8, slo=Slo(ttft=3)))
    assert sizing.n_max == 8  # the knee
    queue = [
        point(n, rate, kept=1 if n < 24 else 0) for n, rate in ((1, 1.0), (8, 8.0), (16, 16.0), (24, 24.0))
    ]
    sizing = judged(sweep(queue, seats=8))
    assert sizing.n_max == 16
    assert values(sizing)["in-flight"] == math.floor(16 / 1.1 / 1.375)
    assert values(sizing)["running"] == math.floor(8 / 1.1 / 1.375)
    assert any("more than the 8 seats" in note for note in sizing.notes)


def test_a_cache_that_tells_no_blocks_is_taken_from_its_gauge() -> None:
    points = [replace(one, kv_cache=Gauge(0.04 * one.concurrency, 1, 9)) for one in measured().points]
    blind = replace(measured(), block=None, points=tuple(points))
    target = next(one for one in judged(blind).targets if one.signal == "kv-cache")
    assert (target.value, target.formula) == (0.2, "T x KV cache at N_max / N_max")
    none = next(one for one in judged(replace(measured(), block=None)).targets if one.signal == "kv-cache")
    assert none.value is None
    assert "neither its blocks" in none.note
    # 2 blocks of 63 for each of 8 are 25 %
    full = [replace(one, kv_cache=Gauge(0.06 * one.concurrency, 1, 9)) for one in measured().points]
    odd = next(
        one for one in judged(replace(measured(), points=tuple(full))).targets if one.signal == "kv-cache"
    )
    assert odd.value == 0.15
    assert "at N_max the cache was 48% full and not 25%" in odd.note


def test_warm_replicas_serve_what_comes_while_a_pod_starts() -> None:
    # 3 in flight per pod: 5.44 a second, of which 0.9 are planned with, so 13 for 60. In 300 s the 60 become 135, for
    # which 15 at their limit of 9.52 are needed
    found = judged(measured(), rate=60.0, lag=300.0).replicas
    assert (found.least, found.warm, found.most) == (15, 2, None)
    assert judged(measured(), rate=60.0, lag=30.0).replicas.warm == 0


def test_what_is_to_come_goes_into_the_targets() -> None:
    given = ArrivalsType().convert("rate=10,peak=40,growth=50%", None, None)
    assert given == Arrivals(10, 40, 0.5 / 60)
    found = judge(measured(), Conditions(signals=SIGNALS).expecting(given))
    assert values(found)["running"] == 4  # 8 / (1.1 x 1.75)
    assert found.targets[0].inputs[2].origin == "a second; given: 50 % a minute"
    assert (found.replicas.least, found.replicas.most) == (2, 8)
    assert Conditions().expecting(Arrivals()) == Conditions()


def test_it_survives_a_document() -> None:
    sizing = judged(measured(), rate=10.0)
    text = json.dumps(documents.plain(sizing))
    assert documents.read(Sizing, json.loads(text)) == sizing


levels = st.lists(st.tuples(st.floats(0.05, 20), st.floats(0, 1)), min_size=1, max_size=12).map(
    lambda pairs: [point(n, rate * 3, kept=kept) for n, (rate, kept) in enumerate(pairs, 1)]
)


@given(levels)
def test_a_knee_lies_within_what_was_tested(points: list[Point]) -> None:
    found = knee(curve(sweep(points)))
    tested = {one.per_pod for one in points if one.done}
    for value in (found.chord, found.near_peak, found.power, found.value):
        assert value is None or value in tested
    assert found.two_lines is None or 1 <= found.two_lines <= len(points)
    assert found.value is None or found.near_peak is None or found.value >= found.near_peak


@given(levels, st.floats(0, 2), st.floats(0, 4000))
def test_targets_are_at_least_one_and_fall_with_growth_and_lag(
    points: list[Point], growth: float, lag: float
) -> None:
    found = sweep(points, seats=4)
    calm = judge(found, Conditions(signals=SIGNALS, growth=growth / 60, lag=lag, rate=5.0, peak=9.0))
    hasty = judge(found, Conditions(signals=SIGNALS, growth=2 * growth / 60, lag=lag, rate=5.0, peak=9.0))
    slow = judge(found, Conditions(signals=SIGNALS, growth=growth / 60, lag=2 * lag, rate=5.0, peak=9.0))
    for one in calm.targets:
        if one.value is not None and one.signal in ("running", "in-flight", "waiting", "generation-tokens"):
            assert one.value >= 1
            assert one.value == int(one.value)
        if one.value is not None and one.signal == "kv-cache":
            assert 0.05 <= one.value <= 0.8
    for worse in (hasty, slow):
        for signal in ("running", "in-flight", "kv-cache"):
            before, after = values(calm).get(signal), values(worse).get(signal)
            assert before is None or after is None or after <= before
    if calm.n_max is not None:
        assert calm.n_max in {one.per_pod for one in points}
        assert values(calm)["in-flight"] <= max(1, calm.n_max / 1.1)  # type: ignore[operator]
        assert calm.replicas.least is not None
        assert calm.replicas.most is not None
        assert 1 <= calm.replicas.least <= calm.replicas.most


@given(st.integers(0, 500), st.integers(1, 500))
def test_the_lower_bound_is_below_the_share(good: int, asked: int) -> None:
    good = min(good, asked)
    low = slos.lower_bound(good, asked)
    assert 0 <= low <= good / asked
    assert slos.lower_bound(10 * good, 10 * asked) >= low


@pytest.mark.parametrize("share", [0.9, 0.95, 0.99])
def test_enough_requests_prove_the_share_when_none_misses(share: float) -> None:
    needed = enough(1, share)
    assert slos.lower_bound(needed, needed) >= share > slos.lower_bound(needed - 1, needed - 1)


def test_a_share_of_all_can_be_measured_and_not_proved() -> None:
    assert enough(1, 1.0) == 539
    sizing = judged(replace(measured(), slo=replace(SLO, share=1.0), points=tuple(
        one if one.concurrency > 1 else replace(one, done=600, good=600, seconds=260) for one in measured().points
    )))  # fmt: skip
    assert (sizing.n_max, sizing.confidence) == (8, ESTIMATED)
