"""The peak of a profile that nobody named: so many requests a second that the live HPA doubles the replicas.

That is what twice as many pods serve while each is at its target. The HPA goes by the metric that asks for the most
replicas, so the least of these rates will do.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from kubectl_llmhpa.bench.load import Ask
from kubectl_llmhpa.bench.sizing.curve import Curve
from kubectl_llmhpa.engines import EngineFacts, exposition
from kubectl_llmhpa.errors import LlmHpaError

_TIMES = 2
#: The HPA leaves a ratio alone that is less than this.
_TOLERANCE = 1.1


@dataclass(frozen=True)
class Pod:
    """What is known of one pod: its seats, the requests a second that it served with so many in flight in a saved
    sweep, the mean seconds of the requests that it has served until now; None where it is not known.

    `output_tokens` are those of an answer of the profile.
    """

    output_tokens: int
    seats: int | None = None
    curve: Curve | None = None
    latency: float | None = None


def peak(asks: Sequence[Ask], replicas: int, pod: Pod) -> tuple[float, str]:
    """Requests a second, and the line that says where they come from. Raises LlmHpaError where no target tells."""
    rates = [found for ask in asks if ask.target > 0 and (found := _rate(ask, replicas, pod)) is not None]
    if not rates:
        problem, remedy = "no HPA with a target scales it", "name it with --rate"
        if asks:
            problem = "no target of its HPA tells"
            remedy += ", or a saved sweep of this workload with --from FILE"
        raise LlmHpaError("compute the peak of the profile", problem, remedy)
    rate, why = min(rates)
    of = "1 replica" if replicas == 1 else f"{replicas} replicas"
    return (
        _TIMES * replicas * rate,
        f"is to double {of}: {_TIMES} x {of} x {rate:.3g} requests/s of a pod {why}",
    )


def latency(facts: EngineFacts, page: str) -> float | None:
    """The mean seconds of all requests in an engine's own histogram; None where it has none, or nothing was served."""
    source = facts.signals.get("e2e")
    if source is None:
        return None
    body = exposition.read(page, buckets=False)
    for name in source.spec.metrics:
        total, count = body.total(f"{name}_sum"), body.total(f"{name}_count")
        if total and count:
            return total / count
    return None


def _rate(ask: Ask, replicas: int, pod: Pod) -> tuple[float, str] | None:
    """Requests a second of a pod at its target, and how that is known; None where it is not."""
    target = ask.target if ask.per_pod else ask.target / replicas
    at = f"at {ask.signal} {target:g}"
    if ask.signal == "generation-tokens":
        return target / pod.output_tokens, f"{at} tokens/s"
    if ask.signal == "waiting" and pod.curve is not None:
        return pod.curve.saturation, "beyond which requests wait (saved sweep)"
    if ask.signal not in ("running", "in-flight"):
        return None
    if ask.signal == "running" and pod.seats is not None and max(pod.seats, ask.told) <= _TOLERANCE * target:
        return None  # no load brings it there
    if pod.curve is not None:
        return pod.curve.rate_at(target), f"{at} (saved sweep)"
    if pod.latency:
        return target / pod.latency, f"{at} (estimated: its requests took {pod.latency:.3g} s until now)"
    return None
