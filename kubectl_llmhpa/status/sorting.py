"""In which order autoscalers are shown, and which of them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from kubectl_llmhpa import quantities
from kubectl_llmhpa.errors import LlmHpaError
from kubectl_llmhpa.status.overview import Autoscaler, word

#: Words of states, those that want a person first.
STATES = (
    "Broken", "NoCapacity", "Degraded", "AtMax", "Paused", "Disabled", "Armed", "New", "ScalingUp", "ScalingDown",
    "Stabilizing", "Steady",
)  # fmt: skip
#: What an HPA has on top.
_FIELDS = ("apiVersion", "kind", "metadata", "spec", "status")

_STEP = re.compile(r"\.?((?:\\.|[^.\[\]\\])+)|\[(\d+)\]|\['((?:\\.|[^'\\])+)'\]")


def states(wanted: str) -> list[str]:
    """The states of `Broken,AtMax` or `Broken: sample`, in lower case. Raises LlmHpaError for one that there is not."""
    asked = [" ".join(one.split()).lower() for one in wanted.split(",") if one.strip()]
    known = {one.lower() for one in STATES}
    for one in asked:
        if word(one) not in known:
            raise LlmHpaError(
                f"read --state {wanted}", f"there is no state {one!r}", f"choose from {', '.join(STATES)}"
            )
    return asked


def with_states(found: Iterable[Autoscaler], wanted: str) -> list[Autoscaler]:
    """Those in one of the states; all of them when none is named. Raises LlmHpaError as `states` does."""
    asked = states(wanted)
    return [
        one for one in found if not asked or {one.view.state.lower(), word(one.view.state).lower()} & set(asked)
    ]  # fmt: skip


def ordered(found: Sequence[Autoscaler], by: str) -> list[Autoscaler]:
    """Sorted by a column's name or by a field of the HPA, as `kubectl get --sort-by` takes it; "" leaves them alone.

    Columns put first what wants a person: the worst state, the highest signal for its target, the youngest rescale.
    Raises LlmHpaError when it is neither a column nor a field of any HPA.
    """
    if not by:
        return list(found)
    column = _column(by)
    if column is not None:
        return sorted(found, key=column)
    path = _path(by)
    values = [_at(one.object, path) for one in found]
    if found and all(value is None for value in values):
        raise _no_field(by)
    keys = _comparable(values)
    return [one for _, one in sorted(zip(keys, found, strict=True), key=lambda pair: pair[0])]


def _later_first(time: str | None) -> tuple[int, ...]:
    """A key that puts later RFC 3339 times first, none at all last."""
    return tuple(-ord(char) for char in time) if time else (0,)


def _strength(one: Autoscaler) -> float:
    binding = one.view.binding
    return -float(binding.ratio) if binding is not None and binding.ratio is not None else 1.0


COLUMNS: dict[str, Callable[[Autoscaler], Any]] = {
    "namespace": lambda one: one.view.namespace,
    "workload": lambda one: (one.view.target.name, one.view.target.kind),
    "engine": lambda one: one.engine or "~",
    "signal": _strength,
    "replicas": lambda one: one.view.current,
    "limits": lambda one: one.view.max,
    "state": lambda one: (STATES.index(word(one.view.state)), one.view.state),
    "last-rescale": lambda one: _later_first(one.view.last_scale),
    "age": lambda one: _later_first(one.view.created),
    "name": lambda one: one.view.name,
}


def check_order(by: str) -> None:
    """Raises LlmHpaError for what is neither a column nor can be a field of an HPA, before any HPA is read."""
    if by and _column(by) is None and _path(by)[0] not in _FIELDS:
        raise _no_field(by)


def _column(by: str) -> Callable[[Autoscaler], Any] | None:
    return COLUMNS.get(by.strip().lower().replace("_", "-").replace(" ", "-"))


def _no_field(by: str) -> LlmHpaError:
    return LlmHpaError(
        f"sort by {by}", "no HPA has that field, and there is no such column",
        f"use a field such as .spec.maxReplicas, or one of {', '.join(COLUMNS)}",
    )  # fmt: skip


def _path(by: str) -> list[str | int]:
    """`{.spec.metrics[0].type}`, `.spec.maxReplicas` or `metadata.name` as steps. Raises LlmHpaError."""
    text = by.strip().removeprefix("{").removesuffix("}").removeprefix("$")
    steps: list[str | int] = []
    position = 0
    while position < len(text):
        match = _STEP.match(text, position)
        if match is None:
            raise LlmHpaError(
                f"sort by {by}", "it is not a field path", "write for example .spec.maxReplicas"
            )
        name, index, quoted = match.groups()
        steps.append(int(index) if index is not None else re.sub(r"\\(.)", r"\1", name or quoted))
        position = match.end()
    return steps


def _at(value: Any, path: Sequence[str | int]) -> Any:
    for step in path:
        try:
            value = value[step]
        except (KeyError, IndexError, TypeError):
            return None
    return value


def _comparable(values: Sequence[Any]) -> list[tuple[bool, Any]]:
    """Keys that compare: as numbers where all are quantities, else as text; what is missing first, as kubectl does."""
    try:
        return [(False, 0) if one is None else (True, quantities.parse(one)) for one in values]
    except (ValueError, TypeError):
        return [(one is not None, "" if one is None else str(one)) for one in values]
