"""vLLM on bodies that its own code made: busy bodies run 8, hold 5 back and fill the KV cache to 0.42."""

from __future__ import annotations

import re

import pytest

from kubectl_llmhpa.engines import (
    SIGNALS,
    EngineFacts,
    Kind,
    assume,
    clues,
    identify,
    listening,
)
from kubectl_llmhpa.engines.model import Clues
from tests.unit.bodies import body_of

MODEL = "Qwen/Qwen2.5-7B-Instruct"
KV_OLD, KV_NEW = "vllm:gpu_cache_usage_perc", "vllm:kv_cache_usage_perc"


def body(name: str) -> str:
    return body_of(f"vllm-{name}")


def ray(name: str) -> str:
    return body_of(f"ray-vllm-{name}")


def served(*flags: str) -> Clues:
    return clues(["vllm", "serve", "m", *flags])


@pytest.mark.parametrize(
    ("name", "dialect", "kv", "waiting", "running", "ratio"),
    [
        ("0.8.5-v0-busy", "V0 engine (0.8 to 0.10)", KV_OLD, 5, 8, 0.42),
        ("0.8.5-v0-hidden-busy", "V0 engine (0.8 to 0.10)", KV_OLD, 5, 8, 0.42),
        ("0.8.5-v0-idle", "V0 engine (0.8 to 0.10)", KV_OLD, 0, 0, 0),
        ("0.8.5-busy", "V1 0.8 to 0.9.1", KV_OLD, 5, 8, 0.42),
        ("0.8.5-idle", "V1 0.8 to 0.9.1", KV_OLD, 0, 0, 0),
        ("0.8.5-dp2-busy", "V1 0.8 to 0.9.1", KV_OLD, 4, 7, 0.37),
        ("0.9.1-dp4-busy", "V1 0.8 to 0.9.1", KV_OLD, 2, 5, 0.27),
        ("0.9.2-v0-busy", "V0 engine (0.8 to 0.10)", KV_OLD, 5, 8, 0.42),
        ("0.9.2-busy", "V1 0.9.2 to 0.10.1", KV_NEW, 5, 8, 0.42),
        ("0.9.2-idle", "V1 0.9.2 to 0.10.1", KV_NEW, 0, 0, 0),
        ("0.9.2-dp2-busy", "V1 0.9.2 to 0.10.1", KV_NEW, 4, 7, 0.37),
        ("0.9.2-apiservers2-busy", "V1 0.9.2 to 0.10.1", KV_NEW, 5, 8, 0.42),
        ("0.10.0-dp2-busy", "V1 0.9.2 to 0.10.1", KV_NEW, 9, 15, 0.42),
        ("0.10.2-busy", "V1 0.10.2", KV_NEW, 5, 8, 0.42),
        ("0.11.2-busy", "V1 0.11 to 0.14", KV_NEW, 5, 8, 0.42),
        ("0.11.2-hidden-busy", "V1 0.11 to 0.14", KV_NEW, 5, 8, 0.42),
        ("0.11.2-idle", "V1 0.11 to 0.14", KV_NEW, 0, 0, 0),
        ("0.15.1-busy", "V1 0.12 to 0.19", KV_NEW, 5, 8, 0.42),
        ("0.20.2-busy", "V1 0.20 and newer", KV_NEW, 5, 8, 0.42),
        ("0.20.2-idle", "V1 0.20 and newer", KV_NEW, 0, 0, 0),
        ("0.25.1-rank3-busy", "V1 0.20 and newer", KV_NEW, 5, 8, 0.42),
        ("0.20.2-lora-busy", "V1 0.20 and newer", KV_NEW, 5, 8, 0.42),
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
    signals = identify(body("0.20.2-busy")).signals
    assert signals["ttft"].metric == "vllm:time_to_first_token_seconds"
    assert signals["itl"].metric == "vllm:inter_token_latency_seconds"
    assert signals["prompt-tokens"].metric == "vllm:prompt_tokens_total"
    for name, source in signals.items():
        if source.kind in (Kind.LATENCY, Kind.RATE):
            assert source.value is None, name


def test_the_old_inter_token_name_is_used_where_the_new_one_is_absent() -> None:
    assert identify(body("0.9.2-busy")).signals["itl"].metric == "vllm:time_per_output_token_seconds"


def test_ranks_add_up_for_counts_and_the_fullest_counts_for_ratios() -> None:
    second_rank = re.sub(
        r"(?m)^(vllm:(num_requests|kv).*)engine=\"0\"(.*) [0-9.]+$",
        r'\1engine="1"\3 0.9',
        body("0.20.2-busy"),
    )
    more = "\n".join(line for line in second_rank.splitlines() if 'engine="1"' in line)
    signals = identify(body("0.20.2-busy") + more + "\n").signals
    assert signals["running"].value == pytest.approx(8.9)
    assert signals["running"].series == 2
    assert signals["kv-cache"].value == 0.9


@pytest.mark.parametrize("word", ["NaN", "+Inf", "-Inf"])
def test_a_value_that_is_no_number_is_unknown_and_never_zero(word: str) -> None:
    text = re.sub(
        r"(?m)^(vllm:(num_requests_waiting|kv_cache_usage_perc)\{.*) [0-9.]+$",
        rf"\1 {word}",
        body("0.20.2-busy"),
    )
    signals = identify(text).signals
    assert signals["waiting"].value is None
    assert signals["kv-cache"].value is None
    assert signals["running"].value == 8


@pytest.mark.parametrize("name", ["0.8.5-dp2-busy", "0.9.2-dp2-busy"])
def test_the_versions_that_expose_their_last_rank_only_say_so(name: str) -> None:
    assert "last rank only" in identify(body(name)).findings[0].seen


def test_a_rank_that_the_flag_promises_and_the_body_lacks_is_said() -> None:
    plain = body("0.9.2-busy")
    assert identify(plain).findings == ()
    assert "last rank only" in identify(plain, clues(["vllm", "serve", "m", "-dp", "2"])).findings[0].seen
    assert identify(body("0.20.2-busy"), clues(["vllm", "serve", "m", "-dp", "2"])).findings == ()


def test_series_per_api_server_process_are_said() -> None:
    facts = identify(body("0.9.2-apiservers2-busy"))
    assert facts.signals["kv-cache"].series == 2
    assert "label pid" in facts.findings[0].seen


@pytest.mark.parametrize(
    ("name", "flags", "value", "evidence", "proved", "ceiling"),
    [
        ("0.20.2-idle", ["--max-num-seqs", "8"], 8, "--max-num-seqs 8 x 1 data-parallel rank", False, 8),
        ("0.20.2-idle", ["--max_num_seqs=8"], 8, "--max-num-seqs 8 x 1", False, 8),
        ("0.20.2-idle", [], 256, "the default --max-num-seqs 256", False, None),
        # both bounds are known, the flag is the smaller one
        ("0.20.2-busy", ["--max-num-seqs", "64"], 64, "the KV cache would hold 764", True, 64),
        # 8 run, 5 wait, 8 seats: seen to be full
        ("0.20.2-busy", ["--max-num-seqs", "8"], 8, "all taken while 5 wait", True, 8),
        # 27512 x 16 / (512 + 128 / 2)
        ("0.20.2-busy", ["--max-num-seqs", "1024"], 764,
         "27512 KV blocks x 16 tokens / mean (512 prompt + 64) tokens", True, 1024),
        ("0.8.5-busy", ["--max-num-seqs", "1024"], 764, "mean (512 prompt + 64) tokens", True, 1024),
        # the flag alone is a guess while it is the default, even beside a known cache
        ("0.20.2-busy", [], 256, "not on the command line", False, None),
        # three finished requests prove nothing
        ("0.8.5-v0-busy", ["--max-num-seqs", "1024"], 1024, "--max-num-seqs 1024 x 1", False, 1024),
        # more run than the flag allows: the body is right
        ("0.20.2-busy", ["--max-num-seqs", "4"], 8, "8 requests run at once", True, 4),
        # only one rank is exposed, the flag knows of two
        ("0.9.2-dp2-busy", ["--max-num-seqs", "4", "-dp", "2"], 8, "4 x 2 data-parallel ranks", True, 8),
        ("0.20.2-busy", ["--max-num-seqs", "auto"], 764, "27512 KV blocks", True, None),
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
        identify(body("0.20.2-idle"), clues(["vllm", "serve", "m", "--max-num-seqs", "$(SEATS)"])).seats
        is None
    )


def test_the_cache_size_in_tokens_is_preferred_to_blocks() -> None:
    text = body("0.20.2-busy").replace(
        'num_gpu_blocks="27512"', 'num_gpu_blocks="27512",kv_cache_size_tokens="57600"'
    )
    seats = identify(text, clues(["vllm", "serve", "m", "--max-num-seqs", "1024"])).seats
    assert seats is not None
    assert seats.value == 100
    assert seats.evidence.startswith("57600 KV tokens / mean")


def test_the_counts_that_are_served_under_one_name() -> None:
    signals = identify(body("0.20.2-busy")).signals
    assert (signals["in-flight"].value, signals["in-flight"].api_name) == (13, "vllm:num_requests_in_flight")
    assert signals["waiting"].query == (
        "sum by (namespace, pod) (max by (namespace, pod, engine, model_name) (vllm:num_requests_waiting))"
    )
    assert signals["kv-cache"].query == (
        "max by (namespace, pod) (vllm:kv_cache_usage_perc or vllm:gpu_cache_usage_perc)"
    )


KV_CONSUMER = ("--kv-transfer-config", '{"kv_connector":"NixlConnector","kv_role":"kv_consumer"}')
KV_PRODUCER = ("--kv-transfer-config", '{"kv_connector":"NixlConnector","kv_role":"kv_producer"}')


def test_a_decode_server_waits_for_room_only() -> None:
    facts = identify(body("0.20.2-busy"), served(*KV_CONSUMER))
    assert (facts.role, facts.form, facts.findings) == ("decode", "decode", ())
    waiting = facts.signals["waiting"]
    assert (waiting.metric, waiting.series, waiting.value) == ("vllm:num_requests_waiting_by_reason", 1, 4)
    assert waiting.api_name == "vllm:num_requests_waiting_for_capacity"
    assert 'vllm:num_requests_waiting_by_reason{reason="capacity"}' in waiting.query
    assert facts.signals["in-flight"].value == 13


def test_a_decode_server_whose_version_tells_no_reason_says_so() -> None:
    facts = identify(body("0.11.2-busy"), served(*KV_CONSUMER))
    assert (facts.role, facts.form, facts.signals["waiting"].value) == ("decode", "", 5)
    assert [finding.code for finding in facts.findings] == ["deferred-waiting"]


@pytest.mark.parametrize(
    ("words", "labels", "role"),
    [
        (KV_PRODUCER, {}, "prefill"),
        (("--kv-transfer-config.kv_role", "kv_consumer"), {}, "decode"),
        (("--kv-transfer-config", '{"kv_role":"kv_both"}'), {"llm-d.ai/role": "decode"}, "decode"),
        (("--kv-transfer-config", '{"kv_role":"kv_both"}'), {}, ""),
    ],
)
def test_roles(words: tuple[str, ...], labels: dict[str, str], role: str) -> None:
    one = clues(["vllm", "serve", "m", *words], labels=labels)
    assert identify(body("0.20.2-busy"), one).role == role


@pytest.mark.parametrize(
    ("name", "flags", "value", "evidence", "proved", "ceiling"),
    [
        # what one pass takes over the mean prompt
        ("0.20.2-busy", ["--max-num-batched-tokens", "4096"],
         8, "--max-num-batched-tokens 4096 x 1 data-parallel rank / mean 512 prompt tokens", True, None),
        ("0.20.2-busy", ["--max-num-batched-tokens=8K", "--max-num-seqs", "64"], 16, "8192 x 1", True, 64),
        ("0.20.2-busy", ["--max-num-seqs", "4"], 4, "--max-num-seqs 4 x 1", True, 4),
        ("0.20.2-busy", [], 16, "the default --max-num-batched-tokens 8192", False, None),
        ("0.20.2-idle", ["--max-num-seqs", "4"], 4, "--max-num-seqs 4 x 1", False, 4),
        ("0.20.2-idle", [], None, "", False, None),
    ],
)  # fmt: skip
def test_seats_of_a_prefill_server(
    name: str, flags: list[str], value: int | None, evidence: str, proved: bool, ceiling: int | None
) -> None:
    seats = identify(body(name), served(*KV_PRODUCER, *flags)).seats
    if value is None:
        assert seats is None
        return
    assert seats is not None
    assert (seats.value, seats.proved, seats.ceiling) == (value, proved, ceiling)
    assert evidence in seats.evidence


@pytest.mark.parametrize(
    ("name", "flags", "codes", "ranks"),
    [
        # its own load balancer: the first node reports every rank
        ("0.10.0-dp2-busy", ["-dp", "2"], ["series-per-pod"], 2),
        ("0.25.1-rank3-busy", ["-dp", "4", "--data-parallel-rank", "3"], ["ranks-elsewhere"], 1),
        ("0.25.1-rank3-busy", ["-dp", "4", "-dpl", "1", "-dpe"], ["ranks-elsewhere"], 1),
        ("0.10.0-dp2-busy", ["-dp", "4", "-dpl", "2", "--data-parallel-hybrid-lb"],
         ["ranks-elsewhere", "series-per-pod"], 2),
        ("0.25.1-rank3-busy", ["-dp", "4", "--data-parallel-multi-port-external-lb"], ["ranks-elsewhere"], 1),
        # one rank for each server is no lost rank
        ("0.9.2-dp2-busy", ["-dp", "2", "-dpn", "1"], ["ranks-elsewhere"], 1),
        ("0.9.2-dp2-busy", ["-dp", "2"], ["last-rank-only"], 2),
        # nothing on the command line says so, but the one rank that is there is not the first
        ("0.9.1-dp4-busy", [], ["last-rank-only"], 1),
        ("0.9.1-dp4-busy", ["-dpn", "3"], [], 1),
        ("0.20.2-busy", ["--max-num-queued-reqs", "9", "--max-num-queued-tokens", "90"],
         ["bounded-queue", "bounded-queue"], 1),
    ],
)  # fmt: skip
def test_data_parallel_ranks_and_bounds(name: str, flags: list[str], codes: list[str], ranks: int) -> None:
    facts = identify(body(name), served("--max-num-seqs", "8", *flags))
    assert [finding.code for finding in facts.findings] == codes
    assert facts.seats is not None
    assert facts.seats.ceiling == 8 * ranks


def test_the_old_engine_never_had_the_new_name_of_the_cache() -> None:
    simulated = re.sub(r'engine="0",', "", body("0.20.2-busy"))
    assert identify(simulated).dialect == "unlisted"
    assert identify(simulated).signals["kv-cache"].value == 0.42


def test_findings_say_where_the_other_ranks_are() -> None:
    text = body("0.25.1-rank3-busy")
    ports, pods = (
        identify(text, served("-dp", "4", flag)).findings[0].fix
        for flag in ("--data-parallel-multi-port-external-lb", "--data-parallel-external-lb")
    )
    assert "every port from --port on" in ports
    assert "every pod of the group" in pods


def test_a_grpc_server_has_no_metrics_port() -> None:
    assert listening(served("--grpc")) == []
    assert listening(served("--grpc-port", "50051"))[0].port == 8000


@pytest.mark.parametrize(
    ("version", "dialect"),
    [
        ("0.8.5", "V1 0.8 to 0.9.1"), ("0.10.1", "V1 0.9.2 to 0.10.1"), ("0.10.2", "V1 0.10.2"),
        ("0.11.0", "V1 0.11 to 0.14"), ("0.15.1", "V1 0.12 to 0.19"), ("0.32.0", "V1 0.20 and newer"),
    ],
)  # fmt: skip
def test_the_version_names_the_dialect_where_no_body_can_be_read(version: str, dialect: str) -> None:
    assert assume(served(), f"vllm@{version}").dialect == dialect


@pytest.mark.parametrize(
    ("name", "dialect", "prefix"),
    [
        ("0.10.2-busy", "Ray-wrapped up to 0.10", "ray_vllm:"),
        ("0.11.2-busy", "Ray-wrapped 0.11 to 0.19", "ray_vllm_"),
    ],
)
def test_an_engine_inside_ray(name: str, dialect: str, prefix: str) -> None:
    facts = identify(ray(name), served("--max-num-seqs", "64"))
    assert (facts.engine, facts.form, facts.dialect, facts.models) == ("vllm", "ray", dialect, (MODEL,))
    signals = facts.signals
    assert (signals["waiting"].value, signals["running"].value, signals["in-flight"].value) == (5, 8, 13)
    assert (signals["kv-cache"].metric, signals["kv-cache"].value) == (f"{prefix}kv_cache_usage_perc", 0.42)
    assert signals["itl"].metric == f"{prefix}inter_token_latency_seconds"
    assert signals["prompt-tokens"].metric == f"{prefix}prompt_tokens_total"
    assert signals["waiting"].api_name == "ray_vllm_num_requests_waiting"
    assert "ReplicaId" in signals["waiting"].query
    assert facts.seats is not None
    assert facts.seats.value == 64


def facts_of_two_replicas() -> EngineFacts:
    text = ray("0.11.2-busy")
    other = re.sub(r'WorkerId="\w+"', 'WorkerId="other"', re.sub(r"(?m)^#.*\n", "", text))
    return identify(text + other, served("--max-num-seqs", "8"))


def test_two_replicas_on_one_ray_node_add_up() -> None:
    facts = facts_of_two_replicas()
    assert (facts.signals["running"].value, facts.signals["waiting"].value) == (16, 10)
    assert facts.signals["kv-cache"].value == 0.42
    assert facts.seats is not None
    assert facts.seats.ceiling == 16


def test_counters_that_ray_has_not_seen_yet_are_left_out() -> None:
    text = re.sub(r"(?m)^ray_vllm_(prompt|generation)_tokens(_total)?\{.*\n", "", ray("0.11.2-busy"))
    facts = identify(text)
    assert facts.armed is False
    assert not {"prompt-tokens", "generation-tokens"} & facts.signals.keys()
