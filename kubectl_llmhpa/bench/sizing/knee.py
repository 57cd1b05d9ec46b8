"""From how many requests in flight on do more bring no more throughput? Five methods, of which one is taken.

Batching makes latency rise long before a pod is full, so methods that look at latency (power, asymptote) end too low
for an engine: they are shown as bounds. The chord is taken, but no point with less than 90 % of the peak: where the
throughput grows ever more slowly, the chord depends on which points were tested, and ends where more requests in flight
still bring a quarter more.
"""

from __future__ import annotations

from collections.abc import Sequence

from kubectl_llmhpa.bench.sizing.curve import Curve, Level
from kubectl_llmhpa.bench.sizing.model import Knee

NEAR_PEAK = 0.9
#: What the last level must not gain over three quarters of its requests in flight.
GAIN = 0.1
_BEFORE = 0.75


def knee(curve: Curve) -> Knee:
    """The knee by every method."""
    levels = curve.levels
    chord, near = _chord(levels), _near_peak(levels)
    taken, why = _taken(curve, chord, near)
    return Knee(chord, near, _power(levels), _two_lines(levels), _asymptote(levels), taken, why)


def gain(curve: Curve) -> float:
    """How much more the last level serves than three quarters of its requests in flight, relative."""
    last = curve.levels[-1]
    before = curve.rate_at(_BEFORE * last.n)
    return last.rate / before - 1 if before else 0.0


def _taken(curve: Curve, chord: float | None, near: float | None) -> tuple[float | None, str]:
    if len(curve.levels) < 3:
        return None, f"it takes three valid concurrencies to tell, not {len(curve.levels)}"
    last = curve.levels[-1]
    grown = gain(curve)
    if grown > GAIN:
        return (
            None,
            f"no knee yet: {last.n:g} in flight still serve {grown:.0%} more than {_BEFORE * last.n:g}",
        )
    if near is None:
        return None, "nothing was served"
    farthest = "farthest above the line from the first to the last point"
    if chord is None or chord < near:
        why = f"the first with {NEAR_PEAK:.0%} of the largest throughput"
        if chord is not None:
            why += f"; {chord:g} is {farthest}, with {curve.rate_at(chord) / curve.saturation:.0%} of it"
        return near, why
    if chord > near:
        return chord, f"{farthest}; {NEAR_PEAK:.0%} of the largest throughput are there from {near:g} on"
    return chord, farthest


def _chord(levels: Sequence[Level]) -> float | None:
    """Kneedle on the plain points: where the curve is farthest above its chord."""
    if len(levels) < 3 or levels[-1].rate <= levels[0].rate:
        return None
    first, last = levels[0], levels[-1]

    def above(one: Level) -> float:
        return (one.rate - first.rate) / (last.rate - first.rate) - (one.n - first.n) / (last.n - first.n)

    best = max(levels, key=above)
    return best.n if above(best) > 0 else None


def _near_peak(levels: Sequence[Level]) -> float | None:
    peak = max((one.rate for one in levels), default=0.0)
    return next((one.n for one in levels if peak and one.rate >= NEAR_PEAK * peak), None)


def _power(levels: Sequence[Level]) -> float | None:
    known = [(one.rate / one.latency, -one.n) for one in levels if one.latency]
    return -max(known)[1] if known else None


def _asymptote(levels: Sequence[Level]) -> float | None:
    """What would keep a pod at its largest throughput if no request slowed another: a lower bound.

    None where one request alone was not measured.
    """
    if not levels or levels[0].n > 1 or not levels[0].latency:
        return None
    return max(one.rate for one in levels) * levels[0].latency


def _two_lines(levels: Sequence[Level]) -> float | None:
    """Where a line through the first points meets one through the others, by the split that fits best."""
    points = [(one.n, one.rate) for one in levels]
    best: tuple[float, float] | None = None
    for split in range(2, len(points) - 1):
        (a, b, left), (c, d, right) = _line(points[:split]), _line(points[split:])
        if a == c:
            continue
        meet = (d - b) / (a - c)
        if points[0][0] <= meet <= points[-1][0] and (best is None or left + right < best[0]):
            best = (left + right, meet)
    return None if best is None else best[1]


def _line(points: Sequence[tuple[float, float]]) -> tuple[float, float, float]:
    """Slope, value at 0 and sum of squared errors of the line of least squares."""
    count = len(points)
    mean_x, mean_y = sum(x for x, _ in points) / count, sum(y for _, y in points) / count
    spread = sum((x - mean_x) ** 2 for x, _ in points)
    slope = sum((x - mean_x) * (y - mean_y) for x, y in points) / spread
    start = mean_y - slope * mean_x
    return slope, start, sum((y - slope * x - start) ** 2 for x, y in points)
