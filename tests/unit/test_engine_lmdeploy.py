"""LMDeploy on bodies that its own wheels made."""

from __future__ import annotations

import pytest

from kubectl_llmhpa.engines import ENGINES, NotAnEngine, clues, identify, listening, missing_switch
from tests.unit.bodies import body_of

LMDEPLOY = next(engine for engine in ENGINES if engine.name == "lmdeploy")
MODEL = "internlm/internlm3-8b-instruct"
SERVER = ["lmdeploy", "serve", "api_server", "m"]


@pytest.mark.parametrize(
    ("name", "dialect", "waiting", "running", "ratio"),
    [
        ("lmdeploy-0.9.2-busy", "0.9.2", 5, 8, 0.42),
        ("lmdeploy-0.10.2-busy", "0.10 to 0.12.0", 5, 8, 0.42),
        ("lmdeploy-0.10.2-idle", "0.10 to 0.12.0", 0, 0, 0),
        ("lmdeploy-0.12.1-busy", "0.12.1 to 0.12.2", 5, 8, 0.42),
        ("lmdeploy-0.18.0-busy", "0.12.3 and newer", 5, 8, 0.42),
    ],
)
def test_every_body_gives_its_numbers(
    name: str, dialect: str, waiting: float, running: float, ratio: float
) -> None:
    facts = identify(body_of(name))
    assert (facts.engine, facts.dialect, facts.models, facts.armed) == ("lmdeploy", dialect, (MODEL,), False)
    assert {signal: (source.metric, source.value, source.series) for signal, source in facts.signals.items()} == {
        "waiting": ("lmdeploy:num_requests_waiting", waiting, 1),
        "running": ("lmdeploy:num_requests_running", running, 1),
        "in-flight": ("lmdeploy:num_requests_running", waiting + running, 1),
        "kv-cache": ("lmdeploy:gpu_cache_usage_perc", ratio, 1),
        "ttft": ("lmdeploy:time_to_first_token_seconds", None, 1),
        "itl": ("lmdeploy:time_per_output_token_seconds", None, 1),
        "e2e": ("lmdeploy:e2e_request_latency_seconds", None, 1),
        "prompt-tokens": ("lmdeploy:prompt_tokens_total", None, 1),
        "generation-tokens": ("lmdeploy:generation_tokens_total", None, 1),
    }  # fmt: skip


def test_the_queue_in_front_of_the_engine_counts() -> None:
    text = body_of("lmdeploy-0.18.0-busy").replace(
        f'num_api_requests_waiting{{engine="0",model_name="{MODEL}"}} 0.0',
        f'num_api_requests_waiting{{engine="0",model_name="{MODEL}"}} 7.0',
    )
    signals = identify(text).signals
    assert (signals["waiting"].value, signals["in-flight"].value) == (12, 20)


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        (["--max-batch-size", "64"], (64, False, 64)),
        # 8 run, 5 wait, 8 places: seen to be full
        (["--max-batch-size", "8"], (8, True, 8)),
        ([], (128, False, None)),
        (["--max-batch-size", "$X"], (8, False, None)),
    ],
)
def test_seats(flags: list[str], expected: tuple[int, bool, int | None]) -> None:
    seats = identify(body_of("lmdeploy-0.10.2-busy"), clues([*SERVER, *flags])).seats
    assert seats is not None
    assert (seats.value, seats.proved, seats.ceiling) == expected


@pytest.mark.parametrize(
    ("tag", "flags", "missing"),
    [
        ("v0.10.2-cu12", [], "--enable-metrics"),
        ("v0.10.2-cu12", ["--enable-metrics"], ""),
        ("v0.11.0", [], ""),
        ("latest", [], ""),
    ],
)
def test_metrics_had_to_be_switched_on_before_0_11(tag: str, flags: list[str], missing: str) -> None:
    assert missing_switch(LMDEPLOY, clues([*SERVER, *flags], image=f"openmmlab/lmdeploy:{tag}")) == missing


def test_the_flag_that_hides_metrics_is_named() -> None:
    with pytest.raises(NotAnEngine) as refused:
        identify("", clues([*SERVER, "--disable-metrics"]))
    assert refused.value.remedy == "remove --disable-metrics from the command line"


def test_listening() -> None:
    assert listening(clues(SERVER)) == [(23333, "/metrics", "http")]
    assert listening(clues([*SERVER, "--server-port", "8000"])) == [(8000, "/metrics", "http")]
