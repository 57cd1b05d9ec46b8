"""Rules in prometheus-adapter's configuration file: made, added to the text, taken out again.

The file belongs to others, so it is edited as text: every byte that is not ours stays. Its loader is
strict (pkg/config/loader.go: an unknown key stops the adapter), so the result is checked before it is
written.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import yaml

from kubectl_llmhpa.api import Json
from kubectl_llmhpa.engines import SignalSource, promql
from kubectl_llmhpa.errors import LlmHpaError

#: The keys that the adapter knows (pkg/config/config.go): a list of one is a list, `*` is any key, None a scalar.
_RESOURCES = {"template": None, "overrides": {"*": {"group": None, "resource": None}}, "namespaced": None}
_RULES = [{
    "seriesQuery": None, "seriesFilters": [{"is": None, "isNot": None}], "resources": _RESOURCES,
    "name": {"matches": None, "as": None}, "metricsQuery": None,
}]  # fmt: skip
_RESOURCE_RULE = {"containerQuery": None, "nodeQuery": None, "resources": _RESOURCES, "containerLabel": None}
_SCHEMA = {
    "rules": _RULES, "externalRules": _RULES,
    "resourceRules": {"cpu": _RESOURCE_RULE, "memory": _RESOURCE_RULE, "window": None},
}  # fmt: skip
#: The lists in the file: for the custom metrics API, and for the external one.
CUSTOM, EXTERNAL = "rules", "externalRules"
#: Where the adapter puts the matchers of the pods that it is asked for.
MATCHERS = "<<.LabelMatchers>>"
_ATTEMPT = "read the adapter's configuration"
_REMEDY = "repair it first: with it the adapter does not start again"
_SELECTOR = re.compile(r"^\s*(?P<name>[a-zA-Z_:][a-zA-Z0-9_:]*)?\s*(?:\{(?P<matchers>.*)\})?\s*$", re.DOTALL)
_MATCHER = re.compile(r"""(\w+)\s*(=~|!~|!=|=)\s*["']((?:[^"'\\]|\\.)*)["']""")


def rule_for(source: SignalSource, *, namespace_label: str = "namespace", pod_label: str = "pod") -> Json:
    """The rule that serves one signal of an engine, for every workload of the cluster and every name it has had.

    Whichever of the names is live finds the rule (`seriesQuery`), the query takes all of them, and the name in the
    metrics API is one: a rollout to a version with other names changes nothing for the HPA.
    """
    names = source.spec.metrics
    there = f'{namespace_label}!="",{pod_label}!=""'
    rule: Json = {
        "seriesQuery": series_query(names, there),
        "resources": {
            "overrides": {
                namespace_label: {"resource": "namespace"},
                pod_label: {"resource": "pod"},
            }
        },
        "metricsQuery": promql.served(source.spec, by="<<.GroupBy>>", matchers=MATCHERS),
    }
    if len(names) > 1 or source.api_name != names[0]:
        rule["name"] = {"as": source.api_name}
    return rule


def series_query(names: Sequence[str], there: str) -> str:
    """The selector of the series of these names whose labels match `there`."""
    if len(names) == 1:
        return f"{names[0]}{{{there}}}"
    return f'{{__name__=~"^({"|".join(names)})$",{there}}}'


def list_of(rule: Mapping[str, Any]) -> str:
    """The list that a rule of ours belongs to: one that knows namespaces and no pods is for External metrics."""
    return EXTERNAL if namespace_label(rule) and not pod_label(rule) else CUSTOM


def listed_as(name: str, rule: Mapping[str, Any]) -> str:
    """A name of ours as `prometheus_adapter.listed` has it."""
    return f"pods/{name}" if list_of(rule) == CUSTOM else f"external/{name}"


def lists(document: Mapping[str, Any]) -> dict[str, list[Json]]:
    """The rules in a parsed file, by the lists that they are in."""
    return {key: document.get(key) or [] for key in (CUSTOM, EXTERNAL)}


def holds(listed: Mapping[str, Collection[Json]], rule: Json) -> bool:
    """Whether a rule of ours is in its one of the lists of `lists`."""
    return rule in listed[list_of(rule)]


def serves(rule: Mapping[str, Any], metric: str, series: Collection[Mapping[str, str]] = ()) -> bool:
    """Whether a rule serves `metric`, be it a rule for one series or a catch-all such as the community chart's.

    pkg/naming/metric_namer.go: the series query selects, `seriesFilters` sift, `name` renames. With live `series`
    (their labels with `__name__`) it has to serve the metric of pods from one of them; without, a catch-all is taken
    at its word for `__name__`, and other matchers are taken to hold for every series of a pod.
    """
    if series:
        return any(api_name(rule, one) == metric and pod_label(rule) in one for one in series)
    query = _SELECTOR.match(str(rule.get("seriesQuery", "")))
    if query is None or not (query["name"] or query["matchers"]):
        return False
    name = query["name"] or metric
    matchers = [one for one in _MATCHER.finditer(query["matchers"] or "") if one[1] == "__name__"]
    try:
        return all(_accepts(one[2], one[3], name) for one in matchers) and named(rule, name) == metric
    except re.error:
        return False


def api_name(rule: Mapping[str, Any], series: Mapping[str, str]) -> str | None:
    """The name under which a rule lists a live series, None when it does not select it."""
    query = _SELECTOR.match(str(rule.get("seriesQuery", "")))
    if query is None or (query["name"] and query["name"] != series["__name__"]):
        return None
    matchers = _MATCHER.finditer(query["matchers"] or "")
    try:
        if not all(_accepts(one[2], one[3], series.get(one[1], "")) for one in matchers):
            return None
        return named(rule, series["__name__"])
    except re.error:
        return None


def pod_label(rule: Mapping[str, Any]) -> str:
    """The label that a rule takes for the pod's name, empty when it knows no pods."""
    return _label(rule, ("pod", "pods"))


def namespace_label(rule: Mapping[str, Any]) -> str:
    """The label that a rule takes for the namespace's name, empty when it knows no namespaces."""
    return _label(rule, ("namespace", "namespaces"))


def _label(rule: Mapping[str, Any], resource: tuple[str, ...]) -> str:
    """pkg/naming/resource_converter.go: overrides first, else the template filled in."""
    resources = rule.get("resources") or {}
    for label, meant in (resources.get("overrides") or {}).items():
        if meant.get("resource") in resource and not meant.get("group"):
            return str(label)
    template = str(resources.get("template") or "")
    return template.replace("<<.Resource>>", resource[0]).replace("<<.Group>>", "")


def example_query(rule: Mapping[str, Any]) -> str:
    """The PromQL that the adapter makes of a rule for a pod that does not exist: whether Prometheus takes it."""
    where, who = namespace_label(rule), pod_label(rule)
    filled = {
        MATCHERS: f'{where}="none",{who}=~"none"' if who else f'{where}="none"',
        "<<.GroupBy>>": who,
        "<<.Series>>": series_names(rule)[0],
    }
    query = str(rule.get("metricsQuery", ""))
    for part, text in filled.items():
        query = query.replace(part, text)
    return query


def series_names(rule: Mapping[str, Any]) -> list[str]:
    """The metrics that a rule of ours is made from, newest first."""
    query = _SELECTOR.match(str(rule.get("seriesQuery", "")))
    if query is None:
        return [""]
    if query["name"]:
        return [query["name"]]
    names = next((one[3] for one in _MATCHER.finditer(query["matchers"] or "") if one[1] == "__name__"), "")
    return names.removeprefix("^(").removesuffix(")$").split("|")


def rival(name: str, ours: Collection[Json], rules: Iterable[Json]) -> Json | None:
    """A rule of somebody else's that yields the same API name: the last one would hide the other."""
    return next((one for one in rules if one not in ours and serves(one, name)), None)


def _passes(sieve: Mapping[str, str], series: str) -> bool:
    """One entry of `seriesFilters`; its regular expressions are not anchored."""
    if sieve.get("is"):
        return re.search(sieve["is"], series) is not None
    return not sieve.get("isNot") or re.search(sieve["isNot"], series) is None


def _accepts(operator: str, quoted: str, text: str) -> bool:
    """One matcher of PromQL; its regular expressions are anchored, an absent label is empty."""
    value = re.sub(r"\\(.)", r"\1", quoted)
    equal = re.fullmatch(value, text) is not None if "~" in operator else value == text
    return equal != operator.startswith("!")


def named(rule: Mapping[str, Any], series: str) -> str | None:
    """The API name that a rule gives to a series: `matches` is `.*` unless given, `as` its only group or all of it."""
    if not all(_passes(one, series) for one in rule.get("seriesFilters") or []):
        return None
    name = rule.get("name") or {}
    match = re.search(str(name.get("matches") or ".*"), series)
    if match is None:
        return None
    form = str(name.get("as") or ("$1" if match.re.groups == 1 else "$0"))
    groups = {str(number): text or "" for number, text in enumerate((match.group(), *match.groups()))}
    return re.sub(r"\$(?:\{(\w+)\}|(\w+))", lambda found: groups.get(found[1] or found[2], ""), form)


def parse(text: str) -> Json:
    """The configuration, checked as strictly as the adapter does.

    Raises LlmHpaError naming the key that the adapter would not accept.
    """
    try:
        document = yaml.load(text, Loader=yaml.CSafeLoader)
    except yaml.YAMLError as error:
        raise LlmHpaError(_ATTEMPT, f"it is not YAML ({_one_line(error)})", _REMEDY) from error
    document = {} if document is None else document
    if problem := _problem(document, _SCHEMA, "it"):
        raise LlmHpaError(_ATTEMPT, problem, _REMEDY)
    result: Json = document
    return result


def _problem(value: Any, schema: Any, where: str) -> str:
    """What the adapter's loader would not accept, empty when nothing."""
    if value is None:
        return ""
    if isinstance(schema, list):
        if not isinstance(value, list):
            return f"{where} is not a list"
        problems = (_problem(one, schema[0], f"an entry of {where}") for one in value)
        return next(filter(None, problems), "")
    if isinstance(schema, dict):
        if not isinstance(value, dict):
            return f"{where} is not a mapping"
        unknown = [] if "*" in schema else sorted(str(key) for key in value.keys() - schema.keys())
        if unknown:
            return f"the adapter does not know the key {unknown[0]!r}"
        problems = (
            _problem(below, schema.get(key, schema.get("*")), str(key)) for key, below in value.items()
        )
        return next(filter(None, problems), "")
    return f"{where} is not a plain value" if isinstance(value, (dict, list)) else ""


def add(text: str, rules: Sequence[Json]) -> str:
    """The text with rules at the ends of their lists; every other byte is kept.

    Layouts that cannot be edited in place (a whole document in flow style, aliases) are written anew.
    """
    for key in (CUSTOM, EXTERNAL):
        before, more = parse(text), [one for one in rules if list_of(one) == key]
        if more:
            wanted = {**before, key: [*(before.get(key) or []), *more]}
            text = _checked(_with_block(text, key, wanted[key], len(more)), wanted)
    return text


def remove(text: str, rules: Iterable[Json]) -> str:
    """The text without the entries of both lists that equal one of ours; every other byte is kept.

    Layouts that cannot be edited in place are written anew.
    """
    ours = list(rules)
    for key in (CUSTOM, EXTERNAL):
        before = parse(text)
        present = before.get(key) or []
        kept = [rule for rule in present if rule not in ours]
        if len(kept) < len(present):
            text = _checked(_without_items(text, key, present, ours), {**before, key: kept})
    return text


def _checked(edited: str, wanted: Json) -> str:
    """The edited text if it means what was wanted, else the wanted document dumped as a whole."""
    try:
        if parse(edited) == wanted:
            return edited
    except LlmHpaError:
        pass
    return _dump(wanted)


def _with_block(text: str, key: str, items: list[Json], count: int) -> str:
    """The text with the last `count` of `items` (all that the list shall have) inserted as a block."""
    block = _dump(items[-count:])
    node = _value_node(text, key)
    if node is None:
        joint = "" if not text or text.endswith("\n") else "\n"
        return f"{text}{joint}{key}:\n{block}"
    if isinstance(node, yaml.SequenceNode) and node.value and not node.flow_style:
        indent = " " * node.start_mark.column
        end = _end_of(text, node.value[-1])
        head = text[:end] if text[:end].endswith("\n") else text[:end] + "\n"
        return head + "".join(f"{indent}{line}\n" for line in block.splitlines()) + text[end:]
    # `rules: []`, `rules: [{...}]` or an empty value becomes a block, items in their order
    tail = text[node.end_mark.index :].lstrip(" ")
    return text[: node.start_mark.index].rstrip(" ") + "\n" + _dump(items) + tail.removeprefix("\n")


def _without_items(text: str, key: str, items: list[Json], ours: list[Json]) -> str:
    """The text with the lines of those items of a list cut out that are ours."""
    node = _value_node(text, key)
    if not isinstance(node, yaml.SequenceNode) or node.flow_style:
        return text
    result = text
    for item, place in reversed(list(zip(items, node.value, strict=True))):
        if item in ours:
            start = text.rfind("\n", 0, place.start_mark.index) + 1
            result = result[:start] + result[_end_of(text, place) :]
    if all(item in ours for item in items):
        result = re.sub(rf"(?m)^{key}:[ \t]*$", f"{key}: []", result, count=1)
    return result


def dumped(rule: Json) -> str:
    """A rule as one line of YAML."""
    return _dump(rule, flow=True)


def _dump(value: object, *, flow: bool = False) -> str:
    text: str = yaml.dump(
        value, Dumper=_Plain, sort_keys=False, width=10_000, allow_unicode=True, default_flow_style=flow
    )
    return text


class _Plain(yaml.CSafeDumper):
    """Without anchors: the adapter's readers are people."""

    def ignore_aliases(self, data: object) -> bool:
        return True


def _value_node(text: str, key: str) -> yaml.Node | None:
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    if not isinstance(root, yaml.MappingNode):
        return None
    return next((value for name, value in root.value if name.value == key), None)


def _end_of(text: str, node: yaml.Node) -> int:
    """Where the last line that holds content of a block item ends (behind its newline).

    A block node's own end mark lies behind the comments and blank lines that follow it.
    """
    last: yaml.Node = node
    while isinstance(last, (yaml.MappingNode, yaml.SequenceNode)) and last.value and not last.flow_style:
        tail = last.value[-1]
        last = tail[1] if isinstance(tail, tuple) else tail
    index: int = last.end_mark.index
    if isinstance(last, yaml.ScalarNode) and last.style in ("|", ">"):
        return index
    newline = text.find("\n", index)
    return len(text) if newline < 0 else newline + 1


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
