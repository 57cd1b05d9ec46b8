"""Print the body that a vLLM wheel's own stat logger (``vllm/v1/metrics/loggers.py``) exposes behind its own route.

Arguments: the unpacked wheel, its version, ``idle`` or ``busy``, then any of ``dp2`` (two data parallel ranks),
``hidden``, ``lora`` and ``nostats``.
"""

from __future__ import annotations

import dataclasses
import hashlib
import importlib
import inspect
import logging
import os
import re
import sys
import typing
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final

import prometheus_client

from tests.engine.record import pretend
from tests.engine.record.asgi import application, scraped

MODEL: Final = "Qwen/Qwen2.5-7B-Instruct"
REAL: Final = (
    *("vllm.v1.metrics", "vllm.v1.spec_decode.metrics", "vllm.v1.engine", "vllm.envs", "vllm.config.cache"),
    *("vllm.config.utils", "vllm.distributed.kv_transfer.kv_connector.v1.metrics"),
)
ABSENT: Final = (
    *(
        "aiohttp",
        "blake3",
        "cbor2",
        "cloudpickle",
        "huggingface_hub",
        "openai",
        "opentelemetry",
        "orjson",
        "PIL",
    ),
    *("partial_json_parser", "psutil", "ray", "requests", "safetensors", "tokenizers", "torch", "tqdm"),
    *("transformers", "triton", "uvloop", "yaml", "zmq"),
)
COMPLETIONS, CHAT = "/v1/completions", "/v1/chat/completions"
FINISHED: Final = 24


def cache_config(wheel: Path) -> Any:
    """Return the wheel's own CacheConfig: its fields are the labels of ``vllm:cache_config_info``."""
    settings: dict[str, Any] = {
        "block_size": 16,
        "gpu_memory_utilization": 0.9,
        "enable_prefix_caching": True,
    }
    if (wheel / "vllm/config/cache.py").exists():
        config = importlib.import_module("vllm.config.cache").CacheConfig(**settings)
    else:
        path = wheel / "vllm/config.py"
        if not path.exists():
            path = wheel / "vllm/config/__init__.py"
        scope = {**vars(typing), **vars(dataclasses)}
        scope |= {"config": lambda kind: kind, "hashlib": hashlib, "logger": logging.getLogger()}
        scope |= {"BlockSize": int, "GiB_bytes": 1 << 30}
        scope |= {"CacheDType": typing.Literal["auto"], "PrefixCachingHashAlgo": typing.Literal["builtin"]}
        scope |= {"SkipValidation": typing.Optional, "envs": SimpleNamespace(VLLM_USE_V1=True)}
        scope |= {"model_validator": lambda **_: lambda function: function, "__name__": __name__}
        config = pretend.pick(path, ["CacheConfig"], scope)["CacheConfig"](
            **settings, swap_space=4, cache_dtype="auto"
        )
    set_known(
        config, num_gpu_blocks=27512, num_cpu_blocks=0, kv_cache_size_tokens=440192, kv_cache_max_concurrency=13.43
    )  # fmt: skip
    return config


def settings(wheel: Path, ranks: int, options: set[str]) -> Any:
    """Return as much of a VllmConfig as the stat loggers read."""
    return SimpleNamespace(
        model_config=SimpleNamespace(served_model_name=MODEL, model=MODEL, max_model_len=32768, is_diffusion=False),
        observability_config=SimpleNamespace(
            show_hidden_metrics="hidden" in options, kv_cache_metrics=False, cudagraph_metrics=False,
            enable_mfu_metrics=False, histogram_buckets=None,
        ),
        speculative_config=None,
        kv_transfer_config=None,
        parallel_config=SimpleNamespace(data_parallel_size=ranks),
        compilation_config=SimpleNamespace(cudagraph_capture_sizes=[], cudagraph_mode=0),
        scheduler_config=SimpleNamespace(
            max_num_queued_reqs=None, max_num_queued_tokens=None, max_num_seqs=256
        ),
        lora_config=SimpleNamespace(max_loras=4) if "lora" in options else None,
        cache_config=cache_config(wheel),
    )  # fmt: skip


def set_known(target: Any, **values: Any) -> None:
    """Set those attributes that this version has."""
    for name, value in values.items():
        if hasattr(target, name):
            setattr(target, name, value)


def statistics(rank: int, busy: bool, lora: bool) -> tuple[Any, Any]:
    """Return what a scheduler and an iteration report, busy rank 0: 8 running, 5 waiting, KV cache 0.42."""
    stats = importlib.import_module("vllm.v1.metrics.stats")
    scheduler = stats.SchedulerStats()
    if not busy:
        return scheduler, None
    scheduler.num_running_reqs, scheduler.num_waiting_reqs = 8 - rank, 5 - rank
    if hasattr(scheduler, "num_skipped_waiting_reqs"):
        scheduler.num_waiting_reqs, scheduler.num_skipped_waiting_reqs = 4 - rank, 1
    usage = round(0.42 - 0.05 * rank, 3)
    set_known(scheduler, gpu_cache_usage=usage, kv_cache_usage=usage)
    set_known(scheduler.prefix_cache_stats, requests=24, queries=12288, hits=4096)
    if lora:
        set_known(scheduler, running_lora_adapters={"sql-lora": 2})
    iteration = stats.IterationStats()
    if hasattr(iteration, "prompt_token_stats"):
        set_known(
            iteration.prompt_token_stats, computed=8192, local_cache_hit=4096, cached_tokens=4096, total=12288
        )
    else:
        iteration.num_prompt_tokens = 12288
    between = [0.011, 0.0123, 0.0129, 0.0142, 0.018, 0.026] * 32
    set_known(
        iteration, num_generation_tokens=3072, num_preempted_reqs=1, max_num_generation_tokens_iter=[128] * 8,
        n_params_iter=[1] * FINISHED, time_per_output_tokens_iter=between, inter_token_latencies_iter=between,
        time_to_first_tokens_iter=[0.031, 0.046, 0.052, 0.083, 0.12, 0.21, 0.44, 0.9],
    )  # fmt: skip
    reasons = importlib.import_module("vllm.v1.engine").FinishReason
    known = {field.name for field in dataclasses.fields(stats.FinishedRequestStats)}
    for number in range(FINISHED):
        request = {
            "finish_reason": reasons.LENGTH if number % 3 else reasons.STOP,
            "e2e_latency": 1.2 + number * 0.2, "inference_time": 1.2 + number * 0.1,
            "decode_time": 1.15 + number * 0.1, "queued_time": 0.02 * number, "prefill_time": 0.05,
            "num_prompt_tokens": 512, "num_generation_tokens": 128, "max_tokens_param": 128,
            "mean_time_per_output_token": 0.0143, "num_cached_tokens": 170,
        }  # fmt: skip
        finished = {name: value for name, value in request.items() if name in known}
        iteration.finished_requests.append(stats.FinishedRequestStats(**finished))
    return scheduler, iteration


def record(config: Any, ranks: int, busy: bool, lora: bool) -> None:
    """Give each rank's statistics to the wheel's logger."""
    logger = importlib.import_module("vllm.v1.metrics.loggers").PrometheusStatLogger
    if "engine_indexes" in inspect.signature(logger.__init__).parameters:
        loggers = [logger(config, list(range(ranks)))] * ranks
    else:  # up to 0.9 each rank has one of its own
        loggers = [logger(config, rank) for rank in range(ranks)]
    if hasattr(loggers[0], "log_engine_initialized"):
        loggers[0].log_engine_initialized()
    for rank, each in enumerate(loggers):
        if hasattr(each, "record_sleep_state"):
            each.record_sleep_state(0, 0)
        scheduler, iteration = statistics(rank, busy, lora)
        named = {"engine_idx": rank} if "engine_idx" in inspect.signature(each.record).parameters else {}
        each.record(scheduler_stats=scheduler, iteration_stats=iteration, **named)


def mount(wheel: Path, app: Any) -> None:
    """Add the wheel's own metrics route."""
    path = wheel / "vllm/entrypoints/serve/instrumentator/metrics.py"
    names = ["mount_metrics", "attach_router", "PrometheusResponse"]
    if path.exists():
        scope: dict[str, Any] = {"__name__": "vllm.entrypoints.serve.instrumentator.metrics"}
        exec(compile(path.read_text(), str(path), "exec"), scope)
    else:
        path = wheel / "vllm/entrypoints/openai/api_server.py"
        scope = {"os": os, "re": re, "logger": logging.getLogger(), "prometheus_client": prometheus_client}
        for module in (
            "fastapi",
            "prometheus_client",
            "prometheus_fastapi_instrumentator",
            "starlette.routing",
        ):
            scope |= vars(importlib.import_module(module))
        if "get_prometheus_registry" in path.read_text():
            scope |= vars(importlib.import_module("vllm.v1.metrics.prometheus"))
        pretend.pick(path, names, scope)
    (scope.get("attach_router") or scope["mount_metrics"])(app)


def main(wheel: Path, state: str, options: set[str]) -> None:
    pretend.install(wheel, "vllm", REAL, ABSENT)
    busy, ranks = state == "busy", 2 if "dp2" in options else 1
    if "nostats" not in options:
        record(settings(wheel, ranks, options), ranks, busy, "lora" in options)
    app = application(CHAT, COMPLETIONS)
    mount(wheel, app)
    calls = [("POST", CHAT if number % 4 else COMPLETIONS) for number in range(FINISHED if busy else 0)]
    sys.stdout.write(scraped(app, [("GET", "/health"), ("GET", "/v1/models"), *calls]))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[3], set(sys.argv[4:]))
