"""From a sweep to what it says: the one entry point of this folder."""

from __future__ import annotations

from dataclasses import replace

from kubectl_llmhpa.bench.sizing import knee as knees
from kubectl_llmhpa.bench.sizing import slo as slos
from kubectl_llmhpa.bench.sizing.curve import Curve, curve
from kubectl_llmhpa.bench.sizing.model import (
    ESTIMATED,
    PROVED,
    SWEEP_FURTHER,
    Conditions,
    Kept,
    Knee,
    Replicas,
    SignalTarget,
    Sizing,
    Sweep,
)
from kubectl_llmhpa.bench.sizing.replicas import replicas
from kubectl_llmhpa.bench.sizing.start import start
from kubectl_llmhpa.bench.sizing.targets import Basis, targets

#: A share of the throughput that no queue takes: an engine with more in flight serves as much, whatever waits.
_FALL = 0.05


def judge(sweep: Sweep, conditions: Conditions | None = None) -> Sizing:
    """What the valid points say; which are valid was decided before (`validity.checked`)."""
    conditions = conditions or Conditions()
    found = curve(sweep)
    knee, kept = knees.knee(found), slos.kept(found, sweep.slo)
    wants = slos.asked_for(sweep.slo)
    n_max, origin = _most(found, knee, kept, wants=wants)
    confidence = _confidence(found, knee, kept, n_max, sweep, wants=wants)
    started = start(sweep.cold_start, conditions, None if confidence == SWEEP_FURTHER else n_max)
    chosen: tuple[SignalTarget, ...] = ()
    sizes = Replicas(None, None, None, "")
    if n_max is not None:
        basis = Basis(sweep, found, kept, n_max, origin, started.lag, confidence, conditions)
        chosen, sizes = targets(basis), replicas(basis)
    sizing = Sizing(
        knee=knee,
        slo=kept,
        n_max=n_max,
        rate_max=None if n_max is None else found.rate_at(n_max),
        saturation=found.saturation or None,
        confidence=confidence,
        targets=chosen,
        replicas=sizes,
        start=started,
        verdict="",
        notes=_notes(sweep, found, kept, n_max, confidence),
    )
    return replace(sizing, verdict=_verdict(sizing, wants=wants))


def _most(found: Curve, knee: Knee, kept: Kept, *, wants: bool) -> tuple[float | None, str]:
    """N_max and where it comes from; None where not even the fewest tested will do."""
    if not found.levels or (wants and kept.value is None):
        return None, ""
    if knee.value is not None and (kept.value is None or knee.value < kept.value):
        return knee.value, f"the knee; the SLO is kept up to {kept.value:g}" if kept.value else "the knee"
    if kept.value is not None:
        return kept.value, f"the SLO; the knee is {knee.value:g}" if knee.value else "the SLO"
    return found.levels[-1].n, "the most that was tested"


def _confidence(
    found: Curve, knee: Knee, kept: Kept, n_max: float | None, sweep: Sweep, *, wants: bool
) -> str:
    if n_max is None or (knee.value is None and kept.first_miss is None):
        return SWEEP_FURTHER
    level = found.at(n_max)
    if wants and level is not None and slos.lower_bound(level.good, level.asked) >= sweep.slo.share:
        return PROVED
    return ESTIMATED


def _notes(sweep: Sweep, found: Curve, kept: Kept, n_max: float | None, confidence: str) -> tuple[str, ...]:
    notes = list(sweep.notes)
    invalid = sum(1 for one in sweep.points if one.invalid)
    if invalid:
        notes.append(f"{invalid} of {len(sweep.points)} points are invalid and left out")
    if n_max is None:
        return tuple(notes)
    if sweep.seats is not None and n_max > sweep.seats:
        notes.append(
            f"{n_max:g} are more than the {sweep.seats} seats of a pod: the SLO leaves room for a queue"
        )
    if n_max == found.levels[-1].n and confidence != SWEEP_FURTHER:
        notes.append(f"{n_max:g} is the most that was tested")
    gap = (kept.first_miss or 0) - n_max
    if kept.value == n_max and gap > max(1, n_max / 8):
        notes.append(f"nothing between {n_max:g} and {kept.first_miss:g} in flight was tested")
    fall = _fall(found, kept)
    if fall > _FALL:
        notes.append(
            f"with {kept.first_miss:g} in flight it served {fall:.0%} less than with fewer: its cache was full, or "
            "something else took its time; sweep again"
        )
    if confidence == SWEEP_FURTHER:
        notes.append(f"neither the SLO nor the throughput ended at {n_max:g}: sweep further")
    return tuple(notes)


def _fall(found: Curve, kept: Kept) -> float:
    """How much less was served where the SLO was first missed than before, as a share."""
    miss = None if kept.first_miss is None else found.at(kept.first_miss)
    before = [] if miss is None else [one.rate for one in found.levels if one.n < miss.n]
    return 1 - miss.rate / max(before) if miss is not None and before else 0.0


def _verdict(sizing: Sizing, *, wants: bool) -> str:
    """One sentence, the gravest thing first."""
    if sizing.n_max is None:
        if not wants or sizing.slo.first_miss is None:
            return "no valid point: nothing can be said"
        if sizing.slo.first_miss <= 1:
            return f"no number of replicas can meet this SLO: {sizing.slo.why}"
        return f"the SLO was never kept: {sizing.slo.why}; sweep from 1 on"
    if sizing.confidence == SWEEP_FURTHER:
        what = "request" if sizing.n_max == 1 else "requests"
        can = f"a pod can have at least {sizing.n_max:g} {what} in flight ({sizing.rate_max:.2f} a second)"
        return f"{can}: its limit was not found, sweep further"
    if sizing.start.impossible:
        return f"no reactive scaler can meet this SLO: {sizing.start.impossible}"
    asks = ", ".join(
        f"{one.signal} {one.value:g}"
        for one in sizing.targets
        if one.value is not None and one.role != "guard"
    )
    can = f"a pod can have {sizing.n_max:g} requests in flight ({sizing.rate_max:.2f} a second), {sizing.confidence}"
    return f"{can}; targets: {asks}" if asks else can
