"""SGLang's own load generator, as `generator` runs it.

    python3 -u -m kubectl_llmhpa.bench.pod.sglang_serve settings.json

Its module is `sglang.benchmark.serving` from 0.5.15 on and `sglang.bench_serving` before. `random` as a dataset is
made of a download, `random-ids` is not. It draws lengths from [length x ratio, length], so a fixed length is 1.0,
where vLLM's ratio is 0. It counts no failures: what was asked and not completed has failed.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from kubectl_llmhpa.bench.pod import generator

if TYPE_CHECKING:
    from kubectl_llmhpa.bench.pod.generator import Options, Settings

MODULES = ("sglang.benchmark.serving", "sglang.bench_serving")


def arguments(settings: Settings, known: Options) -> list[str]:
    """The generator's arguments, of those that it has.

    `--model` is looked for on the hub when it is no folder; newer versions have another option for what requests carry.
    """
    model = settings["tokenizer"] if "--served-model-name" in known else settings["model"]
    wanted: list[tuple[str, str | None]] = [
        ("--backend", "sglang-oai"),
        ("--base-url", settings["base_url"]),
        ("--model", model),
        ("--served-model-name", settings["model"]),
        ("--tokenizer", settings["tokenizer"]),
        ("--dataset-name", "random-ids"),
        ("--random-input-len", str(settings["input_tokens"])),
        ("--random-output-len", str(settings["output_tokens"])),
        ("--random-range-ratio", "1.0"),
        ("--num-prompts", str(settings["num_prompts"])),
        ("--max-concurrency", str(settings["concurrency"])),
        ("--seed", str(settings["seed"])),
        ("--ready-check-timeout-sec", "30"),
        ("--output-file", generator.RESULT),
    ]
    slo = generator.goodput(settings.get("slo"))
    if slo:
        wanted.append(("--goodput", slo))
    return generator.chosen(wanted, known)


def forms() -> list[tuple[str, list[str]]]:
    """The command lines to try, in order, each with a name for a person."""
    return [(module, [sys.executable, "-u", "-m", module]) for module in MODULES]


TOOL = generator.Tool("SGLang", forms, arguments)


if __name__ == "__main__":
    sys.exit(generator.drive(TOOL, sys.argv[1]))
