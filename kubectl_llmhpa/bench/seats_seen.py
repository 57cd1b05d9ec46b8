"""Whether the live queries correct told seats by those that were seen, and add room after a queue (docs/policy.md), and
what they have seen of both."""

from __future__ import annotations

from kubectl_llmhpa.api import Json, Reader
from kubectl_llmhpa.bench.preparing import Scene
from kubectl_llmhpa.bench.sizing.correction import Correction
from kubectl_llmhpa.engines import queue_share_in, seats_seen_in
from kubectl_llmhpa.errors import LlmHpaError
from kubectl_llmhpa.hpa import scaled_objects
from kubectl_llmhpa.monitoring import prometheus
from kubectl_llmhpa.plan.permitted import Permitted


def correction(reader: Reader, scene: Scene) -> tuple[Correction | None, str]:
    """What KEDA's queries do, and a line on where the number comes from; None where they correct nothing."""
    signals = scene.signals
    told = {name: seats for name, seats in scene.told.items() if name in signals}
    if not told:
        return None, ""
    metadata = scaled_objects.triggers(scene.scaled_object)[next(iter(told))]["metadata"]
    namespace, seats = scene.workload.namespace, max(told.values())
    seen = _asked(reader, metadata, namespace, seats_seen_in(metadata["query"]))
    share, memory = queue_share_in(metadata["query"])
    queued = _asked(reader, metadata, namespace, share) if memory else 0.0
    made = Correction(frozenset(signals[name] for name in told), seats, seen, memory, queued)
    return made, _line(seats, seen) + _room(made)


def _asked(reader: Reader, metadata: Json, namespace: str, query: str) -> float | None:
    """What the Prometheus that KEDA asks says now: 0 for nothing, None where it cannot be asked from here."""
    server = prometheus.server_of(str(metadata.get("serverAddress") or ""), namespace)
    if server is None:
        return None
    try:
        found = prometheus.query(Permitted(reader), server, query)
    except LlmHpaError:
        return None
    return max((one.value for one in found), default=0.0)


def _line(told: int, seen: float | None) -> str:
    if seen is None:
        return f"{told} told; what a full pod runs cannot be asked for, so its query may count up to 8 times as many"
    if not seen:
        return f"{told} told; no pod was full in the last 3 h, so it may run fewer once a queue has stood for 30 s"
    return f"{told} told; a full pod ran {seen:g} in the last 3 h, and its query counts by that"


def _room(made: Correction) -> str:
    if not made.memory:
        return ""
    if made.queued is None:
        return "; it may count up to twice as many after a queue"
    return (
        f"; requests waited in {made.queued:.0%} of the last {made.memory // 60} min, and so many more count"
    )
