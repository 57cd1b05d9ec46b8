"""Ready-made policies: a name, one line for `--help`, and targets from an engine's facts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from decimal import ROUND_FLOOR, Decimal

from kubectl_llmhpa.engines import EngineFacts
from kubectl_llmhpa.policy.model import Peak, Target
from kubectl_llmhpa.policy.reach import RUNNING_SHARE, fine_share, most_running, running_share, within_reach

#: The vendor document's number, and what is left to ask for while nothing is known about seats.
WAITING_WITHOUT_SEATS = Decimal(5)
LARGEST_WAITING = Decimal(16)
WAITING_SHARE = Decimal("0.25")
KV_PROVED = Decimal("0.8")
KV_UNPROVED = Decimal("0.7")

LATENCY_SHARE = Decimal("0.4")
COST_SHARE = Decimal("0.8")
PEAK_SHARE = Decimal("0.58")
PEAK_WAITING_SHARE = Decimal("0.5")
LARGEST_PEAK_WAITING = Decimal(32)

#: What `anticipate` keeps room for: nearly the most of the last minutes, and more of it after a queue.
PEAK = Peak(share=0.98, window=300, step=15, memory=1800)

PREFILL = "prefill"

#: The signals whose targets are shares of a pod's seats.
OF_SEATS = ("running", "in-flight")

#: (signal, target, reason) before the signal's live name is looked up.
Wish = tuple[str, Decimal, str]


@dataclass(frozen=True)
class Preset:
    """`wishes` gives the signals to ask for; signals that the engine does not expose are left out afterwards.

    `peak`: requests are counted as at the peak of the last minutes.
    """

    name: str
    description: str
    wishes: Callable[[EngineFacts], tuple[Wish, ...]]
    peak: bool = False


def load(facts: EngineFacts) -> tuple[Wish, ...]:
    """What one pod can carry: running 0.5 S, waiting S/4 (1 to 16), KV cache 0.8, S being its seats.

    A prefill pod keeps a request for one pass only and then hands its KV cache over, so running and the cache say
    little there: all that it holds counts, 0.5 S in flight. So it is where an engine counts requests in flight and
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
    in_flight: Wish = ("in-flight", running_share(seats.value), f"{RUNNING_SHARE} x {origin}")
    if facts.role == PREFILL:
        return (in_flight,)
    if not {"running", "waiting"} & facts.signals.keys():
        return in_flight, kv_cache
    waiting: Wish = ("waiting", _queue(total, WAITING_SHARE, LARGEST_WAITING), f"a quarter of {origin}")
    running: Wish = ("running", running_share(seats.value), f"{RUNNING_SHARE} x {origin}")
    if any(finding.code == "deferred-waiting" for finding in facts.findings):
        return running, kv_cache
    return running, waiting, kv_cache


def latency(facts: EngineFacts) -> tuple[Wish, ...]:
    """Room first: running 0.4 S, a queue of one, the cache at 0.6."""
    if facts.seats is None:
        return load(facts)
    return _shares(facts, LATENCY_SHARE, Decimal(1), Decimal("0.6"))


def cost(facts: EngineFacts) -> tuple[Wish, ...]:
    """Full pods first: running 0.8 S, twice the queue of `load`, the cache at 0.9."""
    if facts.seats is None:
        return load(facts)
    return _shares(facts, COST_SHARE, Decimal(2), Decimal("0.9"))


def anticipate(facts: EngineFacts) -> tuple[Wish, ...]:
    """What `load` counts at its peak of the last minutes, with a longer queue and the same cache as guards.

    The queue may be longer, since the peak counts as more after one.
    """
    seats = facts.seats
    if seats is None:
        return load(facts)
    made = []
    for signal, value, reason in load(facts):
        if signal in OF_SEATS:
            value = fine_share(seats.value, PEAK_SHARE)
            reason = reason.replace(f"{RUNNING_SHARE} x", f"{PEAK_SHARE} x")
        elif signal == "waiting":
            value = _queue(Decimal(seats.value), PEAK_WAITING_SHARE, LARGEST_PEAK_WAITING)
            reason = reason.replace("a quarter of", f"{PEAK_WAITING_SHARE} of")
        made.append((signal, value, reason))
    return tuple(made)


def vendor(facts: EngineFacts) -> tuple[Wish, ...]:
    """Waiting 5 and nothing else, as the vendor document has it."""
    del facts  # one number for every engine, whatever it can carry
    return (("waiting", WAITING_WITHOUT_SEATS, "the vendor document's number"),)


PRESETS: Mapping[str, Preset] = {
    preset.name: preset
    for preset in (
        Preset("load", "running, waiting and KV cache, from what one pod can carry", load),
        Preset("latency", "the same with more room: fewer requests per pod, more pods", latency),
        Preset("cost", "the same with less room: fuller pods, fewer of them", cost),
        Preset(
            "anticipate",
            "the peak of the last minutes, which may come again, instead of the requests now",
            anticipate,
            peak=True,
        ),
        Preset("vendor", "the vendor document's recipe: 5 waiting requests per pod", vendor),
    )
}


def targets_of(
    facts: EngineFacts, preset: Preset, *, external: bool
) -> tuple[tuple[Target, ...], tuple[str, ...]]:
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
            of_seats = signal in OF_SEATS
            seen = _told(facts) if of_seats else 0
            peak = replace(PEAK, memory=PEAK.memory if seen else 0) if preset.peak and of_seats else None
            told = seen if external else 0
            found.append(Target(signal, source.api_name, value, _why(reason, peak, told), peak, told))
    return tuple(found), tuple(missing)


def _told(facts: EngineFacts) -> int:
    """The seats that can be corrected by what is seen, 0 where nothing can be seen."""
    return facts.seats.value if facts.seats is not None and queue_means_full(facts) else 0


def queue_means_full(facts: EngineFacts) -> bool:
    """Whether requests that wait at a pod say that it runs as many as it can."""
    countable = {"running", "waiting"} <= facts.signals.keys() and facts.role != PREFILL
    return countable and not any(finding.code == "deferred-waiting" for finding in facts.findings)


def _why(reason: str, peak: Peak | None, told: int) -> str:
    parts = [reason]
    if peak is not None:
        parts.append(f"the peak of the last {peak.window // 60} minutes counts")
    if peak is not None and peak.memory:
        parts.append(f"as more where requests waited in the last {peak.memory // 60} minutes")
    if told:
        parts.append("fewer where a full pod runs fewer")
    return "; ".join(parts)


def _shares(facts: EngineFacts, share: Decimal, queue: Decimal, cache: Decimal) -> tuple[Wish, ...]:
    """The wishes of `load` with other shares: of the seats, of its queue, and of the cache where seats are proved."""
    seats = facts.seats
    made = []
    for signal, value, reason in load(facts):
        if signal in OF_SEATS and seats is not None:
            value = running_share(seats.value, share)
            reason = reason.replace(f"{RUNNING_SHARE} x", f"{share} x")
        elif signal == "waiting":
            value, reason = (Decimal(1), "no queue") if queue == 1 else (value * queue, f"{queue} x {reason}")
        elif signal == "kv-cache":
            value = min(cache, value) if cache < KV_PROVED or not (seats and seats.proved) else cache
        made.append((signal, value, reason))
    return tuple(made)


def _queue(seats: Decimal, share: Decimal, most: Decimal) -> Decimal:
    """A target for waiting requests: a share of the seats, whole, and from 1 to `most`."""
    return min(most, max(Decimal(1), seats * share).to_integral_value(rounding=ROUND_FLOOR))
