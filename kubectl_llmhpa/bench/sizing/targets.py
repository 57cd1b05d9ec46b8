"""The target of each signal, with its formula and where every number of it comes from."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from kubectl_llmhpa.bench.sizing.curve import Curve
from kubectl_llmhpa.bench.sizing.model import ESTIMATED, Conditions, Input, Kept, SignalTarget, Sweep

LOAD = "N_max / ((1 + tolerance) x (1 + growth x lag))"
QUEUE = "X_sat x (TTFT of the SLO - TTFT at N_max)"
CACHE = "T x ceil((input + output) / block) / (blocks - 1)"
CACHE_SEEN = "T x KV cache at N_max / N_max"
RATE = "headroom x rate at N_max"
LARGEST_CACHE = 0.8
#: Below it other things than the cache are the limit, and one long request is more than the target.
LEAST_CACHE = 0.05
MAIN, SECOND, GUARD = "main", "second", "guard"
_LATENCIES = ("ttft", "itl", "e2e")


@dataclass(frozen=True)
class Basis:
    """What all targets follow from: the curve, what keeps the SLO, the most in flight and why, and the lag."""

    sweep: Sweep
    curve: Curve
    kept: Kept
    n_max: float
    n_origin: str
    lag: Input
    confidence: str
    conditions: Conditions

    @property
    def growth(self) -> float:
        """By how much the load of a pod may have grown when the new one takes its share."""
        return (1 + self.conditions.tolerance) * (1 + self.conditions.growth * self.lag.value)

    @property
    def load(self) -> int:
        """T: the requests in flight per pod that an HPA should hold."""
        return whole(self.n_max / self.growth)


def targets(basis: Basis) -> tuple[SignalTarget, ...]:
    """One for each signal of the policy, in its order."""
    return tuple(target(basis, signal) for signal in basis.conditions.signals)


def target(basis: Basis, signal: str) -> SignalTarget:
    """The target of one signal, or why there is none."""
    if signal in _LATENCIES:
        return _latency(basis, signal)
    makers: dict[str, Callable[[Basis, str], SignalTarget]] = {
        "running": _load,
        "in-flight": _load,
        "waiting": _waiting,
        "kv-cache": _cache,
        "generation-tokens": _rate,
        "prompt-tokens": _rate,
    }
    if signal not in makers:
        return SignalTarget(signal, None, GUARD, ESTIMATED, "", (), "a sweep says nothing about it")
    return makers[signal](basis, signal)


def whole(value: float) -> int:
    """A target of requests: rounded down, so that it is kept, and at least 1."""
    return max(1, math.floor(value + 1e-9))


def _load(basis: Basis, signal: str) -> SignalTarget:
    most, origin, note = basis.n_max, basis.n_origin, ""
    seats = basis.sweep.seats
    if signal == "running" and seats is not None and seats < most:
        most, origin = float(seats), f"the seats, of N_max {basis.n_max:g}: no more run at once"
    if most / basis.growth < 1:
        note = "the formula gives less than 1: see whether scaling can work at all"
    return SignalTarget(
        signal, float(whole(most / basis.growth)), MAIN, basis.confidence, LOAD, _load_inputs(basis, most, origin), note
    )  # fmt: skip


def _load_inputs(basis: Basis, most: float, origin: str) -> tuple[Input, ...]:
    conditions = basis.conditions
    return (
        Input("N_max", most, origin),
        Input("tolerance", conditions.tolerance, "of the HPA: within it nothing is done"),
        Input("growth", conditions.growth, f"a second; {conditions.growth_origin}"),
        basis.lag,
    )


def _waiting(basis: Basis, signal: str) -> SignalTarget:
    """Each waiting request delays a new one by the time that the pod takes to end one."""
    limit, level = basis.sweep.slo.ttft, basis.curve.at(basis.n_max)
    ttft = None if level is None else level.ttft.p95
    if limit is None or ttft is None:
        why = "the SLO has no limit on TTFT" if limit is None else "no TTFT was measured"
        return SignalTarget(signal, None, SECOND, ESTIMATED, QUEUE, (), why)
    rate = basis.curve.saturation
    value = rate * (limit - ttft)
    inputs = [
        Input("X_sat", rate, "the most requests a second that a pod served"),
        Input("TTFT of the SLO", limit, "s; given"),
        Input("TTFT at N_max", ttft, "s; measured, 95th percentile"),
    ]
    note = "0 until the pod is full: only beside a main signal"
    missed = None if basis.kept.first_miss is None else basis.curve.at(basis.kept.first_miss)
    if missed is not None and missed.waiting:
        bound = missed.waiting / (1 + basis.conditions.tolerance)
        if bound < value:
            value = bound
            inputs.append(
                Input("waiting at the first miss", missed.waiting, f"measured with {missed.n:g} in flight")
            )
            note += "; lowered, so that it acts before what missed the SLO"
    return SignalTarget(signal, float(whole(value)), SECOND, ESTIMATED, QUEUE, tuple(inputs), note)


def _cache(basis: Basis, signal: str) -> SignalTarget:
    sweep, load, level = basis.sweep, basis.load, basis.curve.at(basis.n_max)
    seen = None if level is None else level.kv_cache
    t = Input("T", load, "the target of the requests in flight")
    inputs: tuple[Input, ...]
    if sweep.block and sweep.blocks and sweep.blocks > 1:
        each = math.ceil((sweep.input_tokens + sweep.output_tokens) / sweep.block)
        value, formula = load * each / (sweep.blocks - 1), CACHE
        inputs = (
            t,
            Input("input + output", sweep.input_tokens + sweep.output_tokens, "tokens of a request of this sweep"),
            Input("block", sweep.block, "tokens; the engine says"),
            Input("blocks", sweep.blocks, "of a pod; the engine says"),
        )  # fmt: skip
    elif seen:
        value, formula = load * seen / basis.n_max, CACHE_SEEN
        inputs = (
            t,
            Input("KV cache at N_max", seen, "measured"),
            Input("N_max", basis.n_max, basis.n_origin),
        )
    else:
        why = "the engine tells neither its blocks nor how full its cache was"
        return SignalTarget(signal, None, SECOND, ESTIMATED, CACHE, (), why)
    note = "for requests as long as those of this sweep"
    expected = value * basis.n_max / load
    if formula == CACHE and seen and not 0.75 <= seen / expected <= 1.33:
        note += f"; at N_max the cache was {seen:.0%} full and not {expected:.0%}"
    if value > LARGEST_CACHE:
        value, note = LARGEST_CACHE, f"{note}; held to {LARGEST_CACHE}, beyond which requests are preempted"
    if value < LEAST_CACHE:
        note = (
            f"this gives {value:.2g}: the sweep did not press the cache ({expected:.2g} full at N_max), so it is not "
            "what limits a pod; sweep with requests as long as the users' (--input-len, --output-len)"
        )
        return SignalTarget(signal, None, SECOND, ESTIMATED, formula, inputs, note)
    value = math.floor(100 * value + 1e-9) / 100
    return SignalTarget(signal, value, SECOND, ESTIMATED, formula, inputs, note)


def _rate(basis: Basis, signal: str) -> SignalTarget:
    level = basis.curve.at(basis.n_max)
    rate = 0.0 if level is None else level.output_rate if signal == "generation-tokens" else level.input_rate
    if not rate:
        return SignalTarget(signal, None, SECOND, ESTIMATED, RATE, (), "no tokens were counted")
    headroom = basis.conditions.headroom
    inputs = (
        Input("headroom", headroom, "of a pod's throughput"),
        Input("rate at N_max", rate, "tokens a second; measured"),
    )
    note = (
        f"a pod never serves more than it can, so this asks for at most {1 / headroom:.2f} times the replicas at a "
        "time: for scale-in and steady loads"
    )
    return SignalTarget(signal, float(whole(headroom * rate)), SECOND, basis.confidence, RATE, inputs, note)


def _latency(basis: Basis, signal: str) -> SignalTarget:
    slo = basis.sweep.slo
    limit = {"ttft": slo.ttft, "e2e": slo.e2e, "itl": slo.tpot}[signal]
    note = "a latency does not say how many pods are needed: only a guard beside a main signal"
    if limit is None:
        return SignalTarget(signal, None, GUARD, ESTIMATED, "", (), f"the SLO has no limit on it; {note}")
    inputs = (Input("limit of the SLO", limit, "s; given"),)
    return SignalTarget(signal, limit, GUARD, ESTIMATED, "the limit of the SLO", inputs, note)
