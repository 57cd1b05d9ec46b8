"""Runs an engine's own load generator, in whichever form the image has it, and reports on it as our client does.

Which form there is and which options it has is asked of the form itself (`--help`), never taken from a version. The
lines on stdout are those of `client`: start, tick, point, summary; a point and the summary carry the generator's own
result without its long arrays. The counts in it decide, not the exit code: a generator may leave with 0 when every
request has failed.

Settings (JSON): base_url, model, tokenizer, num_prompts, concurrency, input_tokens, output_tokens, seed, slo; for a
sweep points and stop as in `points`: one run of the generator each, with so many prompts as the point needs.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import re
import signal
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING

from kubectl_llmhpa.bench.pod import farewell
from kubectl_llmhpa.bench.pod.arrivals import SEED_STRIDE
from kubectl_llmhpa.bench.pod.points import FixedPoints

if TYPE_CHECKING:
    from typing import IO, Any, Callable

    Settings = dict[str, Any]
    #: Option -> the values that it may take (none: not told).
    Options = dict[str, list[str]]

MARKER = "LLMHPA"
RESULT = "/tmp/llm-hpa-result.json"
#: Of every generator: without it, a `--help` is not that of one.
SURE_OPTION = "--dataset-name"
TRIES = 2  # of a point that was over too soon
_DONE = re.compile(r"(\d+)/(\d+) \[")
_OPTION = re.compile(r"(--[a-z][a-z0-9-]*)(?:[ =]\{([^}]*)\})?")
_NOT_COMPLETED = "not completed"


class Tool:
    """A generator: its forms, best first, as (name for a person, command line), and how it is asked and read."""

    def __init__(
        self,
        name: str,
        forms: Callable[[], list[tuple[str, list[str]]]],
        arguments: Callable[[Settings, Options], list[str]],
    ) -> None:
        self.name, self.forms, self.arguments = name, forms, arguments


def options(text: str) -> Options:
    """The options in a help text, each with its choices where it lists them."""
    found: Options = {}
    for name, choices in _OPTION.findall(re.sub(r"\s+", " ", text)):
        listed = [choice.strip() for choice in choices.split(",") if choice.strip()]
        found[name] = found.get(name) or listed
    return found


def chosen(wanted: list[tuple[str, str | None]], known: Options) -> list[str]:
    """The command line of those of the wanted options that there are."""
    words: list[str] = []
    for name, value in wanted:
        if name in known:
            words += [name] if value is None else [name, *value.split()]
    return words


def goodput(slo: Settings | None) -> str:
    """An SLO as both generators take it: `ttft:MS tpot:MS e2el:MS`."""
    names = (("ttft", "ttft_s"), ("tpot", "tpot_s"), ("e2el", "e2e_s"))
    limits = [(name, (slo or {}).get(key)) for name, key in names]
    return " ".join(f"{name}:{1000 * limit:g}" for name, limit in limits if limit is not None)


def prompts(point: Settings, rate: float) -> int:
    """How many requests a point takes: its fewest, and what keeps it busy for its least time at `rate` per second."""
    wanted = max(point.get("min_requests", 1), math.ceil(1.1 * rate * point.get("min_seconds", 0)))
    most = rate * point["max_seconds"] if rate and point.get("max_seconds") else math.inf
    return max(1, int(min(wanted, most)))


def environment(settings: Settings) -> dict[str, str]:
    """Ours; with a tokenizer in a folder nothing is asked of a hub, which may not answer for minutes."""
    local = os.path.isdir(settings["tokenizer"])
    return dict(os.environ, **({"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"} if local else {}))


def result(path: str) -> dict[str, Any] | None:
    """The last line of a result file that is JSON, without lists and dicts (one entry for each request).

    None where there is none. SGLang writes the bare word Infinity, which no strict reader takes: here it is text.
    """
    try:
        with open(path, encoding="utf-8") as file:
            text = file.read()
        facts = json.loads(text) if text.count("\n") < 2 else json.loads(text.strip().splitlines()[-1])
    except (OSError, ValueError, IndexError):
        return None
    if not isinstance(facts, dict):
        return None
    return {
        key: str(value) if isinstance(value, float) and not math.isfinite(value) else value
        for key, value in facts.items()
        if not isinstance(value, (list, dict))
    }


class Driver:
    """Runs the first form that is there, once or for each point, and reports on it."""

    def __init__(self, tool: Tool, settings: Settings, out: IO[str]) -> None:
        self.tool, self.settings, self.out = tool, settings, out
        self.lines = self.done = self.points = 0
        self.form = ""
        self.tail: list[str] = []
        self.started: float | None = None
        self.loading = self.stopped = False
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
        words, known = self._form()
        if not words:
            ended = "signal" if self.stopped else "missing"
            self.say("summary", ended=ended, missing=not self.stopped, done=0, result=None, tail=self._said())
            return
        why = ""
        if self.settings.get("points"):
            why, facts = self._sweep(words, known)
        else:
            facts = self._once(words, known, self.settings)
        ended = "signal" if self.stopped else "points" if self.settings.get("points") else "prompts"
        self.say("summary", ended=ended, missing=False, points=self.points, stopped=why, **facts)

    def _form(self) -> tuple[list[str], Options]:
        """The command line of the first form that tells its options, and these."""
        plain = dict(os.environ, NO_COLOR="1", COLUMNS="200")
        for name, words in self.tool.forms():
            if self.stopped:
                break
            self.form = name
            asked = subprocess.run(
                [*words, "--help"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
                env=plain, check=False,
            )  # fmt: skip
            known = options(asked.stdout)
            if SURE_OPTION in known:
                return words, known
            self.tail = asked.stdout.splitlines()[-30:]
        return [], {}

    def _sweep(self, words: list[str], known: Options) -> tuple[str, dict[str, Any]]:
        """Why it stopped before the last point (empty: it did not), and the last run's facts."""
        plan = FixedPoints(self.settings["points"], self.settings.get("stop"))
        point, facts, rate = plan.next(None), {}, 0.0
        while point is not None and not self.stopped:
            for attempt in range(TRIES):
                seed = point["seed"] + attempt * SEED_STRIDE  # no prompt twice
                settings = dict(
                    self.settings,
                    concurrency=point["concurrency"],
                    seed=seed,
                    num_prompts=prompts(point, rate),
                )
                facts = self._once(words, known, settings)
                found = facts["result"] or {}
                rate = found.get("request_throughput") or 0.0
                if not rate or found.get("duration", 0) >= point.get("min_seconds", 0):
                    break
            line = dict(
                self._counts(facts), point=self.points, asked_concurrency=point["concurrency"], seed=seed,
                slo=bool(goodput(self.settings.get("slo"))), complete=not self.stopped,
            )  # fmt: skip
            self.points += 1
            facts.update(line)
            self.say("point", **facts)
            point = plan.next(facts)
        return plan.stopped, facts

    def _counts(self, facts: dict[str, Any]) -> dict[str, Any]:
        """What the rules that end a sweep look at. Without a result no request was finished, and none failed."""
        found = facts["result"]
        if found is None:
            return {"failed": {}, "done": 0, "good": 0}
        done = int(found.get("completed") or 0)
        good = found.get("request_goodput")
        failed = int(found.get("failed") or facts["num_prompts"] - done)
        return {
            "failed": {_NOT_COMPLETED: failed} if failed else {},
            "done": done,
            "good": done if good is None else round(good * found.get("duration", 0)),
        }

    def _once(self, words: list[str], known: Options, settings: Settings) -> dict[str, Any]:
        """One run of the generator, with ticks meanwhile."""
        with contextlib.suppress(OSError):
            os.remove(RESULT)  # a result of before is no result of this run
        self.tail, self.loading, self.done = [], False, 0
        child = subprocess.Popen(
            [*words, *self.tool.arguments(settings, known)],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", bufsize=1,
            env=environment(settings),
        )  # fmt: skip
        self.child = child
        limit, concurrency = settings["num_prompts"], settings["concurrency"]
        reader = threading.Thread(target=self._read, args=(child.stdout, limit), daemon=True)
        reader.start()
        while child.poll() is None:
            time.sleep(1)
            busy = min(concurrency, limit - self.done) if self.loading else 0
            facts: dict[str, Any] = {
                "t": 0.0 if self.started is None else round(time.monotonic() - self.started, 1),
                "want": concurrency, "in_flight": busy, "sent": min(limit, self.done + busy), "done": self.done,
                "failed": {}, "tokens": 0, "ttft_ms": None,
            }  # fmt: skip
            if self.settings.get("points"):
                facts.update(point=self.points, measured=self.loading)
            self.say("tick", **facts)
        reader.join(2)
        if child.stdout is not None and not reader.is_alive():
            child.stdout.close()
        found = result(RESULT)
        return {
            "generator": self.form, "exit_code": child.returncode, "num_prompts": limit, "done": self.done,
            "result": found, "tail": self._said(),
        }  # fmt: skip

    def _read(self, stream: IO[str], limit: int) -> None:
        for line in stream:  # text mode ends lines at the \r of a progress bar too
            match = _DONE.search(line)
            if match and int(match[2]) == limit:
                self.done = max(self.done, int(match[1]))
                self.loading = True
                if self.started is None:
                    self.started = time.monotonic()
                    self.say("start", mode=f"{self.tool.name}'s own generator")
            elif line.strip():
                self.tail = [*self.tail[-30:], line.rstrip()[:300]]

    def _said(self) -> str:
        return "\n".join(self.tail[-8:])[-1500:]


def drive(tool: Tool, path: str) -> int:
    """0 with a summary printed, whatever it says. `path` is that of the settings."""
    with open(path, encoding="utf-8") as file:
        driver = Driver(tool, json.load(file), sys.stdout)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, driver.stop)
    driver.run()
    farewell.stay("signal" if driver.stopped else "")
    return 0
