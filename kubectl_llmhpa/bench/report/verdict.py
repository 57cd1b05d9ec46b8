"""The verdict on a run: the exit code and one sentence."""

from __future__ import annotations

from kubectl_llmhpa.bench.outcome import Outcome
from kubectl_llmhpa.bench.report.model import Verdict
from kubectl_llmhpa.bench.results import Result
from kubectl_llmhpa.errors import ExitCode


def verdict(outcome: Outcome) -> Verdict:
    """What came first counts: figures that may not be used, then what the mode was to show."""
    result = outcome.result
    if outcome.invalid:
        return _said(ExitCode.MEASUREMENT_INVALID, f"measurement invalid: {outcome.invalid}")
    if outcome.sweep is not None:
        return _of_sweep(outcome)
    if result.invalid:
        return _said(
            ExitCode.MEASUREMENT_INVALID, f"measurement invalid: {result.invalid}{engine_words(result)}"
        )
    if outcome.proof is not None and outcome.proof.problems:
        return _said(ExitCode.NO_RESCALE, f"not proved: {'; '.join(outcome.proof.problems)}")
    if outcome.plan.hpa is not None and outcome.plan.load.must_rescale and outcome.first_rescale_s is None:
        state = "" if outcome.hpa is None else f"; HPA is {outcome.hpa.state}: {outcome.hpa.why}"
        return _said(ExitCode.NO_RESCALE, f"no rescale within {result.duration_s:.0f} s of load{state}")
    if outcome.first_rescale_s is not None:
        proved = "proved: " if outcome.proof is not None else ""
        seconds = f"{outcome.first_rescale_s:.1f} s"
        return _said(ExitCode.OK, f"{proved}first rescale {seconds} after the load began{_reason(outcome)}")
    return _said(ExitCode.OK, "measured")


def _of_sweep(outcome: Outcome) -> Verdict:
    """Of a sweep the points are valid or not, each for itself: the judgement of all of them speaks."""
    sizing = outcome.sizing
    if sizing is None or all(point.invalid for point in outcome.sweep.points):  # type: ignore[union-attr]
        return _said(ExitCode.MEASUREMENT_INVALID, "measurement invalid: no point of the sweep may be used")
    missed = sizing.slo.value is None
    return _said(ExitCode.SLO_NOT_MET if missed else ExitCode.OK, sizing.verdict)


def _said(code: ExitCode, text: str) -> Verdict:
    return Verdict(int(code), text)


def _reason(outcome: Outcome) -> str:
    """The first rescale's reason, from the event that came with it."""
    for entry in outcome.entries:
        _, found, reason = entry.text.partition("; reason: ")
        if entry.kind == "rescale" and found and entry.at >= outcome.started:
            return f" ({reason})"
    return ""


def engine_words(result: Result) -> str:
    """The engine's own words for the most frequent failure."""
    if not result.failed:
        return f" ({result.tail.splitlines()[-1]})" if result.tail else ""
    reason = max(result.failed, key=lambda name: result.failed[name])
    example = result.examples.get(reason)
    return f" ({reason}: {example})" if example else f" ({reason})"
