"""Rules asked of Prometheus before the adapter gets them: one bad query hides every metric that it serves.

prometheus-adapter 0.12 lists all rules or none (pkg/custom-provider/provider.go, updateMetrics): after a restart with
one query that Prometheus refuses the list is empty, and every health check is green.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from kubectl_llmhpa.api import Json, Reader
from kubectl_llmhpa.backends import adapter_rules, series_labels
from kubectl_llmhpa.errors import ApiError, LlmHpaError
from kubectl_llmhpa.monitoring import prometheus
from kubectl_llmhpa.monitoring.prometheus import Server

_REFUSED = (400, 422)


def check(
    reader: Reader,
    server: Server,
    rules: Mapping[str, Json],
    *,
    expected: Collection[str],
    seconds: float,
) -> None:
    """See that Prometheus takes both queries of each rule, and has series for those of the `expected` names.

    `seconds` is how far back the adapter looks. All rules are asked about at once, and one by one only when something
    is wrong. Raises LlmHpaError; where Prometheus cannot be asked nothing is said.
    """
    if not rules:
        return
    try:
        prometheus.query(reader, server, " or ".join(_both(rule) for rule in rules.values()))
    except ApiError as error:
        if error.code in _REFUSED:
            _one_by_one(reader, server, rules, expected=expected, seconds=seconds)
        return
    check_series(reader, server, rules, expected=expected, seconds=seconds)


def check_series(
    reader: Reader,
    server: Server,
    rules: Mapping[str, Json],
    *,
    expected: Collection[str],
    seconds: float,
) -> None:
    """The second half of `check`, for queries that Prometheus has taken already."""
    wanted = {name: rule for name, rule in rules.items() if name in expected}
    if not wanted:
        return
    selectors = [str(rule["seriesQuery"]) for rule in wanted.values()]
    try:
        found = prometheus.series(reader, server, *selectors, seconds=seconds)
    except ApiError:
        return
    unseen = {name: rule for name, rule in wanted.items() if not any(_is_of(one, rule) for one in found)}
    _one_by_one(reader, server, unseen, expected=expected, seconds=seconds)


def _both(rule: Json) -> str:
    """One expression that holds the selector and the query of a rule."""
    return f"group({rule['seriesQuery']}) or ({adapter_rules.example_query(rule)})"


def _is_of(series: Mapping[str, str], rule: Json) -> bool:
    """Whether a rule of ours gets the series, of those that it or another one selects."""
    labels = (adapter_rules.namespace_label(rule), adapter_rules.pod_label(rule))
    return series["__name__"] in adapter_rules.series_names(rule) and all(
        series.get(one) for one in labels if one
    )


def _one_by_one(
    reader: Reader, server: Server, rules: Mapping[str, Json], *, expected: Collection[str], seconds: float
) -> None:
    for name, rule in rules.items():
        try:
            found = prometheus.series(reader, server, rule["seriesQuery"], seconds=seconds)
            prometheus.query(reader, server, adapter_rules.example_query(rule))
            if name in expected and not found:
                raise _without_series(reader, server, name, rule, seconds)
        except ApiError as error:
            if error.code not in _REFUSED:
                return
            raise LlmHpaError(
                _attempt(name), f"Prometheus refuses its query ({error.message})",
                "with it the adapter would serve nothing after its next start; report this",
            ) from error  # fmt: skip


def _without_series(reader: Reader, server: Server, name: str, rule: Json, seconds: float) -> LlmHpaError:
    """Why a rule finds nothing: no series at all, or series with other labels."""
    metrics = adapter_rules.series_names(rule)
    selector = f'{{__name__=~"{"|".join(metrics)}"}}'
    bare = prometheus.series(reader, server, selector, seconds=seconds)
    where, who = adapter_rules.namespace_label(rule), adapter_rules.pod_label(rule)
    if not bare:
        return LlmHpaError(
            _attempt(name), f"Prometheus had no series of {' or '.join(metrics)} in the last {seconds:.0f} s",
            "see that the pods are scraped by the Prometheus that the adapter asks",
        )  # fmt: skip
    pair = series_labels.labels_of(bare)
    has = f"{pair.namespace} and {pair.pod}" if pair else ", ".join(sorted(set(bare[0]) - {"__name__"}))
    return LlmHpaError(
        _attempt(name), f"no series of {metrics[0]} has the labels {where} and {who}; they have {has}",
        f"let the scrape set {where} and {who}",
    )  # fmt: skip


def _attempt(name: str) -> str:
    return f"add a rule for {name} to the adapter"
