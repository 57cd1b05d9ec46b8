"""prometheus-adapter's rules as they stand in manifests, and what its loader and its templates make of them.

A ConfigMap holds the adapter's file as text; a file of rules by itself, and Helm values, hold it as it is. What is
refused, and when: pkg/config/loader.go and pkg/naming of v0.12.0, held against the adapter's own code in tests.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import yaml

from kubectl_llmhpa.api import Json
from kubectl_llmhpa.backends import adapter_rules
from kubectl_llmhpa.errors import LlmHpaError
from kubectl_llmhpa.lint import helm_values
from kubectl_llmhpa.lint.documents import Document, FieldPath
from kubectl_llmhpa.monitoring import expressions

_ACTION = re.compile(r"<<-?\s*(.*?)\s*-?>>", re.DOTALL)
_FIELD = re.compile(r"\.(\w+)")
_QUERY_FIELDS = {"Series", "LabelMatchers", "LabelValuesByName", "GroupBy", "GroupBySlice"}
_LABEL_FIELDS = {"Group", "Resource"}
_METRIC = re.compile(r"[A-Za-z_:][A-Za-z0-9_:]*")
#: What makes a text in a ConfigMap the adapter's, even where it cannot be read.
_TELLING = "seriesQuery"


class AdapterRule(NamedTuple):
    """One rule, its place, and its number (from 1) in the list; `external` for those of the external API."""

    path: FieldPath
    rule: Json
    external: bool
    number: int

    @property
    def shown(self) -> str:
        """`rule 3 (vllm:num_requests_waiting)`."""
        name = (self.rule.get("name") or {}).get("as") or self.rule.get("seriesQuery") or ""
        return f"{'external ' if self.external else ''}rule {self.number} ({str(name)[:80]})"


class RuleFile(NamedTuple):
    """One file of rules: its place, its rules, and why the adapter does not load it (empty when it does)."""

    path: FieldPath
    rules: tuple[AdapterRule, ...]
    refused: str = ""


def files(document: Document) -> Iterator[RuleFile]:
    """The adapter's files in a ConfigMap, in a file of rules, and in Helm values."""
    if document.kind == "ConfigMap":
        for key, text in document.mapping("data").items():
            if isinstance(text, str) and _TELLING in text:
                yield from _of_text(("data", key), text)
        return
    rules = document.at("rules")
    if not document.kind and isinstance(rules, list) and _have_series(rules):
        yield _of_mapping((), document.object, inside=True)
    for values in helm_values.adapters(document):
        lists = {
            name: values.rules[key]
            for key, name in helm_values.LISTS.items()
            if isinstance(values.rules.get(key), list)
        }
        if lists:
            found = _of_mapping(values.rules_path, lists, inside=True)
            keys = {name: key for key, name in helm_values.LISTS.items()}
            yield found._replace(
                rules=tuple(
                    one._replace(
                        path=(
                            *values.rules_path,
                            keys[str(one.path[len(values.rules_path)])],
                            *one.path[len(values.rules_path) + 1 :],
                        )
                    )
                    for one in found.rules
                )
            )


def _have_series(rules: Sequence[Any]) -> bool:
    return any(isinstance(one, dict) and _TELLING in one for one in rules)


def _of_text(path: FieldPath, text: str) -> Iterator[RuleFile]:
    try:
        loaded = adapter_rules.parse(text)
    except LlmHpaError as error:
        try:
            raw: Any = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
        except yaml.YAMLError:
            raw = {}
        if isinstance(raw, dict) and (not raw or _is_file(raw)):
            yield _of_mapping(path, raw)._replace(refused=error.problem)
        return
    if _is_file(loaded):
        yield _of_mapping(path, loaded)


def _is_file(loaded: Mapping[str, Any]) -> bool:
    """Whether a mapping is the adapter's file; a file of values in a ConfigMap is none."""
    return any(
        isinstance(loaded.get(key), list) and _have_series(loaded[key]) for key in ("rules", "externalRules")
    )


def _of_mapping(path: FieldPath, loaded: Mapping[str, Any], *, inside: bool = False) -> RuleFile:
    """`inside`: the mapping stands in the document itself, so that a rule has a place of its own."""
    rules = tuple(
        AdapterRule((*path, key, index) if inside else path, rule, key == "externalRules", index + 1)
        for key in ("rules", "externalRules")
        for index, rule in enumerate(loaded.get(key) or [])
        if isinstance(rule, dict) and _well_formed(rule)
    )
    refused = ""
    if inside:
        try:
            adapter_rules.parse(yaml.safe_dump(dict(loaded)))
        except LlmHpaError as error:
            refused = error.problem
    if not refused:
        refused = next((f"{one.shown}: {why}" for one in rules if (why := refusal(one.rule))), "")
    return RuleFile(path, rules, refused)


def _well_formed(rule: Mapping[str, Any]) -> bool:
    """Whether the parts of a rule are of the types that they should be; the loader says so where they are not."""
    shapes = (("name", dict), ("resources", dict), ("seriesFilters", list))
    filters = rule.get("seriesFilters") or []
    return all(isinstance(rule.get(key) or kind(), kind) for key, kind in shapes) and all(
        isinstance(one, dict) for one in filters
    )


def refusal(rule: Mapping[str, Any]) -> str:
    """Why the adapter ends over a rule when it starts; empty when it does not."""
    name, resources = rule.get("name") or {}, rule.get("resources") or {}
    pattern = str(name.get("matches") or "")
    if problem := expressions.problem(pattern):
        return f"name.matches {pattern!r} does not compile ({problem})"
    if pattern and not name.get("as") and _groups(pattern) > 1:
        return f"name.matches {pattern!r} has several groups and there is no name.as"
    for sieve in rule.get("seriesFilters") or []:
        given = [key for key in ("is", "isNot") if sieve.get(key)]
        if len(given) != 1:
            return f"a seriesFilter has {' and '.join(given) or 'neither is nor isNot'}"
        if problem := expressions.problem(str(sieve[given[0]])):
            return f"seriesFilter {sieve[given[0]]!r} does not compile ({problem})"
    if not _closed(str(rule.get("metricsQuery") or "")):
        return "metricsQuery has a << that is not closed"
    template = str(resources.get("template") or "")
    if not _closed(template):
        return "resources.template has a << that is not closed"
    if unknown := unknown_field(template, _LABEL_FIELDS):
        return f"resources.template has no field .{unknown}"
    if template and ".Resource" not in template:
        return "resources.template does not have <<.Resource>>"
    return ""


def unusable(rule: Mapping[str, Any]) -> tuple[str, str]:
    """Why the adapter cannot ask by a rule that it loads, and what to do; empty when it can."""
    query, resources = str(rule.get("metricsQuery") or ""), rule.get("resources") or {}
    if not query.strip():
        return "has no metricsQuery", "add metricsQuery"
    if unknown := unknown_field(query, _QUERY_FIELDS):
        return (
            f"names .{unknown} in metricsQuery, which there is not",
            f"use one of {', '.join(f'.{one}' for one in sorted(_QUERY_FIELDS))}",
        )
    if not resources.get("template") and not resources.get("overrides"):
        return "has no resources", "add resources: {template: <<.Resource>>}"
    return "", ""


def unknown_field(template: str, known: set[str]) -> str:
    """A field that a template asks for and that there is not; empty for none."""
    asked = (field for action in _ACTION.findall(template) for field in _FIELD.findall(_unquoted(action)))
    return next((one for one in asked if one not in known), "")


def expanded(rule: Mapping[str, Any], series: str) -> str:
    """The PromQL that the adapter makes of a rule for one series and one pod; empty where its template is more than
    fields.

    A matcher of every pod (`=~".+"`) stands for those that the adapter fills in.
    """
    where, who = adapter_rules.namespace_label(rule), adapter_rules.pod_label(rule)
    filled = {
        "Series": series,
        "LabelMatchers": ",".join(f'{label}=~".+"' for label in (where, who) if label),
        "GroupBy": who or where,
        "GroupBySlice": who or where,
    }

    def fill(found: re.Match[str]) -> str:
        action = found[1]
        if action.startswith("."):
            return filled.get(action[1:], "\0")
        return ".+" if re.fullmatch(r'index\s+\.LabelValuesByName\s+"[^"]*"', action) else "\0"

    text = _ACTION.sub(fill, str(rule.get("metricsQuery") or ""))
    return "" if "\0" in text else text


def is_metric(name: str) -> bool:
    """Whether a text is a metric's name, and no expression for several."""
    return _METRIC.fullmatch(name) is not None


def _groups(pattern: str) -> int:
    try:
        return re.compile(pattern).groups
    except re.error:
        return 0


def _closed(template: str) -> bool:
    return "<<" not in _ACTION.sub("", template)


def _unquoted(action: str) -> str:
    return re.sub(r'"[^"]*"', "", action)
