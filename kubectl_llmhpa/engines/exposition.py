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

_LABELS = r'(?:(?!__)[a-zA-Z_]\w*="[^"\\\n]*"(?:,|(?=\})))*'
#: A line of the plain form, as nearly all are; anything unusual about one is left to the parser.
_LINE = re.compile(
    rf"([a-zA-Z_:][\w:]*)(?:\{{({_LABELS})\}})? ([-+]?(?:\d+(?:\.\d+)?(?:[eE][-+]?\d+)?|Inf)|NaN)", re.ASCII
)
#: What belongs to a family besides its name.
_SUFFIX = re.compile(r"_(total|bucket|count|sum|created)$")
_LABEL = re.compile(r'(\w+)="([^"]*)"')
#: The parser adds `_total` to the samples of counters that are declared without it, up to the first sample of another
#: name.
_BARE_COUNTER = re.compile(r"(?m)^[ \t]*#[ \t]*TYPE[ \t]+(\S+)(?<!_total)[ \t]+counter\b")


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

    Lines of the plain form are read here, which is several times as fast; the parser gets the rest, in its order.
    Without `buckets` the samples of histograms' buckets, most of a body, are left out.
    """
    from prometheus_client.parser import text_string_to_metric_families

    body = body.removeprefix("\ufeff")
    counters = set(_BARE_COUNTER.findall(body))
    families: set[str] = set()
    samples: dict[str, list[Sample]] = {}
    rest: list[str] = []
    left = False  # whether the line before was left to the parser
    for line in body.split("\n"):
        match = _LINE.fullmatch(line)
        labels = _LABEL.findall(match[2] or "") if match else []
        before, left = left, match is None or match[1] in counters or len(dict(labels)) != len(labels)
        if match is None or left or (counters and before):
            rest.append(line)
        elif buckets or not match[1].endswith("_bucket"):
            samples.setdefault(match[1], []).append(Sample(match[1], dict(labels), float(match[3])))
    try:
        for family in text_string_to_metric_families("\n".join(rest)):
            families.add(family.name)
            for sample in family.samples:
                if buckets or not sample.name.endswith("_bucket"):
                    samples.setdefault(sample.name, []).append(
                        Sample(sample.name, dict(sample.labels), sample.value)
                    )
    except (ValueError, IndexError, KeyError, AttributeError) as error:
        raise ValueError(str(error) or type(error).__name__) from error
    families |= {name for name in samples if not {name, _SUFFIX.sub("", name)} & families}
    return Exposition(frozenset(families), {name: tuple(found) for name, found in samples.items()})


def first_names(exposition: Exposition, limit: int = 4) -> Sequence[str]:
    """A few family names, for a sentence that says what was seen instead."""
    return sorted(exposition.families)[:limit]
