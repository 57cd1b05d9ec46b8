"""The policy bench: what others publish can be simulated, and the summary counts as its heading says."""

from __future__ import annotations

import sys
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from kubectl_llmhpa.simulate.requests import Requests
from scripts.bench import policy_bars

SCRIPT = Path(__file__).parents[2] / "scripts" / "bench" / "policies"


@pytest.fixture(scope="module")
def bench() -> ModuleType:
    spec = spec_from_loader("policy_bench", SourceFileLoader("policy_bench", str(SCRIPT)))
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    sys.modules["policy_bench"] = module  # dataclasses look it up
    spec.loader.exec_module(module)
    return module


def test_the_model_takes_every_published_policy_as_it_is(bench: ModuleType) -> None:
    found = list(bench.published(10))
    names = [one.name for one in found]
    assert len(names) == len(set(names)) >= 15
    asks = {one.name: one.asks for one in found}
    assert asks["vendor document"] == "waiting 5"
    assert asks["GKE batch"] == "running 8"
    assert asks["AWS 25 + p95 5 s"] == "waiting 25, e2e 5"
    assert {one.scaling.spec.max_replicas for one in found} == {bench.MOST}


def test_ours_are_told_apart_by_one_thing_each(bench: ModuleType) -> None:
    made = {one.name: one.scaling for one in bench.ours(16)}
    peak, without = made["our anticipate"], made["without peak"]
    assert peak.spec == without.spec
    assert [one.over for one in peak.measures] == ["peak", "last", "last"]
    assert {one.over for one in without.measures} == {"last"}
    assert made["our load, KEDA"].measures[0].told == 16
    load, patient = made["our load"], made["load, window 10m"]
    assert load.measures == patient.measures
    assert (load.spec.down.window, patient.spec.down.window) == (300, 600)


def test_a_load_is_as_dense_as_is_said(bench: ModuleType) -> None:
    requests, _ = bench.dense("even", 6)
    pod = bench.pod(6)
    counted = [at for at in requests.at if at >= bench.LEAD_S]
    assert list(requests.at) == sorted(requests.at)
    work = 1100 / pod.prefill + 210 * pod.step_time(6) / 6  # seconds of a full pod for each request
    busy = len(counted) * work / (requests.length - bench.LEAD_S)
    assert busy == pytest.approx(bench.BUSY * 0.6, rel=0.05)


def test_a_day_has_its_night(bench: ModuleType) -> None:
    requests: Requests = bench.bent(Requests.of(((at, 10, 10) for at in range(3600)), length=3600.0))
    hours = [sum(1 for at in requests.at if hour <= at / 3600 < hour + 1) for hour in range(4)]
    assert 0.15 < hours[0] / hours[1] < 0.4
    assert hours[1] == pytest.approx(hours[2], rel=0.1)


def row(policy: str, attainment: float, hours: float, told: int = 6) -> dict[str, Any]:
    start = 0.0 if policy == "fixed" else 120.0
    return {
        "load": "x", "seats": 6, "told": told, "start_up": start, "policy": policy, "attainment": attainment,
        "gpu_hours": hours, "rescales": 3, "seed": 0,
    }  # fmt: skip


def test_the_summary(bench: ModuleType) -> None:
    rows = [
        row("fixed", 0.995, 4.0),
        row("a", 0.995, 2.0),
        row("b", 0.991, 3.0),
        row("c", 0.5, 1.0),
        row("a", 0.9, 1.0, told=24),
    ]
    assert bench.summary(rows) == [
        ["a", "99.5%", "99.5%", "0.50", "1", "1", "0", "3"],
        ["b", "99.1%", "99.1%", "0.75", "1", "0", "1", "3"],
        ["c", "50.0%", "50.0%", "0.25", "0", "0", "0", "3"],
    ]
    assert [one[:2] for one in bench.summary(rows, wrong=True)] == [["a", "90.0%"]]
    assert bench.by_load([*rows, row("a", 0.985, 4.0)], ["a", "c"]) == [
        ["x", "120 s", "99.0, 0.75", "50.0, 0.25"]
    ]


def bar_row(policy: str, attainment: float, hours: float, **place: Any) -> dict[str, Any]:
    return {**row(policy, attainment, hours), **place}


def test_the_bars() -> None:
    traces = [
        *(bar_row("our load, KEDA", 0.95, 2.0, load="code", start_up=start) for start in (120.0, 600.0)),
        bar_row("our anticipate", 0.96, 2.0, load="code", start_up=120.0),
        bar_row("our anticipate", 0.96, 2.1, load="code", start_up=600.0),
        *(bar_row("our load", 0.995, 1.9, load="code", start_up=start) for start in (120.0, 600.0)),
    ]
    day = [
        bar_row("our load", 0.98, 4.0, load="day"),
        bar_row("vendor document", 0.7, 10.0, load="day"),
        bar_row("another", 0.99, 3.9, load="day"),
    ]
    wrong = [bar_row("our load, KEDA", share, 1.0, told=24) for share in (0.94, 0.97)]
    assert [[found, word] for _, found, word in policy_bars.judged([*traces, *day, *wrong], ["code"])] == [
        ["1 of 2", "missed"],
        ["0 of 2", "missed"],
        ["2 of 3", "missed"],
        ["2 of 2", "kept"],
        ["1 of 3 beaten", "missed"],
        ["40%, +28.0 points", "kept"],
        ["95.5%, at worst 94.0%", "kept"],
    ]
    assert policy_bars.judged([], []) == []


def test_a_tuned_policy_is_held_to_the_same_reach() -> None:
    places = ({"load": "x", "start_up": start} for start in (30.0, 600.0))
    rows = [
        bar_row(policy, attainment, hours, **place)
        for place in places
        for policy, attainment, hours in (
            ("our load", 0.98, 4.0),
            ("load, tuned", 0.992, 2.0),
            ("b", 0.991, 1.97),
        )
    ]
    assert [[found, word] for _, found, word in policy_bars.judged(rows, [])] == [
        ["0 of 2", "missed"],
        ["0 of 0", "kept"],
        ["2 of 2 beaten", "missed"],
        ["2 of 2", "kept"],
        ["2 of 2", "kept"],
        ["0 of 2 beaten", "kept"],
    ]
