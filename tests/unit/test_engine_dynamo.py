"""Dynamo's frontends on bodies of real ones (busy: 13 requests in flight, 8 run, 5 wait), and what is not Dynamo."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from kubectl_llmhpa.engines import (
    EngineFacts,
    NotAnEngine,
    assume,
    clues,
    expect,
    identify,
    listening,
    missing_switch,
)
from kubectl_llmhpa.engines.dynamo import DYNAMO
from kubectl_llmhpa.engines.model import Clues
from kubectl_llmhpa.names import engine_of
from tests.unit.bodies import BODIES, body_of

MODEL = "Qwen/Qwen3-0.6B"


def body(name: str) -> str:
    return body_of(f"dynamo-{name}")


def values(facts: EngineFacts) -> dict[str, float | None]:
    return {name: source.value for name, source in facts.signals.items() if source.value is not None}


@pytest.mark.parametrize(
    ("name", "dialect", "held", "queued"),
    [
        ("0.5.1-frontend-busy", "0.5", "inflight_requests_total", "queued_requests_total"),
        ("0.6.1-frontend-busy", "0.6 to 1.1", "inflight_requests", "queued_requests"),
        ("0.7.1-frontend-busy", "0.6 to 1.1", "inflight_requests", "queued_requests"),
        ("0.8.1-frontend-busy", "0.6 to 1.1", "inflight_requests", "queued_requests"),
        ("1.0.2-frontend-busy", "0.6 to 1.1", "inflight_requests", "queued_requests"),
        ("1.2.1-frontend-busy", "1.2 and newer", "active_requests", "queued_requests"),
        ("1.2.1-frontend-kv-busy", "1.2 and newer", "active_requests", "queued_requests"),
        ("1.6.1-frontend-busy", "1.2 and newer", "active_requests", "queued_requests"),
    ],
)
def test_every_frontend_gives_its_numbers(name: str, dialect: str, held: str, queued: str) -> None:
    facts = identify(body(name))
    assert (facts.engine, facts.form, facts.role) == ("dynamo", "frontend", "frontend")
    assert (facts.dialect, facts.armed, facts.findings) == (dialect, False, ())
    assert values(facts) == {"in-flight": 13, "waiting": 5, "running": 8}
    metrics = {signal: source.metric for signal, source in facts.signals.items()}
    assert metrics["in-flight"] == metrics["running"] == f"dynamo_frontend_{held}"
    assert metrics["waiting"] == f"dynamo_frontend_{queued}"
    assert metrics["ttft"] == "dynamo_frontend_time_to_first_token_seconds"
    assert metrics["itl"] == "dynamo_frontend_inter_token_latency_seconds"
    assert metrics["e2e"] == "dynamo_frontend_request_duration_seconds"
    assert metrics["prompt-tokens"] == "dynamo_frontend_input_sequence_tokens_sum"
    assert all(source.series == 1 for source in facts.signals.values())
    assert all(form.startswith("External") for source in facts.signals.values() for form in source.forms)


def test_output_tokens_have_a_counter_from_0_7_on() -> None:
    newer = identify(body("0.7.1-frontend-busy")).signals["generation-tokens"]
    older = identify(body("0.6.1-frontend-busy")).signals["generation-tokens"]
    assert newer.metric == "dynamo_frontend_output_tokens_total"
    assert older.metric == "dynamo_frontend_output_sequence_tokens_sum"
    assert newer.spec == older.spec


def test_the_first_frontend_has_another_prefix() -> None:
    facts = identify(body("0.3.2-frontend-busy"))
    assert (facts.form, facts.dialect) == ("frontend", "0.3")
    assert facts.models == ("qwen/qwen3-0.6b",)
    assert values(facts) == {"in-flight": 6}
    assert facts.signals["in-flight"].metric == "nv_llm_http_service_inflight_requests"


def test_a_frontend_of_0_4_does_not_say_what_waits() -> None:
    facts = identify(body("0.4.1-frontend-busy"))
    assert (facts.form, facts.dialect) == ("frontend", "0.4")
    assert values(facts) == {"in-flight": 13}


def test_a_frontend_of_1_4_calls_running_requests_queued() -> None:
    facts = identify(body("1.4.2-frontend-busy"))
    assert values(facts) == {"in-flight": 13, "waiting": 13}
    assert [one.code for one in facts.findings] == ["queued-until-done"]
    assert "dynamo_frontend_queued_requests" in facts.findings[0].seen


@pytest.mark.parametrize(
    ("name", "models"),
    [
        ("0.5.1-frontend-idle", ()),
        ("0.5.1-frontend-noworker", ()),
        ("0.8.1-frontend-idle", (MODEL,)),
        ("0.8.1-frontend-noworker", ()),
        ("1.0.2-frontend-idle", (MODEL,)),
        ("1.2.1-frontend-idle", (MODEL,)),
        ("1.2.1-frontend-kv-idle", (MODEL,)),
        ("1.2.1-frontend-noworker", ()),
        ("1.6.1-frontend-idle", (MODEL,)),
        ("1.6.1-frontend-noworker", ()),
    ],
)
def test_a_frontend_is_armed_before_its_first_request(name: str, models: tuple[str, ...]) -> None:
    facts = identify(body(name))
    assert (facts.engine, facts.form, facts.role) == ("dynamo", "frontend", "frontend")
    assert (facts.armed, facts.models) == (True, models)
    assert values(facts) == {}
    assert facts.signals["in-flight"].metric == "dynamo_frontend_active_requests"


def test_an_empty_frontend_is_told_by_its_command_line() -> None:
    facts = identify("", clues(["python3", "-m", "dynamo.frontend", "--http-port", "8080"]))
    assert (facts.engine, facts.form, facts.role, facts.armed) == ("dynamo", "frontend", "frontend", True)


def test_models_are_named_as_clients_name_them() -> None:
    text = body("0.8.1-frontend-busy")
    assert 'inflight_requests{model="qwen/qwen3-0.6b"}' in text
    assert identify(text).models == (MODEL,)
    assert identify(body("0.5.1-frontend-busy")).models == ("qwen/qwen3-0.6b",)


def test_the_models_of_a_frontend_add_up() -> None:
    text = body("1.6.1-frontend-busy")
    for family in ("active", "inflight", "queued"):
        text += f'dynamo_frontend_{family}_requests{{model="other"}} 2\n'
    facts = identify(text)
    assert values(facts) == {"in-flight": 15, "waiting": 7, "running": 8}
    assert facts.signals["in-flight"].series == 2


@pytest.mark.parametrize("state", ["busy", "idle", "noworker"])
def test_a_configured_prefix_is_found_beside_what_keeps_its_name(state: str) -> None:
    text = body(f"1.6.1-frontend-prefix-{state}")
    assert "dynamo_frontend_" in text
    facts = identify(text)
    assert (facts.form, facts.role, facts.armed) == ("frontend", "frontend", state != "busy")
    assert facts.signals["in-flight"].metric == "acme_llm_active_requests"
    if state == "busy":
        assert values(facts) == {"in-flight": 13, "waiting": 5, "running": 8}
        assert facts.models == (MODEL,)
        assert facts.signals["running"].api_name == "acme_llm_running_requests"


@pytest.mark.parametrize(
    ("name", "armed"),
    [
        ("0.4.1-frontend-busy", False),
        ("0.5.1-frontend-busy", False),
        ("0.8.1-frontend-busy", False),
        ("0.8.1-frontend-idle", True),
        ("1.6.1-frontend-busy", False),
        ("1.6.1-frontend-idle", True),
    ],
)
def test_a_configured_prefix_is_found_by_the_names_behind_it(name: str, armed: bool) -> None:
    facts = identify(body(name).replace("dynamo_frontend_", "chat_"))
    if name.startswith("0.4"):
        assert facts.dialect == "0.4"
    assert (facts.engine, facts.form, facts.armed) == ("dynamo", "frontend", armed)
    assert facts.signals["in-flight"].metric.startswith("chat_")


def test_another_gateways_names_are_not_taken_for_a_configured_prefix() -> None:
    families = ("inflight_requests", "active_requests", "queued_requests", "requests_total")
    text = "".join(f'# TYPE gw_{name} gauge\ngw_{name}{{model="m"}} 3\n' for name in families)
    for histogram in (
        "time_to_first_token_seconds",
        "inter_token_latency_seconds",
        "request_duration_seconds",
    ):
        text += f"# TYPE gw_{histogram} summary\ngw_{histogram}_sum 1\ngw_{histogram}_count 1\n"
    with pytest.raises(NotAnEngine):
        identify(text)


def test_one_family_behind_a_prefix_is_not_enough_unless_the_variable_names_it() -> None:
    text = body("0.5.1-frontend-idle").replace("dynamo_frontend_", "chat_")
    with pytest.raises(NotAnEngine, match="of no engine"):
        identify(text)
    facts = identify(text, clues(["python3", "-m", "dynamo.frontend"], env={"DYN_METRICS_PREFIX": "chat"}))
    assert (facts.form, facts.armed) == ("frontend", True)
    assert facts.signals["waiting"].metric == "chat_queued_requests"


@pytest.mark.parametrize(
    ("name", "metric"),
    [
        ("0.8.1-frontend-idle", "dynamo_frontend_model_max_num_seqs 8"),
        ("1.6.1-frontend-prefix-busy", "acme_llm_model_max_num_seqs 8"),
    ],
)
def test_a_frontend_knows_the_seats_of_its_first_worker(name: str, metric: str) -> None:
    seats = identify(body(name)).seats
    assert seats is not None
    assert (seats.value, seats.proved, seats.ceiling) == (8, False, 8)
    assert seats.evidence.startswith(metric)


def test_a_frontend_of_0_5_knows_no_seats() -> None:
    assert identify(body("0.5.1-frontend-busy")).seats is None


def test_a_frontend_knows_what_the_cache_of_its_first_worker_seats() -> None:
    text = body("1.6.1-frontend-busy")
    for histogram, mean in (("input", 100), ("output", 56)):
        prefix = f"dynamo_frontend_{histogram}_sequence_tokens"
        text = re.sub(rf"(?m)^({prefix}_sum.*) \S+$", rf"\1 {20 * mean}", text)
        text = re.sub(rf"(?m)^({prefix}_count.*) \S+$", r"\1 20", text)
    text = re.sub(r"(?m)^(dynamo_frontend_model_max_num_seqs.*) 8$", r"\1 256", text)
    seats = identify(text).seats
    assert seats is not None
    assert (seats.value, seats.proved, seats.ceiling) == (16, True, 256)
    assert seats.evidence == "128 KV blocks x 16 tokens / mean (100 prompt + 28) tokens"
    other = 'dynamo_frontend_model_max_num_seqs{model="o"} 4\ndynamo_frontend_model_total_kv_blocks{model="o"} 9\n'
    assert identify(text + other).seats is None


@pytest.mark.parametrize("kind", ["gauge", "counter"])
def test_a_proxy_that_counts_requests_of_no_model_is_no_frontend(kind: str) -> None:
    total = "_total" if kind == "counter" else ""
    proxy = (
        "# TYPE proxy_active_requests gauge\nproxy_active_requests 3\n"
        "# TYPE proxy_queued_requests gauge\nproxy_queued_requests 1\n"
        f"# TYPE proxy_client_disconnects {kind}\nproxy_client_disconnects{total} 4\n"
    )
    with pytest.raises(NotAnEngine, match="of no engine"):
        identify(proxy)
    frontend = identify(
        proxy.replace("requests 3", 'requests{model="m"} 3').replace("s 1\n", 's{model="m"} 1\n')
    )
    assert (frontend.engine, frontend.signals["in-flight"].value) == ("dynamo", 3)


@pytest.mark.parametrize(
    ("command", "env", "port", "missing"),
    [
        (["python3", "-m", "dynamo.frontend"], {}, 8000, ""),
        (["python3", "-m", "dynamo.frontend", "--http-port=8080"], {"DYN_SYSTEM_PORT": "9090"}, 8080, ""),
        (["python3", "-m", "dynamo.frontend"], {"DYN_HTTP_PORT": "8123"}, 8123, ""),
        (["python3", "-m", "dynamo.vllm", "--model", "m"], {"DYN_SYSTEM_PORT": "8081"}, 8081, ""),
        (["python3", "-m", "dynamo.vllm", "--model", "m"], {"DYN_SYSTEM_ENABLED": "true"}, 9090, ""),
        (["sh", "-c", "DYN_SYSTEM_PORT=8081 exec python3 -m dynamo.sglang"], {}, 8081, ""),
        (["python3", "-m", "dynamo.sglang"], {}, 9090, "DYN_SYSTEM_PORT"),
        (["python3", "-m", "dynamo.sglang"], {"DYN_SYSTEM_PORT": "-1"}, None, "DYN_SYSTEM_PORT"),
    ],
)
def test_ports_and_what_switches_them_on(
    command: list[str], env: dict[str, str], port: int | None, missing: str
) -> None:
    known = clues(command, env=env)
    assert [(end.port, end.path) for end in listening(known)] == ([(port, "/metrics")] if port else [])
    assert missing_switch(DYNAMO, known) == missing


@pytest.mark.parametrize(
    ("known", "role"),
    [
        (clues(image="nvcr.io/nvidia/ai-dynamo/vllm-runtime:1.2.1"), ""),
        (clues(image="nvcr.io/nvidia/ai-dynamo/dynamo-frontend:1.2.1"), ""),
        (clues(labels={"nvidia.com/dynamo-component-type": "frontend"}), "frontend"),
        (clues(labels={"nvidia.com/dynamo-component-type": "prefill"}), "prefill"),
        (clues(["python3", "-m", "dynamo.trtllm", "--disaggregation-mode", "prefill"]), "prefill"),
        (clues(["dynamo-run", "in=http", "out=dyn"]), "frontend"),
    ],
)
def test_what_speaks_for_dynamo_without_a_body(known: Clues, role: str) -> None:
    facts = assume(known)
    assert (facts.engine, facts.role, facts.armed) == ("dynamo", role, False)
    assert not facts.live


def test_a_planner_or_router_is_refused_by_name() -> None:
    router = body("1.2.1-worker-busy").replace('dynamo_component="backend"', 'dynamo_component="router"')
    planner = "# TYPE dynamo_planner_num_prefill_replicas gauge\ndynamo_planner_num_prefill_replicas 2\n"
    uptime = (
        '# TYPE dynamo_component_uptime_seconds gauge\ndynamo_component_uptime_seconds{worker_id="a"} 4\n'
    )
    for text, known in (
        (router, clues()),
        (planner, clues()),
        (uptime, clues(["python3", "-m", "dynamo.planner"])),
    ):
        with pytest.raises(NotAnEngine) as refused:
            identify(text, known)
        assert refused.value.seen == "a router or planner of NVIDIA Dynamo"


def test_a_component_that_only_counts_its_uptime_is_a_worker_by_its_command_line_alone() -> None:
    uptime = (
        '# TYPE dynamo_component_uptime_seconds gauge\ndynamo_component_uptime_seconds{worker_id="a"} 4\n'
    )
    with pytest.raises(NotAnEngine):
        identify(uptime)
    assert expect(clues()) is None
    facts = identify(uptime, clues(["python3", "-m", "dynamo.vllm"]))
    assert (facts.engine, facts.form, facts.armed) == ("dynamo", "worker", True)


def test_names_belong_to_whom_they_are_of() -> None:
    assert engine_of("dynamo_component_requests_in_flight") == "dynamo"
    assert engine_of("dynamo_frontend_queued_requests") == "dynamo"
    assert engine_of("vllm:num_requests_waiting") == "vllm"


@pytest.mark.parametrize("path", sorted(BODIES.glob("*.txt")), ids=lambda path: path.stem)
def test_no_other_body_is_taken_for_dynamos(path: Path) -> None:
    try:
        engine: str | None = identify(path.read_text()).engine
    except NotAnEngine:
        engine = None
    assert (engine == "dynamo") is path.name.startswith("dynamo-")
