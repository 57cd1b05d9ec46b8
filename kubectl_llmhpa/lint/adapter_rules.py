"""Rules on prometheus-adapter: its rules in ConfigMaps, files and Helm values, and its intervals.

Facts: pkg/naming and pkg/custom-provider of v0.12.0, and what was seen of it on a cluster (docs/findings.md).
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Generator, Iterator, Mapping
from typing import Any

from kubectl_llmhpa.backends import adapter_rules
from kubectl_llmhpa.backends.series_labels import PAIRS
from kubectl_llmhpa.engines import Kind
from kubectl_llmhpa.lint import adapter_files, helm_values, promql, promql_rules, scalers
from kubectl_llmhpa.lint.adapter_files import AdapterRule, RuleFile
from kubectl_llmhpa.lint.documents import Document, FieldPath
from kubectl_llmhpa.lint.model import HPA, Bundle, Check, Located, located
from kubectl_llmhpa.lint.promql import NotPromQL, Query, Selector
from kubectl_llmhpa.lint.scraped import scene, seconds

_OF_WORKLOADS = (
    "namespace",
    "pod",
    "pod_name",
    "kubernetes_pod_name",
    "deployment",
    "model_name",
    "model",
    "app",
)
_EFFECT = ", and after the adapter's next start its list of metrics is empty, for everybody"
_POD_LABELS = tuple(dict.fromkeys(pair.pod for pair in PAIRS))
_FILE_KINDS = ("ConfigMap", *helm_values.KINDS)
#: Of the program, where neither flag nor values say otherwise (cmd/adapter/adapter.go).
_DEFAULT_RELIST = "10m"
_FLAGS = ("--metrics-relist-interval", "--metrics-max-age")


def judge(bundle: Bundle, document: Document) -> Iterator[Located]:
    """The rules of a file, each by itself and beside one another."""
    for file in adapter_files.files(document):
        if file.refused:
            yield located(document, file.path, "adapter-config-refused", file.refused)
        for one in file.rules:
            yield from _of_rule(bundle, document, one)
        yield from _twice(document, file)
        yield from _lists(bundle, document, file)
    for values in helm_values.adapters(document):
        if values.ack and values.rules.get("default") is True:
            path = (*values.rules_path, "default")
            yield located(document, path, "ack-default-rules", "rules.default is true")
        relist, most = values.settings.get("metricsRelistInterval"), values.settings.get("metricsMaxAge")
        path = (*values.path, "metricsMaxAge" if most else "metricsRelistInterval")
        yield from _ages(bundle, document, path, relist, most)


def fits(document: Document) -> bool:
    """Whether there is something of the adapter's in a document."""
    return any(True for _ in adapter_files.files(document)) or any(
        True for _ in helm_values.adapters(document)
    )


def judge_program(bundle: Bundle, deployment: Document) -> Iterator[Located]:
    """The intervals of an adapter by its command line."""
    for path, container, flags in _programs(deployment):
        if flags:
            where: FieldPath = (*path, "args" if container.get("args") else "command")
            yield from _ages(bundle, deployment, where, flags.get(_FLAGS[0]), flags.get(_FLAGS[1]))


def _of_rule(bundle: Bundle, document: Document, one: AdapterRule) -> Iterator[Located]:
    unusable, fix = adapter_files.unusable(one.rule)
    if unusable:
        yield located(document, one.path, "adapter-rule-unusable", f"{one.shown} {unusable}", fix=fix)
    series = yield from _series(document, one)
    if series is None or unusable:
        return
    text = str(one.rule.get("metricsQuery"))
    if ".LabelMatchers" not in text and ".LabelValuesByName" not in text:
        yield located(document, one.path, "adapter-query-unscoped", f"{one.shown}: {text[:160]}")
    known = promql_rules.signal_of(series)
    if known and not one.external:
        yield from _pods(document, one, series)
    if known:
        yield from _for_one_workload(document, one, series)
    name = next(iter(series.names), "")
    query_text = adapter_files.expanded(one.rule, name if adapter_files.is_metric(name) else "series")
    if not query_text:
        return
    try:
        query = promql.read(query_text)
    except NotPromQL as error:
        yield located(
            document, one.path, "query-unreadable", f"{one.shown}: metricsQuery: {error}", effect=""
        )
        return
    yield from promql_rules.selectors(bundle, document, one.path, query)
    yield from promql_rules.not_a_number(document, one.path, query)
    if not one.external:
        yield from _of_pods(document, one, query)


def _series(document: Document, one: AdapterRule) -> Generator[Located, None, Selector | None]:
    """What a rule selects; as a generator's result, None where Prometheus refuses it."""
    text = str(one.rule.get("seriesQuery") or "")
    try:
        query = promql.read(text)
        if (
            len(query.selectors) != 1
            or query.selectors[0].window is not None
            or query.shape.labels is not None
        ):
            raise NotPromQL("it is no selector of series")
    except NotPromQL as error:
        seen = f"{one.shown}: seriesQuery {text[:160]!r}: {error}"
        yield located(document, one.path, "query-unreadable", seen, effect=_EFFECT)
        return None
    return query.selectors[0]


def _pods(document: Document, one: AdapterRule, series: Selector) -> Iterator[Located]:
    """Whether the rule ties series to pods by a label that they have."""
    tied = adapter_rules.pod_label(one.rule)
    asked = [each.label for each in series.matchers if each.label in _POD_LABELS and each.operator != "="]
    if not tied:
        label = asked[0] if asked else "pod"
        problem = "its resources name no pod"
        yield located(document, one.path, "adapter-pod-label", one.shown, problem=problem, label=label)
    elif asked and tied not in asked:
        problem = f"its series have {asked[0]}, and its resources take {tied} for the pod"
        yield located(document, one.path, "adapter-pod-label", one.shown, problem=problem, label=asked[0])


def _for_one_workload(document: Document, one: AdapterRule, series: Selector) -> Iterator[Located]:
    fixed = [each for each in series.on(*_OF_WORKLOADS) if each.narrows]
    if fixed and not one.external:
        matcher = f'{fixed[0].label}{fixed[0].operator}"{fixed[0].value[:80]}"'
        yield located(
            document, one.path, "adapter-rule-per-workload", f"{one.shown} has {matcher}", matcher=matcher
        )


def _of_pods(document: Document, one: AdapterRule, query: Query) -> Iterator[Located]:
    """A query that is to give a number for each pod."""
    labels = {adapter_rules.pod_label(one.rule), adapter_rules.namespace_label(one.rule)} - {""}
    if query.shape.labels is not None and labels and not labels & query.shape.labels:
        yield located(
            document, one.path, "adapter-no-group-by", f"{one.shown}: {one.rule.get('metricsQuery')}"[:300]
        )
    if query.shape.kind is Kind.RATIO and query.shape.combined == "sum":
        yield located(
            document, one.path, "ratios-summed", f"{one.shown}: {one.rule.get('metricsQuery')}"[:300]
        )


def _twice(document: Document, file: RuleFile) -> Iterator[Located]:
    """Rules that yield one name; a catch-all is none of them, since others stand behind it on purpose."""
    yielding: dict[tuple[str, bool, str], list[AdapterRule]] = defaultdict(list)
    for one in file.rules:
        for name in set(_api_names(one)):
            tied = "" if one.external else adapter_rules.pod_label(one.rule)
            yielding[name, one.external, "pods" if tied else "others"].append(one)
    for (name, _, _), rules in yielding.items():
        for hidden in rules[:-1]:
            seen = f"{hidden.shown} and {rules[-1].shown} yield {name}"
            yield located(document, hidden.path, "adapter-rule-twice", seen)


def _api_names(one: AdapterRule) -> list[str]:
    """The names that a rule gives to the metrics that its seriesQuery names."""
    try:
        selectors = promql.read(str(one.rule.get("seriesQuery") or "")).selectors
        found = [adapter_rules.named(one.rule, name) for each in selectors for name in each.names]
    except (NotPromQL, re.error):
        return []
    return [name for name in found if name]


def _lists(bundle: Bundle, document: Document, file: RuleFile) -> Iterator[Located]:
    """Metrics of the run's HPAs that are served by the other API only."""
    served: dict[bool, dict[str, AdapterRule]] = {False: {}, True: {}}
    for one in file.rules:
        for name in _api_names(one):
            served[one.external][name] = one
    for hpa in bundle.of_kind(HPA):
        for metric in scalers.metrics(hpa):
            if metric.source not in ("Pods", "Object", "External"):
                continue
            external = metric.source == "External"
            if metric.name in served[external] or metric.name not in served[not external]:
                continue
            here, there = ("rules", "externalRules") if external else ("externalRules", "rules")
            problem = (
                f"{hpa.reference} asks for {metric.name} as {metric.source}, which {here} does not serve"
            )
            yield located(
                document, served[not external][metric.name].path, "adapter-wrong-list",
                served[not external][metric.name].shown, problem=problem, where=there,
            )  # fmt: skip


def _ages(bundle: Bundle, document: Document, path: FieldPath, relist: Any, most: Any) -> Iterator[Located]:
    """max-age < relist ends the adapter; max-age < scrape makes names come and go."""
    every = seconds(relist) or seconds(_DEFAULT_RELIST)
    oldest = seconds(most) or every
    if oldest < every:
        seen = f"max-age {most} and relist {relist or _DEFAULT_RELIST}"
        yield located(document, path, "adapter-max-age", seen, wanted=relist or _DEFAULT_RELIST)
        return
    interval = scene(bundle).interval(None)
    if oldest < interval:
        seen = f"max-age {most or relist} with a scrape every {interval:g} s"
        yield located(document, path, "adapter-relist", seen, wanted=f"{2 * interval:g}s")


def _programs(deployment: Document) -> Iterator[tuple[FieldPath, Mapping[str, Any], dict[str, str]]]:
    """Containers with the adapter's flags, which no other program has."""
    path: FieldPath = ("spec", "template", "spec", "containers")
    for place, container in deployment.items(*path):
        words = [str(one) for one in (*(container.get("command") or []), *(container.get("args") or []))]
        flags = {}
        for index, word in enumerate(words):
            name, equals, value = word.partition("=")
            if name in _FLAGS:
                flags[name] = value if equals else "".join(words[index + 1 : index + 2])
        yield place, container, flags


def _is_program(deployment: Document) -> bool:
    return any(flags for _, _, flags in _programs(deployment))


CHECKS = (Check(_FILE_KINDS, judge, fits), Check(("Deployment",), judge_program, _is_program))
