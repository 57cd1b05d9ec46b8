"""Rules for External metrics in prometheus-adapter's file: one number over all pods that a selector matches.

Source: prometheus-adapter 0.12, pkg/external-provider and pkg/naming/metrics_query.go. `<<.LabelMatchers>>` is what the
HPA's `metric.selector` says and, unless `namespaced` is false, the HPA's namespace under the label that the rule takes
for it. The metric is listed while its series query finds something. An answer without elements is an empty list, which
the HPA controller takes for an error and not for 0; NaN and infinities become the lowest 64-bit integer, so none may
come out of the query. Without `externalRules` the adapter does not serve the group at all (cmd/adapter/adapter.go).
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlencode

from kubectl_llmhpa.api import Json, Reader
from kubectl_llmhpa.backends import adapter_rules, one_number
from kubectl_llmhpa.backends.prometheus_adapter import EXTERNAL_ROOT
from kubectl_llmhpa.engines import SignalSource, promql
from kubectl_llmhpa.policy import Target


def rule_for(
    target: Target, sources: Mapping[str, SignalSource], *, namespace_label: str, pod_label: str
) -> Json:
    """The rule that serves the number of a target, for every workload of the cluster.

    Which pods are meant is left to the selector in the HPA, so the rule is no workload's. Raises KeyError for a target
    on a signal that the engine does not show.
    """
    by = f"{namespace_label}, {pod_label}"
    made = one_number.query(target, sources, adapter_rules.MATCHERS, by=by)
    there = f'{namespace_label}!="",{pod_label}!=""'
    return {
        "seriesQuery": adapter_rules.series_query(sources[target.signal].spec.metrics, there),
        "resources": {"overrides": {namespace_label: {"resource": "namespace"}}},
        "name": {"as": target.served_as},
        "metricsQuery": f"({made}){promql.FINITE}",
    }


def values(reader: Reader, namespace: str, metric: str, labels: Mapping[str, str]) -> list[str]:
    """The quantities of an External metric, by the very request that the HPA controller makes. Raises ApiError."""
    selector = urlencode({"labelSelector": ",".join(f"{key}={value}" for key, value in labels.items())})
    found = reader.get(f"{EXTERNAL_ROOT}/namespaces/{namespace}/{metric}?{selector}").get("items") or []
    return [str(one["value"]) for one in found]
