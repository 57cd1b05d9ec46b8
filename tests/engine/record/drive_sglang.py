"""Print the body that an SGLang wheel's own collectors expose (``srt/**/metrics_collector.py``, ``collector.py``).

Arguments: the unpacked wheel, its version, ``fresh``, ``idle`` or ``busy``, then any of ``prefill``, ``decode``,
``dp2``, ``pp2``, ``alltp2`` (every tensor parallel rank reports) and ``priority``.

SGLang runs ``prometheus_client`` in multiprocess mode: each scheduler rank and the HTTP process write files, and
``/metrics`` merges them.  So does this: one process for each rank, and this one for the HTTP process.
"""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import logging
import multiprocessing
import os
import re
import sys
import tempfile
import typing
from collections.abc import Callable
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final

from tests.engine.record import pretend
from tests.engine.record.asgi import application, scraped

MODEL: Final = "Qwen/Qwen2.5-7B-Instruct"
TOKENS: Final = 440192
REAL: Final = (
    *("sglang.srt.metrics", "sglang.srt.observability.metrics_collector", "sglang.srt.observability.utils"),
    *("sglang.srt.observability.http_request_metrics", "sglang.srt.observability.cpu_monitor"),
    *("sglang.srt.observability.func_timer", "sglang.srt.observability.scheduler_stage_metrics"),
    "sglang.srt.utils.gauge_histogram",
)
ABSENT: Final = (
    *(
        "aiohttp",
        "cloudpickle",
        "huggingface_hub",
        "openai",
        "opentelemetry",
        "orjson",
        "PIL",
        "psutil",
        "pybase64",
    ),
    *("requests", "setproctitle", "sgl_kernel", "torch", "torchvision", "tqdm", "transformers", "triton"),
    *("uvloop", "yaml", "zmq", "IPython"),
)
GENERATE, CHAT = "/generate", "/v1/chat/completions"


class Settings(SimpleNamespace):
    """Server arguments: what is not set is None."""

    def __getattr__(self, name: str) -> None:
        if name.startswith("__"):
            raise AttributeError(name)


@dataclass(frozen=True)
class Case:
    """Which server, and in which state."""

    wheel: Path
    version: tuple[int, ...]
    state: str
    options: frozenset[str]

    @property
    def role(self) -> str:
        return next(iter(self.options & {"prefill", "decode"}), "unified")

    @property
    def priority(self) -> bool:
        return "priority" in self.options

    @property
    def requests(self) -> int:
        return {"fresh": 0, "idle": 1, "busy": 24}[self.state]

    @property
    def server(self) -> Settings:
        return Settings(
            served_model_name=MODEL, enable_metrics=True, collect_tokens_histogram=True,
            disaggregation_mode=self.role, enable_priority_scheduling=self.priority,
            prefill_delayer_max_delay_passes=30,
        )  # fmt: skip

    def collectors(self) -> Any:
        """Import the wheel's module with the collectors."""
        pretend.install(self.wheel, "sglang", REAL, ABSENT)
        old = (self.wheel / "sglang/srt/metrics/collector.py").exists()
        name = "metrics.collector" if old else "observability.metrics_collector"
        return importlib.import_module(f"sglang.srt.{name}")


def call(function: Callable[..., Any], **arguments: Any) -> Any:
    """Call with those arguments that this version takes."""
    taken = inspect.signature(function).parameters
    return function(**{name: value for name, value in arguments.items() if name in taken})


def scheduler(case: Case, tp: int, pp: int, dp: int | None) -> None:
    """Be one rank's scheduler: busy rank 0 has 8 running, 5 waiting and 0.42 of its tokens in use."""
    module = case.collectors()
    # The labels of scheduler_metrics_mixin.py; roles came in 0.5.7.
    labels: dict[str, object] = {"model_name": MODEL, "tp_rank": tp, "pp_rank": pp}
    labels["engine_type"] = case.role if case.version >= (0, 5, 7) else "unified"
    if case.version >= (0, 5, 7):
        labels["moe_ep_rank"] = 0
    if case.priority:
        labels["priority"] = ""
    if dp is not None:
        labels["dp_rank"] = dp
    collector = call(module.SchedulerMetricsCollector, labels=labels, server_args=case.server)
    if hasattr(collector, "emit_constants"):
        call(
            collector.emit_constants, max_total_num_tokens=TOKENS, max_total_num_tokens_swa=None,
            weight_memory_usage_gb=15.2, kv_cache_memory_usage_gb=23.5, graph_memory_usage_gb={"decode": 1.1},
            max_running_requests_under_SLO=None, engine_startup_time=41.2, engine_load_weights_time=9.8,
            page_size=1, num_pages=TOKENS, context_len=32768, startup_available_gpu_memory_gb=40.1,
        )  # fmt: skip
    if case.state == "fresh":
        return
    collector.log_stats(statistics(case, module, dp or 0))
    if case.state == "busy":
        if hasattr(collector, "observe_per_stage_req_latency"):
            collector.observe_per_stage_req_latency("prefill_forward", 0.05)
        if hasattr(collector, "observe_queue_time"):
            collector.observe_queue_time(0.2)


def statistics(case: Case, module: Any, rank: int) -> Any:
    """Return what a scheduler reports."""
    busy = case.state == "busy"

    def count(number: int, by_priority: dict[int, int] | None = None) -> Any:
        if not hasattr(module, "QueueCount"):
            return number
        return module.QueueCount(total=number, by_priority=by_priority)

    running, waiting, usage = (8 - rank, 5 - rank, round(0.42 - 0.05 * rank, 3)) if busy else (0, 0, 0.0)
    split = case.priority and busy
    none: dict[int, int] | None = {} if case.priority else None
    values: dict[str, Any] = {
        "num_running_reqs": count(running, {0: running - 2, 1: 2} if split else none),
        "num_queue_reqs": count(waiting, {0: 3, 1: 2} if split else none),
        "token_usage": usage, "full_token_usage": usage,
        "num_used_tokens": int(TOKENS * usage), "kv_used_tokens": int(TOKENS * usage),
        "kv_available_tokens": TOKENS - int(TOKENS * usage), "max_total_num_tokens": TOKENS,
        "gen_throughput": 612.4 if busy else 0.0, "cache_hit_rate": 0.31 if busy else 0.0,
        "decode_sum_seq_lens": 6120 if busy else 0, "new_token_ratio": 0.7, "is_cuda_graph": 1,
        "utilization": -1.0 if case.role == "prefill" else 0.0,
    }  # fmt: skip
    if case.role == "prefill":
        values["num_running_reqs"] = count(0)
        for queue, number in (("prealloc", 3), ("bootstrap", 3), ("infight", 2), ("inflight", 2)):
            values[f"num_prefill_{queue}_queue_reqs"] = count(number if busy else 0)
    if case.role == "decode" and busy:
        values |= {"num_queue_reqs": count(0), "pending_prealloc_token_usage": 0.04}
        values |= {"num_decode_prealloc_queue_reqs": count(3), "num_decode_transfer_queue_reqs": count(2)}
    stats = module.SchedulerStats()
    for name in {field.name for field in dataclasses.fields(stats)} & set(values):
        setattr(stats, name, values[name])
    return stats


def tokenizer(case: Case) -> None:
    """Be the tokenizer manager: what it counts and times, a request at a time."""
    module = case.collectors()
    labels = {"model_name": MODEL} | ({"priority": ""} if case.priority else {})
    if case.version >= (0, 5, 12):
        labels["engine_type"] = case.role
    collector = call(
        module.TokenizerMetricsCollector,
        server_args=case.server,
        labels=labels,
        collect_tokens_histogram=True,
    )
    for number in range(case.requests):
        own = labels | ({"priority": str(number % 2)} if case.priority else {})
        call(
            collector.observe_one_finished_request, labels=own, prompt_tokens=512, generation_tokens=128,
            cached_tokens=170, e2e_latency=1.2 + 0.2 * number, has_grammar=False,
        )  # fmt: skip
        first_s = 0.03 + 0.04 * number
        call(collector.observe_time_to_first_token, labels=own, value=first_s, label="")
        call(collector.observe_inter_token_latency, labels=own, internval=0.0131 * 127, num_new_tokens=127)


def mount(case: Case, app: Any) -> None:
    """Add the wheel's own metrics route and what counts HTTP requests."""
    path = case.wheel / "sglang/srt/utils/common.py"
    if not path.exists():
        path = path.parent.with_suffix(".py")
    steps = ("add_prometheus_middleware", "add_prometheus_track_response_middleware")
    scope: dict[str, Any] = {**vars(typing), **vars(importlib.import_module("starlette.routing"))}
    scope |= {
        "re": re,
        "os": os,
        "logger": logging.getLogger(),
        "patch_app_http_middleware": lambda app: None,
    }
    pretend.pick(path, [*steps, "_get_fastapi_request_path", "RefCountedGauge"], scope)
    for name in steps:
        if name in scope:
            scope[name](app)
    if (case.wheel / "sglang/srt/observability/http_request_metrics.py").exists():
        http = importlib.import_module("sglang.srt.observability.http_request_metrics")
        http.init_http_request_metrics()
        http.add_http_request_metrics_middleware(app)


def main(case: Case) -> None:
    dp_ranks: list[int | None] = [0, 1] if "dp2" in case.options else [None]
    tp_ranks, pp_ranks = (range(2 if name in case.options else 1) for name in ("alltp2", "pp2"))
    for dp, pp, tp in product(dp_ranks, pp_ranks, tp_ranks):
        rank = multiprocessing.get_context("fork").Process(target=scheduler, args=(case, tp, pp, dp))
        rank.start()
        rank.join()
        if rank.exitcode:
            sys.exit(rank.exitcode)
    tokenizer(case)
    app = application(GENERATE, CHAT)
    mount(case, app)
    calls = [("POST", CHAT if number else GENERATE) for number in range(case.requests)]
    sys.stdout.write(scraped(app, calls))


if __name__ == "__main__":
    numbers = tuple(int(number) for number in re.findall(r"\d+", sys.argv[2])[:3])
    with tempfile.TemporaryDirectory(prefix="prometheus-") as folder:
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = folder
        main(Case(Path(sys.argv[1]), numbers, sys.argv[3], frozenset(sys.argv[4:])))
