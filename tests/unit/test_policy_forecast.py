"""`anticipate`: the forecast as a target, as a query, and as the model reads it back; day 2."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubectl_llmhpa.api import Json
from kubectl_llmhpa.backends.model import KEDA, PROMETHEUS_ADAPTER
from kubectl_llmhpa.engines import Seats, horizon
from kubectl_llmhpa.errors import LlmHpaError
from kubectl_llmhpa.plan.setting_up import carrying
from kubectl_llmhpa.plan.setting_up.enable import Plan
from kubectl_llmhpa.plan.setting_up.rivals import Live
from kubectl_llmhpa.plan.wishes import Wishes
from kubectl_llmhpa.policy import PRESETS, Forecast, decide, forecast
from kubectl_llmhpa.policy.presets import FARTHEST_S, LAG_S, STEP_S, USUAL_START_S, WINDOW_S
from kubectl_llmhpa.simulate import scalers
from kubectl_llmhpa.simulate.measures import over_time
from tests.unit.test_keda_plan import plan
from tests.unit.test_plan import stored

AHEAD = Wishes(max_replicas=5, backend=KEDA, preset="anticipate")


def test_the_reason_tells_the_horizon_and_the_start_up() -> None:
    said = [
        decide(known(8), preset="anticipate", external=True, start_up=took).targets[0].reason
        for took in (None, 600)
    ]
    assert said[0].endswith("as forecast for 135 s from now: a pod takes 120 s to be ready, assumed")
    assert said[1].endswith("as forecast for 300 s from now: a pod takes 600 s to be ready")


def known(seats: int) -> Any:
    return scalers.facts_for([], seats, "told")


@pytest.mark.parametrize(
    ("start_up", "ahead"),
    [(30.0, 30 + LAG_S), (None, USUAL_START_S + LAG_S), (90.4, 90 + LAG_S), (3600.0, FARTHEST_S)],
)
def test_the_horizon_is_the_start_up_and_what_comes_before_it(start_up: float | None, ahead: int) -> None:
    assert forecast(start_up) == Forecast(WINDOW_S, STEP_S, ahead)


def test_the_signals_of_load_stand_guard() -> None:
    ahead = decide(known(64), preset="anticipate", external=True).targets
    load = decide(known(64), preset="load", external=True).targets
    assert [one.signal for one in ahead if one.forecast] == ["in-flight"]
    assert ahead[1:] == load


def test_without_seats_there_is_only_the_guard() -> None:
    from dataclasses import replace

    facts = replace(known(8), seats=None)
    made = decide(facts, preset="anticipate", external=True)
    assert made.targets == decide(facts, external=True).targets
    assert "uncalibrated" in " ".join(made.reasons)


@pytest.mark.parametrize("preset", ["latency", "load", "cost"])
@given(seats=st.integers(1, 4096), proved=st.booleans())
def test_presets_differ_in_room_only(preset: str, seats: int, proved: bool) -> None:
    from dataclasses import replace

    facts = replace(known(8), seats=Seats(seats, "seen", proved))
    low, made, high = (
        {one.signal: one.value for one in decide(facts, preset=name).targets}
        for name in ("latency", preset, "cost")
    )
    for signal in made.keys() & low.keys() & high.keys():
        assert 0 < low[signal] <= made[signal] <= high[signal]


def test_an_adapter_cannot_serve_it() -> None:
    with pytest.raises(LlmHpaError, match="only KEDA"):
        decide(known(8), preset="anticipate")
    with pytest.raises(LlmHpaError, match="only KEDA"):
        plan(Wishes(max_replicas=5, backend=PROMETHEUS_ADAPTER, preset="anticipate"))


def test_without_a_backend_keda_is_taken() -> None:
    made = plan(Wishes(max_replicas=5, preset="anticipate"))
    assert made.backend.backend == KEDA
    assert queries(made)["in-flight"].startswith("(predict_linear((")


def queries(made: Plan) -> dict[str, str]:
    return {one["name"]: one["metadata"]["query"] for one in made.scaler.object["spec"]["triggers"]}


def test_the_model_reads_the_query_as_the_policy_means_it() -> None:
    """What is written and what the bench measured are the same."""
    made = plan(AHEAD)
    written = scalers.of_scaled_object(made.scaler.object, "x").scaling
    meant = scalers.of_policy("anticipate", known(8), least=1, most=5, external=True).scaling
    assert written.measures == meant.measures
    assert [one.target for one in written.spec.metrics] == [one.target for one in meant.spec.metrics]
    assert written.spec.metrics[0].target == 1000 * int(8 * Decimal("0.6"))


class TestDayTwo:
    """The policy and its horizon stay, until a flag says another."""

    def live(self, seconds: int = 300) -> Json:
        made = plan(AHEAD).scaler.object
        trigger = made["spec"]["triggers"][0]["metadata"]
        trigger["query"] = trigger["query"].replace(f", {int(USUAL_START_S) + LAG_S})", f", {seconds})")
        assert horizon(trigger["query"]) == seconds
        return stored(made)

    def test_the_forecast_and_its_horizon_stay(self) -> None:
        live = self.live()
        made = plan(Wishes(), live)
        assert made.scaler.object["spec"] == live["spec"]
        assert "kept the live forecast, 300 s ahead; today it would be 135 s" in " ".join(made.notes)

    def test_the_same_horizon_is_no_note(self) -> None:
        made = plan(Wishes(), self.live(int(USUAL_START_S) + LAG_S))
        assert not any("forecast" in note for note in made.notes)

    def test_asked_for_again_it_is_made_anew(self) -> None:
        assert horizon(queries(plan(AHEAD, self.live()))["in-flight"]) == USUAL_START_S + LAG_S

    @pytest.mark.parametrize(
        "wishes",
        [Wishes(preset="load"), Wishes(reset_defaults=True), Wishes(targets={"running": Decimal(4)})],
    )
    def test_another_policy_ends_it(self, wishes: Wishes) -> None:
        assert not any(map(horizon, queries(plan(wishes, self.live())).values()))

    def test_an_adapter_does_not_get_it(self) -> None:
        from kubectl_llmhpa.api import SCALED_OBJECTS

        with pytest.raises(LlmHpaError, match="its forecast has no counterpart"):
            carrying.over(Live(SCALED_OBJECTS, self.live(), True), {}, keda=False)


MEASURE = scalers.of_policy("anticipate", known(8), least=1, most=5, external=True).scaling.measures[0]


@given(st.lists(st.integers(0, 10_000), min_size=1, max_size=60))
def test_a_forecast_is_never_below_the_number_now(numbers: list[int]) -> None:
    past = [(15.0 * at, float(number)) for at, number in enumerate(numbers)]
    assert over_time(MEASURE, past) >= numbers[-1]


@pytest.mark.parametrize(
    ("numbers", "more"),
    [
        ([0.0, 100.0], False),  # two points: a line to anywhere
        ([100.0] * 10 + [200.0], False),  # a minute and a half of history
        ([100.0] * 30, False),
        ([100.0, 104.0] * 15, False),  # requests that come by chance
        ([400.0 - 10 * at for at in range(30)], False),
        ([100.0 + 10 * at for at in range(30)], True),
    ],
)
def test_only_a_trend_raises_it(numbers: list[float], more: bool) -> None:
    past = [(15.0 * at, number) for at, number in enumerate(numbers)]
    assert (over_time(MEASURE, past) > numbers[-1]) is more


def test_every_policy_has_its_line_for_help() -> None:
    from kubectl_llmhpa.cli.enable import enable

    (option,) = (one for one in enable.params if one.name == "preset" and isinstance(one, click.Option))
    assert all(name in str(option.help) for name in PRESETS)
