"""Engines on bodies that the engines' own code made: busy bodies run 8, hold 5 back and fill the KV cache to 0.42."""

from __future__ import annotations

import math
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kubectl_llmhpa.engines import (
    ENGINES,
    EngineFacts,
    NotAnEngine,
    Source,
    clues,
    identify,
    listening,
    signal_of,
)
from kubectl_llmhpa.names import engine_of
from tests.unit.bodies import BODIES, body_of

MODEL = "Qwen/Qwen2.5-7B-Instruct"
KV_OLD, KV_NEW = "vllm:gpu_cache_usage_perc", "vllm:kv_cache_usage_perc"


@pytest.mark.parametrize(
    ("name", "seen"),
    [
        ("router-production-stack-a6c01db-busy", "the vLLM production-stack router"),
        ("router-production-stack-a6c01db-idle", "the vLLM production-stack router"),
    ],
)
def test_lookalikes_are_refused_by_name(name: str, seen: str) -> None:
    with pytest.raises(NotAnEngine) as refused:
        identify(body_of(name), clues(["vllm", "serve", "m"], image="vllm/vllm-openai:v0.20.2"))
    assert refused.value.seen == seen
    assert seen in refused.value.reason


@pytest.mark.parametrize(
    ("text", "command", "reason"),
    [
        ("", (), "the answer is empty and the command line names no engine"),
        ('{"a": 1}', (), "JSON"),
        ("<html>", (), "HTML page"),
        ("\x1f\x8b\x08\0\0rubbish", (), "compressed (gzip)"),
        ("\x1f\ufffd\x08\0\0rubbish", (), "compressed (gzip)"),
        ("v\0l\0l\0m\0", (), "binary or UTF-16"),
        ("vllm:num_requests_running{ 8\n", (), "no Prometheus text"),
        ("node_cpu_seconds_total 3\n", (), "are of no engine that this version knows"),
        ("# TYPE vllm:num_requests_running gauge\n", (), "no series of vllm:num_requests_running"),
        ('vllm:num_requests_running{engine="0"} 8\n', (), "no series of vllm:num_requests_waiting"),
    ],
)
def test_other_answers_are_refused_with_a_reason(text: str, command: list[str], reason: str) -> None:
    with pytest.raises(NotAnEngine, match=re.escape(reason)):
        identify(text, clues(command))


def test_a_long_or_strange_line_is_not_repeated_whole() -> None:
    with pytest.raises(NotAnEngine) as refused:
        identify("\x01\ufffd\u0007{ " * 1000 + "\n")
    assert refused.value.reason.isprintable()
    assert len(refused.value.reason) < 130


@pytest.mark.parametrize(
    ("text", "command", "remedy"),
    [
        ('{"detail":"Not Found"}', [], "check that this is the port and the path"),
        ('[{"name": "x"}]', [], "check that this is the port and the path"),
        ("[" * 100_000, [], "check that this is the port and the path"),
        ('[{"iter": 1, "numActiveRequests": 2}]', [], "/prometheus/metrics"),
        ("[]", ["trtllm-serve", "m"], "/prometheus/metrics"),
    ],
)
def test_only_statistics_of_iterations_are_those_of_tensorrt_llm(
    text: str, command: list[str], remedy: str
) -> None:
    with pytest.raises(NotAnEngine, match="JSON") as refused:
        identify(text, clues(command))
    assert remedy in refused.value.remedy


def test_a_byte_order_mark_is_no_part_of_the_text() -> None:
    assert identify("\ufeff" + body_of("vllm-0.20.2-busy")).signals["running"].value == 8


@pytest.mark.parametrize(
    "family",
    [
        "tgi_foo",
        "trtllm_convert_jobs",
        "sglang:foo",
        "ray_sglang_foo",
        "dynamo_frontend_http_build_info",
        "nv_llm_http_service_foo",
    ],
)
def test_a_prefix_alone_arms_no_engine(family: str) -> None:
    with pytest.raises(NotAnEngine, match="of no engine"):
        identify(f"# TYPE {family} gauge\n{family} 1\n")


def test_hidden_metrics_name_the_flag_to_remove() -> None:
    with pytest.raises(NotAnEngine) as refused:
        identify(
            body_of("vllm-0.20.2-nostats-busy"), clues(["sh", "-c", "exec vllm serve m --disable-log-stats"])
        )
    assert refused.value.remedy == "remove --disable-log-stats from the command line"
    with pytest.raises(NotAnEngine, match="of no engine"):
        identify(body_of("vllm-0.20.2-nostats-busy"))


@pytest.mark.parametrize(
    ("command", "image"),
    [
        (["python3", "-m", "sglang.launch_server", "--model-path", "m"], ""),
        (["/usr/local/bin/sglang", "serve", "--model-path", "m"], ""),
        (["sh", "-c", "export A=1 && exec python3 -m sglang.launch_server --port 8001"], ""),
        (["--model-path", "m"], "lmsysorg/sglang:v0.5.12"),
        ([], "registry.example.com:5000/team/sglang:v0.5.12@sha256:00"),
    ],
)
def test_a_lazy_engine_without_a_family_is_armed_by_other_evidence(command: list[str], image: str) -> None:
    facts = identify("", clues(command, image=image))
    assert (facts.engine, facts.armed) == ("sglang", True)
    assert facts.source in (Source.COMMAND, Source.IMAGE)
    assert facts.signals["kv-cache"].metric == "sglang:token_usage"
    assert {(source.value, source.series) for source in facts.signals.values()} == {(None, 0)}


@pytest.mark.parametrize(
    "command",
    [
        ["vllm", "serve", "m"],
        ["llama-server", "-m", "m", "--metrics"],
        ["lmdeploy", "serve", "api_server", "m"],
        ["tritonserver"],
        ["/opt/nim/start_server.sh"],
    ],
)
def test_nothing_is_no_answer_of_an_engine_that_has_its_gauges_from_the_start(command: list[str]) -> None:
    with pytest.raises(NotAnEngine, match="it answered with nothing") as refused:
        identify("", clues(command))
    assert refused.value.remedy == "check that this is the port of the engine"


def test_an_engine_that_lost_one_of_its_series_is_not_armed() -> None:
    body = body_of("vllm-0.20.2-idle")
    lost = "\n".join(line for line in body.splitlines() if not line.startswith("vllm:num_requests_running"))
    facts = identify(lost, clues(["vllm", "serve", "m"]))
    assert (facts.engine, facts.armed) == ("vllm", False)
    assert "running" not in facts.signals
    assert facts.signals["waiting"].value == 0


def test_an_armed_engine_takes_the_names_of_its_type_lines() -> None:
    facts = identify("# TYPE vllm:gpu_cache_usage_perc gauge\n", clues(["vllm", "serve", "m"]))
    assert (facts.armed, facts.signals["kv-cache"].metric) == (True, KV_OLD)


def test_the_image_tag_is_a_hint_of_the_version() -> None:
    facts = identify(body_of("vllm-0.20.2-busy"), clues(image="vllm/vllm-openai:v0.20.2"))
    assert facts.version == "0.20.2"
    assert identify(body_of("vllm-0.20.2-busy"), clues(image="vllm/vllm-openai:latest")).version is None


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


@pytest.mark.parametrize("name", ["vllm-0.20.2-busy", "lmdeploy-0.18.0-busy", "dynamo-1.6.1-frontend-busy"])
def test_counters_that_move_during_a_generation_are_in_the_bodies(name: str) -> None:
    facts = identify(body_of(name))
    engine = next(one for one in ENGINES if one.name == facts.engine)
    assert facts.signals["generation-tokens"].metric in engine.counts_while_generating


VLLM_BODIES = sorted(path.stem for path in BODIES.glob("vllm-*-busy.txt") if "nostats" not in path.stem)
ROUTER_BODIES = sorted(path.stem for kind in ("router", "epp") for path in BODIES.glob(f"{kind}-*.txt"))


@st.composite
def damaged(draw: st.DrawFn, names: list[str]) -> str:
    """A body with lines dropped, doubled, cut, or given other numbers."""
    lines = body_of(draw(st.sampled_from(names))).splitlines(keepends=True)
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


@settings(deadline=None)
@given(damaged(VLLM_BODIES))
def test_a_damaged_body_never_crashes_and_never_gives_a_false_number(text: str) -> None:
    try:
        facts = identify(text)
    except NotAnEngine:
        return
    assert facts.engine == "vllm"
    assert all(source.value is None or math.isfinite(source.value) for source in facts.signals.values())
    assert facts.seats is None or facts.seats.value >= 1


@settings(deadline=None)
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
