"""The peak of a profile that follows from the targets of the HPA."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from kubectl_llmhpa.bench.load import Ask, Load
from kubectl_llmhpa.bench.modes import profile
from kubectl_llmhpa.bench.peak import Pod, latency, peak
from kubectl_llmhpa.bench.preparing import Options, Scene
from kubectl_llmhpa.bench.sizing.curve import curve
from kubectl_llmhpa.engines import identify
from kubectl_llmhpa.errors import LlmHpaError
from tests.unit.bench_outcomes import hpa, plan
from tests.unit.sweeps import measured

BODIES = Path(__file__).parents[1] / "bodies"

SWEPT = Pod(48, seats=8, curve=curve(measured()), latency=0.8)
SERVED = Pod(48, seats=8, latency=0.8)


@pytest.mark.parametrize(
    ("asks", "replicas", "pod", "rate", "why"),
    [
        (
            [Ask("m", "running", 4)],
            1,
            SWEPT,
            2 * 6.71,
            "1 replica x 6.71 requests/s of a pod at running 4 (saved",
        ),
        (
            [Ask("m", "running", 4)],
            3,
            SERVED,
            2 * 3 * 4 / 0.8,
            "(estimated: its requests took 0.8 s until now)",
        ),
        ([Ask("m", "in-flight", 12, per_pod=False)], 3, SERVED, 2 * 12 / 0.8, "at in-flight 4 "),
        ([Ask("m", "waiting", 5)], 2, SWEPT, 2 * 2 * 10.16, "beyond which requests wait"),
        ([Ask("m", "waiting", 5), Ask("n", "running", 4)], 1, SWEPT, 2 * 6.71, "at running 4"),
        ([Ask("m", "generation-tokens", 240)], 1, Pod(48), 2 * 5, "at generation-tokens 240 tokens/s"),
        # a pod runs no more than its seats, so the HPA sees nothing of it
        ([Ask("m", "running", 8), Ask("n", "waiting", 1)], 1, SWEPT, 2 * 10.16, "requests wait"),
    ],
)
def test_the_peak_is_what_twice_the_replicas_serve_at_their_target(
    asks: list[Ask], replicas: int, pod: Pod, rate: float, why: str
) -> None:
    found, said = peak(asks, replicas, pod)
    assert found == pytest.approx(rate)
    assert said.startswith("is to double")
    assert why in said


@pytest.mark.parametrize(
    ("page", "seconds"),
    [
        ("vllm-0.20.2-busy", 84 / 24),
        ("sglang-0.5.20-prefill-busy", (26.4 + 57.6) / 24),
        ("vllm-0.32.0-idle", None),  # nothing was served
        ("llamacpp-11434-busy", None),  # has no histogram
    ],
)
def test_the_mean_latency_is_of_all_requests_until_now(page: str, seconds: float | None) -> None:
    text = (BODIES / f"{page}.txt").read_text()
    assert latency(identify(text), text) == (None if seconds is None else pytest.approx(seconds))


@pytest.mark.parametrize(
    ("asks", "pod", "said"),
    [
        ([], SWEPT, "no HPA with a target scales it; name it with --rate$"),
        (
            [Ask("m", "running", 4)],
            Pod(48),
            "no target of its HPA tells; name it with --rate, or a saved sweep",
        ),
        ([Ask("m", "kv-cache", 0.8), Ask("n", "waiting", 5)], SERVED, "no target of its HPA tells"),
    ],
)
def test_where_no_target_tells_it_asks_for_the_rate(asks: list[Ask], pod: Pod, said: str) -> None:
    with pytest.raises(LlmHpaError, match=said):
        peak(asks, 1, pod)


def test_a_profile_without_a_rate_climbs_to_the_peak_and_says_why() -> None:
    options = Options(
        url="http://engine:8000", stages=((20, 0, 1), (10, 1, 1)), unscaled=True, measured=measured()
    )
    found = plan(Load(0, "", False), options, hpa(1))
    scene = Scene(found.workload, found.sight, found.hpa, (), found.model, options)
    reader: Any = None
    work = profile.work(reader, scene)
    assert work.settings["rates"] == [
        [20, 0, pytest.approx(20.32)],
        [10, pytest.approx(20.32), pytest.approx(20.32)],
    ]
    assert work.load.notes == ()
    assert work.load.text == "at most 20.32 requests per second"
    assert work.load.reason == (
        "2 stages; the peak is to double 1 replica: 2 x 1 replica x 10.2 requests/s of a pod beyond which requests "
        "wait (saved sweep)"
    )
    most = replace(scene, hpa=hpa(1, most=1))
    assert profile.work(reader, most).load.notes == (
        "the peak asks for 2 replicas, and the HPA makes 1 at most",
    )
