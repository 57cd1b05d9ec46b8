"""A metrics body as families and samples.

The Prometheus text format, parsed by prometheus_client (the reference implementation in Python). A body with one bad
line is refused whole, as Prometheus refuses the scrape.
"""

from __future__ import annotations

import bisect
import functools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

#: A sound line of a histogram's bucket; anything unusual about one is left to the parser.
_BUCKET = re.compile(
    r"^[a-zA-Z_:][\w:]*_bucket"
    r"\{(?:[a-zA-Z_]\w*=\"(?:[^\"\\\n]|\\.)*\",? ?)*\} [-+]?[\d.]+(?:[eE][-+]?\d+)?\n",
    re.MULTILINE,
)


@dataclass(frozen=True)
class Sample:
    """One line: the full sample name (`..._total`, `..._bucket`), its labels and its value (may be NaN)."""

    name: str
    labels: Mapping[str, str]
    value: float


@dataclass(frozen=True)
class Exposition:
    """Family names of the TYPE and HELP lines and of the samples, and the samples by their full name."""

    families: frozenset[str]
    samples: Mapping[str, tuple[Sample, ...]]

    def of(self, name: str) -> tuple[Sample, ...]:
        """The samples called exactly `name`."""
        return self.samples.get(name, ())

    def live(self, metric: str) -> tuple[Sample, ...]:
        """The samples that prove a metric: its own, or the `_count` of a histogram or summary."""
        return self.of(metric) or self.of(f"{metric}_count")

    def has(self, prefix: str) -> bool:
        """Whether any family or sample begins with `prefix`."""
        at = bisect.bisect_left(self._names, prefix)
        return at < len(self._names) and self._names[at].startswith(prefix)

    @functools.cached_property
    def _names(self) -> list[str]:
        return sorted({*self.families, *self.samples})

    def label_values(self, metric: str, label: str) -> tuple[str, ...]:
        """The distinct values of a label on a metric's samples, sorted; samples without it are left out."""
        return tuple(sorted({sample.labels[label] for sample in self.of(metric) if label in sample.labels}))

    def total(self, name: str) -> float | None:
        """The sum of all samples called `name`; None when there are none."""
        samples = self.of(name)
        return sum(sample.value for sample in samples) if samples else None


def read(body: str, *, buckets: bool = True) -> Exposition:
    """Parse a body. Raises ValueError, with the parser's own words, when it is no text exposition.

    Without `buckets` the lines of histograms' buckets, most of a body, are left out: two to four times as fast.
    """
    from prometheus_client.parser import text_string_to_metric_families

    if not buckets:
        body = _BUCKET.sub("", body)
    families: set[str] = set()
    samples: dict[str, list[Sample]] = {}
    try:
        for family in text_string_to_metric_families(body):
            families.add(family.name)
            for sample in family.samples:
                samples.setdefault(sample.name, []).append(
                    Sample(sample.name, dict(sample.labels), sample.value)
                )
    except (ValueError, IndexError, KeyError, AttributeError) as error:
        raise ValueError(str(error) or type(error).__name__) from error
    return Exposition(frozenset(families), {name: tuple(found) for name, found in samples.items()})


def first_names(exposition: Exposition, limit: int = 4) -> Sequence[str]:
    """A few family names, for a sentence that says what was seen instead."""
    return sorted(exposition.families)[:limit]
