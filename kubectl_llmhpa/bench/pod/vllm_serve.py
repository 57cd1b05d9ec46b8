"""vLLM's own load generator, as `generator` runs it.

    python3 -u -m kubectl_llmhpa.bench.pod.vllm_serve settings.json

The module below the command line comes first: `vllm bench serve` of v0.10 refuses to start without a GPU, and the
module does not. Then the command line, then the script that older images carry; from September 2025 on it is a stub
that ends with an error, and so it has no options to tell.
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from typing import TYPE_CHECKING

from kubectl_llmhpa.bench.pod import generator

if TYPE_CHECKING:
    from kubectl_llmhpa.bench.pod.generator import Options, Settings

SCRIPTS = ("benchmarks/benchmark_serving.py", "vllm-workspace/benchmarks/benchmark_serving.py")
#: What /v1/completions is called: before v0.9, and since.
APIS = ("openai", "openai-comp")
MODULE = "--generate"


def arguments(settings: Settings, known: Options) -> list[str]:
    """The generator's arguments, of those that it has.

    Lengths are fixed: vLLM draws them from length x (1 +- ratio). The module of v0.8 has no dataset but random.
    """
    named = known.get("--endpoint-type") or known.get("--backend") or APIS
    api = next((name for name in APIS if name in named), APIS[0])
    wanted: list[tuple[str, str | None]] = [
        ("--backend", api),
        ("--endpoint-type", api),
        ("--base-url", settings["base_url"]),
        ("--endpoint", "/v1/completions"),
        ("--model", settings["tokenizer"]),
        ("--served-model-name", settings["model"]),
        ("--tokenizer", settings["tokenizer"]),
        ("--dataset-name", "random"),
        ("--random-input-len", str(settings["input_tokens"])),
        ("--random-output-len", str(settings["output_tokens"])),
        ("--random-range-ratio", "0.0"),
        ("--num-prompts", str(settings["num_prompts"])),
        ("--max-concurrency", str(settings["concurrency"])),
        ("--seed", str(settings["seed"])),
        ("--percentile-metrics", "ttft,tpot,itl,e2el"),
        ("--metric-percentiles", "50,90,95,99"),
        ("--ready-check-timeout-sec", "30"),
        ("--result-filename", os.path.basename(generator.RESULT)),
        ("--result-dir", os.path.dirname(generator.RESULT)),
        ("--ignore-eos", None),
        ("--save-result", None),
    ]
    slo = generator.goodput(settings.get("slo"))
    if slo:
        wanted.append(("--goodput", slo))
    return generator.chosen(wanted, known)


def forms() -> list[tuple[str, list[str]]]:
    """The command lines to try, in order, each with a name for a person."""
    python = [sys.executable, "-u"]
    roots = [os.environ.get("VLLM_ROOT_DIR") or "/", "/", os.getcwd()]
    scripts = [os.path.join(root, script) for root in roots for script in SCRIPTS]
    found = [
        ("vllm.benchmarks.serve", [*python, "-m", "kubectl_llmhpa.bench.pod.vllm_serve", MODULE]),
        ("vllm bench serve", [*python, "-m", "vllm.entrypoints.cli.main", "bench", "serve"]),
    ]
    return found + [(script, [*python, script]) for script in scripts if os.path.exists(script)][:1]


def generate(words: list[str]) -> int:
    """Runs the module below the command line, in this process."""
    serve = importlib.import_module("vllm.benchmarks.serve")
    parser = argparse.ArgumentParser()
    serve.add_cli_args(parser)
    serve.main(parser.parse_args(words))
    return 0


TOOL = generator.Tool("vLLM", forms, arguments)


def main(argv: list[str]) -> int:
    """See `generator.drive`; with --generate, the generator itself."""
    return generate(argv[2:]) if argv[1] == MODULE else generator.drive(TOOL, argv[1])


if __name__ == "__main__":
    sys.exit(main(sys.argv))
