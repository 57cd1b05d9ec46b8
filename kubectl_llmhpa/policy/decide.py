"""From what an engine can say to what the HPA should ask for."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from kubectl_llmhpa.engines import SIGNALS, EngineFacts, Kind
from kubectl_llmhpa.errors import LlmHpaError
from kubectl_llmhpa.policy.behavior import behavior
from kubectl_llmhpa.policy.model import Policy, Target
from kubectl_llmhpa.policy.presets import PRESETS, targets_of
from kubectl_llmhpa.policy.reach import better_target, most_running, within_reach

_PODS = "Pods AverageValue"
#: Where a target comes from.
GIVEN = "given on the command line"
#: Why metrics of pods cannot serve a peak.
ONE_NUMBER = "a peak is one number of all pods, so the HPA has to get it as an External metric"


def decide(
    facts: EngineFacts,
    *,
    preset: str = "load",
    targets: Mapping[str, Decimal] | None = None,
    on_top: bool = False,
    origins: Mapping[str, str] | None = None,
    scale_down_window: int = 300,
    scale_down: bool = True,
    external: bool = False,
    peaks: bool = False,
) -> Policy:
    """The policy for one engine.

    `targets` (signal -> target per pod) stand for the preset's whole list, with `on_top` only for those of the same
    signals; `origins` says where each comes from, if not from the command line, and such a one is left out where the
    engine exposes nothing for it. `external`: the numbers reach the HPA as External metrics, which also serve rates,
    peaks, seats as they are seen, and a latency as a guard beside a load. `peaks`: only those do, beside metrics of
    pods. Raises LlmHpaError, with the reason, for an unknown preset or signal, for one that has no live series, and for
    a target that cannot work.
    """
    _per_pod(facts)
    shape = behavior(scale_down_window, scale_down=scale_down)
    reasons = [str(finding) for finding in facts.findings]
    if not facts.live:
        reasons.append(
            f"no series of {facts.engine} seen ({facts.evidence}): its newest metric names are assumed"
        )
    if targets and not on_top:
        origins = origins or {}
        absent = [signal for signal in targets if signal in origins and signal not in facts.signals]
        reasons += [f"{signal} is left out: the engine exposes no series for it" for signal in absent]
        chosen = tuple(
            _own(facts, signal, value, external, origins.get(signal, GIVEN))
            for signal, value in targets.items()
            if signal not in absent
        )
        if all(SIGNALS[one.signal] is Kind.LATENCY for one in chosen):
            raise LlmHpaError(
                f"--signal {next(iter(targets))}",
                "a latency does not say how many pods are needed: it can only guard a target for the load",
                "add one, for example --signal running=4",
            )
        return Policy("custom", chosen, shape, tuple(reasons))
    if preset not in PRESETS:
        raise LlmHpaError(
            f"policy {preset}", "there is no such policy", f"choose one of {', '.join(PRESETS)}"
        )
    if PRESETS[preset].peak and not (external or peaks):
        raise LlmHpaError(f"policy {preset}", ONE_NUMBER, "use KEDA: --backend keda, or migrate --to keda")
    chosen, missing = targets_of(facts, PRESETS[preset], external=external)
    own = targets or {}
    chosen = (
        *(one for one in chosen if one.signal not in own),
        *(_own(facts, signal, value, external, GIVEN) for signal, value in own.items()),
    )
    if not chosen:
        usable = _offered(facts)
        remedy = (
            f"name a target of your own, for example --signal {usable.partition(', ')[0]}=N"
            if usable
            else (
                "use a version or a setting of the engine that exposes a queue, or scale by another system's metric"
            )
        )
        raise LlmHpaError(f"policy {preset} for {facts.engine}", "; ".join(missing), remedy)
    if facts.seats is None:
        reasons.append("seats unknown, uncalibrated: run bench")
    if not scale_down:
        reasons.append("scale-down is disabled: replicas only grow")
    return Policy(preset, chosen, shape, (*reasons, *missing))


def _per_pod(facts: EngineFacts) -> None:
    """Refuse an engine whose numbers are not those of one pod: a mean over its pods means nothing."""
    loads = [source for source in facts.signals.values() if source.kind is not Kind.LATENCY]
    if loads and not any(_PODS in source.forms for source in loads):
        raise LlmHpaError(
            f"choose targets for a {facts.form} of {facts.engine}",
            "it counts the requests of all engines behind it, which do not become fewer per pod when it is scaled; for "
            "them its sum is no load either, since it does not tell workers of several roles or pools apart",
            "name the workload of the engines behind it",
        )


def _own(facts: EngineFacts, signal: str, value: Decimal, external: bool, origin: str) -> Target:
    attempted = f"--signal {signal}={value}"
    kind = SIGNALS.get(signal)
    if kind is None:
        raise LlmHpaError(
            attempted,
            f"there is no signal {signal!r}",
            f"choose one of {_offered(facts) or ', '.join(SIGNALS)}",
        )
    if kind is Kind.LATENCY and not external:
        raise LlmHpaError(
            attempted,
            "a latency is no load of one pod: its mean over pods does not fall when pods are added in proportion, so "
            "an HPA on it over- or undershoots",
            "use running, waiting or kv-cache, or let KEDA guard them with it (--backend keda)",
        )
    if kind is Kind.RATE and not external:
        raise LlmHpaError(
            attempted,
            "token rates are not served per pod by this version",
            "use running or waiting, or --backend keda",
        )
    source = facts.signals.get(signal)
    if source is None:
        raise LlmHpaError(
            attempted,
            f"{facts.engine} exposes no live series for {signal}",
            f"choose one of {_offered(facts)}" if _offered(facts) else "wait until a pod is ready",
        )
    if not value.is_finite() or value <= 0:
        raise LlmHpaError(attempted, "the target must be above 0")
    if kind is Kind.RATIO and value >= 1:
        raise LlmHpaError(
            attempted, f"{signal} is a ratio: the target must lie between 0 and 1", "0.8 is usual"
        )
    if value < Decimal("0.001"):
        raise LlmHpaError(attempted, "metrics have a resolution of 0.001", "name a larger target")
    if signal == "running":
        _reachable(facts, attempted, value)
    return Target(signal, source.api_name, value, origin)


def _reachable(facts: EngineFacts, attempted: str, value: Decimal) -> None:
    """Refuse a target for running requests that one full pod does not exceed by more than the tolerance."""
    seats, most = facts.seats, most_running(facts.seats)
    if seats is None or most is None or within_reach(value, most):
        return
    if seats.proved:
        most = min(most, seats.value)
    if value > most:
        problem = f"one pod never runs more than {most} requests at once ({seats.evidence}), so it can never be reached"
    else:
        problem = (
            f"a full pod runs {most} requests ({seats.evidence}), which is within the 10 % tolerance of the target, so "
            "it never scales up"
        )
    raise LlmHpaError(attempted, problem, f"use {better_target(most)}")


def _offered(facts: EngineFacts) -> str:
    return ", ".join(
        name
        for name, source in facts.signals.items()
        if source.kind in (Kind.COUNT, Kind.RATIO) and _PODS in source.forms
    )
