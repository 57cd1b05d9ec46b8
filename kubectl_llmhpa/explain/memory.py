"""What the controller remembers, as far as the HPA's status and its events tell: its memory itself cannot be read.

Bounds come out. In `latest` everything remembered is as young as it can be, so every wait is as long as it can be; in
the earliest ones it is as old as is proved, one for each way to go, since it takes a high recommendation to hold the
way down and a low one to hold the way up. Why a bound holds stands at each rule.
"""

from __future__ import annotations

from dataclasses import dataclass

from kubectl_llmhpa.api import Json
from kubectl_llmhpa.explain.facts import Facts, seconds
from kubectl_llmhpa.explain.inputs import Inputs
from kubectl_llmhpa.hpa import of_hpa, rescales
from kubectl_llmhpa.hpa.arithmetic import Memory, Recommendation
from kubectl_llmhpa.hpa.arithmetic.limits import Change
from kubectl_llmhpa.hpa.arithmetic.sync import ALL_BELOW

#: `--horizontal-pod-autoscaler-sync-period` in seconds: its default, since the flag cannot be read.
SYNC = 15
#: The last sync was before now, by at least so much.
_JUST_NOW = 0.001
_NEVER = float("-inf")
_UP_LIMITS = ("ScaleUpLimit", "TooManyReplicas")
_DOWN_LIMITS = ("ScaleDownLimit", "TooFewReplicas")


@dataclass(frozen=True)
class Estimate:
    """The bounds, and a sentence for everything in them that is not known but estimated."""

    latest: Memory
    earliest_down: Memory
    earliest_up: Memory
    sentences: tuple[str, ...]

    def earliest(self, before: int, replicas: int) -> Memory:
        """The bound for a way from so many replicas to so many."""
        return self.earliest_down if replicas < before else self.earliest_up


def estimate(facts: Facts, inputs: Inputs) -> Estimate:
    """What the controller remembers of the HPA."""
    status = facts.hpa.get("status") or {}
    said = {one.get("type"): one for one in status.get("conditions") or ()}
    ups, downs, sentences = _changes(facts, inputs)
    if not said:  # it has not looked yet; then it begins with the replicas that it finds
        fresh = Memory((), ups, downs, inputs.scaled_to_zero)
        return Estimate(fresh, fresh, fresh, tuple(sentences))
    limited = said.get("ScalingLimited") or {}
    limit = str(limited.get("reason")) if limited.get("status") == "True" else ""
    level = _level(inputs, int(status.get("desiredReplicas") or 0), limit)
    if never_asked(status):  # its memory begins with the replicas that it finds
        level = inputs.replicas
    newest = inputs.now - _JUST_NOW
    high, low = _last_rescale(facts, inputs, level)
    if (said.get("ScalingActive") or {}).get("status") == "True":
        at_least, at_most = _last_sync(str((said.get("AbleToScale") or {}).get("reason")), limit)
        high = max(high, inputs.now - SYNC if at_least else _NEVER)
        low = max(low, inputs.now - SYNC if at_most else _NEVER)
    if _windows(inputs):
        sentences.insert(0, _about(level, inputs.now, high, low))

    def remembered(at: float) -> Memory:
        return Memory((Recommendation(level, min(at, newest)),), ups, downs, inputs.scaled_to_zero)

    return Estimate(remembered(newest), remembered(high), remembered(low), tuple(sentences))


def never_asked(status: Json) -> bool:
    """Whether the controller has looked and has never come to a number: it leaves 0 in the status till then."""
    return (
        not status.get("desiredReplicas")
        and bool(status.get("currentReplicas"))
        and not status.get("lastScaleTime")
    )


def _last_sync(reason: str, limit: str) -> tuple[bool, bool]:
    """Whether the last sync asked for at least, and for at most, what it came to.

    `reason` is that of AbleToScale, which tells what a window held; a rescale hides that.
    """
    match reason:
        case "ScaleDownStabilized":
            return False, True
        case "ScaleUpStabilized":
            return True, False
        case "ReadyForNewScale":
            return limit not in _DOWN_LIMITS, limit not in _UP_LIMITS
        case _:
            return False, False


def _level(inputs: Inputs, desired: int, limit: str) -> int:
    """A recommendation that has the effect of those that the controller remembers.

    The last sync came to `desired` by way of what it remembered. Where it was cut by a limit, all that it remembered
    lay beyond that limit, so nothing of it holds the next step in that direction. Else the number itself was
    recommended, or what held it lay on its other side, where `desired` has the same effect.
    """
    ballot = inputs.settled().ballot
    asked = ballot.replicas if ballot is not None and ballot.replicas is not None else desired
    if limit in _UP_LIMITS:
        return max(desired, asked)
    return min(desired, asked) if limit in _DOWN_LIMITS else desired


def _last_rescale(facts: Facts, inputs: Inputs, level: int) -> tuple[float, float]:
    """When it is sure that at least, and that at most, the level was recommended: at a rescale up or down to it."""
    found = rescales(of_hpa(facts.hpa, facts.events))
    if not found:
        return _NEVER, _NEVER
    at, last = min(seconds(found[-1].time), inputs.now), found[-1]
    up, down = last.reason.endswith("above target"), last.reason == ALL_BELOW
    return at if up and last.size >= level else _NEVER, at if down and last.size <= level else _NEVER


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


def _windows(inputs: Inputs) -> bool:
    spec = inputs.spec
    if spec.up is None or spec.down is None:
        return spec.controller.downscale_window > 0
    return spec.up.window > 0 or spec.down.window > 0


def _about(level: int, now: float, high: float, low: float) -> str:
    bounds = (("", high),) if high == low else (("at least ", high), ("at most ", low))
    sure = [f"{bound}{level} for sure {now - at:.0f} s ago" for bound, at in bounds if at > _NEVER]
    return f"recent recommendations: taken for {level}" + "".join(f"; {one}" for one in sure)
