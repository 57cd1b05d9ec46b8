"""Bodies of real servers: fresh ones, and ones that hold 13 requests where 8 can run."""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

from tests.cluster.ground.commands import wait_until
from tests.cluster.ground.errors import GroundError
from tests.engine import dynamo_runtime, llamacpp_runtime, vllm_runtime
from tests.engine.load import complete, get, scrape, streams
from tests.engine.tiny_model import SMALL

SEATS: Final = 8
REQUESTS: Final = 13
MODEL: Final = "Qwen/Qwen2.5-7B-Instruct"
DYNAMO_MODEL: Final = "Qwen/Qwen3-0.6B"
SERVER: Final = "http://127.0.0.1:8000"
WORKER: Final = f"http://127.0.0.1:{dynamo_runtime.SYSTEM_PORT}"
PREFILL_PORT: Final = dynamo_runtime.SYSTEM_PORT + 1
PREFILL_WORKER: Final = f"http://127.0.0.1:{PREFILL_PORT}"

SETTLE_S: Final = 3
"""Some of Dynamo's series come with the first tick of a clock."""

DYNAMO_WORKERS: Final[Mapping[str, Sequence[str]]] = {
    "": (),
    "sglang": ("--engine-type", "sglang"),
    "trtllm": ("--engine-type", "trtllm"),
    "dp2": ("--data-parallel-size", "2"),
    "prefill": ("--disaggregation-mode", "decode"),  # beside one for prefill
    "decode": ("--disaggregation-mode", "decode"),
    "kv": (),
    "prefix": (),
}
"""Variants of a Dynamo, and what its worker gets."""

_HELD: Final = re.compile(
    r"^\w+:(?:num_requests_(?:running|waiting)|num_(?:running|queue)_reqs|requests_(?:processing|deferred))"
    r"(?:\{.*\})? (\S+)$",
    re.MULTILINE,
)


def vllm(state: str) -> str:
    """Return the body of a vLLM that just started (``idle``), or that runs 8 requests and holds 5 (``busy``)."""
    runtime = vllm_runtime.ensure(SMALL)
    flags = ("--max-num-seqs", str(SEATS), "--num-gpu-blocks-override", "64", "--served-model-name", MODEL)
    command = runtime.serve(*flags, "--port", "8000")
    with started(command, runtime.environment, f"{SERVER}/health"):
        return under_load(MODEL, SERVER, SERVER) if state == "busy" else scrape(SERVER)


def llamacpp(state: str) -> str:
    """Return the body of a llama.cpp server, as ``vllm`` does."""
    runtime = llamacpp_runtime.ensure()
    command = runtime.serve("--metrics", "-np", str(SEATS), "--ctx-size", "16384", "--port", "8000")
    with started(command, {}, f"{SERVER}/health"):
        return under_load(MODEL, SERVER, SERVER) if state == "busy" else scrape(SERVER)


def dynamo(part: str, variant: str, state: str) -> str:
    """Return the body of a Dynamo's ``frontend`` or ``worker``: ``noworker``, ``idle`` or ``busy``."""
    runtime = dynamo_runtime.ensure()
    worker = runtime.mocker("--model-name", DYNAMO_MODEL, "--max-num-seqs", str(SEATS))
    with ExitStack() as stack:
        discovery = stack.enter_context(tempfile.TemporaryDirectory(prefix="dynamo-"))
        shared = {**runtime.environment, dynamo_runtime.DISCOVERY_FOLDER: discovery}

        def start(command: list[str], ready: str, environment: Mapping[str, str]) -> None:
            stack.enter_context(started(command, {**shared, **environment}, ready))

        named = {"DYN_METRICS_PREFIX": "acme-llm"} if variant == "prefix" else {}
        mode = "kv" if variant == "kv" else "round-robin"
        start(runtime.frontend("--http-port", "8000", "--router-mode", mode), f"{SERVER}/metrics", named)
        if state != "noworker":
            if variant in ("prefill", "decode"):
                prefill = [*worker, "--disaggregation-mode", "prefill"]
                start(prefill, f"{PREFILL_WORKER}/health", runtime.system(PREFILL_PORT))
            start([*worker, *DYNAMO_WORKERS[variant]], f"{WORKER}/health", runtime.system())
            wait_until("the frontend lists the model", _unlisted)
        watched = PREFILL_WORKER if variant == "prefill" else WORKER if part == "worker" else SERVER
        if state != "busy":
            time.sleep(SETTLE_S if state == "idle" else 0)
            return scrape(watched)
        return under_load(DYNAMO_MODEL, WORKER, watched)


def under_load(model: str, engine: str, watched: str) -> str:
    """Return the body of ``watched`` once ``engine`` holds all the requests that are made.

    Raises ``GroundError`` when it never does.
    """
    wait_until("a first request is served", lambda: _refusal(model), timeout_s=60)
    with streams(SERVER, model, REQUESTS, tokens=300):
        wait_until(f"{REQUESTS} requests at the engine", lambda: _missing(scrape(engine)), timeout_s=60)
        return scrape(watched)


@contextmanager
def started(command: Sequence[str], environment: Mapping[str, str], ready: str) -> Iterator[None]:
    """Run a server inside the block, from when it answers at ``ready``; what it says goes to a file.

    Raises ``GroundError`` with its last words when it ends before, or does not answer within ten minutes.
    """
    with (
        tempfile.TemporaryDirectory(prefix="server-") as home,
        (Path(home) / "log").open("w+") as log,
        subprocess.Popen(
            command, env={**os.environ, **environment, "HOME": home}, stdout=log, stderr=subprocess.STDOUT
        ) as process,
    ):

        def obstacle() -> str:
            if process.poll() is not None:
                log.seek(0)
                raise GroundError(f"`{command[0]}` ended: {' | '.join(log.read().splitlines()[-5:])}")
            return _silence(ready)

        try:
            wait_until(f"{ready} answers", obstacle, timeout_s=600)
            yield
        finally:
            process.terminate()
            try:
                process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                process.kill()


def _silence(url: str) -> str:
    """Return why ``url`` does not answer, or nothing."""
    try:
        get(url)
    except OSError as failure:
        return str(failure)
    return ""


def _refusal(model: str) -> str:
    """Return why a short request fails, or nothing."""
    try:
        complete(SERVER, model, tokens=8)
    except OSError as failure:
        return str(failure)
    return ""


def _unlisted() -> str:
    """Return which models the Dynamo frontend lists instead, or nothing."""
    listed = get(f"{SERVER}/v1/models")
    return "" if DYNAMO_MODEL in listed else listed


def _missing(body: str) -> str:
    """Return how far the requests in ``body`` are from all, or nothing."""
    held = sum(float(value) for value in _HELD.findall(body))
    return "" if held == REQUESTS else f"{held:.0f} there"
