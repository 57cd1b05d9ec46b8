"""Values of Helm charts that make prometheus-adapter: where its rules and its intervals stand in them.

The community's chart has `rules.custom`, `rules.external` and `metricsRelistInterval`, `metricsMaxAge`, under a key of
its own where it is a dependency; Alibaba's has them below `AlibabaCloudMetricsAdapter.prometheus` (backends/helm.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from kubectl_llmhpa.backends import ack_adapter
from kubectl_llmhpa.lint.documents import Document, FieldPath
from kubectl_llmhpa.workloads.kinds import at

#: Keys of the community's `rules`, by the list of the adapter's file that they become.
LISTS = {"custom": "rules", "external": "externalRules"}
#: Flux and Argo CD keep values in objects of their own.
_INSIDE: Mapping[str, tuple[FieldPath, ...]] = {
    "": ((),),
    "HelmRelease": (("spec", "values"),),
    "HelmChart": (("spec", "valuesContent"),),
    "Application": (("spec", "source", "helm", "valuesObject"),),
}
KINDS = tuple(_INSIDE)


class Values(NamedTuple):
    """The values of one adapter: the mapping with its intervals, and the one with its lists of rules; `ack` for
    Alibaba's."""

    path: FieldPath
    settings: Mapping[str, Any]
    rules_path: FieldPath
    rules: Mapping[str, Any]
    ack: bool = False


def adapters(document: Document) -> Iterator[Values]:
    """The values of adapters in a document."""
    for base in _INSIDE.get(document.kind, ()):
        top = document.at(*base) if base else document.object
        if not isinstance(top, dict):
            continue
        vendor = at(top, *ack_adapter.VALUES)
        if isinstance(vendor, dict):
            rules = at(top, *ack_adapter.RULES)
            path = (*base, *ack_adapter.RULES)
            yield Values(
                (*base, *ack_adapter.VALUES), vendor, path, rules if isinstance(rules, dict) else {}, True
            )
        for key, below in ((None, top), *top.items()):
            if isinstance(below, dict) and _is_adapter(below):
                path = base if key is None else (*base, str(key))
                rules = below.get("rules")
                yield Values(path, below, (*path, "rules"), rules if isinstance(rules, dict) else {})


def _is_adapter(values: Mapping[str, Any]) -> bool:
    """Whether values are those of the community's chart, by keys that hardly another has."""
    rules = values.get("rules")
    lists = [rules.get(key) for key in LISTS] if isinstance(rules, dict) else []
    with_series = any(
        isinstance(one, dict) and ("seriesQuery" in one or "metricsQuery" in one)
        for entries in lists
        if isinstance(entries, list)
        for one in entries
    )
    return with_series or "metricsRelistInterval" in values or "metricsMaxAge" in values
