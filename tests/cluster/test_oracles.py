"""Every rule and query that can be written, for every engine, form, dialect and labelling: prometheus-adapter and
Prometheus accept it, and the adapter makes of a rule what was meant. Their own code answers (`oracles`)."""

from __future__ import annotations

import functools
from collections.abc import Iterable
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

from kubectl_llmhpa.api import DEPLOYMENTS, POD_MONITORS, STATEFUL_SETS, Json
from kubectl_llmhpa.backends import adapter_rules, external_rules, helm, scaled_object
from kubectl_llmhpa.backends.model import PROMETHEUS_ADAPTER
from kubectl_llmhpa.backends.series_labels import PAIRS
from kubectl_llmhpa.engines import ENGINES, Kind, NotAnEngine, Signal, SignalSource, identify, promql
from kubectl_llmhpa.errors import LlmHpaError
from kubectl_llmhpa.monitoring import prometheus
from kubectl_llmhpa.monitoring.prometheus import Server
from kubectl_llmhpa.plan.adapter import rule_check
from kubectl_llmhpa.plan.looking import sanity, targets
from kubectl_llmhpa.plan.looking.elsewhere import Elsewhere
from kubectl_llmhpa.plan.setting_up import asking, hops
from kubectl_llmhpa.plan.setting_up.scraping import Scrape
from kubectl_llmhpa.plan.wishes import Wishes
from kubectl_llmhpa.policy import PEAK, Target
from kubectl_llmhpa.workloads import Workload
from tests.cluster import oracles
from tests.cluster.oracles import Case

pytestmark = pytest.mark.control_plane

BODIES = Path(__file__).parents[1] / "bodies"
PODS = ("vllm-0", "vllm-1", "vllm-6b47bd5c4d-x2x7q")
THEIRS = """\
# theirs
rules:
- seriesQuery: up{namespace!=""}
  resources: {template: <<.Resource>>}
  metricsQuery: sum(<<.Series>>{<<.LabelMatchers>>}) by (<<.GroupBy>>)
"""
#: The resources that a rule of ours ties a series to.
BY = frozenset({"pods", "namespaces"})
SERVER = Server("monitoring", "prometheus", 9090)
NOBODY: Any = None
"""A reader that is not asked."""


@functools.cache
def specs() -> dict[Signal, str]:
    """Every signal of every engine: those of the rows and those that bodies bring about; and whose it is."""
    found = {signal: engine.name for engine in ENGINES for signal in engine.signals}
    for path in sorted(BODIES.glob("*.txt")):
        try:
            facts = identify(path.read_text())
        except NotAnEngine as refused:
            found |= {one.spec: path.stem for one in refused.upstream.values() if one.spec not in found}
        else:
            found |= {one.spec: facts.engine for one in facts.signals.values() if one.spec not in found}
    return found


def source(signal: Signal, metric: str = "") -> SignalSource:
    return promql.source(signal, metric or signal.metrics[0], None, 1)


class Rule(NamedTuple):
    """A rule, what it is for, and a series that it is to find."""

    signal: Signal
    rule: Json
    series: str
    labels: dict[str, str]


@functools.cache
def rules() -> tuple[Rule, ...]:
    """Every rule, once for each name of its metric and each labelling."""
    found = []
    for signal in specs():
        if signal.kind is Kind.LATENCY:
            continue  # never a metric of pods
        for namespace_label, pod_label in PAIRS:
            rule = adapter_rules.rule_for(
                source(signal), namespace_label=namespace_label, pod_label=pod_label
            )
            labels = {"job": "x/y", namespace_label: "x", pod_label: PODS[0]} | dict(signal.where)
            found += [Rule(signal, rule, name, labels) for name in signal.metrics]
    return tuple(found)


@functools.cache
def served() -> tuple[oracles.Served, ...]:
    """What the adapter makes of each rule, asked for three pods, in the order of `rules`."""
    loaded = oracles.adapter(
        Case(adapter_rules.add(THEIRS, [one.rule]), one.series, one.labels, "x", PODS) for one in rules()
    )
    assert {answer.error for answer in loaded} == {""}
    return tuple(answer.rules[1] for answer in loaded)


def test_there_is_a_rule_for_every_engine() -> None:
    """Nothing below is vacuous."""
    assert {specs()[one.signal] for one in rules()} >= {engine.name for engine in ENGINES}
    assert len(rules()) > 4 * len(ENGINES)


def test_the_adapter_names_every_series_as_the_hpa_asks_for_it() -> None:
    wrong = [
        (one.series, found.name)
        for one, found in zip(rules(), served(), strict=True)
        if (found.name, found.resources) != (one.signal.api_name, BY)
    ]
    assert wrong == []


def test_prometheus_finds_the_series_by_the_rule_and_only_with_a_pod() -> None:
    asked = []
    for one, found in zip(rules(), served(), strict=True):
        (*_, pod_label) = [label for label in one.labels if "pod" in label and "namespace" not in label]
        labels = {**one.labels, "__name__": one.series}
        asked += [(found.selector, labels), (found.selector, {**labels, pod_label: ""})]
    answers = oracles.selectors(asked)
    assert {answer.error for answer in answers} == {""}
    assert [answer.selects for answer in answers] == [True, False] * len(rules())


def test_prometheus_accepts_the_query_that_the_adapter_makes_of_every_rule() -> None:
    queries = [found.query for found in served()]
    assert all('="x"' in query and "|".join(PODS) in query and "<<" not in query for query in queries)
    assert refused_expressions(queries) == []


def test_the_adapter_loads_all_rules_in_one_file() -> None:
    every = list({yaml.safe_dump(one.rule): one.rule for one in rules()}.values())
    values = yaml.safe_load(helm.fragment(PROMETHEUS_ADAPTER, every))["rules"]["custom"]
    texts = [adapter_rules.add(THEIRS, every), yaml.safe_dump({"rules": values})]
    whole, fragment = oracles.adapter(Case(text, "up", {"namespace": "x"}, "", PODS[:1]) for text in texts)
    assert (whole.error, fragment.error) == ("", "")
    assert (len(whole.rules), len(fragment.rules)) == (len(every) + 1, len(every))
    assert [one.selector for one in whole.rules[1:]] == [one.selector for one in fragment.rules]


@functools.cache
def external() -> tuple[Json, ...]:
    """The rule for the peak of every count, with and without queues that make it count as more."""
    found = []
    queues = {whose: signal for signal, whose in specs().items() if signal.name == "waiting"}
    for signal, whose in specs().items():
        if signal.kind is not Kind.COUNT:
            continue
        sources = {signal.name: source(signal)} | (
            {"waiting": source(queues[whose])} if whose in queues else {}
        )
        for peak in (PEAK, replace(PEAK, memory=0)):
            if peak.memory and "waiting" not in sources:
                continue
            target = Target(signal.name, sources[signal.name].api_name, Decimal(1), "", peak)
            found += [
                external_rules.rule_for(target, sources, namespace_label=pair.namespace, pod_label=pair.pod)
                for pair in PAIRS
            ]
    return tuple(found)


def test_the_adapter_loads_rules_for_external_metrics() -> None:
    values = yaml.safe_load(helm.fragment(PROMETHEUS_ADAPTER, external()))["rules"]["external"]
    assert values == list(external())
    (whole,) = oracles.adapter(
        [Case(adapter_rules.add(THEIRS, external()), "up", {"namespace": "x"}, "", PODS[:1])]
    )
    assert whole.error == ""
    assert len(whole.rules) == 1, "theirs alone is for custom metrics"


def test_prometheus_accepts_the_query_of_every_rule_for_external_metrics() -> None:
    assert len(external()) > 4 * len(ENGINES)
    assert refused_expressions([adapter_rules.example_query(one) for one in external()]) == []


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("rules:\n- seriesQuery: a\n  metricQuery: b\n", "field metricQuery not found"),
        ("rules:\n- {seriesQuery: a, metricsQuery: 'sum(<<.Series)'}\n", "unable to parse metrics query"),
        ("rules:\n- {seriesQuery: a, resources: {overrides: {p: {resource: pdo}}}}\n", "unable to normalize"),
        ("rules: [\n", "unable to parse"),
    ],
)
def test_the_adapter_refuses_what_it_cannot_load(text: str, words: str) -> None:
    """So an answer of its loader means something."""
    (answer,) = oracles.adapter([Case(text, "a", {"p": "x"}, "x", PODS)])
    assert words in answer.error


@pytest.mark.parametrize(
    "text", ["sum(up", "rate(up)", "max by (pod (up)", "a b", "histogram_quantile(a, 0.9)"]
)
def test_prometheus_refuses_a_broken_query(text: str) -> None:
    (answer,) = oracles.expressions([text])
    assert "parse error" in answer.error


def test_prometheus_refuses_a_broken_selector_that_the_adapter_loads() -> None:
    """The trap of a rule: the file is fine, and the first listing fails for all."""
    text = "rules:\n- {seriesQuery: '{__name__=~\"[\"}', metricsQuery: x, resources: {template: <<.Resource>>}}\n"
    (loaded,) = oracles.adapter([Case(text, "a", {}, "x", PODS)])
    assert loaded.error == ""
    (answer,) = oracles.selectors([(loaded.rules[0].selector, {"__name__": "a"})])
    assert answer.error
    assert not answer.selects


#: Workloads whose pods' names have all that names may have.
WORKLOADS = tuple(
    Workload(resource, "x", "qwen2.5-7b.v1", {"metadata": {"name": "qwen2.5-7b.v1"}}, 1, "app=vllm")
    for resource in (STATEFUL_SETS, DEPLOYMENTS)
)


def refused_expressions(queries: Iterable[str]) -> list[tuple[str, oracles.Parsed]]:
    """Those that Prometheus does not take for an instant vector."""
    asked = list(dict.fromkeys(filter(None, queries)))
    answers = zip(asked, oracles.expressions(asked), strict=True)
    return [(query, answer) for query, answer in answers if answer.error or answer.type != "vector"]


@pytest.mark.parametrize("workload", WORKLOADS, ids=lambda workload: workload.resource.kind)
def test_prometheus_accepts_every_query_of_keda(workload: Workload) -> None:
    """For our own scrape job, and for that of others with each labelling."""
    pods = [{"metadata": {"name": f"{workload.name}-{end}"}} for end in ("0", "7c9d8b5f6c-x2x7q")]
    scrapes = [Scrape(POD_MONITORS, {}, "ours", "x/llm-hpa-statefulset-vllm")]
    scrapes += [Scrape(POD_MONITORS, None, "others", "", pod, namespace) for namespace, pod in PAIRS]
    wishes = Wishes(prometheus_url="http://prometheus.monitoring.svc:9090")
    queries = []
    for scrape in scrapes:
        asked = asking.question(workload, NOBODY, wishes, scrape, pods)
        for signal, engine in specs().items():
            sources = {one.name: source(one) for one, whose in specs().items() if whose == engine}
            sources[signal.name] = source(signal)
            targets = [Target(signal.name, "", Decimal(4), "")]
            if signal.name == "in-flight":
                told = 64 if {"running", "waiting"} <= sources.keys() else 0
                counted = PEAK if told else replace(PEAK, memory=0)
                targets.append(Target(signal.name, "", Decimal(4), "", counted, told))
            for target in targets:
                empty = "vector(0)" if target.peak else ""
                queries.append(scaled_object.trigger(target, sources, asked.matchers, empty=empty).query)
    assert len(set(queries)) > len(scrapes) * len(specs())
    assert refused_expressions(queries) == []


def test_prometheus_accepts_everything_that_a_command_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    selectors: list[str] = []

    def query(reader: object, server: Server, expression: str) -> list[prometheus.Sample]:
        asked.append(expression)
        return []

    def series(reader: object, server: Server, *selected: str, seconds: float) -> list[dict[str, str]]:
        selectors.extend(selected)
        return []

    monkeypatch.setattr(prometheus, "query", query)
    monkeypatch.setattr(prometheus, "series", series)
    monkeypatch.setattr(Elsewhere, "server", lambda _: SERVER)
    monkeypatch.setattr(hops, "pods", lambda *_: [])
    workload = WORKLOADS[0]
    pod = {"metadata": {"name": f"{workload.name}-0"}, "status": {"podIP": "fd00::1"}}
    Elsewhere(NOBODY).series("x", "vllm-0")
    namespace_label, pod_label = PAIRS[-1]
    scrape = Scrape(POD_MONITORS, {}, "ours", "x/y", pod_label, namespace_label)
    for every in (False, True):
        hops.scrape_target(NOBODY, SERVER, workload, scrape, every=every).look()
    for engine in ENGINES:
        for form in engine.forms:
            signals = {signal.name: source(signal) for signal in form.signals}
            asked += [one.query for one in signals.values()]
            for one in signals.values():
                hops.sample(NOBODY, SERVER, workload, scrape, one.metric).look()
                targets.found(NOBODY, SERVER, [pod], 8000, one.metric)
            for matchers in ('namespace="x"', 'namespace!=""'):
                asked.append(sanity.twice_scraped(signals.values(), matchers))
                asked.append(sanity.stale(signals, engine.counts_while_generating, matchers))
    for rule in rules():
        named = {rule.signal.api_name: rule.rule}
        rule_check.check(NOBODY, SERVER, named, expected=(), seconds=60)
        with pytest.raises(LlmHpaError, match="no series"):
            rule_check.check(NOBODY, SERVER, named, expected=named, seconds=60)
    assert len(set(asked)) > len(rules()) / len(PAIRS)
    assert refused_expressions(asked) == []
    found = oracles.selectors((text, {}) for text in set(selectors))
    assert {answer.error for answer in found} == {""}
