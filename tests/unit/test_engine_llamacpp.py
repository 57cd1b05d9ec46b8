"""llama.cpp: the body of early 2025, and one without the KV gauges that were removed later."""

from __future__ import annotations

import re

import pytest

from kubectl_llmhpa.engines import ENGINES, NotAnEngine, clues, identify, listening, missing_switch
from tests.unit.bodies import body_of

LLAMACPP = next(engine for engine in ENGINES if engine.name == "llamacpp")
OLD = body_of("llamacpp-2025-busy")
NEW = re.sub(r"(?m)^.*llamacpp:kv_cache_.*\n", "", OLD)
SERVER = ["llama-server", "-m", "/models/m.gguf", "--metrics"]


def test_the_body_of_early_2025() -> None:
    facts = identify(OLD)
    assert (facts.engine, facts.dialect) == ("llamacpp", "with KV gauges (up to early 2025)")
    assert {name: (source.metric, source.value) for name, source in facts.signals.items()} == {
        "waiting": ("llamacpp:requests_deferred", 5),
        "running": ("llamacpp:requests_processing", 8),
        "in-flight": ("llamacpp:requests_processing", 13),
        "kv-cache": ("llamacpp:kv_cache_usage_ratio", 0.42),
        "prompt-tokens": ("llamacpp:prompt_tokens_total", None),
        "generation-tokens": ("llamacpp:tokens_predicted_total", None),
    }
    assert facts.models == ()


def test_newer_bodies_have_no_kv_gauge() -> None:
    facts = identify(NEW, clues(SERVER))
    assert facts.dialect == "without KV gauges (mid 2025 and newer)"
    assert "kv-cache" not in facts.signals
    assert facts.signals["waiting"].value == 5
    assert facts.models == ("/models/m.gguf",)


@pytest.mark.parametrize(
    ("flags", "env", "expected"),
    [
        (["-np", "8"], {}, (8, True, 8)),
        (["--parallel=8"], {}, (8, True, 8)),
        ([], {"LLAMA_ARG_N_PARALLEL": "8"}, (8, True, 8)),
        # -1: the server chooses; what runs while others wait is a start
        (["-np", "-1"], {}, (8, False, None)),
        ([], {}, (8, False, None)),
    ],
)
def test_slots_are_seats(
    flags: list[str], env: dict[str, str], expected: tuple[int, bool, int | None]
) -> None:
    seats = identify(NEW, clues([*SERVER, *flags], env=env)).seats
    assert seats is not None
    assert (seats.value, seats.proved, seats.ceiling) == expected


def test_without_a_flag_and_a_queue_the_slots_are_unknown() -> None:
    assert identify(re.sub(r"(?m)(deferred) 5$", r"\1 0", NEW), clues(SERVER)).seats is None


def test_props_tell_slots_model_and_build() -> None:
    info = LLAMACPP.info_of({"total_slots": 4, "model_alias": "m", "build_info": "b6123-1a2b3c4"})
    assert (info.version, info.models) == ("b6123-1a2b3c4", ("m",))
    assert info.seats is not None
    assert info.seats.value == 4
    assert LLAMACPP.info_of(["no", "object"]).seats is None


@pytest.mark.parametrize(
    ("command", "env", "missing"),
    [
        (["llama-server", "-m", "m"], {}, "--metrics"),
        (["llama-server", "-m", "m", "--metrics"], {}, ""),
        (["llama-server", "-m", "m"], {"LLAMA_ARG_ENDPOINT_METRICS": "1"}, ""),
        (["llama-server", "-m", "m"], {"LLAMA_ARG_ENDPOINT_METRICS": "0"}, "--metrics"),
        ([], {}, ""),
    ],
)
def test_metrics_have_to_be_switched_on(command: list[str], env: dict[str, str], missing: str) -> None:
    assert missing_switch(LLAMACPP, clues(command, env=env)) == missing


@pytest.mark.parametrize(
    ("command", "env", "port", "scheme"),
    [
        (SERVER, {}, 8080, "http"),
        ([*SERVER, "--port", "9000"], {}, 9000, "http"),
        (SERVER, {"LLAMA_ARG_PORT": "9001"}, 9001, "http"),
        ([*SERVER, "--ssl-cert-file", "c", "--ssl-key-file", "k"], {}, 8080, "https"),
    ],
)
def test_listening(command: list[str], env: dict[str, str], port: int, scheme: str) -> None:
    assert listening(clues(command, env=env)) == [(port, "/metrics", scheme)]


def test_a_server_without_a_model_is_a_router() -> None:
    router = ["/app/llama-server", "--models-dir", "/models", "--metrics"]
    with pytest.raises(NotAnEngine, match=r"/metrics\?model=NAME"):
        identify("", clues(router))
    assert listening(clues(router)) == []
    assert listening(clues(router, env={"LLAMA_ARG_MODEL": "/models/m.gguf"}))
    assert listening(clues(["llama-server", "-hf", "ggml-org/m"]))
    assert listening(clues(["llama-server", "--gpt-oss-20b-default", "--metrics"]))
