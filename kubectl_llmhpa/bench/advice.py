"""What a benchmark tells `enable` to write, and whether it was measured on what is there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from kubectl_llmhpa.bench.report.model import Report
from kubectl_llmhpa.bench.sizing.model import SWEEP_FURTHER, SignalTarget, Sizing
from kubectl_llmhpa.bench.sizing.start import USUAL_WINDOW
from kubectl_llmhpa.engines import SIGNALS, EngineFacts, Kind
from kubectl_llmhpa.errors import LlmHpaError
from kubectl_llmhpa.workloads import Workload

#: What an HPA can hold by the number of pods, in every form.
_HELD = (Kind.COUNT, Kind.RATIO)
_TRUST = "say --trust-bench if the numbers hold for it all the same"
_MEASURE = "measure it with bench --sweep --slo ... --save FILE"


@dataclass(frozen=True)
class Advice:
    """Targets per pod by signal and where each comes from; None where the benchmark says nothing."""

    targets: Mapping[str, Decimal]
    origins: Mapping[str, str]
    min_replicas: int | None
    max_replicas: int | None
    scale_down_window: int | None


def advice(sizing: Sizing | None, attempted: str) -> Advice:
    """The advice of a sizing. Raises LlmHpaError where it is none: no sweep, no valid point, a limit not found."""
    if sizing is None:
        raise LlmHpaError(attempted, "it has no sweep, so it says nothing about targets", _MEASURE)
    if sizing.n_max is None:
        raise LlmHpaError(attempted, sizing.verdict, _MEASURE)
    if sizing.confidence == SWEEP_FURTHER:
        problem = f"its sweep ended at {sizing.n_max:g} requests in flight without a limit"
        raise LlmHpaError(attempted, problem, "sweep further: bench --sweep --concurrency N")
    held = [one for one in sizing.targets if one.value is not None and SIGNALS.get(one.signal) in _HELD]
    if not any(one.role == "main" for one in held):
        raise LlmHpaError(attempted, "it has a target for neither running nor in-flight", _MEASURE)
    window = sizing.start.scale_down_window
    return Advice(
        {one.signal: Decimal(f"{one.value:g}") for one in held},
        {one.signal: origin(one) for one in held},
        sizing.replicas.least,
        sizing.replicas.most,
        window if window > USUAL_WINDOW else None,
    )


def origin(target: SignalTarget) -> str:
    """`measured: N_max / (...), proved; N_max 8 (the SLO; the knee is 8), ...`."""
    inputs = ", ".join(f"{one.name} {one.value:.4g} ({one.origin})" for one in target.inputs)
    return f"measured: {target.formula}, {target.confidence}; {inputs}"


def check(
    report: Report, workload: Workload, facts: EngineFacts, attempted: str, *, otherwise: str = _TRUST
) -> None:
    """Raise LlmHpaError where the benchmark was of something else than what is there now; `otherwise` is its remedy.

    Of the seats only what a flag admits is compared: what follows from the load changes with it. Of the models it is
    what the engine serves, since requests may have asked for an adapter of it.
    """
    then, now = report.engine.seats, facts.seats
    pairs = [
        ("workload", f"{report.workload} in {report.namespace}", f"{workload.reference} in {workload.namespace}"),
        ("engine", report.engine.name, facts.engine),
        ("engine version", report.engine.version, facts.version),
        ("seats by its flags", then.ceiling if then else None, now.ceiling if now else None),
    ]  # fmt: skip
    others = [
        f"{what} {measured} and not {found}"
        for what, measured, found in pairs
        if measured is not None and found is not None and measured != found
    ]
    served = report.engine.models or (report.model,)
    if facts.models and any(served) and not {*served} & {*facts.models}:
        others.append(f"model {', '.join(served)} and not {', '.join(facts.models)}")
    if others:
        raise LlmHpaError(
            attempted, f"it was measured on another: {'; '.join(others)}",
            f"measure this one, or {otherwise}",
        )  # fmt: skip
