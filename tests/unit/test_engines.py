"""Engines on bodies that the engines' own code made: busy bodies run 8, hold 5 back and fill the KV cache to 0.42."""

from __future__ import annotations

import math
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubectl_llmhpa.engines import (
    SIGNALS,
    EngineFacts,
    Kind,
    NotAnEngine,
    clues,
    engine_of,
    identify,
    listening,
    signal_of,
)

BODIES = Path(__file__).parents[1] / "bodies"
MODEL = "Qwen/Qwen2.5-7B-Instruct"
KV_OLD, KV_NEW = "vllm:gpu_cache_usage_perc", "vllm:kv_cache_usage_perc"


def body(name: str) -> str:
    return (BODIES / f"{name}.txt").read_text()


@pytest.mark.parametrize(
    ("name", "dialect", "kv", "waiting", "running", "ratio"),
    [
        ("vllm-0.8.5-v0-busy", "V0 engine (0.8 to 0.10)", KV_OLD, 5, 8, 0.42),
        ("vllm-0.8.5-v0-hidden-busy", "V0 engine (0.8 to 0.10)", KV_OLD, 5, 8, 0.42),
        ("vllm-0.8.5-v0-idle", "V0 engine (0.8 to 0.10)", KV_OLD, 0, 0, 0),
        ("vllm-0.8.5-busy", "V1 0.8 to 0.9.1", KV_OLD, 5, 8, 0.42),
        ("vllm-0.8.5-idle", "V1 0.8 to 0.9.1", KV_OLD, 0, 0, 0),
        ("vllm-0.8.5-dp2-busy", "V1 0.8 to 0.9.1", KV_OLD, 4, 7, 0.37),
        ("vllm-0.9.2-v0-busy", "V0 engine (0.8 to 0.10)", KV_OLD, 5, 8, 0.42),
        ("vllm-0.9.2-busy", "V1 0.9.2 to 0.10.1", KV_NEW, 5, 8, 0.42),
        ("vllm-0.9.2-idle", "V1 0.9.2 to 0.10.1", KV_NEW, 0, 0, 0),
        ("vllm-0.9.2-dp2-busy", "V1 0.9.2 to 0.10.1", KV_NEW, 4, 7, 0.37),
        ("vllm-0.9.2-apiservers2-busy", "V1 0.9.2 to 0.10.1", KV_NEW, 5, 8, 0.42),
        ("vllm-0.11.2-busy", "V1 0.11 to 0.14", KV_NEW, 5, 8, 0.42),
        ("vllm-0.11.2-hidden-busy", "V1 0.11 to 0.14", KV_NEW, 5, 8, 0.42),
        ("vllm-0.11.2-idle", "V1 0.11 to 0.14", KV_NEW, 0, 0, 0),
        ("vllm-0.20.2-busy", "V1 0.20 and newer", KV_NEW, 5, 8, 0.42),
        ("vllm-0.20.2-idle", "V1 0.20 and newer", KV_NEW, 0, 0, 0),
        ("vllm-0.20.2-lora-busy", "V1 0.20 and newer", KV_NEW, 5, 8, 0.42),
    ],
)
def test_every_vllm_body_gives_its_numbers(
    name: str, dialect: str, kv: str, waiting: float, running: float, ratio: float
) -> None:
    facts = identify(body(name))
    assert (facts.engine, facts.dialect, facts.armed, facts.models) == ("vllm", dialect, False, (MODEL,))
    signals = facts.signals
    assert (signals["waiting"].value, signals["running"].value) == (waiting, running)
    assert (signals["kv-cache"].metric, signals["kv-cache"].value) == (kv, ratio)
    assert all(source.kind is SIGNALS[name] for name, source in signals.items())
    assert all(source.metric in source.spec.metrics for source in signals.values())


def test_a_latency_and_a_rate_have_no_value_in_one_body() -> None:
    signals = identify(body("vllm-0.20.2-busy")).signals
    assert signals["ttft"].metric == "vllm:time_to_first_token_seconds"
    assert signals["itl"].metric == "vllm:inter_token_latency_seconds"
    assert signals["prompt-tokens"].metric == "vllm:prompt_tokens_total"
    for name, source in signals.items():
        if source.kind in (Kind.LATENCY, Kind.RATE):
            assert source.value is None, name


def test_the_old_inter_token_name_is_used_where_the_new_one_is_absent() -> None:
    assert identify(body("vllm-0.9.2-busy")).signals["itl"].metric == "vllm:time_per_output_token_seconds"


def test_ranks_add_up_for_counts_and_the_fullest_counts_for_ratios() -> None:
    second_rank = re.sub(
        r"(?m)^(vllm:(num_requests|kv).*)engine=\"0\"(.*) [0-9.]+$",
        r'\1engine="1"\3 0.9',
        body("vllm-0.20.2-busy"),
    )
    more = "\n".join(line for line in second_rank.splitlines() if 'engine="1"' in line)
    signals = identify(body("vllm-0.20.2-busy") + more + "\n").signals
    assert signals["running"].value == pytest.approx(8.9)
    assert signals["running"].series == 2
    assert signals["kv-cache"].value == 0.9


@pytest.mark.parametrize("word", ["NaN", "+Inf", "-Inf"])
def test_a_value_that_is_no_number_is_unknown_and_never_zero(word: str) -> None:
    text = re.sub(
        r"(?m)^(vllm:(num_requests_waiting|kv_cache_usage_perc)\{.*) [0-9.]+$",
        rf"\1 {word}",
        body("vllm-0.20.2-busy"),
    )
    signals = identify(text).signals
    assert signals["waiting"].value is None
    assert signals["kv-cache"].value is None
    assert signals["running"].value == 8


@pytest.mark.parametrize("name", ["vllm-0.8.5-dp2-busy", "vllm-0.9.2-dp2-busy"])
def test_the_versions_that_expose_their_last_rank_only_say_so(name: str) -> None:
    assert "last rank only" in identify(body(name)).findings[0].seen


def test_a_rank_that_the_flag_promises_and_the_body_lacks_is_said() -> None:
    plain = body("vllm-0.9.2-busy")
    assert identify(plain).findings == ()
    assert "last rank only" in identify(plain, clues(["vllm", "serve", "m", "-dp", "2"])).findings[0].seen
    assert identify(body("vllm-0.20.2-busy"), clues(["vllm", "serve", "m", "-dp", "2"])).findings == ()


def test_series_per_api_server_process_are_said() -> None:
    facts = identify(body("vllm-0.9.2-apiservers2-busy"))
    assert facts.signals["kv-cache"].series == 2
    assert "label pid" in facts.findings[0].seen


@pytest.mark.parametrize(
    ("name", "flags", "value", "evidence", "proved", "ceiling"),
    [
        ("vllm-0.20.2-idle", ["--max-num-seqs", "8"], 8, "--max-num-seqs 8 x 1 data-parallel rank", False, 8),
        ("vllm-0.20.2-idle", ["--max_num_seqs=8"], 8, "--max-num-seqs 8 x 1", False, 8),
        ("vllm-0.20.2-idle", [], 256, "the default --max-num-seqs 256", False, None),
        # both bounds are known, the flag is the smaller one
        ("vllm-0.20.2-busy", ["--max-num-seqs", "64"], 64, "the KV cache would hold 764", True, 64),
        # 8 run, 5 wait, 8 seats: seen to be full
        ("vllm-0.20.2-busy", ["--max-num-seqs", "8"], 8, "all taken while 5 wait", True, 8),
        # 27512 x 16 / (512 + 128 / 2)
        ("vllm-0.20.2-busy", ["--max-num-seqs", "1024"], 764,
         "27512 KV blocks x 16 tokens / mean (512 prompt + 64) tokens", True, 1024),
        ("vllm-0.8.5-busy", ["--max-num-seqs", "1024"], 764, "mean (512 prompt + 64) tokens", True, 1024),
        # the flag alone is a guess while it is the default, even beside a known cache
        ("vllm-0.20.2-busy", [], 256, "not on the command line", False, None),
        # three finished requests prove nothing
        ("vllm-0.8.5-v0-busy", ["--max-num-seqs", "1024"], 1024, "--max-num-seqs 1024 x 1", False, 1024),
        # more run than the flag allows: the body is right
        ("vllm-0.20.2-busy", ["--max-num-seqs", "4"], 8, "8 requests run at once", True, 4),
        # only one rank is exposed, the flag knows of two
        ("vllm-0.9.2-dp2-busy", ["--max-num-seqs", "4", "-dp", "2"], 8, "4 x 2 data-parallel ranks", True, 8),
        ("vllm-0.20.2-busy", ["--max-num-seqs", "auto"], 764, "27512 KV blocks", True, None),
    ],
)  # fmt: skip
def test_seats(
    name: str, flags: list[str], value: int, evidence: str, proved: bool, ceiling: int | None
) -> None:
    seats = identify(body(name), clues(["vllm", "serve", "m", *flags])).seats
    assert seats is not None
    assert (seats.value, seats.proved, seats.ceiling) == (value, proved, ceiling)
    assert evidence in seats.evidence


def test_seats_are_unknown_when_neither_flag_nor_cache_says_a_number() -> None:
    assert (
        identify(body("vllm-0.20.2-idle"), clues(["vllm", "serve", "m", "--max-num-seqs", "$(SEATS)"])).seats
        is None
    )


def test_the_cache_size_in_tokens_is_preferred_to_blocks() -> None:
    text = body("vllm-0.20.2-busy").replace(
        'num_gpu_blocks="27512"', 'num_gpu_blocks="27512",kv_cache_size_tokens="57600"'
    )
    seats = identify(text, clues(["vllm", "serve", "m", "--max-num-seqs", "1024"])).seats
    assert seats is not None
    assert seats.value == 100
    assert seats.evidence.startswith("57600 KV tokens / mean")


@pytest.mark.parametrize(
    ("name", "seen"),
    [
        ("router-production-stack-a6c01db-busy", "the vLLM production-stack router"),
        ("router-production-stack-a6c01db-idle", "the vLLM production-stack router"),
    ],
)
def test_lookalikes_are_refused_by_name(name: str, seen: str) -> None:
    with pytest.raises(NotAnEngine) as refused:
        identify(body(name), clues(["vllm", "serve", "m"], image="vllm/vllm-openai:v0.20.2"))
    assert refused.value.seen == seen
    assert seen in refused.value.reason


@pytest.mark.parametrize(
    ("text", "command", "reason"),
    [
        ("", (), "the answer is empty and the command line names no engine"),
        ('{"a": 1}', (), "JSON"),
        ("<html>", (), "HTML page"),
        ("vllm:num_requests_running{ 8\n", (), "no Prometheus text"),
        ("node_cpu_seconds_total 3\n", (), "are of no engine that this version knows"),
        ("# TYPE vllm:num_requests_running gauge\n", (), "no series of vllm:num_requests_running"),
        ('vllm:num_requests_running{engine="0"} 8\n', (), "no series of vllm:num_requests_waiting"),
    ],
)
def test_other_answers_are_refused_with_a_reason(text: str, command: list[str], reason: str) -> None:
    with pytest.raises(NotAnEngine, match=re.escape(reason)):
        identify(text, clues(command))


def test_hidden_metrics_name_the_flag_to_remove() -> None:
    with pytest.raises(NotAnEngine) as refused:
        identify(
            body("vllm-0.20.2-nostats-busy"), clues(["sh", "-c", "exec vllm serve m --disable-log-stats"])
        )
    assert refused.value.remedy == "remove --disable-log-stats from the command line"
    with pytest.raises(NotAnEngine, match="of no engine"):
        identify(body("vllm-0.20.2-nostats-busy"))


@pytest.mark.parametrize(
    ("command", "image"),
    [
        (["vllm", "serve", "m"], ""),
        (["/usr/local/bin/vllm", "serve", "m"], ""),
        (["python3", "-m", "vllm.entrypoints.openai.api_server", "--model", "m"], ""),
        (["sh", "-c", "export A=1 && exec vllm serve m --port 8001"], ""),
        (["--model", "m"], "vllm/vllm-openai:v0.20.2"),
        ([], "registry.example.com:5000/team/vllm-openai:v0.20.2@sha256:00"),
    ],
)
def test_an_engine_without_series_is_armed(command: list[str], image: str) -> None:
    facts = identify("", clues(command, image=image))
    assert (facts.engine, facts.armed) == ("vllm", True)
    assert facts.signals["kv-cache"].metric == KV_NEW
    assert {(source.value, source.series) for source in facts.signals.values()} == {(None, 0)}


def test_an_armed_engine_takes_the_names_of_its_type_lines() -> None:
    facts = identify("# TYPE vllm:gpu_cache_usage_perc gauge\n", clues(["vllm", "serve", "m"]))
    assert (facts.armed, facts.signals["kv-cache"].metric) == (True, KV_OLD)


def test_the_image_tag_is_a_hint_of_the_version() -> None:
    facts = identify(body("vllm-0.20.2-busy"), clues(image="vllm/vllm-openai:v0.20.2"))
    assert facts.version == "0.20.2"
    assert identify(body("vllm-0.20.2-busy"), clues(image="vllm/vllm-openai:latest")).version is None


@pytest.mark.parametrize(
    ("command", "env", "expected"),
    [
        ([], {}, []),
        (["vllm", "serve", "m"], {}, [(8000, "/metrics")]),
        (["vllm", "serve", "m", "--port", "8001"], {}, [(8001, "/metrics")]),
        (["vllm", "serve", "m", "--port=8001"], {}, [(8001, "/metrics")]),
        (["sh", "-c", "vllm serve m \\\n  --port 8001 \\\n  --max-num-seqs 8"], {}, [(8001, "/metrics")]),
        (["sh", "-c", "# --port 9000\nvllm serve 'a b' --port \"8001\""], {}, [(8001, "/metrics")]),
        (["vllm", "serve", "m", "--port", "$(PORT)"], {"PORT": "8002"}, [(8002, "/metrics")]),
        (["sh", "-c", "vllm serve m --port ${PORT:-8003}"], {}, [(8003, "/metrics")]),
        (["sh", "-c", "vllm serve m --port $PORT"], {"PORT": "8004"}, [(8004, "/metrics")]),
        (["vllm", "serve", "m"], {"VLLM_PORT": "tcp://10.0.0.1:80"}, [(8000, "/metrics")]),
        (["vllm", "serve", "m", "--headless"], {}, []),
        (["sh", "-c", 'vllm serve "unclosed --port 8005'], {}, [(8005, "/metrics")]),
    ],
)  # fmt: skip
def test_listening(command: list[str], env: dict[str, str], expected: list[tuple[int, str]]) -> None:
    assert [(port, path) for port, path, _ in listening(clues(command, env=env))] == expected


@pytest.mark.parametrize(
    ("metric", "signal", "engine"),
    [
        ("vllm:num_requests_waiting", "waiting", "vllm"),
        ("vllm_num_requests_waiting", "waiting", "vllm"),
        ("vllm:gpu_cache_usage_perc", "kv-cache", "vllm"),
        ("vllm:num_preemptions_total", None, "vllm"),
        ("vllm:current_qps", None, "the vLLM production-stack router"),
        ("sglang:num_queue_reqs", "waiting", "sglang"),
        ("sglang_num_queue_reqs", "waiting", "sglang"),
        ("sglang:encoder_requests_total", None, "an encoder server of SGLang"),
        ("http_requests", None, None),
    ],
)
def test_metric_names_of_an_hpa_lead_back_to_signals(
    metric: str, signal: str | None, engine: str | None
) -> None:
    found = signal_of(metric)
    assert (found[1].name if found else None, engine_of(metric)) == (signal, engine)


VLLM_BODIES = sorted(path.stem for path in BODIES.glob("vllm-*-busy.txt") if "nostats" not in path.stem)
ROUTER_BODIES = sorted(path.stem for kind in ("router", "epp") for path in BODIES.glob(f"{kind}-*.txt"))


@st.composite
def damaged(draw: st.DrawFn, names: list[str]) -> str:
    """A body with lines dropped, doubled, cut, or given other numbers."""
    lines = body(draw(st.sampled_from(names))).splitlines(keepends=True)
    start = draw(st.integers(0, len(lines)))
    dropped = draw(st.integers(0, len(lines)))
    kept = lines[:start] + lines[start + dropped :]
    twice: bool = draw(st.booleans())
    if kept and twice:
        kept.append(draw(st.sampled_from(kept)))
    text = "".join(kept)
    if draw(st.booleans()):
        text = text[: draw(st.integers(0, len(text)))]
    if draw(st.booleans()):
        text = re.sub(
            r" [0-9.e+]+$",
            f" {draw(st.sampled_from(['NaN', '+Inf', '-3', '1e300', 'x']))}",
            text,
            flags=re.MULTILINE,
        )
    return text


@given(damaged(VLLM_BODIES))
def test_a_damaged_body_never_crashes_and_never_gives_a_false_number(text: str) -> None:
    try:
        facts = identify(text)
    except NotAnEngine:
        return
    assert facts.engine == "vllm"
    assert all(source.value is None or math.isfinite(source.value) for source in facts.signals.values())
    assert facts.seats is None or facts.seats.value >= 1


@given(damaged(ROUTER_BODIES))
def test_a_damaged_lookalike_is_never_taken_for_an_engine(text: str) -> None:
    facts: EngineFacts | None = None
    try:
        facts = identify(text)
    except NotAnEngine:
        return
    assert facts is None


@given(st.text())
def test_any_text_is_refused_or_read(text: str) -> None:
    with pytest.raises(NotAnEngine):
        identify(text)
