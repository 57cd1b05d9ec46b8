"""What Prometheus and the metrics API know of a pod whose metrics page cannot be read.

Both are looked for once and only when the first pod needs them; what is not permitted or not there is as good as
absent here.
"""

from __future__ import annotations

import functools
import re
import threading
from collections.abc import Iterable, Mapping
from dataclasses import replace

from kubectl_llmhpa import engines, quantities
from kubectl_llmhpa.api import PROMETHEUSES, Json, Reader
from kubectl_llmhpa.backends import prometheus_adapter
from kubectl_llmhpa.engines import lookalikes, promql
from kubectl_llmhpa.engines.exposition import Exposition
from kubectl_llmhpa.engines.exposition import Sample as Series
from kubectl_llmhpa.engines.model import Clues, Engine, Form, Signal
from kubectl_llmhpa.errors import LlmHpaError
from kubectl_llmhpa.monitoring import prometheus
from kubectl_llmhpa.monitoring.prometheus import Server

#: Labels that a scrape adds to the engine's own (prometheus-operator promcfg.go; replicas of an HA pair).
_SCRAPE_LABELS = {
    "namespace", "pod", "container", "job", "instance", "endpoint", "service", "node", "prometheus",
    "prometheus_replica",
}  # fmt: skip
_SUFFIXES = re.compile(r"_(total|bucket|count|sum)$")
_METRICS_API = f"/apis/{prometheus_adapter.GROUP}"


class Elsewhere:
    """The samples of pods in other places. Safe to be asked by several threads."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._lock = threading.Lock()

    def server(self) -> Server | None:
        """The Prometheus that can be asked, None when there is none."""
        with self._lock:
            return self._server

    def series(self, namespace: str, pod: str) -> Exposition | None:
        """The newest samples of a pod's engine series, without what the scrape added; None when there are none."""
        server = self.server()
        if server is None:
            return None
        names = f'__name__=~"{_series_names()}",__name__!~".+_bucket"'
        selector = f'{{{names},namespace="{namespace}",pod="{pod}"}}'
        try:
            found = prometheus.query(self._reader, server, selector)
        except LlmHpaError:
            return None
        return exposition(found) if found else None

    def served(self, namespace: str, pod: str) -> dict[str, float | None]:
        """Engine metrics of a pod that the metrics API serves, name to value (None: not a number)."""
        with self._lock:
            root, names = self._served_names
        values: dict[str, float | None] = {}
        for name in names:
            try:
                answer = self._reader.get(f"{root}/namespaces/{namespace}/pods/{pod}/{name}")
            except LlmHpaError:
                continue
            for item in answer.get("items") or []:
                text = str(item.get("value", ""))
                values[name] = None if quantities.is_garbage(text) else float(quantities.parse(text))
        return values

    def query(self, expression: str) -> list[prometheus.Sample]:
        """The instant vector of a PromQL expression; empty when no Prometheus answers it."""
        server = self.server()
        if server is None:
            return []
        try:
            return prometheus.query(self._reader, server, expression)
        except LlmHpaError:
            return []

    @functools.cached_property
    def _server(self) -> Server | None:
        candidates = (find(self._reader) for find in (_adapters_server, _operators_server))
        for server in candidates:
            if server is not None and prometheus.reachable(self._reader, server) is None:
                return server
        return None

    @functools.cached_property
    def _served_names(self) -> tuple[str, tuple[str, ...]]:
        try:
            version = self._reader.get(_METRICS_API)["preferredVersion"]["groupVersion"]
            listed: list[Json] = self._reader.get(f"/apis/{version}").get("resources") or []
        except (LlmHpaError, LookupError, TypeError):
            return "", ()
        names = (str(one["name"]).partition("/") for one in listed)
        found = {name for kind, _, name in names if kind == "pods" and engines.signal_of(name)}
        return f"/apis/{version}", tuple(sorted(found))


def exposition(samples: Iterable[prometheus.Sample]) -> Exposition:
    """Samples of one pod as if its own body had said them: one of each, however many scrapes there are."""
    found: dict[str, dict[frozenset[tuple[str, str]], Series]] = {}
    for one in samples:
        name = one.labels.get("__name__", "")
        labels = {
            label: value
            for label, value in one.labels.items()
            if label != "__name__" and label not in _SCRAPE_LABELS
        }
        found.setdefault(name, {}).setdefault(frozenset(labels.items()), Series(name, labels, one.value))
    families = {*found, *(_SUFFIXES.sub("", name) for name in found)}
    return Exposition(frozenset(families), {name: tuple(series.values()) for name, series in found.items()})


def facts_of_served(
    values: Mapping[str, float | None], clues: Clues, hint: str = ""
) -> engines.EngineFacts | None:
    """The engine whose signals the metrics API serves for a pod, with these signals only; None when it serves none.

    A router passes its engines' names on, so its own command line or image counts for more. Names without an
    engine's prefix may be anybody's and count only where something else speaks for that engine.
    """
    if not hint and lookalikes.by_clues(clues):
        return None
    expected = engines.expect(clues, hint)
    own = expected.engine.name if expected else ""
    owners = {name: owner for name in values if (owner := _owner(name, own))}
    if not owners:
        return None
    names = [engine.name for engine, _, _ in owners.values()]
    name = own if own in names else max(names, key=names.count)
    signals = {}
    for api_name, (engine, form, signal) in owners.items():
        if engine.name == name:
            spelt = (one for one in signal.metrics if one.replace(":", "_") == api_name.replace(":", "_"))
            metric = next(spelt, signal.metrics[0])
            signals[signal.name] = promql.source(
                signal, metric, values[api_name], 1, external_only=form.external_only
            )
    assumed = engines.assume(clues, hint if own == name and hint else name)
    evidence = f"{next(iter(owners))} in the metrics API"
    return replace(assumed, source=engines.Source.METRICS_API, evidence=evidence, signals=signals)


def _owner(name: str, expected: str) -> tuple[Engine, Form, Signal] | None:
    """The row that serves a name of the metrics API; a number that is made of several metrics has a name of its own."""
    spelt = name.replace(":", "_")
    rows = [
        (engine, form, signal)
        for engine in engines.ENGINES
        for form in engine.forms
        if form.prefix or engine.name == expected
        for signal in form.signals
    ]
    served = (row for row in rows if row[2].api_name.replace(":", "_") == spelt)
    alias = (
        row
        for row in rows
        if not row[2].served_as and spelt in {metric.replace(":", "_") for metric in row[2].metrics}
    )
    return next(served, None) or next(alias, None)


@functools.cache
def _series_names() -> str:
    """A regular expression for what a body of any engine consists of, without the buckets of histograms."""
    prefixes = {prefix for engine in engines.ENGINES for prefix in engine.prefixes}
    bare = {
        name
        for engine in engines.ENGINES
        for form in engine.forms
        if not form.prefix
        for signal in form.signals
        for name in signal.names
    }
    plain = [f"{re.escape(name)}(_count|_sum)?" for name in sorted(bare)]
    begun = [f"{re.escape(prefix)}.*" for prefix in sorted(prefixes - {""})]
    return "|".join([*plain, *begun]).replace("\\", "\\\\")


def _adapters_server(reader: Reader) -> Server | None:
    try:
        adapter = prometheus_adapter.find(reader, even_down=True)
    except LlmHpaError:
        return None
    return prometheus.server_of(adapter.prometheus_url, adapter.namespace)


def _operators_server(reader: Reader) -> Server | None:
    """The Service that the operator makes in a Prometheus' namespace (pkg/prometheus/operator.go)."""
    try:
        found = reader.get(PROMETHEUSES.path()).get("items") or []
    except LlmHpaError:
        return None
    if not found:
        return None
    prefix = str((found[0].get("spec") or {}).get("routePrefix") or "")
    return Server(found[0]["metadata"]["namespace"], "prometheus-operated", 9090, prefix)
