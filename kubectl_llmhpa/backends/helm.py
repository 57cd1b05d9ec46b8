"""An adapter that a Helm release made: its release, where its values have the rules, and the values with ours.

Helm replaces lists, it does not join them, so whoever sets `custom` has to give every rule of it.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from kubectl_llmhpa.api import Json
from kubectl_llmhpa.backends import ack_adapter, adapter_rules
from kubectl_llmhpa.backends.model import ACK

#: The keys of the values in which charts have the rules, by the lists of the adapter's file.
KEYS = {adapter_rules.CUSTOM: "custom", adapter_rules.EXTERNAL: "external"}
#: Rules by their key in the values.
Lists = dict[str, list[Json]]
#: Where the charts are to be had, by the name in `helm.sh/chart`: the community's repository, and the archive that the
#: vendor's resource templates name.
_CHARTS = {
    "prometheus-adapter": "prometheus-adapter --repo https://prometheus-community.github.io/helm-charts --version {0}",
    "ack-alibaba-cloud-metrics-adapter": "https://aliacs-app-catalog.oss-cn-hangzhou.aliyuncs.com/charts-incubator/"
    "ack-alibaba-cloud-metrics-adapter-{0}.tgz",
}
_CHART = re.compile(r"^(?P<name>.+)-v?(?P<version>\d+\.\d+\..+)$")


class Runner(Protocol):
    """The user's `helm`, with the connection of the command."""

    def run(self, *arguments: str, stdin: str = "") -> str:
        """What it prints. Raises LlmHpaError with its own words when it fails."""


@dataclass(frozen=True)
class Release:
    """A Helm release, and the chart that it was made from; `chart` and `version` may be unknown (empty)."""

    name: str
    namespace: str
    chart: str = ""
    version: str = ""

    @property
    def source(self) -> str:
        """The chart's place on a command line, as far as it is known."""
        if self.chart in _CHARTS and self.version:
            return _CHARTS[self.chart].format(self.version)
        return f"CHART --version {self.version}" if self.version else "CHART"


UNKNOWN = Release("RELEASE", "NAMESPACE")


def release_of(obj: Mapping[str, Any]) -> Release | None:
    """The release that an object belongs to by Helm's annotations, None when there are none."""
    metadata = obj.get("metadata") or {}
    annotations = metadata.get("annotations") or {}
    name = annotations.get("meta.helm.sh/release-name")
    if not name:
        return None
    namespace = annotations.get("meta.helm.sh/release-namespace") or metadata.get("namespace", "")
    chart = _CHART.match(str((metadata.get("labels") or {}).get("helm.sh/chart", "")))
    if chart is None:
        return Release(name, namespace)
    return Release(name, namespace, chart["name"], chart["version"].replace("_", "+"))


def path_of(kind: str) -> tuple[str, ...]:
    """Where the values of an adapter's chart have `custom` and `default`."""
    return ack_adapter.RULES if kind == ACK else ("rules",)


def listed(kind: str, values: Mapping[str, Any], key: str) -> list[Json] | None:
    """The rules under one of KEYS in values, None when the values do not have it."""
    below: Any = values
    for part in (*path_of(kind), key):
        if not isinstance(below, Mapping) or part not in below:
            return None
        below = below[part]
    return list(below or [])


def key_of(rule: Json) -> str:
    """The key under which a rule of ours belongs."""
    return KEYS[adapter_rules.list_of(rule)]


def lists(kind: str, values: Mapping[str, Any]) -> Lists:
    """The rules in values under every key that the chart has; ACK's has no rules for External metrics."""
    return {key: rules or [] for key, rules in as_given(kind, values).items()}


def as_given(kind: str, values: Mapping[str, Any]) -> dict[str, list[Json] | None]:
    """As `lists`, None for a key that the values do not have."""
    keys = [one for one in KEYS.values() if kind != ACK or one == "custom"]
    return {key: listed(kind, values, key) for key in keys}


def without(rules: Lists, gone: Collection[Json]) -> Lists:
    """The rules but those that are `gone`."""
    return {key: [one for one in each if one not in gone] for key, each in rules.items()}


def joined(rules: Lists, ours: Iterable[Json]) -> Lists:
    """The rules with ours at the ends of their lists, each once."""
    more = list(ours)
    return {
        key: [*each, *(one for one in more if key_of(one) == key and one not in each)]
        for key, each in rules.items()
    }


def with_lists(kind: str, values: Mapping[str, Any], wanted: Lists) -> Json:
    """The values with these rules. An empty list for External metrics is not added where there was none."""
    result = dict(values)
    for key, rules in wanted.items():
        if rules or key == "custom" or listed(kind, values, key) is not None:
            result = with_list(kind, result, key, rules)
    return result


def with_list(kind: str, values: Mapping[str, Any], key: str, rules: Sequence[Json] | None) -> Json:
    """The values with these rules under one of KEYS; None takes the key away, and what only led to it."""
    result: Json = copy.deepcopy(dict(values))
    path = path_of(kind)
    if rules is None:
        _drop(result, (*path, key))
        return result
    below = result
    for part in path:
        if not isinstance(below.get(part), dict):
            below[part] = {}
        below = below[part]
    below[key] = list(rules)
    return result


def fragment(kind: str, rules: Sequence[Json], present: Sequence[Json] = ()) -> str:
    """Values for these rules, to be merged into the values that the release is made from.

    The ACK chart has no rules but `custom` (its `default` has to stay false), so what is in its file (`present`) is
    the whole list, and the values are complete. Of the community chart only the new entries are known.
    """
    every = [*(one for one in present if one not in rules), *rules] if kind == ACK else list(rules)
    path = path_of(kind)
    text = "".join(f"{'  ' * depth}{key}:\n" for depth, key in enumerate(path))
    indent = "  " * len(path)
    text += f"{indent}default: false\n" if kind == ACK else ""
    for listing, key in KEYS.items():
        lines = [adapter_rules.dumped(one) for one in every if _list_of(kind, one) == listing]
        if lines:
            text += f"{indent}{key}:\n" + "".join(f"{indent}- {line}" for line in lines)
    return text


def _list_of(kind: str, rule: Json) -> str:
    """The list of a rule; the ACK chart has one only."""
    return adapter_rules.CUSTOM if kind == ACK else adapter_rules.list_of(rule)


def upgrade_line(release: Release, file: str = "FILE") -> str:
    """The command that applies a values file to a release and keeps its other values."""
    return f"helm upgrade {release.name} {release.source} --namespace {release.namespace} --reuse-values -f {file}"


def _drop(values: Json, path: Sequence[str]) -> None:
    below = values.get(path[0])
    if len(path) > 1:
        if not isinstance(below, dict):
            return
        _drop(below, path[1:])
    if len(path) == 1 or not below:
        values.pop(path[0], None)
