"""What an engine has done since its start, from the histograms in its body."""

from __future__ import annotations

import math

from kubectl_llmhpa.engines import exposition
from kubectl_llmhpa.engines.rows import ENGINES

_SHARE = 0.99


def longest_generation(body: str) -> float | None:
    """The upper bound, in seconds, of the bucket that holds the 99th percentile of end-to-end latency.

    None when nothing was generated yet, or when it lies beyond the last bucket.
    """
    try:
        parsed = exposition.read(body)
    except ValueError:
        return None
    names = [
        name
        for engine in ENGINES
        for signal in engine.signals
        if signal.name == "e2e"
        for name in signal.metrics
    ]
    buckets: dict[float, float] = {}
    for name in names:
        for sample in parsed.of(f"{name}_bucket"):
            bound = float(sample.labels.get("le", "inf"))
            buckets[bound] = buckets.get(bound, 0.0) + sample.value
    total = buckets.get(math.inf, 0.0)
    if not total > 0:
        return None
    bound = min(bound for bound, count in buckets.items() if count >= _SHARE * total)
    return bound if math.isfinite(bound) else None
