"""The engines' own generators: which form, which flags, one run or a sweep, and what is read of their results."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from kubectl_llmhpa.bench import following, results
from kubectl_llmhpa.bench.pod import generator, sglang_serve, vllm_serve
from kubectl_llmhpa.bench.pod.arrivals import SEED_STRIDE

SETTINGS = {"base_url": "http://s:80", "model": "tiny", "tokenizer": "/models/Q", "num_prompts": 400,
            "concurrency": 20, "input_tokens": 1500, "output_tokens": 100, "seed": 7,
            "slo": {"ttft_s": 0.6, "tpot_s": 0.04, "e2e_s": None}}  # fmt: skip

#: Of all options that we ask for, those that vLLM's generator has not in this version; read from its packages.
VLLM_WITHOUT = {
    "0.8.5": {"--backend", "--ready-check-timeout-sec"},
    "0.10.0": {"--ready-check-timeout-sec"},
    "0.11.0": set(),
    "0.13.0": {"--endpoint-type"},
    "0.17.1": {"--endpoint-type"},
    "0.32.0": {"--endpoint-type"},
}
VLLM = {
    "--backend", "--endpoint-type", "--base-url", "--endpoint", "--model", "--served-model-name", "--tokenizer",
    "--dataset-name", "--random-input-len", "--random-output-len", "--random-range-ratio", "--num-prompts",
    "--max-concurrency", "--seed", "--percentile-metrics", "--metric-percentiles", "--ready-check-timeout-sec",
    "--result-filename", "--result-dir", "--ignore-eos", "--save-result", "--goodput",
}  # fmt: skip
SGLANG_WITHOUT = {
    "0.4.9.post6": {"--ready-check-timeout-sec", "--goodput", "--served-model-name"},
    "0.5.14": {"--goodput"},
    "0.5.23": set(),
}
SGLANG = {
    "--backend", "--base-url", "--model", "--tokenizer", "--dataset-name", "--random-input-len",
    "--random-output-len", "--random-range-ratio", "--num-prompts", "--max-concurrency", "--seed",
    "--ready-check-timeout-sec", "--output-file", "--goodput", "--served-model-name",
}  # fmt: skip


def value(words: list[str], option: str) -> str:
    return words[words.index(option) + 1]


@pytest.mark.parametrize("version", VLLM_WITHOUT)
def test_vllm_is_asked_for_what_its_version_has(version: str) -> None:
    known: dict[str, list[str]] = {name: [] for name in VLLM - VLLM_WITHOUT[version]}
    if version == "0.8.5":
        known["--endpoint-type"] = ["openai-comp"]
    words = vllm_serve.arguments(SETTINGS, known)
    assert {word for word in words if word.startswith("--")} == set(known)
    assert value(words, "--random-range-ratio") == "0.0"
    assert (value(words, "--tokenizer"), value(words, "--served-model-name")) == ("/models/Q", "tiny")
    assert words[words.index("--goodput") + 1 :][:2] == ["ttft:600", "tpot:40"]
    api = "--backend" if "--backend" in known else "--endpoint-type"
    assert value(words, api) == ("openai-comp" if version == "0.8.5" else "openai")


@pytest.mark.parametrize("version", SGLANG_WITHOUT)
def test_sglang_is_asked_for_what_its_version_has(version: str) -> None:
    known: dict[str, list[str]] = {name: [] for name in SGLANG - SGLANG_WITHOUT[version]}
    words = sglang_serve.arguments(SETTINGS, known)
    assert {word for word in words if word.startswith("--")} == set(known)
    assert (value(words, "--dataset-name"), value(words, "--random-range-ratio")) == ("random-ids", "1.0")
    named = "--served-model-name" if "--served-model-name" in known else "--model"
    assert (value(words, named), value(words, "--tokenizer")) == ("tiny", "/models/Q")


def test_options_are_read_from_a_help_text() -> None:
    text = """usage: x [-h] [--endpoint-type {openai-comp}]
      --endpoint-type {openai-comp,
                       openai}   what to --ask
      --seed SEED"""
    assert generator.options(text) == {
        "--endpoint-type": ["openai-comp"], "--ask": [], "--seed": [],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("point", "rate", "number"),
    [
        ({"min_requests": 52, "min_seconds": 30, "max_seconds": 120}, 0.0, 52),
        ({"min_requests": 52, "min_seconds": 30, "max_seconds": 120}, 10.0, 330),
        ({"min_requests": 5000, "min_seconds": 30, "max_seconds": 120}, 10.0, 1200),
        ({}, 0.0, 1),
    ],
)
def test_how_many_prompts_a_point_takes(point: dict[str, Any], rate: float, number: int) -> None:
    assert generator.prompts(point, rate) == number


def test_a_result_without_its_arrays_and_with_bare_infinity(tmp_path: Path) -> None:
    file = tmp_path / "result"
    assert generator.result(str(file)) is None
    file.write_text('{"completed": 1}\n{"completed": 2, "request_rate": Infinity, "itls": [1], "x": {}}\n')
    assert generator.result(str(file)) == {"completed": 2, "request_rate": "inf"}
    file.write_text('{"completed":\n 2,\n "a": 1}\n')
    assert generator.result(str(file)) is None
    file.write_text("[1]")
    assert generator.result(str(file)) is None


#: A generator of ours: its help, its progress, a result by its arguments; with `fail` in the file name it dies.
PROGRAM = """
import json, sys, time
words = sys.argv[1:]
if "--help" in words:
    print("usage: x [--dataset-name NAME] [--n N] [--c C]")
    raise SystemExit
n, c = int(words[words.index("--n") + 1]), int(words[words.index("--c") + 1])
if c == 99:
    sys.exit("OSError: Can't load tokenizer for x")
for done in (0, n // 2, n):
    sys.stderr.write(f"\\r {done}/%d [00:00<00:00]" % n); sys.stderr.flush(); time.sleep(0.4)
print("\\nwarning: x")
done = n // 2 if c == 50 else n
open(FILE, "w").write(json.dumps({"completed": done, "duration": 2.0, "request_throughput": done / 2.0, "itls": [1],
                                  "mean_e2e_latency_ms": 100.0, "num_prompts": n}))
"""


def drive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, **settings: Any) -> list[dict[str, Any]]:
    """The lines of a run with a generator whose first form is not there."""
    file = tmp_path / "result.json"
    monkeypatch.setattr(generator, "RESULT", str(file))
    program = PROGRAM.replace("FILE", repr(str(file)))
    forms = [("gone", [sys.executable, "-m", "no_such_module"]), ("here", [sys.executable, "-c", program])]

    def arguments(chosen: dict[str, Any], known: dict[str, list[str]]) -> list[str]:
        assert set(known) == {"--dataset-name", "--n", "--c"}
        return ["--n", str(chosen["num_prompts"]), "--c", str(chosen["concurrency"])]

    out = io.StringIO()
    tool = generator.Tool("X", lambda: forms, arguments)
    generator.Driver(
        tool, {"tokenizer": "t", "num_prompts": 2, "concurrency": 1, "seed": 5, **settings}, out
    ).run()
    facts = following.parse(out.getvalue())
    assert [fact["n"] for fact in facts] == list(range(1, len(facts) + 1))
    return facts


def test_one_run_of_the_form_that_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    facts = drive(tmp_path, monkeypatch)
    assert "start" in [fact["kind"] for fact in facts]
    last = facts[-1]
    assert (last["kind"], last["done"], last["generator"], last["missing"]) == ("summary", 2, "here", False)
    assert last["result"]["completed"] == 2
    assert "itls" not in last["result"]
    assert "warning: x" in last["tail"]


def test_a_sweep_is_one_run_a_point_with_a_new_seed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    points = [{"concurrency": number, "seed": 10 * number, "min_requests": 4} for number in (1, 50, 2)]
    facts = drive(tmp_path, monkeypatch, points=points, stop={"failures": 0.4})
    found = [fact for fact in facts if fact["kind"] == "point"]
    assert [(one["asked_concurrency"], one["seed"], one["done"], one["failed"]) for one in found] == [
        (1, 10, 4, {}),
        (50, 500, 2, {"not completed": 2}),
    ]
    assert (facts[-1]["points"], facts[-1]["stopped"]) == (2, "50 % of the requests failed with 50 in flight")
    assert results.point("sglang", found[0], 1).done == 4


def test_a_point_that_was_over_too_soon_is_measured_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    points = [{"concurrency": 1, "seed": 10, "min_requests": 4, "min_seconds": 3}]
    [point] = [one for one in drive(tmp_path, monkeypatch, points=points) if one["kind"] == "point"]
    assert (point["num_prompts"], point["seed"]) == (7, 10 + SEED_STRIDE)  # 1.1 x 3 s x 2 a second


def test_a_generator_that_dies_ends_the_sweep(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    points = [{"concurrency": number, "seed": 1, "min_requests": 4} for number in (99, 1)]
    facts = drive(tmp_path, monkeypatch, points=points)
    [point] = [one for one in facts if one["kind"] == "point"]
    assert results.point("vllm", point, 1).invalid == "no request succeeded: the generator found no tokenizer"
    assert facts[-1]["stopped"] == "no request was finished with 99 in flight"


def test_an_image_without_a_generator(tmp_path: Path) -> None:
    out = io.StringIO()
    tool = generator.Tool(
        "X", lambda: [("gone", [sys.executable, "-m", "no_such_module"])], vllm_serve.arguments
    )
    generator.Driver(tool, SETTINGS, out).run()
    [fact] = following.parse(out.getvalue())
    assert fact["missing"] is True
    assert "no_such_module" in fact["tail"]
    assert json.dumps(fact)
