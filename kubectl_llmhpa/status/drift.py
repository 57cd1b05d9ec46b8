"""What has drifted from how it was set up: works now, and will not, or not as it was meant."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from kubectl_llmhpa.api import MANAGER, Json
from kubectl_llmhpa.status import scaled

#: One word for each kind of drift.
RULE, CHANGED, TEMPLATES = "rule", "changed", "templates"


class Drift(NamedTuple):
    """`word` is RULE (the adapter's next restart loses it), CHANGED (by somebody else) or TEMPLATES (two at once)."""

    word: str
    text: str


def lost_rules(metrics: Iterable[str], lost: Mapping[str, str]) -> list[Drift]:
    """Metrics of an HPA whose rule the adapter's next restart loses; `lost` maps a metric's name to the sentence."""
    return [Drift(RULE, lost[name]) for name in dict.fromkeys(metrics) if name in lost]


def changed(obj: Json, what: str) -> list[Drift]:
    """Fields of the spec of an object of ours that somebody else wrote after us; `what` is what the object is called.

    A field that we own too is as we want it. What another manager owned before our last write was there when we took
    the object over. An operator that writes an object of its kind back adds empty fields, which change nothing.
    """
    entries = [
        one for one in (obj.get("metadata") or {}).get("managedFields") or () if not one.get("subresource")
    ]
    mine = [one for one in entries if one.get("manager") == MANAGER]
    last = max((str(one.get("time") or "") for one in mine), default="")
    later = [one for one in entries if one.get("manager") != MANAGER and str(one.get("time") or "") >= last]
    if not mine or not later:
        return []
    ours = set().union(*(_leaves(one) for one in mine))
    drifts = []
    for one in later:
        theirs = sorted(path for path in _leaves(one) - ours if not _empty(obj, path))
        if theirs:
            drifts.append(
                Drift(CHANGED, f"{_listed(theirs)} of {what} changed by {one.get('manager') or 'somebody'}")
            )
    return drifts


def templates(workload: Json | None, kind: str) -> list[Drift]:
    """Pods of two templates at once, which may be two versions of the engine."""
    old, size = scaled.old_pods(workload, kind)
    if not old:
        return []
    return [
        Drift(TEMPLATES, f"{old} of {size} pods run an older template, maybe another version of the engine")
    ]


def _leaves(entry: Json) -> set[str]:
    """The fields of the spec in an entry of managedFields, as `spec.maxReplicas`."""
    found: set[str] = set()
    stack = [("spec", (entry.get("fieldsV1") or {}).get("f:spec"))]
    while stack:
        path, below = stack.pop()
        if not isinstance(below, dict):
            continue
        fields = {key: one for key, one in below.items() if key != "."}
        if not fields and path != "spec":
            found.add(path)
        for key, one in fields.items():
            name = key.removeprefix("f:")
            stack.append((f"{path}.{name}" if key.startswith("f:") else f"{path}[{name[2:]}]", one))
    return found


def _empty(obj: Json, path: str) -> bool:
    """Whether a field is there and empty; one that is gone, or is in a list, counts as something."""
    value: object = obj
    for name in path.split("."):
        if not isinstance(value, dict) or name not in value:
            return False
        value = value[name]
    return value in ({}, [], "", None, False)


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more fields" if len(names) > 3 else "")
