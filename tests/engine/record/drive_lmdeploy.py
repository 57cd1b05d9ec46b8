"""Print the body that an LMDeploy wheel's own stat logger (``lmdeploy/metrics/loggers.py``, 0.10) exposes.

Arguments: the unpacked wheel, its version, ``idle`` or ``busy``.
"""

from __future__ import annotations

import enum
import importlib
import sys
from pathlib import Path
from types import ModuleType
from typing import Any, Final

import prometheus_client

from tests.engine.record import pretend

MODEL: Final = "internlm/internlm3-8b-instruct"
REAL: Final = ("lmdeploy.metrics",)
ABSENT: Final = ("mmengine", "pydantic_core", "tokenizers", "torch", "transformers")
FINISHED: Final = 24


def messages(wheel: Path) -> Any:
    """Return ``lmdeploy.messages`` with its real ResponseType, a label of the finished requests."""
    module = ModuleType("lmdeploy.messages")
    vars(module).update({"enum": enum, "Enum": enum.Enum, "auto": enum.auto})
    pretend.pick(wheel / "lmdeploy/messages.py", ["ResponseType"], vars(module))
    for name in ("EngineEvent", "EngineOutput", "EventType", "RequestMetrics", "ScheduleMetrics"):
        setattr(module, name, pretend.stand_in(name))
    sys.modules[module.__name__] = module
    return module


def iteration(stats: Any, prompt: int, new: int, first_s: float, next_s: float) -> Any:
    """Return what one step of the engine reports."""
    step = stats.IterationStats()
    step.prompt_tokens, step.new_generation_tokens = prompt, new
    step.ttft, step.tpot, step.itl = first_s, next_s, next_s
    return step


def main(wheel: Path, state: str) -> None:
    pretend.install(wheel, "lmdeploy", REAL, ABSENT)
    finish = messages(wheel).ResponseType.FINISH
    stats = importlib.import_module("lmdeploy.metrics.stats")
    logger = importlib.import_module("lmdeploy.metrics.loggers").PrometheusStatLogger(
        model_name=MODEL, max_model_len=32768, dp_rank=0
    )
    scheduler = stats.SchedulerStats()
    if state == "busy":
        scheduler.num_running_reqs, scheduler.num_waiting_reqs, scheduler.gpu_cache_usage = 8, 5, 0.42
        scheduler.num_total_reqs = 37
    logger.record_schedule(scheduler)
    request = {
        "finish_reason": finish,
        "e2e_latency": 2.0, "prompt_tokens": 512, "generation_tokens": 128, "queued_time": 0.2,
        "prefill_time": 0.1, "inference_time": 1.8, "decode_time": 1.7,
    }  # fmt: skip
    for number in range(FINISHED if state == "busy" else 0):
        logger.record_iteration(iteration(stats, 512, 1, 0.03 + 0.04 * number, 0.0))
        for _ in range(8):
            logger.record_iteration(iteration(stats, 0, 1, 0.0, 0.0131))
        logger.record_finish(stats.FinishedRequestStats(**request))
    sys.stdout.write(prometheus_client.generate_latest(prometheus_client.REGISTRY).decode())


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[3])
