"""Peaks and seats as they are seen: as targets, as queries, and as the model reads them back; day 2."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubectl_llmhpa.backends.model import KEDA, PROMETHEUS_ADAPTER
from kubectl_llmhpa.engines import (
    ENGINES,
    Seats,
    is_peak,
    over_all,
    peak,
    per_pod,
    queue_share_in,
    told_seats,
    with_room,
)
from kubectl_llmhpa.engines.promql import HELD_S, by_seats_seen
from kubectl_llmhpa.errors import LlmHpaError
from kubectl_llmhpa.findings import found
from kubectl_llmhpa.hpa.arithmetic.reading import spec as arithmetic_spec
from kubectl_llmhpa.plan.setting_up import carrying
from kubectl_llmhpa.plan.setting_up.planning import Plan
from kubectl_llmhpa.plan.setting_up.rivals import Live
from kubectl_llmhpa.plan.wishes import Wishes
from kubectl_llmhpa.policy import PEAK, PRESETS, decide
from kubectl_llmhpa.simulate import scalers
from kubectl_llmhpa.simulate.control import Control, Scaling
from kubectl_llmhpa.simulate.measures import Measure, Sample, over_time, reading
from kubectl_llmhpa.simulate.queries import Unknown, measure
from kubectl_llmhpa.simulate.requests import Requests, Served
from tests.unit.test_keda_plan import plan
from tests.unit.test_plan import stored

AHEAD = Wishes(max_replicas=5, backend=KEDA, preset="anticipate")


def test_the_reason_tells_what_is_counted() -> None:
    reason = decide(known(8), preset="anticipate", external=True).targets[0].reason
    assert (
        "the peak of the last 5 minutes counts; as more where requests waited in the last 30 minutes"
        in reason
    )
    assert reason.endswith("fewer where a full pod runs fewer")


def known(seats: int) -> Any:
    return scalers.facts_for([], seats, "told")


def test_queue_and_cache_stand_guard() -> None:
    targets = decide(known(64), preset="anticipate", external=True).targets
    load = decide(known(64), preset="load", external=True).targets
    assert [(one.signal, one.peak) for one in targets if one.peak] == [("running", PEAK)]
    assert [(one.signal, str(one.value)) for one in targets] == [
        ("running", "37"),
        ("waiting", "32"),
        ("kv-cache", "0.8"),
    ]
    assert targets[2] == load[2]


@pytest.mark.parametrize(("seats", "target"), [(1, None), (2, "1.1"), (6, "3.4"), (17, "9.8"), (18, "10")])
def test_the_target_of_one_number_over_all_pods_need_not_be_whole(seats: int, target: str | None) -> None:
    targets = {
        one.signal: str(one.value) for one in decide(known(seats), preset="anticipate", external=True).targets
    }
    assert targets.get("running") == target


def test_where_only_requests_in_flight_are_counted_no_queue_makes_room() -> None:
    facts = replace(known(64), role="prefill")
    targets = decide(facts, preset="anticipate", external=True).targets
    assert [(one.signal, str(one.value), one.peak) for one in targets] == [
        ("in-flight", "37", replace(PEAK, memory=0))
    ]


def test_only_one_number_of_all_pods_is_corrected_by_the_seats_seen() -> None:
    for preset in ("load", "latency", "cost", "anticipate"):
        told = [one.told for one in decide(known(64), preset=preset, external=True).targets]
        assert told == [64, 0, 0]
    assert {one.told for one in decide(known(64)).targets} == {0}
    own = decide(known(64), targets={"running": Decimal(4)}, external=True)
    assert [one.told for one in own.targets] == [0]


@pytest.mark.parametrize("role", ["prefill", None])
def test_where_a_queue_does_not_mean_a_full_pod_seats_are_not_corrected(role: str | None) -> None:
    facts = replace(known(64), role=role)
    if role is None:
        facts = replace(facts, findings=(found("deferred-waiting", "", "seen"),))
    targets = decide(facts, external=True).targets
    assert targets
    assert {one.told for one in targets} == {0}


def test_without_seats_there_is_only_the_guard() -> None:
    facts = replace(known(8), seats=None)
    made = decide(facts, preset="anticipate", external=True)
    assert made.targets == decide(facts, external=True).targets
    assert "uncalibrated" in " ".join(made.reasons)


@pytest.mark.parametrize("preset", ["latency", "load", "cost"])
@given(seats=st.integers(1, 4096), proved=st.booleans())
def test_presets_differ_in_room_only(preset: str, seats: int, proved: bool) -> None:
    facts = replace(known(8), seats=Seats(seats, "seen", proved))
    low, made, high = (
        {one.signal: one.value for one in decide(facts, preset=name).targets}
        for name in ("latency", preset, "cost")
    )
    for signal in made.keys() & low.keys() & high.keys():
        assert 0 < low[signal] <= made[signal] <= high[signal]


def test_metrics_of_pods_cannot_serve_it() -> None:
    with pytest.raises(LlmHpaError, match="one number of all pods"):
        decide(known(8), preset="anticipate")
    with pytest.raises(LlmHpaError, match="no APIService leads external"):
        plan(Wishes(max_replicas=5, backend=PROMETHEUS_ADAPTER, preset="anticipate"))


def test_without_a_backend_keda_is_taken() -> None:
    made = plan(Wishes(max_replicas=5, preset="anticipate"))
    assert made.backend.backend == KEDA
    assert queries(made)["running"].startswith("((quantile_over_time(0.98, (")


def queries(made: Plan) -> dict[str, str]:
    return {one["name"]: one["metadata"]["query"] for one in made.scaler.object["spec"]["triggers"]}


def test_the_model_reads_the_query_as_the_policy_means_it() -> None:
    """What is written and what the bench measured are the same."""
    made = plan(AHEAD)
    written = scalers.of_scaled_object(made.scaler.object, "x").scaling
    policy = scalers.of_policy("anticipate", known(8), least=1, most=5, external=True)
    assert policy.asks == "running 4.6 (peak), waiting 4, kv-cache 0.8"
    meant = policy.scaling
    assert written.measures == meant.measures
    assert [one.target for one in written.spec.metrics] == [one.target for one in meant.spec.metrics]
    assert written.spec.metrics[0].target == 4600
    assert written.measures[0].memory == PEAK.memory


def test_the_model_reads_load_too_as_the_policy_means_it() -> None:
    made = plan(Wishes(max_replicas=5, backend=KEDA))
    written = scalers.of_scaled_object(made.scaler.object, "x").scaling
    assert (
        written.measures
        == scalers.of_policy("load", known(8), least=1, most=5, external=True).scaling.measures
    )
    assert written.measures[0] == Measure("running", "sum", told=8)


COUNTED = [
    (engine.name, {one.name: one for one in engine.signals})
    for engine in ENGINES
    if {"running", "waiting", "in-flight"} <= {one.name for one in engine.signals}
]


@pytest.mark.parametrize(("engine", "signals"), COUNTED, ids=[name for name, _ in COUNTED])
def test_the_model_reads_it_for_every_engine(engine: str, signals: dict[str, Any]) -> None:
    query = peak(over_all(signals["in-flight"]), share=0.9, window=60, step=15)
    roomy = with_room(query, waiting=over_all(signals["waiting"]), memory=600)
    running, waiting = (per_pod(signals[one]) for one in ("running", "waiting"))
    whole = by_seats_seen(roomy, running=running, waiting=waiting, told=48)
    assert measure(whole, name="in-flight") == Measure(
        "in-flight", "sum", "peak", 60, share=0.9, told=48, memory=600
    )
    assert (is_peak(whole), told_seats(whole), queue_share_in(whole)[1]) == (True, 48, 600)
    share = f"sum_over_time(({over_all(signals['waiting'])} > bool 0)[600s:15s]) / 40"
    assert queue_share_in(whole)[0] == share
    plain = by_seats_seen(query, running=running, waiting=waiting, told=48)
    assert (measure(plain, name="in-flight").memory, queue_share_in(plain)) == (0, ("", 0))


@pytest.mark.parametrize(
    "changed",
    [
        ("[1800s:", "[900s:"),
        ("/ 120)", "/ 60)"),
        ("(1 + sum_over", "(2 + sum_over"),
        ("sum_over_time", "max_over_time"),
        ("> bool 0", "> bool 1"),
        ("or vector(1))) /", "or vector(2))) /"),
        (") * ((1 +", ") + ((1 +"),
    ],
)
def test_another_way_to_make_room_is_not_simulated(changed: tuple[str, str]) -> None:
    query = queries(plan(AHEAD))["running"]
    assert changed[0] in query
    assert measure(query, name="running").memory == PEAK.memory
    with pytest.raises(Unknown):
        measure(query.replace(*changed), name="running")


@pytest.mark.parametrize(
    "changed",
    [
        (f"[{HELD_S}s", "[5s"),
        ("0.125", "0.5"),
        (">= 3)", ">= 1)"),
        ("max(max_over", "sum(max_over"),
        ("vector(1)", "vector(2)"),
    ],
)
def test_another_correction_is_not_simulated(changed: tuple[str, str]) -> None:
    made = plan(Wishes(max_replicas=5, backend=KEDA))
    assert measure(queries(made)["running"]).told == 8
    with pytest.raises(Unknown):
        measure(queries(made)["running"].replace(*changed))


class TestDayTwo:
    """What is counted stays, until a flag says another."""

    live = staticmethod(lambda: stored(plan(AHEAD).scaler.object))

    def test_the_peak_and_the_seats_stay(self) -> None:
        live = self.live()
        for trigger in live["spec"]["triggers"]:
            trigger["metadata"]["query"] = trigger["metadata"]["query"].replace(") / 8, ", ") / 32, ")
        made = plan(Wishes(), live)
        assert made.scaler.object["spec"] == live["spec"]
        assert told_seats(queries(made)["running"]) == 32

    def test_a_peak_without_a_memory_stays_so(self) -> None:
        live = self.live()
        for trigger in live["spec"]["triggers"]:
            share, _ = queue_share_in(trigger["metadata"]["query"])
            if share:
                before = trigger["metadata"]["query"]
                trigger["metadata"]["query"] = before.replace(f" * ((1 + {share}) or vector(1))", "")
                assert trigger["metadata"]["query"] != before
        made = queries(plan(Wishes(), live))["running"]
        assert (is_peak(made), queue_share_in(made)) == (True, ("", 0))

    def test_asked_for_again_it_is_made_anew(self) -> None:
        assert queries(plan(AHEAD, self.live())) == queries(plan(AHEAD))

    @pytest.mark.parametrize(
        "wishes",
        [Wishes(preset="load"), Wishes(reset_defaults=True), Wishes(targets={"running": Decimal(4)})],
    )
    def test_another_policy_ends_it(self, wishes: Wishes) -> None:
        assert not any(map(is_peak, queries(plan(wishes, self.live())).values()))

    def test_targets_of_ones_own_are_not_corrected(self) -> None:
        wishes = Wishes(max_replicas=5, backend=KEDA, targets={"running": Decimal(4)})
        live = stored(plan(wishes).scaler.object)
        assert not any(map(told_seats, queries(plan(Wishes(), live)).values()))

    def test_an_adapter_does_not_get_it(self) -> None:
        from kubectl_llmhpa.api import SCALED_OBJECTS

        with pytest.raises(LlmHpaError, match="the peak that it counts has no counterpart"):
            carrying.over(Live(SCALED_OBJECTS, self.live(), True), {}, keda=False)


MEASURE = scalers.of_policy("anticipate", known(8), least=1, most=5, external=True).scaling.measures[0]


@given(st.lists(st.integers(0, 10_000), min_size=1, max_size=60))
def test_a_peak_is_between_the_number_now_and_the_most(numbers: list[int]) -> None:
    past = [(15.0 * at, float(number)) for at, number in enumerate(numbers)]
    assert numbers[-1] <= over_time(MEASURE, past) <= max(numbers[-20:])


@pytest.mark.parametrize(
    ("numbers", "expected"),
    [
        ([7.0], 7.0),
        ([100.0] + [0.0] * 20, 0.0),  # six minutes ago
        ([0.0] * 10 + [100.0, 100.0] + [0.0] * 10, 100.0),
        ([0.0] * 10 + [100.0] + [0.0] * 10, 62.0),  # one point among twenty
        ([0.0] * 19 + [100.0], 100.0),
    ],
)
def test_a_burst_is_remembered_for_five_minutes(numbers: list[float], expected: float) -> None:
    past = [(15.0 * at, number) for at, number in enumerate(numbers)]
    assert over_time(MEASURE, past) == pytest.approx(expected)


SAMPLES: dict[str, Sample] = {"a": (6, 3, 0.5), "b": (6, 0, 0.5)}


@pytest.mark.parametrize(
    ("seen", "expected"), [(None, 12_000), (48, 12_000), (96, 12_000), (12, 48_000), (1, 96_000)]
)
def test_a_number_is_corrected_by_the_seats_seen(seen: float | None, expected: int) -> None:
    assert reading(Measure("running", "sum", told=48), SAMPLES, [], seen) == (expected,)


@pytest.mark.parametrize(("queued", "expected"), [(0.0, 12_000), (900.0, 15_000), (3600.0, 24_000)])
def test_a_queue_of_the_last_hour_makes_room(queued: float, expected: int) -> None:
    assert reading(Measure("running", "sum", memory=3600), SAMPLES, [], None, queued) == (expected,)
    assert reading(Measure("running", "sum"), SAMPLES, [], None, queued) == (12_000,)


@dataclass
class Held:
    """A pod that does as it is told."""

    running: int
    waiting: int = 0
    name: str = "a"
    kv: float = 0.0
    kv_limit: float = 1.0
    ready_at: float = 0.0
    started: float = 0.0
    deleted: float = math.inf

    def settle(self, now: float) -> None:
        pass


@pytest.mark.parametrize("sync", [1, 15])
def test_a_queue_counts_by_its_time_however_often_the_controller_looks(sync: int) -> None:
    metric = {"metric": {"name": "x"}, "target": {"type": "AverageValue", "averageValue": "1"}}
    spec = {"minReplicas": 1, "maxReplicas": 99, "metrics": [{"type": "External", "external": metric}]}
    scaling = Scaling(arithmetic_spec({"spec": spec}), (Measure("running", "sum", memory=3600),))
    control = Control(scaling, Requests.of([], length=1.0), Served.of(0), polling=0.0, pending=0.0)
    pod: Any = Held(running=40)
    asked = {}
    for at in range(0, 6000, sync):
        pod.waiting = int(at < 900)
        control.scrape(pod, float(at))
        asked[at] = control.sync([pod], replicas=1, status_replicas=1, arrived=0, now=float(at)).asked
    assert (asked[900], asked[3000], asked[5400]) == (50, 50, 40)


def test_every_policy_has_its_line_for_help() -> None:
    from kubectl_llmhpa.cli.enable import enable

    (option,) = (one for one in enable.params if one.name == "preset" and isinstance(one, click.Option))
    assert all(name in str(option.help) for name in PRESETS)
