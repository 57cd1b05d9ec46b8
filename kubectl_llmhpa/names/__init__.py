"""Whose metric is this, and which signal, by its name alone?

Answered from a table that `scripts/names` writes of the rows in `engines/`: those take longer to load than `status` has
time for.
"""

from __future__ import annotations

import re

from kubectl_llmhpa.names.table import LOOKALIKES, PREFIXES, SIGNALS

_PEAK = re.compile(r"_peak_(\d+)m$")


def peak_minutes(metric: str) -> int:
    """Over how many minutes a metric is the peak of another, by the name that an adapter's rule of ours gives it."""
    found = _PEAK.search(metric)
    return int(found[1]) if found else 0


def without_peak(metric: str) -> str:
    """The metric that a metric is the peak of, itself where it is none."""
    return _PEAK.sub("", metric)


def signal_named(metric: str) -> tuple[str, str] | None:
    """The names of the engine and of the signal, for a metric as the engine or an adapter (`:` as `_`) spells it."""
    return SIGNALS.get(without_peak(metric).replace(":", "_"))


def is_signal(word: str) -> bool:
    """Whether it is one of our words for a signal (`waiting`)."""
    return any(word == signal for _, signal in SIGNALS.values())


def engine_of(metric: str) -> str | None:
    """The name of the engine (or the title of the look-alike) that a metric name belongs to; None for others."""
    known = signal_named(metric)
    return _beginning(metric, LOOKALIKES) or (known[0] if known else _beginning(metric, PREFIXES))


def _beginning(metric: str, owners: tuple[tuple[str, str], ...]) -> str | None:
    return next((owner for prefix, owner in owners if metric.startswith(prefix)), None)
