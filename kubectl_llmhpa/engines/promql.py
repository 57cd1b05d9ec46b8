"""A signal as PromQL, and the same arithmetic on one body.

`per_pod` is the text for queries, `served` that of the adapter's rules, `over_all` one number of a workload for KEDA;
`value` does with samples what Prometheus does with the former (tests hold them together by asking a real Prometheus).
Counts take the highest of equal series before ranks are added up, which survives two scrape jobs and pairs of
Prometheis; ratios take the fullest rank.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence

from kubectl_llmhpa.engines.exposition import Exposition, Sample
from kubectl_llmhpa.engines.model import HPA_FORMS, Kind, Signal, SignalSource

QUANTILE = 0.95
WINDOW = "1m"
#: How far back full pods are looked for and how often, in seconds; for how long a queue must have stood there, and how
#: often that is looked at; and the least share of the told seats that is believed.
SEEN_S, SEEN_STEP_S, HELD_S, HELD_STEP_S, LEAST_SEEN = 10_800, 30, 45, 15, 0.125
_PEAK = re.compile(r"\(*quantile_over_time\(")
#: How often it is looked at whether requests wait, in seconds.
QUEUE_STEP_S = 15
_ROOM = re.compile(rf"\(\(1 \+ (sum_over_time\(.*?\[(\d+)s:{QUEUE_STEP_S}s\]\) / \d+)\) or vector\(1\)\)")
_TOLD = re.compile(rf"clamp\((max\(.*\[{SEEN_S}s:{SEEN_STEP_S}s\]\)\)) / (\d+), {LEAST_SEEN:g}, 1\)")
#: Behind an expression: NaN and infinities have no element, so that nobody takes them for a number.
FINITE = " > -Inf < +Inf"


def per_pod(signal: Signal, *, by: str = "namespace, pod", matchers: str = "") -> str:
    """The PromQL of a signal, one series for each `by`; `matchers` go into every selector (`namespace="x"`)."""
    where = _where(signal, matchers)
    if signal.kind is Kind.LATENCY:
        return f"histogram_quantile({QUANTILE}, sum by ({by}, le) ({_buckets(signal, matchers)})) >= 0"
    if signal.kind is Kind.RATE:
        return _added(_any(signal.metrics, where, f"rate({{}}[{WINDOW}])"), by, signal.ranks)
    if signal.kind is Kind.RATIO:
        part = f"max by ({by}) ({_any(signal.metrics, where)})"
        return f"{part} / (max by ({by}) ({_any(signal.over, where)}) > 0 < +Inf)" if signal.over else part
    if signal.plus:
        names = "|".join((*signal.metrics, *signal.plus))
        series = "{" + ",".join([f'__name__=~"{names}"', *where]) + "}"
        return _added(series, by, (*signal.ranks, "__name__"))
    count = _added(_any(signal.metrics, where), by, signal.ranks)
    if signal.minus:
        return f"clamp_min({count} - {_added(_any(signal.minus, where), by, signal.ranks)}{FINITE}, 0)"
    return count


def served(signal: Signal, *, by: str, matchers: str) -> str:
    """`per_pod` for an adapter: a pod whose number is NaN or infinite has none.

    prometheus-adapter serves NaN as 0 and an infinity as the lowest 64-bit integer, and either makes the HPA scale in
    (pkg/custom-provider/provider.go, metricFor). An HPA keeps its replicas for pods without a number.
    """
    return per_pod(signal, by=by, matchers=matchers) + FINITE


def over_all(signal: Signal, *, by: str = "namespace, pod", matchers: str = "") -> str:
    """The PromQL of a signal over all pods that the matchers select: one element, or none while no pod has the series.

    `by` are the labels that tell pods apart. Counts, rates and ratios are the sum over pods, a latency is the quantile
    of all requests. A latency without requests is 0: the buckets are there and stand still, which is their own rate
    summed up. Where the buckets are gone (a lost scrape, a renamed metric) neither side has an element, so that nothing
    is taken for 0. A pod's NaN or infinity makes the sum one, which KEDA refuses: without that pod it would be too low.
    """
    if signal.kind is not Kind.LATENCY:
        return f"sum({per_pod(signal, by=by, matchers=matchers)})"
    buckets = _buckets(signal, matchers)
    quantile = f"histogram_quantile({QUANTILE}, sum by (le) ({buckets}))"
    return f"({quantile} >= 0) or on () (sum({buckets}) == 0)"


def peak(query: str, *, share: float, window: int, step: int) -> str:
    """The `share` quantile of a query's numbers of the last `window` seconds, never below its number now.

    `query` gives one element. Where it gives none now, nor does this, whatever was there before: the quantile has
    nothing to be compared with then. Where it is NaN now, so is this; NaN in the past is passed over.
    """
    return f"quantile_over_time({share:g}, ({query})[{window}s:{step}s]) > {query} or {query}"


def is_peak(query: str) -> bool:
    """Whether a query is one of `peak`, alone or with what is put around it."""
    return _PEAK.match(query) is not None


def with_room(query: str, *, waiting: str, memory: int) -> str:
    """A query's number times one plus the share of the last `memory` seconds in which requests waited.

    Where the peak was enough nobody waited, so what did wait says how much room it lacks. `waiting` gives one element
    for all pods; a time without one counts as one without a queue.
    """
    looks = memory // QUEUE_STEP_S
    queued = f"sum_over_time(({waiting} > bool 0)[{memory}s:{QUEUE_STEP_S}s]) / {looks}"
    return f"({query}) * ((1 + {queued}) or vector(1))"


def queue_share_in(query: str) -> tuple[str, int]:
    """The part of a query of `with_room` that is the share of time with a queue, and its `memory`; else ("", 0)."""
    found = _ROOM.search(query)
    return (found[1], int(found[2])) if found else ("", 0)


def by_seats_seen(query: str, *, running: str, waiting: str, told: int) -> str:
    """A query's number as it would be if a pod had the seats that it is told to have.

    `running` and `waiting` are queries for each pod's own. A target that is a share of `told` seats is out of reach
    where a pod can run less. What was seen in the last three hours counts, at most `told` and at least an eighth of it;
    where no pod was full, the number is as it is.
    """
    seen = seats_seen(running, waiting, seconds=SEEN_S, step=SEEN_STEP_S)
    return f"({query}) / (clamp({seen} / {told}, {LEAST_SEEN:g}, 1) or vector(1))"


def seats_seen(running: str, waiting: str, *, seconds: int, step: int) -> str:
    """The most that a pod ran while requests waited there for half a minute, which is what it can run; looked for
    every `step` of the last `seconds`. No element where no pod was full.
    """
    queued = f"count_over_time(({waiting} > 0)[{HELD_S}s:{HELD_STEP_S}s])"
    full = f"{running} > 0 and {queued} >= {HELD_S // HELD_STEP_S}"
    return f"max(max_over_time(({full})[{seconds}s:{step}s]))"


def told_seats(query: str) -> int:
    """The seats in a query of `by_seats_seen`, 0 in another."""
    found = _TOLD.search(query)
    return int(found[2]) if found else 0


def seats_seen_in(query: str) -> str:
    """The part of a query of `by_seats_seen` that is `seats_seen`, "" in another."""
    found = _TOLD.search(query)
    return found[1] if found else ""


def source(
    signal: Signal,
    metric: str,
    number: float | None,
    series: int,
    *,
    external_only: bool = False,
    by: str = "namespace, pod",
) -> SignalSource:
    """A signal that is found under `metric` in so many series; `external_only`: it is not one pod's number."""
    forms = HPA_FORMS[signal.kind]
    if external_only:
        forms = tuple(form for form in forms if form.startswith("External"))
    return SignalSource(
        signal.name, signal.kind, metric, number, series, signal, per_pod(signal, by=by), forms
    )


def live(signal: Signal, body: Exposition) -> tuple[str, tuple[Sample, ...]]:
    """The newest name that has series of this signal, and those series; ("", ()) when none has, or no divisor has."""
    if signal.over and not any(_kept(signal, body.live(name)) for name in signal.over):
        return "", ()
    for name in signal.metrics:
        samples = _kept(signal, body.live(name))
        if samples:
            return name, samples
    return "", ()


def value(signal: Signal, body: Exposition) -> float | None:
    """This pod's number; None for latencies and rates, without series, and where one is NaN or infinite."""
    if signal.kind not in (Kind.COUNT, Kind.RATIO):
        return None
    if signal.kind is Kind.RATIO:
        part, whole = _highest(signal, body, signal.metrics), _highest(signal, body, signal.over)
        if part is None or not signal.over:
            return part
        return part / whole if whole is not None and whole > 0 else None
    if signal.plus:
        parts = [_total(signal, body.of(name)) for name in (*signal.metrics, *signal.plus) if body.of(name)]
        known = [part for part in parts if part is not None]
        return sum(known) if known and len(known) == len(parts) else None
    count = _total(signal, _first_of(body, signal.metrics))
    if count is None or not signal.minus:
        return count
    less = _total(signal, _first_of(body, signal.minus))
    return max(0.0, count - less) if less is not None else None


def _highest(signal: Signal, body: Exposition, names: Sequence[str]) -> float | None:
    samples = _kept(signal, _first_of(body, names))
    if not samples or not all(math.isfinite(sample.value) for sample in samples):
        return None
    return max(sample.value for sample in samples)


def _total(signal: Signal, samples: Iterable[Sample]) -> float | None:
    """The sum over ranks of the highest series of each."""
    ranks: dict[tuple[str, ...], float] = {}
    for sample in _kept(signal, samples):
        if not math.isfinite(sample.value):
            return None
        rank = tuple(sample.labels.get(label, "") for label in signal.ranks)
        ranks[rank] = max(ranks.get(rank, sample.value), sample.value)
    return sum(ranks.values()) if ranks else None


def _first_of(body: Exposition, names: Sequence[str]) -> list[Sample]:
    """`a or b` of PromQL: the series of each name whose labels no name before it has."""
    seen: set[frozenset[tuple[str, str]]] = set()
    found: list[Sample] = []
    for name in names:
        fresh = [(frozenset(sample.labels.items()), sample) for sample in body.of(name)]
        found += [sample for labels, sample in fresh if labels not in seen]
        seen |= {labels for labels, _ in fresh}
    return found


def _kept(signal: Signal, samples: Iterable[Sample]) -> tuple[Sample, ...]:
    return tuple(
        sample
        for sample in samples
        if all(re.fullmatch(pattern, sample.labels.get(label, "")) for label, pattern in signal.where)
    )


def _where(signal: Signal, matchers: str) -> list[str]:
    return [
        *([matchers] if matchers else []),
        *(_matcher(label, pattern) for label, pattern in signal.where),
    ]


def _buckets(signal: Signal, matchers: str) -> str:
    names = [f"{name}_bucket" for name in signal.metrics]
    return _any(names, _where(signal, matchers), f"rate({{}}[{WINDOW}])")


def _matcher(label: str, pattern: str) -> str:
    plain = re.fullmatch(r"[\w-]*", pattern)
    return f'{label}="{pattern}"' if plain else f'{label}=~"{pattern}"'


def _any(names: Sequence[str], where: Sequence[str], form: str = "{}") -> str:
    labels = "{" + ",".join(where) + "}" if where else ""
    return " or ".join(form.format(f"{name}{labels}") for name in names)


def _added(series: str, by: str, ranks: Sequence[str]) -> str:
    if not ranks:
        return f"max by ({by}) ({series})"
    return f"sum by ({by}) (max by ({', '.join((by, *ranks))}) ({series}))"
