"""vLLM's own load generator, started in whichever form the image has it.

    python3 -u -m kubectl_llmhpa.bench.pod.vllm_serve settings.json

The module below the command line comes first: `vllm bench serve` of v0.10 refuses to start without a GPU, and the
module does not. Then the command line, then the script that older images carry. Its flags are chosen from what its
own parser knows, never from a version. Lines on stdout are those of `client`: start, tick, summary; the summary
carries the generator's result file without its long arrays. The counts in it decide, not the exit code: the
generator leaves with 0 when every request has failed.

Settings (JSON): base_url, model, tokenizer, num_prompts, concurrency, input_tokens, output_tokens, seed.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import importlib.util
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import IO, Any

MARKER = "LLMHPA"
RESULT = "/tmp/llm-hpa-result.json"
NOT_HERE = 43  # the generator is not in this form in this image
SCRIPTS = ("benchmarks/benchmark_serving.py", "vllm-workspace/benchmarks/benchmark_serving.py")
_DONE = re.compile(r"(\d+)/(\d+) \[")


def arguments(settings: dict[str, Any], known: set[str] | None) -> list[str]:
    """The generator's arguments; `known` are the flags that its parser has (None: ask for the common ones only)."""
    wanted = [
        ("--backend", "openai"),
        ("--endpoint-type", "openai"),
        ("--base-url", settings["base_url"]),
        ("--endpoint", "/v1/completions"),
        ("--model", settings["tokenizer"]),
        ("--served-model-name", settings["model"]),
        ("--tokenizer", settings["tokenizer"]),
        ("--dataset-name", "random"),
        ("--random-input-len", str(settings["input_tokens"])),
        ("--random-output-len", str(settings["output_tokens"])),
        ("--random-range-ratio", "0.0"),  # vLLM draws length x (1 +- ratio): 0 is a fixed length
        ("--num-prompts", str(settings["num_prompts"])),
        ("--max-concurrency", str(settings["concurrency"])),
        ("--seed", str(settings["seed"])),
        ("--percentile-metrics", "ttft,tpot,itl,e2el"),
        ("--metric-percentiles", "50,95,99"),
        ("--ready-check-timeout-sec", "30"),
        ("--result-filename", os.path.basename(RESULT)),
        ("--result-dir", os.path.dirname(RESULT)),
        ("--ignore-eos", None),
        ("--save-result", None),
    ]
    optional = {"--endpoint-type", "--ready-check-timeout-sec", "--metric-percentiles"}
    words = []
    for name, value in wanted:
        if name in known if known is not None else name not in optional:
            words += [name] if value is None else [name, value]
    return words


def generate(settings: dict[str, Any]) -> int:
    """Runs the module below the command line, in this process."""
    if importlib.util.find_spec("vllm") is None or importlib.util.find_spec("vllm.benchmarks") is None:
        return NOT_HERE
    try:
        serve = importlib.import_module("vllm.benchmarks.serve")
        add, run = serve.add_cli_args, serve.main
    except (ImportError, AttributeError) as error:
        sys.stderr.write(f"vllm.benchmarks.serve: {error}\n")
        return NOT_HERE
    parser = argparse.ArgumentParser()
    add(parser)
    known = {option for action in parser._actions for option in action.option_strings}
    run(parser.parse_args(arguments(settings, known)))
    return 0


def forms(path: str, settings: dict[str, Any]) -> list[tuple[str, list[str]]]:
    """The command lines to try, in order, each with a name for a person."""
    python = [sys.executable, "-u"]
    roots = [os.environ.get("VLLM_ROOT_DIR") or "/", "/", os.getcwd()]
    scripts = [os.path.join(root, script) for root in roots for script in SCRIPTS]
    module = [*python, "-m", "kubectl_llmhpa.bench.pod.vllm_serve", "--generate", path]
    command = [*python, "-m", "vllm.entrypoints.cli.main", "bench", "serve", *arguments(settings, None)]
    found = [("vllm.benchmarks.serve", module), ("vllm bench serve", command)]
    for script in [each for each in scripts if os.path.exists(each)][:1]:
        found.append((script, [*python, script, *arguments(settings, None)]))
    return found


class Driver:
    """Runs one form after the other and reports on it."""

    def __init__(self, path: str, settings: dict[str, Any], out: IO[str]) -> None:
        self.path, self.settings, self.out = path, settings, out
        self.lines = 0
        self.done = 0
        self.tail: list[str] = []
        self.started = time.monotonic()
        self.stopped = False
        self.child: subprocess.Popen[str] | None = None

    def say(self, kind: str, **facts: Any) -> None:
        self.lines += 1
        line = json.dumps({"kind": kind, "n": self.lines, **facts}, separators=(",", ":"))
        self.out.write(f"{MARKER} {line}\n")
        self.out.flush()

    def stop(self, *_: object) -> None:
        self.stopped = True
        if self.child is not None:
            self.child.terminate()

    def run(self) -> None:
        code, form, missing = NOT_HERE, "", True
        with contextlib.suppress(OSError):
            os.remove(RESULT)  # a result of before is no result of this run
        for number, (name, words) in enumerate(forms(self.path, self.settings)):
            form, code = name, self._one(words)
            missing = missing and (code == NOT_HERE or "No module named" in "".join(self.tail))
            # A failure of a generator that is there is a result; another form of it would only hide the reason.
            there = code != NOT_HERE if number == 0 else code == 0
            if there or self.stopped or self.loading or os.path.exists(RESULT):
                break
        self.say("summary", ended="signal" if self.stopped else "prompts", generator=form, exit_code=code,
                 missing=missing, done=self.done, result=result(RESULT),
                 tail="\n".join(self.tail[-8:])[-1500:])  # fmt: skip

    def _one(self, words: list[str]) -> int:
        self.tail = []
        child = subprocess.Popen(
            words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", bufsize=1
        )
        self.child = child
        reader = threading.Thread(target=self._read, args=(child.stdout,), daemon=True)
        reader.start()
        while child.poll() is None:
            time.sleep(1)
            limit = self.settings["num_prompts"]
            busy = min(self.settings["concurrency"], limit - self.done) if self.loading else 0
            self.say("tick", t=round(time.monotonic() - self.started, 1), want=self.settings["concurrency"],
                     in_flight=busy, sent=min(limit, self.done + busy), done=self.done, failed={}, tokens=0,
                     ttft_ms=None)  # fmt: skip
        reader.join(2)
        if child.stdout is not None and not reader.is_alive():
            child.stdout.close()
        return child.returncode

    loading = False

    def _read(self, stream: IO[str]) -> None:
        for line in stream:  # text mode ends lines at the \r of a progress bar too
            match = _DONE.search(line)
            if match and int(match[2]) == self.settings["num_prompts"]:
                self.done = max(self.done, int(match[1]))
                if not self.loading:
                    self.loading = True
                    self.started = time.monotonic()
                    self.say("start", mode="vLLM's own generator")
            elif line.strip():
                self.tail = [*self.tail[-30:], line.rstrip()[:300]]


def result(path: str) -> dict[str, Any] | None:
    """The result file without lists (one entry per request each); None when there is none."""
    try:
        with open(path, encoding="utf-8") as file:
            facts = json.load(file)
    except (OSError, ValueError):
        return None
    return {key: value for key, value in facts.items() if not isinstance(value, (list, dict))}


def main(argv: list[str]) -> int:
    """0 with a summary printed; with --generate the generator's own code."""
    with open(argv[-1], encoding="utf-8") as file:
        settings = json.load(file)
    if "--generate" in argv:
        return generate(settings)
    driver = Driver(argv[-1], settings, sys.stdout)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, driver.stop)
    driver.run()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
