"""The verdict on a run: the exit code and one sentence."""

from __future__ import annotations

from kubectl_llmhpa.bench.outcome import Outcome
from kubectl_llmhpa.bench.preparing import Plan
from kubectl_llmhpa.bench.report.model import Verdict
from kubectl_llmhpa.bench.report.words import percent
from kubectl_llmhpa.bench.results import Result
from kubectl_llmhpa.bench.sizing.model import Slo
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
            ExitCode.MEASUREMENT_INVALID, f"measurement invalid: {result.invalid}{_engine_words(result)}"
        )
    if outcome.proof is not None and outcome.proof.problems:
        state = _state(outcome) if outcome.hpa is not None and not outcome.hpa.healthy else ""
        return _said(ExitCode.NO_RESCALE, f"not proved: {'; '.join(outcome.proof.problems)}{state}")
    if outcome.plan.hpa is not None and outcome.plan.load.must_rescale and outcome.first_rescale_s is None:
        state = _state(outcome)
        return _said(ExitCode.NO_RESCALE, f"no rescale within {result.duration_s:.0f} s of load{state}")
    kept, slo = attainment(outcome), outcome.plan.options.slo
    if kept is not None and kept < slo.share:
        return _said(
            ExitCode.SLO_NOT_MET,
            f"SLO not met: {percent(kept)} of the requests kept it, {percent(slo.share)} should have",
        )
    if outcome.first_rescale_s is not None:
        proved = "proved: " if outcome.proof is not None else ""
        seconds = f"{outcome.first_rescale_s:.1f} s"
        return _said(ExitCode.OK, f"{proved}first rescale {seconds} after the load began{_reason(outcome)}")
    return _said(ExitCode.OK, "measured")


def _state(outcome: Outcome) -> str:
    return "" if outcome.hpa is None else f"; HPA is {outcome.hpa.state}: {outcome.hpa.why}"


def asked_slo(plan: Plan) -> Slo | None:
    """The SLO that was asked for; None where it limits nothing."""
    slo = plan.options.slo
    return slo if any(limit is not None for limit in (slo.ttft, slo.tpot, slo.e2e)) else None


def attainment(outcome: Outcome) -> float | None:
    """The share of the requests that kept the SLO, over the run or else over its moments; None where none tells."""
    result = outcome.result
    if asked_slo(outcome.plan) is None:
        return None
    if result.good is not None and result.done:
        return round(result.good / result.done, 4)
    kept = finished = since = 0.0
    for moment in outcome.moments:
        count = moment.finished * (moment.seconds - since)
        since = moment.seconds
        if moment.attainment is not None and count > 0:
            kept, finished = kept + moment.attainment * count, finished + count
    return round(kept / finished, 4) if finished else None


def _of_sweep(outcome: Outcome) -> Verdict:
    """Of a sweep the points are valid or not, each for itself: the judgement of all of them speaks."""
    sizing = outcome.sizing
    reasons = [point.invalid for point in outcome.sweep.points]  # type: ignore[union-attr]
    if sizing is None or all(reasons):
        why = f": {max(reasons, key=reasons.count)}" if reasons else ""
        return _said(
            ExitCode.MEASUREMENT_INVALID, f"measurement invalid: no point of the sweep may be used{why}"
        )
    missed = asked_slo(outcome.plan) is not None and sizing.slo.value is None
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


def _engine_words(result: Result) -> str:
    """The engine's own words for the most frequent failure, with its reason where that is not said yet."""
    if not result.failed:
        return f" ({result.tail.splitlines()[-1]})" if result.tail else ""
    reason = max(result.failed, key=lambda name: result.failed[name])
    said = [reason] if reason not in result.invalid else []
    said += [result.examples[reason]] if reason in result.examples else []
    return f" ({': '.join(said)})" if said else ""
