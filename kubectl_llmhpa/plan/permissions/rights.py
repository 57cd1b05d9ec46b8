"""Which rights a command needs in a cluster: the rows of the table that count, and which of them the caller lacks.

The roles that `rbac` prints are made of them (`roles.py`); `enable` and `disable` ask before their first write.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace

from kubectl_llmhpa.api import DEPLOYMENTS, POD_MONITORS, STATEFUL_SETS, Json, Resource, Writer
from kubectl_llmhpa.backends.model import BACKENDS
from kubectl_llmhpa.backends.prometheus_adapter import Adapter
from kubectl_llmhpa.errors import ApiError, LlmHpaError
from kubectl_llmhpa.monitoring.scene import ARMS_NAMESPACE
from kubectl_llmhpa.plan.adapter import metrics_api
from kubectl_llmhpa.plan.adapter.rule_record import RECORD
from kubectl_llmhpa.plan.permissions.rights_table import (
    ADAPTER,
    CLUSTER,
    DISABLE,
    ENABLE,
    METRICS,
    MONITOR,
    OPTIONAL,
    ROWS,
    TYPE,
    WORKLOAD,
    Row,
)
from kubectl_llmhpa.plan.permitted import Right
from kubectl_llmhpa.plan.wishes import PARTS

_REVIEWS = "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews"
_AT_ONCE = 8


@dataclass(frozen=True)
class Scene:
    """What the words of the table stand for."""

    namespaces: Mapping[str, str]
    """By place; a place that is missing is left out, an empty one is every namespace."""
    types: tuple[Resource, ...] = (DEPLOYMENTS, STATEFUL_SETS)
    """What is scaled."""
    owners: tuple[Resource, ...] = ()
    """What else is read on the way there."""
    scrape: Resource = POD_MONITORS
    metric: str = "*"
    """The name of one metric, or all of them; empty: none is read."""
    groups: frozenset[str] | None = None
    """The API groups that are served; None: not known, so any may be."""
    names: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """`file`, `deployment` (of the adapter), `server` (Prometheus' Service as `NAME:PORT`)."""


@dataclass(frozen=True)
class Granted:
    """Rights that go together: one row as it is in a scene."""

    row: Row
    rights: tuple[Right, ...]


def select(
    scene: Scene,
    commands: Collection[str],
    parts: Collection[str] = PARTS,
    backends: Collection[str] = BACKENDS,
    flags: Collection[str] = (),
) -> Iterator[Granted]:
    """The rows that count, with their rights. `flags` are those that were given (`--warm`); optional rows come too."""
    assert {row.need for row in ROWS}.issuperset(flags), "a flag that no row knows would be left unasked"
    for row in ROWS:
        there = row.place == CLUSTER or row.place in scene.namespaces
        there = there and (
            not row.served or scene.groups is None or row.what.partition(".")[2] in scene.groups
        )
        concerns = set(row.commands) & set(commands) and set(row.parts) & set(parts)
        if there and concerns and set(row.backends) & set(backends) and row.need in ("", OPTIONAL, *flags):
            yield Granted(row, tuple(_rights(row, scene)))


def for_enable(
    namespace: str,
    *,
    parts: Collection[str],
    backend: str,
    adapter: Adapter | None = None,
    scrape: Resource = POD_MONITORS,
    metric: str = "",
    flags: Collection[str] = (),
) -> tuple[Right, ...]:
    """What `enable` needs for its writes, to take them back, and to read what it waits for.

    `parts` are those that are to be written, `scrape` the kind of the scrape object, `metric` the one whose value is
    waited for (empty: none). What was read before anything is planned is not asked for again.
    """
    scene = _around(namespace, adapter, scrape, metric)
    found = select(replace(scene, types=()), (ENABLE,), parts, (backend,), flags)
    return _needed(one for one in found if one.row.place != CLUSTER or one.row.need)


def for_disable(
    namespace: str,
    *,
    parts: Collection[str],
    backend: str,
    adapter: Adapter | None = None,
    scrape: Resource = POD_MONITORS,
    flags: Collection[str] = (),
) -> tuple[Right, ...]:
    """What `disable` needs; `parts` are those that are there."""
    return _needed(select(_around(namespace, adapter, scrape, ""), (DISABLE,), parts, (backend,), flags))


def require(writer: Writer, needed: Iterable[Right], attempted: str, remedy: str) -> None:
    """Nothing when the caller has all the rights.

    `attempted` is the head of the sentence, `remedy` the command that prints the roles. Raises LlmHpaError which names
    what is missing.
    """
    lacking = missing(writer, needed)
    if lacking:
        raise LlmHpaError(
            attempted,
            f"you may not {' or '.join(sentence(lacking))}",
            f"an administrator grants it by: {remedy}",
        )


def missing(writer: Writer, needed: Iterable[Right]) -> tuple[Right, ...]:
    """The rights that the caller does not have.

    One SelfSubjectRulesReview for each namespace says most of it; what is not in there is asked for by itself
    (SelfSubjectAccessReview), since authorizers other than RBAC have no rules to show. Rules say nothing of the whole
    cluster, so rights on it are always asked for. Writes nothing. Raises ApiError when the server does not answer.
    """
    wanted = list(dict.fromkeys(needed))
    rules = {one: _rules(writer, one) for one in dict.fromkeys(each.namespace for each in wanted) if one}
    open_ones = [one for one in wanted if not (one.namespace and granted(rules[one.namespace], one))]
    if not open_ones:
        return ()
    with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="rights") as pool:
        answers = pool.map(lambda one: _may(writer, one), open_ones)
        return tuple(one for one, allowed in zip(open_ones, answers, strict=True) if not allowed)


def granted(rules: Sequence[Json], right: Right) -> bool:
    """Whether one of the rules grants a right (k8s.io/kubernetes pkg/apis/rbac/v1/evaluation_helpers.go)."""
    resource = f"{right.resource}/{right.subresource}" if right.subresource else right.resource
    anywhere = {"*", resource, f"*/{right.subresource}" if right.subresource else "*"}
    for rule in rules:
        names = rule.get("resourceNames") or ()
        if (
            {"*", right.verb} & set(rule.get("verbs") or ())
            and {"*", right.group} & set(rule.get("apiGroups") or ())
            and anywhere & set(rule.get("resources") or ())
            and (not names or right.name in names)
        ):
            return True
    return False


def sentence(rights: Iterable[Right]) -> list[str]:
    """Rights in words, those that differ in the verb only together: `create and patch pods in namespace "x"`."""
    verbs: dict[Right, list[str]] = {}
    for one in rights:
        verbs.setdefault(replace(one, verb=""), []).append(one.verb)
    return [" and ".join(words) + str(one) for one, words in verbs.items()]


def _around(namespace: str, adapter: Adapter | None, scrape: Resource, metric: str) -> Scene:
    if adapter is None:
        return Scene({WORKLOAD: namespace}, scrape=scrape, metric=metric)
    names = {"file": (adapter.config_map,), "deployment": (adapter.name,)}
    return Scene({WORKLOAD: namespace, ADAPTER: adapter.namespace}, scrape=scrape, metric=metric, names=names)


def _needed(found: Iterable[Granted]) -> tuple[Right, ...]:
    return tuple(dict.fromkeys(right for one in found if one.row.need != OPTIONAL for right in one.rights))


def _rights(row: Row, scene: Scene) -> Iterator[Right]:
    names = {
        "record": (RECORD,),
        "arms": (ARMS_NAMESPACE,),
        "api": tuple(metrics_api.name_of(one) for one in metrics_api.GROUPS),
        **scene.names,
    }.get(row.named, (row.named.upper(),))
    for verb, (group, resource, below), name in itertools.product(
        row.verbs.split(), _objects(row.what, scene), names
    ):
        # while an object is created or listed, the server does not know it by its name
        known = "" if verb in ("create", "list", "watch") else name
        yield Right(verb, group, resource, below, scene.namespaces.get(row.place, ""), known)


def _objects(what: str, scene: Scene) -> list[tuple[str, str, str]]:
    """A cell of the table as group, resource and subresource of each kind that it stands for."""
    if what == METRICS:
        return [("custom.metrics.k8s.io", "pods", scene.metric)] if scene.metric else []
    kind, _, group = what.partition(".")
    resource, _, below = kind.partition("/")
    kinds = {TYPE: (*scene.types, *(() if below else scene.owners)), MONITOR: (scene.scrape,)}.get(resource)
    if kinds is None:
        return [(group, resource, below)]
    return [(one.group, one.plural, below) for one in kinds]


def _rules(writer: Writer, namespace: str) -> list[Json]:
    review = {
        "apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectRulesReview", "spec": {"namespace": namespace},
    }  # fmt: skip
    try:
        found: list[Json] = (writer.post(_REVIEWS, review).get("status") or {}).get("resourceRules") or []
    except ApiError as error:
        if error.unavailable:
            raise
        return []
    return found


def _may(writer: Writer, right: Right) -> bool:
    return writer.may(right.verb, right.group, right.resource, right.subresource, right.namespace, right.name)
