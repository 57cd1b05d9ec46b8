"""SGLang on bodies that its own code made: busy bodies run 8, hold 5 back and fill the KV cache to 0.42."""

from __future__ import annotations

import re

import pytest

from kubectl_llmhpa.engines import (
    SIGNALS,
    EngineFacts,
    NotAnEngine,
    assume,
    clues,
    expect,
    identify,
    listening,
    missing_switch,
)
from kubectl_llmhpa.engines.sglang import SGLANG, info_of
from tests.unit.bodies import body_of

MODEL = "Qwen/Qwen2.5-7B-Instruct"
LAUNCH = ["python3", "-m", "sglang.launch_server", "--model-path", "m", "--enable-metrics"]


def body(name: str) -> str:
    return body_of(f"sglang-{name}")


def seen(name: str, *flags: str) -> EngineFacts:
    return identify(body(name), clues([*LAUNCH, *flags]))


@pytest.mark.parametrize(
    ("name", "dialect", "role", "waiting", "running", "in_flight", "kv"),
    [
        ("0.4.6-busy", "0.4.6 and older", "", 5, 8, 13, 0.42),
        # two ranks of 8 + 7 and 5 + 4: the second has overwritten the first
        ("0.4.9-dp2-busy", "0.4.7 to 0.4.9", "", 4, 7, 11, 0.37),
        ("0.4.10.post2-busy", "0.4.10 to 0.5.1", "", 5, 8, 13, 0.42),
        ("0.4.10.post2-idle", "0.4.10 to 0.5.1", "", 0, 0, 0, 0),
        # the label says `unified`, so all queues count: 3 wait for room, 2 for their cache
        ("0.5.1-decode-busy", "0.4.10 to 0.5.1", "", 5, 8, 13, 0.42),
        ("0.4.10.post2-dp2-busy", "0.4.10 to 0.5.1", "", 9, 15, 24, 0.42),
        ("0.5.12-busy", "0.5.12 to 0.5.17", "", 5, 8, 13, 0.42),
        ("0.5.12-idle", "0.5.12 to 0.5.17", "", 0, 0, 0, 0),
        ("0.5.12-alltp2-busy", "0.5.12 to 0.5.17", "", 5, 8, 13, 0.42),
        ("0.5.12-dp2-pp2-busy", "0.5.12 to 0.5.17", "", 9, 15, 24, 0.42),
        ("0.5.12-priority-busy", "0.5.12 to 0.5.17", "", 5, 8, 13, 0.42),
        # 5 queued and 3 waiting for the handshake; 2 more are being sent
        ("0.5.12-prefill-busy", "0.5.12 to 0.5.17", "prefill", 8, None, 10, 0.42),
        ("0.5.7-prefill-busy", "0.5.7 to 0.5.11", "prefill", 8, None, 10, 0.42),
        ("0.5.20-prefill-busy", "0.5.18 to 0.5.20", "prefill", 8, 8, 18, 0.42),
        # 3 wait for room, 2 for their cache
        ("0.5.12-decode-busy", "0.5.12 to 0.5.17", "decode", 5, 8, 13, 0.42),
        ("0.5.23-busy", "0.5.21 and newer", "", 5, 8, 13, 0.42),
        ("0.5.23-dynamic-busy", "0.5.21 and newer", "dynamic", 5, 8, 13, 0.42),
    ],
)
def test_every_body_gives_its_numbers(
    name: str, dialect: str, role: str, waiting: float, running: float | None, in_flight: float, kv: float
) -> None:
    facts = identify(body(name))
    assert (facts.engine, facts.dialect, facts.role, facts.form) == ("sglang", dialect, role, role)
    assert (facts.armed, facts.models) == (False, (MODEL,))
    values = {signal: source.value for signal, source in facts.signals.items()}
    assert (values["waiting"], values.get("running"), values["in-flight"]) == (waiting, running, in_flight)
    assert values["kv-cache"] == kv
    assert all(source.kind is SIGNALS[one] for one, source in facts.signals.items())


def test_the_role_of_a_version_that_labels_all_servers_unified_is_on_the_command_line() -> None:
    assert identify(body("0.5.2-prefill-busy")).role == ""
    prefill = seen("0.5.2-prefill-busy", "--disaggregation-mode", "prefill")
    assert (prefill.role, prefill.dialect) == ("prefill", "0.5.2 to 0.5.6")
    assert (prefill.signals["waiting"].value, prefill.signals["in-flight"].value) == (8, 10)
    decode = seen("0.5.2-decode-busy", "--disaggregation-mode=decode")
    assert (decode.role, decode.signals["waiting"].value) == ("decode", 5)
    assert seen("0.5.12-busy", "--disaggregation-mode", "null").role == ""


def test_a_server_that_may_change_its_role_is_of_none() -> None:
    assert (
        assume(clues([*LAUNCH, "--disaggregation-mode", "prefill", "--enable-pd-role-switch"])).role
        == "dynamic"
    )


def test_running_is_left_out_where_a_prefill_server_always_says_0() -> None:
    assert "running" not in identify(body("0.5.12-prefill-busy")).signals
    assert identify(body("0.5.20-prefill-busy")).signals["running"].value == 8


@pytest.mark.parametrize(
    ("name", "signal", "metric", "api_name", "series", "query"),
    [
        ("0.5.12-busy", "waiting", "sglang:num_queue_reqs", "sglang:num_queue_reqs", 1,
         "sum by (namespace, pod) (max by (namespace, pod, dp_rank, model_name) "
         '(sglang:num_queue_reqs{priority="",pp_rank=~"|0"}))'),
        ("0.5.12-priority-busy", "waiting", "sglang:num_queue_reqs", "sglang:num_queue_reqs", 1, ""),
        ("0.5.12-dp2-pp2-busy", "running", "sglang:num_running_reqs", "sglang:num_running_reqs", 2, ""),
        ("0.5.12-dp2-pp2-busy", "kv-cache", "sglang:token_usage", "sglang:token_usage", 4,
         "max by (namespace, pod) (sglang:token_usage)"),
        ("0.5.12-prefill-busy", "waiting", "sglang:num_queue_reqs", "sglang:num_prefill_waiting_reqs", 1,
         "sum by (namespace, pod) (max by (namespace, pod, dp_rank, model_name, __name__) "
         '({__name__=~"sglang:num_queue_reqs|sglang:num_prefill_bootstrap_queue_reqs'
         '|sglang:num_prefill_prealloc_queue_reqs",priority="",pp_rank=~"|0"}))'),
        ("0.5.12-decode-busy", "waiting", "sglang:num_queue_reqs", "sglang:num_decode_waiting_reqs", 1, ""),
        ("0.5.12-busy", "in-flight", "sglang:num_running_reqs", "sglang:num_reqs_in_flight", 1, ""),
        ("0.5.12-busy", "ttft", "sglang:time_to_first_token_seconds", "sglang:time_to_first_token_seconds", 1, ""),
        ("0.5.12-busy", "itl", "sglang:inter_token_latency_seconds", "sglang:inter_token_latency_seconds", 1, ""),
        ("0.5.12-busy", "e2e", "sglang:e2e_request_latency_seconds", "sglang:e2e_request_latency_seconds", 1, ""),
        ("0.5.23-busy", "generation-tokens", "sglang:generation_tokens_total", "sglang:generation_tokens_total", 2,
         "sum by (namespace, pod) (max by (namespace, pod, dp_rank, model_name, is_streaming, priority) "
         "(rate(sglang:generation_tokens_total[1m])))"),
    ],
)  # fmt: skip
def test_names_and_queries(
    name: str, signal: str, metric: str, api_name: str, series: int, query: str
) -> None:
    source = identify(body(name)).signals[signal]
    assert (source.metric, source.api_name, source.series) == (metric, api_name, series)
    if query:
        assert source.query == query


def test_the_oldest_name_of_the_inter_token_latency_is_known() -> None:
    text = body("0.4.6-busy").replace("inter_token_latency_seconds", "time_per_output_token_seconds")
    assert identify(text).signals["itl"].metric == "sglang:time_per_output_token_seconds"


def test_labels_of_the_users_own_change_nothing() -> None:
    text = re.sub(r"(?m)^(sglang:\w+\{)", r'\1team="a",', body("0.5.12-busy"))
    assert identify(text).signals["waiting"].value == 5


@pytest.mark.parametrize("name", ["0.4.10.post2-fresh", "0.5.12-fresh", "0.5.23-fresh"])
def test_a_server_before_its_first_request_is_armed(name: str) -> None:
    facts = seen(name)
    assert (facts.engine, facts.armed, facts.findings) == ("sglang", True, ())
    assert facts.signals["waiting"].api_name == "sglang:num_queue_reqs"
    assert {source.value for source in facts.signals.values()} == {None}


def test_constants_tell_the_engine_and_its_model_without_a_command_line() -> None:
    facts = identify(body("0.5.12-fresh"))
    assert (facts.engine, facts.armed, facts.models) == ("sglang", True, (MODEL,))


def test_an_empty_answer_alone_is_no_engine() -> None:
    with pytest.raises(NotAnEngine, match="the answer is empty"):
        identify(body("0.4.10.post2-fresh"))


def test_the_series_of_dynamos_mocker_alone_are_no_sglang() -> None:
    mocker = body_of("dynamo-1.6.1-worker-sglang-busy")
    assert identify(mocker).engine == "dynamo"
    with pytest.raises(NotAnEngine, match="of no engine"):
        identify("".join(line for line in mocker.splitlines(keepends=True) if "sglang:" in line))


def test_an_armed_role_is_served_under_its_own_name() -> None:
    facts = seen("0.4.10.post2-fresh", "--disaggregation-mode", "decode")
    assert facts.signals["waiting"].api_name == "sglang:num_decode_waiting_reqs"


@pytest.mark.parametrize("metric", ["sglang:encoder_cache_entries", "sglang:encoder_requests_total"])
def test_an_encoder_server_is_no_engine_that_generates(metric: str) -> None:
    text = f"# TYPE {metric} gauge\n{metric} 1\n"
    with pytest.raises(NotAnEngine) as refused:
        identify(text)
    assert refused.value.seen == "an encoder server of SGLang"
    assert expect(clues(["python3", "-m", "sglang.launch_server", "--encoder-only"])) is None


@pytest.mark.parametrize(
    ("name", "flags", "value", "evidence", "proved", "ceiling"),
    [
        ("0.5.12-idle", ["--max-running-requests", "8"], 8, "--max-running-requests 8", False, 8),
        ("0.5.12-idle", [], None, "", False, None),
        ("0.5.12-idle", ["--max-running-requests", "$N"], None, "", False, None),
        # the cache over the prompt and half of the output
        ("0.5.12-busy", [], 764, "440192 KV tokens / mean (512 prompt + 64) tokens", True, None),
        ("0.5.12-busy", ["--max-running-requests", "64"], 64, "the KV cache would hold 764", True, 64),
        ("0.5.12-busy", ["--max-running-requests", "8"], 8, "all taken while 5 wait", True, 8),
        # copies of pipeline stages and tensor-parallel ranks are one cache
        ("0.5.12-alltp2-busy", [], 764, "440192 KV tokens / mean", True, None),
        ("0.5.12-dp2-pp2-busy", [], 1528, "440192 KV tokens x 2 data-parallel ranks", True, None),
        # before 0.5.6 no gauge says the capacity
        ("0.4.10.post2-dp2-busy", [], 1528, "184880 KV tokens in use / 0.42 x 2 data-parallel ranks", True, None),
        ("0.4.10.post2-idle", [], None, "", False, None),
        # a limit for each replica, but one for all attention ranks
        ("0.5.12-dp2-pp2-busy", ["--dp-size", "2", "--max-running-requests", "64"],
         128, "--max-running-requests 64 x 2 data-parallel ranks", True, 128),
        ("0.5.12-dp2-pp2-busy", ["--dp", "2", "--enable-dp-attention", "--max-running-requests", "64"],
         64, "--max-running-requests 64 over 2 attention ranks", True, 64),
        ("0.5.12-dp2-pp2-busy", ["--attn-dp-size", "2", "--max-running-requests", "64"],
         64, "--max-running-requests 64 over 2 attention ranks", True, 64),
        # two of four attention ranks are on this node
        ("0.5.12-dp2-pp2-busy",
         ["--attn-dp-size", "4", "--nnodes", "2", "--node-rank", "0", "--max-running-requests", "64"],
         32, "--max-running-requests 64 over 4 attention ranks", True, 32),
        ("0.4.9-dp2-busy", ["--dp-size", "2", "--max-running-requests", "64"],
         128, "64 x 2 data-parallel ranks", True, 128),
        ("0.5.12-busy", ["--speculative-algorithm", "EAGLE"],
         48, "the default of speculative decoding, --max-running-requests 48", False, None),
        # a prefill server takes what fits into one pass
        ("0.5.12-prefill-busy", [], 16, "the default --chunked-prefill-size 8192 / mean 512 prompt", False, None),
        ("0.5.12-prefill-busy", ["--chunked-prefill-size", "4096"], 8, "size 4096 / mean 512 prompt", True, None),
        ("0.5.12-prefill-busy", ["--max-running-requests", "4"], 4, "--max-running-requests 4", True, 4),
        ("0.5.12-prefill-busy", ["--chunked-prefill-size", "4096", "--dp-size", "2"],
         16, "4096 x 2 data-parallel ranks / mean", True, None),
        ("0.5.12-prefill-busy", ["--chunked-prefill-size", "4096", "--dp-size", "2", "--enable-dp-attention"],
         8, "4096 / mean", True, None),
        ("0.5.12-decode-busy", ["--max-running-requests", "64"], 64, "the KV cache would hold 764", True, 64),
    ],
)  # fmt: skip
def test_seats(
    name: str, flags: list[str], value: int | None, evidence: str, proved: bool, ceiling: int | None
) -> None:
    seats = seen(name, *flags).seats
    if value is None:
        assert seats is None
        return
    assert seats is not None
    assert (seats.value, seats.proved, seats.ceiling) == (value, proved, ceiling)
    assert evidence in seats.evidence


@pytest.mark.parametrize(
    ("name", "flags", "codes"),
    [
        ("0.5.12-busy", [], []),
        ("0.4.9-dp2-busy", ["--dp-size", "2"], ["ranks-overwritten"]),
        ("0.4.9-dp2-busy", [], []),
        ("0.4.6-busy", ["--data-parallel-size", "2"], ["ranks-overwritten"]),
        ("0.4.10.post2-dp2-busy", ["--dp-size", "2"], ["series-per-pod"]),
        ("0.5.12-alltp2-busy", [], ["series-per-pod"]),
        ("0.5.12-priority-busy", [], ["series-per-pod"]),
        ("0.5.12-dp2-pp2-busy", ["--dp-size", "4", "--nnodes", "2"], ["ranks-elsewhere", "series-per-pod"]),
        ("0.5.12-dp2-pp2-busy", ["--dp-size", "2", "--nnodes", "2"], ["series-per-pod"]),
        ("0.5.12-busy", ["--nnodes", "2"], []),
        ("0.5.12-busy", ["--max-queued-requests", "20"], ["bounded-queue"]),
        # SGLang ignores the bound on the servers of a disaggregated deployment
        ("0.5.12-decode-busy", ["--max-queued-requests", "20"], []),
    ],
)
def test_findings(name: str, flags: list[str], codes: list[str]) -> None:
    assert [finding.code for finding in seen(name, *flags).findings] == codes


def test_findings_name_the_labels_and_the_ranks() -> None:
    copies = seen("0.5.12-dp2-pp2-busy", "--dp-size", "4", "--nnodes", "2").findings
    assert "2 of 4 data-parallel ranks report on this pod" in copies[0].seen
    assert "every pod of the group" in copies[0].fix
    assert copies[1].fix.endswith("dp_rank, pp_rank")
    assert seen("0.5.12-priority-busy").findings[0].fix.endswith("priority")


@pytest.mark.parametrize(
    ("command", "image", "expected"),
    [
        (LAUNCH, "", [(30000, "/metrics")]),
        ([*LAUNCH, "--port", "8000"], "", [(8000, "/metrics")]),
        (["sglang", "serve", "m", "--port=8000"], "", [(8000, "/metrics")]),
        (["bash", "-c", "exec python -m sglang.launch_server --model-path m --port 8001"], "", [(8001, "/metrics")]),
        ([], "lmsysorg/sglang:v0.5.12-cu129", [(30000, "/metrics")]),
        ([*LAUNCH, "--grpc-mode"], "", [(30001, "/metrics")]),
        ([*LAUNCH, "--smg-grpc-mode", "--port", "40000"], "", [(40001, "/metrics")]),
        ([*LAUNCH, "--grpc-mode", "--grpc-http-sidecar-port", "9100"], "", [(9100, "/metrics")]),
    ],
)  # fmt: skip
def test_listening(command: list[str], image: str, expected: list[tuple[int, str]]) -> None:
    assert [(port, path) for port, path, _ in listening(clues(command, image=image))] == expected


def test_the_switch_that_is_off_by_default_is_named() -> None:
    assert missing_switch(SGLANG, clues(LAUNCH)) == ""
    assert missing_switch(SGLANG, clues(["python3", "-m", "sglang.launch_server"])) == "--enable-metrics"


@pytest.mark.parametrize(
    ("version", "dialect"),
    [
        ("0.4.6.post5", "0.4.6 and older"), ("0.4.9", "0.4.7 to 0.4.9"), ("0.5.1", "0.4.10 to 0.5.1"),
        ("0.5.6", "0.5.2 to 0.5.6"), ("0.5.11", "0.5.7 to 0.5.11"), ("0.5.15", "0.5.12 to 0.5.17"),
        ("0.5.20", "0.5.18 to 0.5.20"), ("0.6.0", "0.5.21 and newer"),
    ],
)  # fmt: skip
def test_the_version_names_the_dialect_where_no_body_can_be_read(version: str, dialect: str) -> None:
    assert assume(clues(LAUNCH), f"sglang@{version}").dialect == dialect


def test_the_information_endpoint_tells_version_model_and_limit() -> None:
    states = [{"effective_max_running_requests_per_dp": 64}] * 2
    info = info_of({"version": "0.5.23", "served_model_name": "m", "api_key": "x", "internal_states": states})
    assert (info.version, info.models) == ("0.5.23", ("m",))
    assert info.seats is not None
    assert (info.seats.value, info.seats.ceiling) == (128, 128)
    assert info_of({"version": "0.4.9", "internal_states": [{}]}).seats is None
    assert info_of(["unexpected"]).version is None


def test_a_body_of_rays_own_agent_is_read() -> None:
    facts = identify(body_of("ray-sglang-0.5.23-busy"), clues(LAUNCH))
    assert (facts.engine, facts.form, facts.dialect) == ("sglang", "ray", "Ray-wrapped 0.5.21 and newer")
    values = {one: source.value for one, source in facts.signals.items()}
    assert (values["waiting"], values["running"], values["in-flight"], values["kv-cache"]) == (5, 8, 13, 0.42)
    assert facts.seats is not None
    assert facts.seats.value == 764


def as_ray(text: str) -> str:
    """The body as Ray's agent spells it: every colon an underscore, labels of the actor."""
    return re.sub(r"(?m)sglang:(\w+)\{", r'ray_sglang_\1{WorkerId="w",ReplicaId="",', text).replace(
        "sglang:", "ray_sglang_"
    )


@pytest.mark.parametrize("name", ["0.5.23-busy", "0.5.20-prefill-busy", "0.5.12-decode-busy"])
def test_a_server_inside_ray_says_the_same(name: str) -> None:
    plain, ray = identify(body(name)), identify(as_ray(body(name)))
    assert (ray.engine, ray.role, ray.dialect) == ("sglang", plain.role, f"Ray-wrapped {plain.dialect}")
    assert ray.form == f"ray {plain.role}".strip()
    assert {one: source.value for one, source in ray.signals.items()} == {
        one: source.value for one, source in plain.signals.items()
    }
    assert ray.signals["waiting"].metric == "ray_sglang_num_queue_reqs"
    assert ray.seats == plain.seats


def test_two_servers_on_one_ray_node_add_up() -> None:
    text = as_ray(body("0.5.12-busy"))
    ray = identify(text + re.sub(r"(?m)^#.*\n", "", text.replace('WorkerId="w"', 'WorkerId="x"')))
    assert (ray.signals["running"].value, ray.signals["waiting"].value) == (16, 10)
    assert ray.seats is not None
    assert ray.seats.value == 1528
