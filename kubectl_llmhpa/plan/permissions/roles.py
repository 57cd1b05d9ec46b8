"""The rights of a command as RBAC objects: one Role for each place, a ClusterRole for the whole cluster, bindings."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from kubectl_llmhpa.api import API_SERVICES, NAMESPACE_NAME, PROMETHEUSES, SERVICES, Json, Reader, Resource
from kubectl_llmhpa.backends import prometheus_adapter, providers
from kubectl_llmhpa.backends.keda import EXTERNAL_GROUP
from kubectl_llmhpa.errors import ApiError, LlmHpaError
from kubectl_llmhpa.monitoring import address, prometheus, prometheus_operator
from kubectl_llmhpa.plan.permissions.recording import Recording
from kubectl_llmhpa.plan.permissions.rights import Granted, Scene
from kubectl_llmhpa.plan.permissions.rights_table import (
    ADAPTER,
    CLUSTER,
    KEDAS,
    OPTIONAL,
    PLACES,
    PROMETHEUS,
    WORKLOAD,
)
from kubectl_llmhpa.plan.permitted import Right
from kubectl_llmhpa.workloads import resolve

GROUP = "rbac.authorization.k8s.io"
_ABOUT = {
    WORKLOAD: "for the team of the workload",
    ADAPTER: "around the metric adapter, which the whole cluster shares",
    PROMETHEUS: "around Prometheus",
    KEDAS: "around KEDA",
    CLUSTER: "on the whole cluster, to read",
}
#: Stands for a namespace that could not be found: to be filled in.
UNKNOWN = {ADAPTER: "ADAPTER-NAMESPACE", PROMETHEUS: "PROMETHEUS-NAMESPACE", KEDAS: "KEDA-NAMESPACE"}


@dataclass(frozen=True)
class Rule:
    """One rule of a role; `why` is said of what is not needed in every case."""

    verbs: tuple[str, ...]
    group: str
    resources: tuple[str, ...]
    name: str = ""
    why: str = ""

    @property
    def body(self) -> Json:
        """As the API has it."""
        names = {"resourceNames": [self.name]} if self.name else {}
        return {
            "apiGroups": [self.group],
            "resources": list(self.resources),
            **names,
            "verbs": list(self.verbs),
        }


@dataclass(frozen=True)
class Role:
    """A Role, or a ClusterRole where `namespace` is empty."""

    name: str
    place: str
    namespace: str
    rules: tuple[Rule, ...]
    subjects: tuple[Json, ...] = field(default=())

    @property
    def about(self) -> str:
        """What it is for, in a few words."""
        return _ABOUT[self.place]

    @property
    def kind(self) -> str:
        return "Role" if self.namespace else "ClusterRole"

    @property
    def head(self) -> Json:
        """The role without its rules."""
        return {"apiVersion": f"{GROUP}/v1", "kind": self.kind, "metadata": self._metadata}

    @property
    def body(self) -> Json:
        return {**self.head, "rules": [one.body for one in self.rules]}

    @property
    def bindings(self) -> list[Json]:
        """What gives it to each of its subjects, by a name of its own: others are given the same role."""
        reference = {"apiGroup": GROUP, "kind": self.kind, "name": self.name}
        result = []
        for one in self.subjects:
            words = (self.name, one["kind"].lower(), one.get("namespace", ""), one["name"])
            name = ":".join(word for word in words if word).replace("/", "-").replace("%", "-")
            head = {"apiVersion": f"{GROUP}/v1", "kind": f"{self.kind}Binding"}
            metadata = {**self._metadata, "name": name}
            result.append({**head, "metadata": metadata, "roleRef": reference, "subjects": [one]})
        return result

    @property
    def _metadata(self) -> Json:
        return {"name": self.name, **({"namespace": self.namespace} if self.namespace else {})}


def subject(words: str) -> Json:
    """`user:NAME`, `group:NAME` or `serviceaccount:NAMESPACE:NAME`. Raises LlmHpaError for anything else."""
    kind, _, name = words.partition(":")
    if kind == "serviceaccount" and all(name.partition(":")):
        namespace, _, name = name.partition(":")
        return {"kind": "ServiceAccount", "namespace": namespace, "name": name}
    if kind in ("user", "group") and name:
        return {"apiGroup": GROUP, "kind": kind.capitalize(), "name": name}
    raise LlmHpaError(
        f"read the subject {words!r}", "it is none of user:NAME, group:NAME and serviceaccount:NAMESPACE:NAME"
    )


def roles(
    found: Iterable[Granted], scene: Scene, *, name: str, subjects: Sequence[Json] = (), optional: bool = True
) -> list[Role]:
    """The roles of selected rows, in the order of their places; without `optional` only what is needed."""
    chosen = [one for one in found if optional or one.row.need != OPTIONAL]
    result = []
    for place in PLACES:
        rows = [one for one in chosen if one.row.place == place]
        if rows:
            namespace = scene.namespaces.get(place, "")
            result.append(Role(f"{name}-{place}", place, namespace, tuple(_rules(rows)), tuple(subjects)))
    return result


def scene_of(reader: Reader, namespace: str, words: tuple[str, ...] = ()) -> tuple[Scene, dict[str, str]]:
    """What is around here, and by place what could not be found.

    `namespace` is the workload's, empty for all. `words` name a workload, whose kinds are read off it. A place that
    may not be looked at stands in capitals, one that is not there is left out. Raises LlmHpaError when the workload
    does not exist or cannot be scaled.
    """
    namespaces = {WORKLOAD: namespace}
    notes: dict[str, str] = {}
    names: dict[str, tuple[str, ...]] = {}
    servers: list[prometheus.Server] = []
    try:
        adapter = prometheus_adapter.find(reader, even_down=True)
    except LlmHpaError as error:
        _unseen(ADAPTER, error, namespaces, notes)
    else:
        namespaces[ADAPTER] = adapter.namespace
        names = {"file": (adapter.config_map,), "deployment": (adapter.name,)}
        asked = prometheus.server_of(adapter.prometheus_url, adapter.namespace)
        servers += [asked] if asked else []
    try:
        servers += _operators(reader, namespace)
    except LlmHpaError as error:
        _unseen(PROMETHEUS, error, namespaces, notes)
    if servers:
        namespaces[PROMETHEUS] = at = servers[0].namespace
        known = [
            f"{'https:' * (one.scheme == 'https')}{one.service}:{one.port}"
            for one in servers
            if one.namespace == at
        ]
        names["server"] = tuple(dict.fromkeys(known))
        notes.pop(PROMETHEUS, None)
    try:
        found = providers.of_group(reader.get(API_SERVICES.path()).get("items") or [], EXTERNAL_GROUP)
        namespaces |= {KEDAS: found[0].namespace} if found else {}
    except ApiError as error:
        _unseen(KEDAS, error, namespaces, notes)
    types, owners = _kinds(reader, words, namespace) if words else (Scene.types, Scene.owners)
    groups = frozenset(str(one["name"]) for one in reader.get("/apis").get("groups") or [])
    return Scene(namespaces, types, owners, groups=groups, names=names), notes


def _unseen(place: str, error: LlmHpaError, namespaces: dict[str, str], notes: dict[str, str]) -> None:
    """Note what could not be found; only where the caller may not look it may be there."""
    notes[place] = str(error)
    if isinstance(error, ApiError) and error.forbidden:
        namespaces[place] = UNKNOWN[place]


def _kinds(
    reader: Reader, words: tuple[str, ...], namespace: str
) -> tuple[tuple[Resource, ...], tuple[Resource, ...]]:
    """The kinds that are read on the way to a workload: those whose scale subresource is, and the others."""
    recording = Recording(reader)
    resolve(recording, words, namespace)
    used = [one for one in recording.used if one.verb == "get" and one.namespace == namespace]
    scaled = {(one.group, one.resource) for one in used if one.subresource == "scale"}
    others = {(one.group, one.resource) for one in used} - scaled
    types, owners = (
        tuple(Resource(f"{group}/v1" if group else "v1", plural, "") for group, plural in sorted(pairs))
        for pairs in (scaled, others)
    )
    return types, owners


def _operators(reader: Reader, namespace: str) -> list[prometheus.Server]:
    """The operator's own Service, and the one under which KEDA reaches the Prometheus that scrapes a namespace.

    Raises LlmHpaError where it is not clear which one does.
    """
    found = reader.get(PROMETHEUSES.path()).get("items") or []
    labels = {NAMESPACE_NAME: namespace}
    chosen = prometheus_operator.choose(found, namespace, labels)
    services = reader.get(SERVICES.path(chosen.namespace)).get("items") or []
    return [
        address.of(chosen, services, found),
        prometheus.Server(chosen.namespace, "prometheus-operated", 9090),
    ]


def _rules(rows: Sequence[Granted]) -> list[Rule]:
    """Few rules: what is needed first, then the rest with its reason, less what is there already."""
    needed: dict[tuple[str, str, str], list[str]] = {}
    for one in rows:
        if not one.row.need:
            for right in one.rights:
                verbs = needed.setdefault(_object(right), [])
                if right.verb not in verbs:
                    verbs.append(right.verb)
    rules = _joined((verbs, *key, "") for key, verbs in needed.items())
    more: dict[tuple[str, str, str, str], list[str]] = {}
    for one in rows:
        if one.row.need:
            why = f"{'optional' if one.row.need == OPTIONAL else f'with {one.row.need}'}: {one.row.why}"
            for right in one.rights:
                group, resource, name = _object(right)
                there = [*needed.get((group, resource, name), ()), *needed.get((group, resource, ""), ())]
                verbs = more.setdefault((group, resource, name, why), [])
                if right.verb not in (*there, *verbs):
                    verbs.append(right.verb)
    return [*rules, *_joined((verbs, *key) for key, verbs in more.items() if verbs)]


def _joined(parts: Iterable[tuple[list[str], str, str, str, str]]) -> list[Rule]:
    """Resources of one group with the same verbs in one rule."""
    together: dict[tuple[tuple[str, ...], str, str, str], list[str]] = {}
    for verbs, group, resource, name, why in parts:
        resources = together.setdefault((tuple(verbs), group, name, why), [])
        if resource not in resources:
            resources.append(resource)
    return [
        Rule(verbs, group, tuple(resources), name, why)
        for (verbs, group, name, why), resources in together.items()
    ]


def _object(right: Right) -> tuple[str, str, str]:
    """Group, resource as a rule has it, and name. A rule cannot say `pods/*`, only `*`."""
    if right.subresource == "*":
        return right.group, "*", right.name
    below = f"/{right.subresource}" if right.subresource else ""
    return right.group, right.resource + below, right.name
