"""Seats by what a pod has run while requests waited there, as Prometheus remembers it.

It beats a flag and a calculation, since it is what both are about (docs/policy.md has the query).
"""

from __future__ import annotations

import time
from collections.abc import Sequence

from kubectl_llmhpa.api import Json, Reader, moment
from kubectl_llmhpa.engines import EngineFacts, Seats, per_pod, seats_seen
from kubectl_llmhpa.errors import LlmHpaError
from kubectl_llmhpa.monitoring import prometheus
from kubectl_llmhpa.policy import queue_means_full
from kubectl_llmhpa.workloads import Workload, pod_names

#: As far back as Prometheus is asked, and what is too short to have seen a load, in seconds; and how often it looks.
LONGEST_S, SHORTEST_S = 86_400, 60
_STEP_S = 30
#: What one pod ran while others waited is no number of seats: it may have been stuck.
_LEAST = 2


def look(
    reader: Reader,
    server: prometheus.Server,
    workload: Workload,
    facts: EngineFacts,
    pods: Sequence[Json],
    *,
    namespace_label: str,
    pod_label: str,
) -> Seats | None:
    """The seats that were seen since the oldest of the pods that are there now, so by these flags and this engine.

    None where none was full, where a queue says nothing about a pod, or where nobody can be asked.
    """
    pattern, seconds = pod_names.pattern(workload, pods), since(pods, time.time())
    if pattern is None or seconds < SHORTEST_S or not queue_means_full(facts):
        return None
    matchers = f'{namespace_label}="{workload.namespace}",{pod_label}=~"{pattern}"'
    by = f"{namespace_label}, {pod_label}"
    running, waiting = (
        per_pod(facts.signals[one].spec, by=by, matchers=matchers) for one in ("running", "waiting")
    )
    try:
        found = prometheus.query(reader, server, seats_seen(running, waiting, seconds=seconds, step=_STEP_S))
    except LlmHpaError:
        return None
    return judge(max((one.value for one in found), default=0.0), seconds, facts.seats)


def since(pods: Sequence[Json], now: float) -> int:
    """Seconds since the oldest pod began, at most a day; 0 where none says when."""
    began = (moment((pod.get("status") or {}).get("startTime")) for pod in pods)
    oldest = min((one.timestamp() for one in began if one is not None), default=now)
    return min(LONGEST_S, max(0, int(now - oldest)))


def judge(ran: float, seconds: int, told: Seats | None) -> Seats | None:
    """What a full pod `ran` as its seats; a flag's ceiling holds besides."""
    if not _LEAST <= ran < float("inf"):
        return None
    span = f"{seconds // 60} min" if seconds < 7200 else f"{seconds // 3600} h"
    evidence = f"the most that a pod ran while requests waited, in the last {span}"
    return Seats(int(ran), evidence, proved=True, ceiling=told.ceiling if told else None)
