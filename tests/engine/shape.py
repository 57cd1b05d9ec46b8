"""What two metrics bodies must share to be of one dialect: the names of samples and the names of their labels."""

from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families


def shape(body: str) -> dict[str, set[frozenset[str]]]:
    """Return the sets of label names that each sample of ``body`` comes with."""
    found: dict[str, set[frozenset[str]]] = {}
    for family in text_string_to_metric_families(body):
        for sample in family.samples:
            found.setdefault(sample.name, set()).add(frozenset(sample.labels))
    return found
