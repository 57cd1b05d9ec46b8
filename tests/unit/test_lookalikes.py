"""Routers, endpoint pickers and sidecars: refused by name, with what External metrics can use."""

from __future__ import annotations

import pytest

from kubectl_llmhpa.engines import NotAnEngine, clues, identify, listening
from kubectl_llmhpa.names import engine_of
from tests.unit.bodies import body_of

STACK = "the vLLM production-stack router"
RUST = "a vLLM router"
SGLANG = "the SGLang router"
PICKER = "an endpoint picker of the Gateway API inference extension"
SIDECAR = "the prefill/decode sidecar of llm-d"


def refused(text: str, **evidence: object) -> NotAnEngine:
    with pytest.raises(NotAnEngine) as caught:
        identify(text, clues(**evidence))  # type: ignore[arg-type]
    return caught.value


@pytest.mark.parametrize(
    ("name", "seen"),
    [
        ("router-production-stack-a6c01db-busy", STACK),
        ("router-production-stack-a6c01db-idle", STACK),
        ("router-vllm-rust-0.1.17-busy", RUST),
        ("router-vllm-rust-0.1.17-idle", RUST),
        ("router-sglang-0.2.4-busy", SGLANG),
        ("router-sglang-0.2.4-idle", SGLANG),
        ("router-smg-0.3.2-busy", SGLANG),
        ("router-smg-0.3.2-idle", SGLANG),
        ("epp-gie-1.2-busy", PICKER),
        ("epp-llm-d-0.9-busy", PICKER),
    ],
)
def test_a_body_is_refused_by_name_whatever_the_command_says(name: str, seen: str) -> None:
    text = body_of(name)
    for command in ([], ["vllm", "serve", "m"]):
        refusal = refused(text, command=command)
        assert refusal.seen == seen
        assert seen in refusal.reason
        assert "engines behind it" in refusal.remedy


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (
            "epp-gie-1.2-busy",
            {
                "waiting": ("inference_extension_flow_control_queue_size", 5),
                "in-flight": ("inference_objective_running_requests", 13),
                "e2e": ("inference_objective_request_duration_seconds", None),
            },
        ),
        (
            # the older names are there too and are not added
            "epp-llm-d-0.9-busy",
            {
                "waiting": ("llm_d_epp_flow_control_queue_size", 5),
                "in-flight": ("llm_d_epp_request_running", 13),
                "ttft": ("llm_d_epp_request_ttft_seconds", None),
                "itl": ("llm_d_epp_request_streaming_itl_seconds", None),
                "e2e": ("llm_d_epp_request_duration_seconds", None),
            },
        ),
    ],
)
def test_a_picker_gives_its_queue_to_external_metrics(
    name: str, expected: dict[str, tuple[str, float | None]]
) -> None:
    upstream = refused(body_of(name)).upstream
    assert {signal: (source.metric, source.value) for signal, source in upstream.items()} == expected
    assert all(form.startswith("External") for source in upstream.values() for form in source.forms)


def test_the_first_generation_of_pickers() -> None:
    text = 'inference_model_running_requests{model_name="m"} 4\ninference_pool_ready_pods{name="p"} 2\n'
    refusal = refused(text)
    assert refusal.seen == PICKER
    assert refusal.upstream["in-flight"].value == 4


@pytest.mark.parametrize(
    ("evidence", "seen"),
    [
        ({"command": ["python3", "-m", "vllm_router.app"]}, STACK),
        ({"image": "ghcr.io/vllm-project/production-stack/router:v0.1.9"}, STACK),
        ({"image": "lmcache/lmstack-router:latest"}, STACK),
        ({"command": ["vllm-router", "--worker-urls", "http://a"]}, RUST),
        ({"command": ["python3", "-m", "sglang_router.launch_router"]}, SGLANG),
        ({"command": ["smg", "launch"]}, SGLANG),
        ({"image": "lmsysorg/sgl-model-gateway:v0.3.2"}, SGLANG),
        ({"command": ["/app/epp", "--pool-name", "p"]}, PICKER),
        ({"image": "ghcr.io/llm-d/llm-d-inference-scheduler:v0.4.0"}, PICKER),
        ({"image": "ghcr.io/llm-d/llm-d-router-endpoint-picker:v0.9.0"}, PICKER),
        ({"image": "registry.k8s.io/gateway-api-inference-extension/epp:v1.2.0"}, PICKER),
        ({"command": ["/app/pd-sidecar", "--port=8000"]}, SIDECAR),
        ({"image": "ghcr.io/llm-d/llm-d-routing-sidecar:v0.4.0"}, SIDECAR),
        ({"image": "ghcr.io/llm-d/llm-d-router-disagg-sidecar:v0.9.0"}, SIDECAR),
    ],
)
def test_without_a_body_command_or_image_tell(evidence: dict[str, object], seen: str) -> None:
    assert refused("", **evidence).seen == seen
    assert listening(clues(**evidence)) == []  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "text",
    [
        "inference_model_load_seconds 3\n",
        "inference_pool_size 3\n",
        "inference_extension_loaded 1\n",
        "router_requests_total 3\n",
    ],
)
def test_names_that_come_near_a_picker_are_not_taken_for_one(text: str) -> None:
    assert refused(text).seen == ""


def test_a_metric_of_a_router_leads_back_to_it() -> None:
    assert engine_of("llm_d_epp_flow_control_queue_size") == PICKER
    assert engine_of("smg_http_requests_total") == SGLANG
