"""A benchmark as what `enable` writes: taken where it holds, refused where it does not."""

from __future__ import annotations

import json
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import click
import pytest

from kubectl_llmhpa.api import DEPLOYMENTS
from kubectl_llmhpa.bench import report as reports
from kubectl_llmhpa.bench.advice import advice, check
from kubectl_llmhpa.bench.report import Report
from kubectl_llmhpa.bench.sizing.judge import judge
from kubectl_llmhpa.bench.sizing.model import Conditions, Sizing
from kubectl_llmhpa.cli.from_bench import measured as read_bench
from kubectl_llmhpa.engines import Seats
from kubectl_llmhpa.errors import LlmHpaError
from kubectl_llmhpa.plan.wishes import Wishes
from kubectl_llmhpa.policy import decide
from tests.unit.bench_outcomes import plain, swept
from tests.unit.sweeps import measured, point, sweep
from tests.unit.test_policy import facts

SIGNALS = ("running", "waiting", "kv-cache", "generation-tokens", "ttft")


def sized(**conditions: Any) -> Sizing:
    return judge(measured(), Conditions(signals=SIGNALS, **conditions))


def made(sizing: Sizing | None, models: tuple[str, ...] = ("tiny",), asked: str = "tiny") -> Report:
    found = reports.of_outcome(swept())
    flagged = replace(found.engine, seats=Seats(8, "flag --max-num-seqs 8", True, ceiling=8))
    return replace(found, sizing=sizing, engine=replace(flagged, models=models), model=asked)


def test_targets_are_what_an_hpa_can_hold_with_their_formula() -> None:
    said = advice(sized(rate=10.0, peak=40.0, lag=90.0), "x")
    assert said.targets == {"running": Decimal(5), "waiting": Decimal(1), "kv-cache": Decimal("0.15")}
    assert said.origins["running"].startswith(
        "measured: N_max / ((1 + tolerance) x (1 + growth x lag)), proved; N_max 8 (the SLO; the knee is 8), tolerance"
    )
    assert (said.min_replicas, said.max_replicas, said.scale_down_window) == (2, 7, None)
    slow = advice(sized(lag=400.0), "x")
    assert (slow.min_replicas, slow.max_replicas, slow.scale_down_window) == (None, None, 840)


@pytest.mark.parametrize(
    ("sizing", "said"),
    [
        (None, "it has no sweep"),
        (judge(sweep([])), "no valid point: nothing can be said"),
        (judge(sweep([point(1, 2, kept=0)])), "no number of replicas can meet this SLO"),
        (judge(measured(8)), "its sweep ended at 8 requests in flight without a limit; sweep further"),
        (judge(measured(), Conditions(signals=("waiting",))), "a target for neither running nor in-flight"),
    ],
)
def test_what_is_no_advice(sizing: Sizing | None, said: str) -> None:
    with pytest.raises(LlmHpaError, match=said):
        advice(sizing, "x")


def test_a_policy_of_measured_targets_leaves_out_what_the_engine_does_not_have() -> None:
    said = advice(sized(), "x")
    policy = decide(
        facts(Seats(8, "seen", True), without="kv-cache"), targets=said.targets, origins=said.origins
    )
    assert {one.signal: str(one.value) for one in policy.targets} == {"running": "5", "waiting": "1"}
    assert policy.targets[0].reason == said.origins["running"]
    assert "kv-cache is left out: the engine exposes no series for it" in policy.reasons


@pytest.mark.parametrize(
    ("changes", "workload", "said"),
    [
        ({}, {}, ""),
        ({"version": None, "models": ()}, {}, ""),
        ({}, {"name": "other"}, "workload StatefulSet/vllm in llm and not StatefulSet/other in llm"),
        ({}, {"namespace": "prod"}, "workload StatefulSet/vllm in llm and not StatefulSet/vllm in prod"),
        ({}, {"resource": DEPLOYMENTS}, "workload StatefulSet/vllm in llm and not Deployment/vllm in llm"),
        ({"engine": "sglang"}, {}, "engine vllm and not sglang"),
        ({"version": "0.33.0"}, {}, "engine version 0.32.0 and not 0.33.0"),
        ({"models": ("big", "lora")}, {}, "model tiny and not big, lora"),
        ({"seats": Seats(256, "flag", False, ceiling=256)}, {}, "seats by its flags 8 and not 256"),
        ({"seats": Seats(7, "what ran while requests waited", True)}, {}, ""),
    ],
)
def test_a_benchmark_of_something_else_is_refused(
    changes: dict[str, Any], workload: dict[str, Any], said: str
) -> None:
    plan = swept().plan
    there = replace(plan.workload, **workload)
    engine = replace(plan.sight.facts, **changes)
    if not said:
        check(made(sized()), there, engine, "x")
        return
    with pytest.raises(LlmHpaError, match=f"it was measured on another: {said}"):
        check(made(sized()), there, engine, "x")


@pytest.mark.parametrize(
    ("served", "asked", "now", "said"),
    [
        # under the name of a LoRA adapter, and under a second name of the model
        (("tiny",), "sql", ("tiny",), ""),
        (("tiny",), "sql", ("tiny", "sql"), ""),
        (("tiny",), "sql", ("big",), "model tiny and not big"),
        # not even where the other serves an adapter of the same name
        (("tiny",), "sql", ("big", "sql"), "model tiny and not big, sql"),
        # of a file without the engine's own names
        ((), "tiny", ("tiny",), ""),
        ((), "sql", ("tiny",), "model sql and not tiny"),
    ],
)
def test_the_model_is_the_one_that_the_engine_serves(
    served: tuple[str, ...], asked: str, now: tuple[str, ...], said: str
) -> None:
    plan = swept().plan
    report, engine = made(sized(), served, asked), replace(plan.sight.facts, models=now)
    if not said:
        check(report, plan.workload, engine, "x")
        return
    with pytest.raises(LlmHpaError, match=f"it was measured on another: {said}; measure"):
        check(report, plan.workload, engine, "x")


def saved(folder: Path, report: Report) -> Path:
    path = folder / "bench.json"
    path.write_text(json.dumps(reports.document(report)))
    return path


def test_flags_go_before_what_the_file_says(tmp_path: Path) -> None:
    path = saved(tmp_path, made(sized(rate=10.0, peak=40.0, lag=400.0)))
    wishes, report = read_bench(path, Wishes(max_replicas=4, adopt=True))
    assert report.workload == "StatefulSet/vllm"
    assert wishes.targets["running"] == 2
    assert (wishes.min_replicas, wishes.max_replicas, wishes.scale_down_window) == (3, 4, 840)
    assert wishes.adopt


def test_what_cannot_be_read(tmp_path: Path) -> None:
    path = saved(tmp_path, made(sized()))
    with pytest.raises(click.UsageError, match="--from-bench excludes --policy and --signal"):
        read_bench(path, Wishes(preset="load"))
    with pytest.raises(LlmHpaError, match="it has no sweep"):
        read_bench(saved(tmp_path, reports.of_outcome(plain())), Wishes())
    with pytest.raises(LlmHpaError, match="measurement invalid"):
        read_bench(saved(tmp_path, reports.of_outcome(plain(done=0))), Wishes())
    path.write_text("{")
    with pytest.raises(LlmHpaError, match="it is not JSON"):
        read_bench(path, Wishes())
    with pytest.raises(LlmHpaError, match="No such file"):
        read_bench(tmp_path / "absent", Wishes())
