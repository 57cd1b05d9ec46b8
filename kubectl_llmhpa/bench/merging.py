"""Several clients' figures as those of one: counts are added, histograms merged, nothing is averaged. Pure.

Every client times by its own clock and only ever tells durations, so the clocks of their machines do not matter.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from kubectl_llmhpa.api import Json
from kubectl_llmhpa.bench.pod.measure import Histogram

_ADDED = (
    "sent", "done", "good", "open", "cut", "arrivals", "late", "shed", "input_tokens", "output_tokens",
    "request_rate", "goodput", "output_token_rate", "concurrency", "asked_concurrency",
)  # fmt: skip
_TICK_ADDED = ("want", "in_flight", "sent", "done", "good", "tokens", "rate", "late", "shed")
#: How a load ended, the worst first: that of all clients together.
_ENDS = ("refused", "never started", "gave up", "signal", "prompts", "time")
#: Clients that measured times more different than this did not make one load.
_UNEVEN = 0.1


def summaries(found: Mapping[int, Json], clients: int, lost: Mapping[int, str]) -> Json:
    """The summary of all clients together, in the form of one's.

    `found` are the summaries by client, `lost` says for each that left none why. Latencies have the error of one
    histogram (1 %), because they come from one histogram. Raises ValueError when there is no summary at all.
    """
    if not found:
        raise ValueError("no client left a summary")
    parts = [found[index] for index in sorted(found)]
    merged: Json = {**parts[0], **{name: sum(one.get(name) or 0 for one in parts) for name in _ADDED}}
    seconds = [float(one["duration_s"]) for one in parts]
    merged["duration_s"] = max(seconds)
    merged["failed"] = _by_reason([one["failed"] for one in parts])
    merged["examples"] = {reason: text for one in reversed(parts) for reason, text in one["examples"].items()}
    merged["tokens_exact"] = all(one["tokens_exact"] for one in parts)
    merged["client"] = {
        "cpu_share": max(one["client"]["cpu_share"] for one in parts),
        "lag_p50_ms": max(one["client"]["lag_p50_ms"] for one in parts),
        "limited": any(one["client"]["limited"] for one in parts),
    }
    merged["histograms"] = {}
    for name in parts[0]["histograms"]:
        together = Histogram()
        for one in parts:
            together.merge(one["histograms"][name])
        merged["histograms"][name] = together.to_json()
        merged[f"{name}_ms"] = together.summary()
    e2e = merged["e2e_ms"]["mean"] or 0.0
    merged["rate_times_latency"] = round(merged["request_rate"] * e2e / 1000, 2)
    merged["mode"] = "; ".join(dict.fromkeys(one["mode"] for one in parts))
    merged["interrupted"] = "; ".join(
        f"client {index}: {one.get('interrupted') or 'its pod was told to end'}"
        for index, one in sorted(found.items()) if one["ended"] == "signal"
    )  # fmt: skip
    merged["ended"] = min((one["ended"] for one in parts), key=_rank)
    merged["clients"] = clients
    merged["lost"] = {str(index): why for index, why in sorted(lost.items())}
    merged["uneven"] = max(seconds) - min(seconds) > _UNEVEN * max(seconds)
    return merged


def ticks(latest: Sequence[Json]) -> Json:
    """The newest tick of each client as one: counts added, the time of the slowest, the middle TTFT."""
    merged: Json = dict(latest[0])
    for name in _TICK_ADDED:
        if name in merged:
            merged[name] = sum(one[name] for one in latest)
    merged["failed"] = _by_reason([one["failed"] for one in latest])
    merged["t"] = min(one["t"] for one in latest)
    known = sorted(one["ttft_ms"] for one in latest if one["ttft_ms"] is not None)
    merged["ttft_ms"] = known[len(known) // 2] if known else None
    return merged


def _rank(ended: str) -> int:
    return _ENDS.index(ended) if ended in _ENDS else len(_ENDS)


def _by_reason(counts: Sequence[Mapping[str, int]]) -> dict[str, int]:
    added: dict[str, int] = {}
    for one in counts:
        for reason, number in one.items():
            added[reason] = added.get(reason, 0) + number
    return added
