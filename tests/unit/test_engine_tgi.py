"""Text Generation Inference on bodies written from its sources."""

from __future__ import annotations

import re

import pytest

from kubectl_llmhpa.engines import ENGINES, clues, identify, listening
from tests.unit.bodies import body_of

TGI = next(engine for engine in ENGINES if engine.name == "tgi")
BUSY = body_of("tgi-3.3.7-busy")
IDLE = body_of("tgi-3.3.7-idle")
SERVER = ["text-generation-launcher", "--model-id", "m"]


@pytest.mark.parametrize(("text", "waiting", "running", "ratio"), [(BUSY, 5, 8, 0.42), (IDLE, 0, 0, 0)])
def test_both_bodies_give_their_numbers(text: str, waiting: float, running: float, ratio: float) -> None:
    facts = identify(text)
    assert (facts.engine, facts.dialect, facts.models, facts.armed) == ("tgi", "3.0 and newer", (), False)
    assert {name: (source.metric, source.value) for name, source in facts.signals.items()} == {
        "waiting": ("tgi_queue_size", waiting),
        "running": ("tgi_batch_current_size", running),
        "in-flight": ("tgi_batch_current_size", waiting + running),
        "kv-cache": ("tgi_batch_current_max_tokens", ratio),
        "itl": ("tgi_request_mean_time_per_token_duration", None),
        "e2e": ("tgi_request_duration", None),
        "prompt-tokens": ("tgi_request_input_length_sum", None),
        "generation-tokens": ("tgi_request_generated_tokens_sum", None),
    }


def test_before_3_0_there_is_no_budget_and_so_no_ratio() -> None:
    facts = identify(re.sub(r"(?m)^.*tgi_batch_max_total_tokens.*\n", "", BUSY))
    assert facts.dialect == "0.9 to 2.4"
    assert "kv-cache" not in facts.signals


@pytest.mark.parametrize(
    ("text", "flags", "env", "value", "evidence", "proved", "ceiling"),
    [
        # 13440 tokens are reserved for 8 requests
        (BUSY, [], {}, 19, "32000 batch tokens / 1680 reserved", True, None),
        (BUSY, ["--max-concurrent-requests", "64"], {}, 19, "32000 batch tokens", True, 64),
        (BUSY, [], {"MAX_CONCURRENT_REQUESTS": "64"}, 19, "32000 batch tokens", True, 64),
        (BUSY, ["--max-batch-size", "8"], {}, 8, "all taken while 5 wait; the KV cache would hold 19", True, 8),
        # nothing runs: 12288 / 24 and 3072 / 24 tokens
        (IDLE, [], {}, 50, "32000 batch tokens / mean (512 prompt + 128) tokens", False, None),
    ],
)  # fmt: skip
def test_seats(
    text: str,
    flags: list[str],
    env: dict[str, str],
    value: int,
    evidence: str,
    proved: bool,
    ceiling: int | None,
) -> None:
    seats = identify(text, clues([*SERVER, *flags], env=env)).seats
    assert seats is not None
    assert (seats.value, seats.proved, seats.ceiling) == (value, proved, ceiling)
    assert evidence in seats.evidence


def test_the_bound_on_admitted_requests_is_said() -> None:
    stated = clues(SERVER, env={"MAX_CONCURRENT_REQUESTS": "64"})
    assert [finding.code for finding in identify(BUSY, stated).findings] == ["bounded-queue"]
    assert identify(BUSY, clues(SERVER)).findings == ()


def test_info_tells_version_and_model() -> None:
    info = TGI.info_of({"model_id": "m", "version": "3.3.7", "max_concurrent_requests": 128})
    assert (info.version, info.models) == ("3.3.7", ("m",))


@pytest.mark.parametrize(
    ("command", "env", "port"),
    [
        (SERVER, {}, 80),
        (SERVER, {"PORT": "3000"}, 3000),
        ([*SERVER, "--port", "8080"], {"PORT": "3000"}, 8080),
    ],
)
def test_listening(command: list[str], env: dict[str, str], port: int) -> None:
    assert listening(clues(command, env=env)) == [(port, "/metrics", "http")]


def test_the_image_alone_and_an_empty_answer_arm_it() -> None:
    facts = identify(
        "",
        clues(
            ["--model-id", "m"],
            image="ghcr.io/huggingface/text-generation-inference:3.3.7",
            env={"PORT": "80"},
        ),
    )
    assert (facts.engine, facts.armed, facts.models, facts.version) == ("tgi", True, ("m",), "3.3.7")
    assert identify("# TYPE tgi_request_count counter\ntgi_request_count 1\n").armed
