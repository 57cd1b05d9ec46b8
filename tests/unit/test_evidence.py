"""What command lines, images and labels say: words, look-alikes, versions, models, and the role that they settle."""

from __future__ import annotations

import pytest

from kubectl_llmhpa.engines import NotAnEngine, assume, clues, expect, identify
from kubectl_llmhpa.engines.lookalikes import by_clues
from tests.unit.bodies import body_of

VLLM = ["vllm", "serve", "m"]
#: 8192 tokens of one pass / 512 of a mean prompt
PREFILL_SEATS = 16


def transfers(kv_role: str) -> list[str]:
    return [*VLLM, "--kv-transfer-config", f'{{"kv_connector":"NixlConnector","kv_role":"{kv_role}"}}']


@pytest.mark.parametrize("blank", ["\u00a0", "\x0c", "\x0b", "\u2003"])
def test_blanks_that_no_shell_splits_at_stay_in_their_word(blank: str) -> None:
    assert clues(["sh", "-c", f"vllm serve{blank}M --port 1"]).words[2:] == (
        "vllm", f"serve{blank}M", "--port", "1",
    )  # fmt: skip
    assert clues(["sh", "-c", f"x 'a{blank}b'"]).words == ("sh", "-c", "x", f"a{blank}b")


def test_scripts_in_scripts_are_split_to_the_last_word() -> None:
    script = "bash -c \"sh -c 'vllm serve m'\""
    assert clues(["sh", "-c", script]).words == ("sh", "-c", "bash", "-c", "sh", "-c", "vllm", "serve", "m")


@pytest.mark.parametrize(
    ("name", "command", "labels"),
    [
        ("vllm-0.20.2-busy", transfers("kv_producer"), {}),
        ("vllm-0.20.2-busy", transfers("kv_both"), {"llm-d.ai/role": "prefill"}),
        ("sglang-0.5.2-prefill-busy", [], {"rbg.workloads.x-k8s.io/role-name": "prefill"}),
        (
            "dynamo-1.6.1-worker-vllm0.31.0-busy",
            ["python3", "-m", "dynamo.vllm", "--model", "m", "--disaggregation-mode", "prefill"],
            {},
        ),
        (
            "dynamo-1.6.1-worker-vllm0.31.0-busy",
            ["python3", "-m", "dynamo.vllm", "--model", "m", "--is-prefill-worker"],
            {},
        ),
        (
            "dynamo-1.6.1-worker-vllm0.31.0-busy",
            ["python3", "-m", "dynamo.vllm", "--model", "m"],
            {"nvidia.com/dynamo-sub-component-type": "prefill"},
        ),
    ],
)
def test_a_prefill_pod_has_the_seats_of_one_whoever_says_so(
    name: str, command: list[str], labels: dict[str, str]
) -> None:
    facts = identify(body_of(name), clues(command, labels=labels))
    assert facts.role == "prefill"
    assert facts.seats is not None
    assert "tokens" in facts.seats.evidence
    assert facts.seats.value == PREFILL_SEATS


def codes(name: str, command: list[str], labels: dict[str, str]) -> list[str]:
    return [one.code for one in identify(body_of(name), clues(command, labels=labels)).findings]


def test_a_role_by_label_brings_the_findings_of_that_role() -> None:
    decode = {"llm-d.ai/role": "decode"}
    assert codes("vllm-0.15.1-busy", transfers("kv_both"), decode) == ["deferred-waiting"]
    assert codes("vllm-0.15.1-busy", transfers("kv_both"), {}) == []
    bounded = ["python3", "-m", "sglang.launch_server", "--max-queued-requests", "9"]
    assert codes("sglang-0.5.2-prefill-busy", bounded, {}) == ["bounded-queue"]
    assert codes("sglang-0.5.2-prefill-busy", bounded, {"role-name": "prefill"}) == []


@pytest.mark.parametrize(
    ("image", "engine", "version"),
    [
        ("vllm/vllm-openai:v0.20.2", "vllm", "0.20.2"),
        ("quay.io/ascend/vllm-ascend:v0.11.0rc1", "vllm", "0.11.0rc1"),
        ("763104351884.dkr.ecr.us-east-1.amazonaws.com/vllm:0.11.2-gpu-py312", "vllm", "0.11.2"),
        ("registry.redhat.io/rhaiis/vllm-cuda-rhel9:3.0.0", "vllm", None),
        ("ghcr.io/llm-d/llm-d-cuda:v0.5.1", "vllm", None),
        ("nvcr.io/nvidia/vllm:25.09-py3", "vllm", None),
        ("nvcr.io/nvidia/sglang:25.10-py3", "sglang", None),
        ("lmsysorg/sglang:v0.5.12-cu126", "sglang", "0.5.12"),
        ("nvcr.io/nvidia/ai-dynamo/vllm-runtime:1.6.1", "dynamo", "1.6.1"),
        ("ghcr.io/huggingface/text-generation-inference:3.3.7", "tgi", "3.3.7"),
        ("huggingface-pytorch-tgi-inference:2.6.0-tgi3.2.3-gpu-py311", "tgi", None),
        ("openmmlab/lmdeploy:v0.12.1", "lmdeploy", "0.12.1"),
        ("nvcr.io/nvidia/tensorrt-llm/release:1.2.0", "trtllm", "1.2.0"),
        ("nvcr.io/nim/meta/llama3-8b-instruct:1.0.0", "nim", "1.0.0"),
    ],
)
def test_only_the_tag_of_an_engines_own_image_is_its_version(
    image: str, engine: str, version: str | None
) -> None:
    facts = assume(clues(image=image))
    assert (facts.engine, facts.version) == (engine, version)


def test_the_tag_of_a_wrapper_is_not_the_version_of_the_engine_in_it() -> None:
    wrapped = identify(body_of("vllm-0.20.2-busy"), clues(image="kserve/huggingfaceserver:v0.15.2-gpu"))
    assert (wrapped.version, wrapped.version_source) == (None, "")


@pytest.mark.parametrize(
    ("command", "models"),
    [
        (["vllm", "serve", "Qwen/Qwen3-0.6B", "--port", "8001"], ("Qwen/Qwen3-0.6B",)),
        (["sh", "-c", "exec /opt/venv/bin/vllm serve Qwen/Qwen3-0.6B"], ("Qwen/Qwen3-0.6B",)),
        (["vllm", "serve", "/models/m", "--served-model-name", "chat"], ("chat",)),
        (["vllm", "serve", "--model", "m"], ("m",)),
        (["vllm", "serve", "--port", "8001"], ()),
        (["vllm", "serve", "$(MODEL)"], ()),
        (["lmdeploy", "serve", "api_server", "internlm/m"], ("internlm/m",)),
        (["trtllm-serve", "m"], ("m",)),
        (["trtllm-serve", "serve", "m"], ("m",)),
        (["trtllm-serve", "serve", "--port", "1"], ()),
    ],
)
def test_the_model_may_be_the_word_after_the_program(command: list[str], models: tuple[str, ...]) -> None:
    assert assume(clues(command)).models == models


@pytest.mark.parametrize(
    ("command", "image", "engine"),
    [
        ([*VLLM, "--port", "8001", "--x", "http://vllm-router:80"], "", "vllm"),
        ([*VLLM, "--otlp-traces-endpoint", "epp"], "", "vllm"),
        ([*VLLM, "--served-model-name", "sglang-router"], "", "vllm"),
        ([*VLLM, "vllm-router"], "", "vllm"),
        (VLLM, "vllm-router:1", "vllm"),
        (["llama-server", "--gpt-oss-20b-default", "--metrics"], "", "llamacpp"),
        (["bash", "/start.sh", "--upstream", "pd-sidecar"], "lmsysorg/sglang:v0.5.12", "sglang"),
        ([], "nvcr.io/nim/nvidia/llama-3.3-nemotron-super-49b-v1:1.8.5", "nim"),
    ],
)
def test_what_an_argument_names_is_not_what_runs(command: list[str], image: str, engine: str) -> None:
    known = clues(command, image=image)
    assert by_clues(known) is None
    expected = expect(known)
    assert expected is not None
    assert expected.engine.name == engine


@pytest.mark.parametrize(
    ("command", "image", "title"),
    [
        (["vllm-router", "--worker-urls", "http://a"], "", "a vLLM router"),
        (["sh", "-c", "exec /usr/bin/vllm-router --x"], "", "a vLLM router"),
        (["python3", "-m", "sglang_router.launch_server", "--model-path", "m"], "", "the SGLang router"),
        ([], "vllm-router:1", "a vLLM router"),
        ([], "smg@sha256:00", "the SGLang router"),
        (["llama-server", "--models-dir", "/m"], "", "llama.cpp without a model, as a router of several"),
    ],
)
def test_what_is_started_as_a_router_is_one(command: list[str], image: str, title: str) -> None:
    known = clues(command, image=image)
    row = by_clues(known)
    assert row is not None
    assert row.title == title
    assert expect(known) is None


@pytest.mark.parametrize(
    "image",
    [
        "nvcr.io/nim/nvidia/nv-embedqa-e5-v5:1.0.1",
        "nvcr.io/nim/nvidia/llama-3.2-nv-rerankqa-1b-v2:1.3.0",
        "example.com/vllm-metrics-exporter:1",
        "example.com/vllm-operator:1",
    ],
)
def test_images_that_only_sound_like_an_engine(image: str) -> None:
    assert expect(clues(image=image)) is None


FEDERATED = "".join(
    f'vllm:num_requests_{state}{{engine="0",model_name="m",pod="p{number}",instance="10.0.0.{number}:8000"}} 8\n'
    for state in ("running", "waiting")
    for number in range(3)
)


@pytest.mark.parametrize("label", ["pod", "instance"])
def test_a_page_of_several_pods_is_not_one_engine(label: str) -> None:
    page = FEDERATED.replace("instance=" if label == "pod" else "pod=", "other=")
    with pytest.raises(NotAnEngine, match="for several pods"):
        identify(page)
    lone = "".join(line + "\n" for line in page.splitlines() if "p0" in line)
    assert identify(lone).signals["running"].value == 8
