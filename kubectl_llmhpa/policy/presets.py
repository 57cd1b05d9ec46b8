"""Ready-made policies: a name, one line for `--help`, and targets from an engine's facts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import ROUND_FLOOR, Decimal

from kubectl_llmhpa.engines import EngineFacts
from kubectl_llmhpa.policy.model import Target
from kubectl_llmhpa.policy.reach import most_running, running_share, within_reach

#: The vendor document's number, and what is left to ask for while nothing is known about seats.
WAITING_WITHOUT_SEATS = Decimal(5)
LARGEST_WAITING = Decimal(16)
WAITING_SHARE = Decimal("0.25")
KV_PROVED = Decimal("0.8")
KV_UNPROVED = Decimal("0.7")

PREFILL = "prefill"

#: (signal, target, reason) before the signal's live name is looked up.
Wish = tuple[str, Decimal, str]


@dataclass(frozen=True)
class Preset:
    """`wishes` gives the signals to ask for; signals that the engine does not expose are left out afterwards."""

    name: str
    description: str
    wishes: Callable[[EngineFacts], tuple[Wish, ...]]


def load(facts: EngineFacts) -> tuple[Wish, ...]:
    """What one pod can carry: running 0.6 S, waiting S/4 (1 to 16), KV cache 0.8, S being its seats.

    A prefill pod keeps a request for one pass only and then hands its KV cache over, so running and the cache say
    little there: all that it holds counts, 0.6 S in flight. So it is where an engine counts requests in flight and
    nothing finer. A decode pod takes no notice of requests whose cache is still on its way.
    """
    seats = facts.seats
    if seats is None:
        why = "seats unknown, uncalibrated: run bench"
        queue: Wish = ("waiting", WAITING_WITHOUT_SEATS, why)
        return (queue,) if facts.role == PREFILL else (("kv-cache", KV_UNPROVED, why), queue)
    total = Decimal(seats.value)
    known = "" if seats.proved else ", not proved"
    origin = f"{seats.value} seats: {seats.evidence}{known}"
    kv_why = (
        "the cache is nearly full"
        if seats.proved
        else "a second limit, early because the seats are not proved"
    )
    kv_cache: Wish = ("kv-cache", KV_PROVED if seats.proved else KV_UNPROVED, kv_why)
    in_flight: Wish = ("in-flight", running_share(seats.value), f"0.6 x {origin}")
    if facts.role == PREFILL:
        return (in_flight,)
    if not {"running", "waiting"} & facts.signals.keys():
        return in_flight, kv_cache
    waiting: Wish = (
        "waiting",
        min(LARGEST_WAITING, _floor(max(Decimal(1), total * WAITING_SHARE))),
        f"a quarter of {origin}",
    )
    running: Wish = ("running", running_share(seats.value), f"0.6 x {origin}")
    if any(finding.code == "deferred-waiting" for finding in facts.findings):
        return running, kv_cache
    return running, waiting, kv_cache


def vendor(facts: EngineFacts) -> tuple[Wish, ...]:
    """Waiting 5 and nothing else, as the vendor document has it."""
    del facts  # one number for every engine, whatever it can carry
    return (("waiting", WAITING_WITHOUT_SEATS, "the vendor document's number"),)


PRESETS: Mapping[str, Preset] = {
    preset.name: preset
    for preset in (
        Preset("load", "running, waiting and KV cache, from what one pod can carry", load),
        Preset("vendor", "the vendor document's recipe: 5 waiting requests per pod", vendor),
    )
}


def targets_of(facts: EngineFacts, preset: Preset) -> tuple[tuple[Target, ...], tuple[str, ...]]:
    """The preset's targets on live names, and a sentence for each signal that had to be left out."""
    found, missing = [], []
    most = most_running(facts.seats)
    for signal, value, reason in preset.wishes(facts):
        source = facts.signals.get(signal)
        if signal == "running" and not within_reach(value, most):
            missing.append(f"running is left out: a pod runs {most} at most, which no target for it can tell")
        elif source is None:
            missing.append(f"{signal} is left out: the engine exposes no series for it")
        else:
            found.append(Target(signal, source.api_name, value, reason))
    return tuple(found), tuple(missing)


def _floor(value: Decimal) -> Decimal:
    return value.to_integral_value(rounding=ROUND_FLOOR)
