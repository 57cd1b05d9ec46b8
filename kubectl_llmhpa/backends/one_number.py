"""The number of a target over all pods of a workload, as one query: what an External metric is made of."""

from __future__ import annotations

from collections.abc import Mapping

from kubectl_llmhpa.engines import SignalSource, by_seats_seen, over_all, peak, per_pod, with_room
from kubectl_llmhpa.policy import Target


def query(target: Target, sources: Mapping[str, SignalSource], matchers: str, *, by: str) -> str:
    """The PromQL that gives one element, or none while no pod has the series.

    `sources` are the engine's signals, `matchers` select the workload's series, `by` are the labels that tell its pods
    apart.
    """
    made = over_all(sources[target.signal].spec, by=by, matchers=matchers)
    if target.peak is not None:
        made = peak(made, share=target.peak.share, window=target.peak.window, step=target.peak.step)
        if target.peak.memory:
            waiting = over_all(sources["waiting"].spec, by=by, matchers=matchers)
            made = with_room(made, waiting=waiting, memory=target.peak.memory)
    if target.told:
        running, waiting = (
            per_pod(sources[one].spec, by=by, matchers=matchers) for one in ("running", "waiting")
        )
        made = by_seats_seen(made, running=running, waiting=waiting, told=target.told)
    return made
