"""What the controller remembers, as far as the HPA's status and its events tell: its memory itself cannot be read.

Two bounds come out. In `latest` everything remembered is as young as it can be, so every wait is as long as it can be;
in `earliest` it is as old as it can be. Where a window is 0 they are the same. Why a bound holds stands at each rule.
"""

from __future__ import annotations

from dataclasses import dataclass

from kubectl_llmhpa.explain.facts import Facts, seconds
from kubectl_llmhpa.explain.inputs import Inputs
from kubectl_llmhpa.hpa import of_hpa, rescales
from kubectl_llmhpa.hpa.arithmetic import Memory, Recommendation
from kubectl_llmhpa.hpa.arithmetic.limits import Change

#: `--horizontal-pod-autoscaler-sync-period` in seconds: its default, since the flag cannot be read.
SYNC = 15
#: The last sync was before now, by at least so much.
_JUST_NOW = 0.001
HELD = ("ScaleDownStabilized", "ScaleUpStabilized")


@dataclass(frozen=True)
class Estimate:
    """The two bounds, and a sentence for everything in them that is not known but estimated."""

    latest: Memory
    earliest: Memory
    sentences: tuple[str, ...]


def estimate(facts: Facts, inputs: Inputs) -> Estimate:
    """What the controller remembers of the HPA."""
    status = facts.hpa.get("status") or {}
    said = {one.get("type"): one for one in status.get("conditions") or ()}
    ups, downs, sentences = _changes(facts, inputs)
    if not said:  # it has not looked yet; then it begins with the replicas that it finds
        fresh = Memory((), ups, downs, inputs.scaled_to_zero)
        return Estimate(fresh, fresh, tuple(sentences))
    held = (said.get("AbleToScale") or {}).get("reason") in HELD
    limited = said.get("ScalingLimited") or {}
    level = _level(inputs, int(status.get("desiredReplicas") or 0), _limit(limited), held=held)
    newest = inputs.now - _JUST_NOW
    up = _last_up(facts, inputs, level)
    known = not held and (said.get("ScalingActive") or {}).get("status") == "True"
    oldest = max(up, inputs.now - SYNC if known else float("-inf"))
    window = _window(inputs)
    if window:
        sentences.insert(0, _about(level, inputs.now - oldest, window, since=up))
    return Estimate(
        Memory((Recommendation(level, newest),), ups, downs, inputs.scaled_to_zero),
        Memory((Recommendation(level, min(oldest, newest)),), ups, downs, inputs.scaled_to_zero),
        tuple(sentences),
    )


def _limit(condition: dict[str, str]) -> str:
    return str(condition.get("reason")) if condition.get("status") == "True" else ""


def _level(inputs: Inputs, desired: int, limit: str, *, held: bool) -> int:
    """A recommendation that has the effect of those that the controller remembers.

    The last sync came to `desired` by way of what it remembered. Where nothing held it back and it was cut by a limit,
    all that it remembered lay beyond that limit, so nothing of it holds the next step in that direction. Else the
    number itself was recommended, or what held it lay on its other side, where `desired` has the same effect.
    """
    ballot = inputs.settled().ballot
    asked = ballot.replicas if ballot is not None and ballot.replicas is not None else desired
    if not held and limit in ("ScaleUpLimit", "TooManyReplicas"):
        return max(desired, asked)
    if not held and limit in ("ScaleDownLimit", "TooFewReplicas"):
        return min(desired, asked)
    return desired


def _last_up(facts: Facts, inputs: Inputs, level: int) -> float:
    """When the controller last scaled up to what it has now: then it recommended at least that much."""
    found = rescales(of_hpa(facts.hpa, facts.events))
    if not found or found[-1].size < level or not found[-1].reason.endswith("above target"):
        return float("-inf")
    return min(seconds(found[-1].time), inputs.now)


def _changes(facts: Facts, inputs: Inputs) -> tuple[tuple[Change, ...], tuple[Change, ...], list[str]]:
    """The rescales that policies still count, from events; and what of that is not certain."""
    spec, found = inputs.spec, rescales(of_hpa(facts.hpa, facts.events))
    if spec.up is None or spec.down is None:
        return (), (), []
    ups, downs, unsure = [], [], []
    reach = max(spec.up.longest_period, spec.down.longest_period)
    for before, one in zip((None, *found), found, strict=False):
        at = min(seconds(one.time), inputs.now - _JUST_NOW)
        if at <= inputs.now - reach:
            continue
        if before is None or one.combined:
            unsure.append(f"the rescale to {one.size}: by how much no event tells, so the policies ignore it")
        elif one.size > before.size:
            ups.append(Change(one.size - before.size, at))
        else:
            downs.append(Change(before.size - one.size, at))
    last = seconds((facts.hpa.get("status") or {}).get("lastScaleTime"))
    if last > inputs.now - reach and not (found and abs(seconds(found[-1].time) - last) <= SYNC):
        unsure.append("a rescale that no event tells of any more: policies may still count it")
    return tuple(ups), tuple(downs), unsure


def _window(inputs: Inputs) -> bool:
    spec = inputs.spec
    if spec.up is None or spec.down is None:
        return spec.controller.downscale_window > 0
    return spec.up.window > 0 or spec.down.window > 0


def _about(level: int, oldest: float, window: bool, *, since: float) -> str:
    if oldest == float("inf"):
        return f"recent recommendations: taken for {level}, made at most a moment ago"
    why = "the last scale-up" if since > float("-inf") else "the last sync"
    return f"recent recommendations: taken for {level}, at the oldest {oldest:.0f} s ago ({why})"
