"""Which types the API server has, by the names that kubectl accepts.

One request: aggregated discovery (kube-apiserver 1.26 and later) lists every group, version and resource with its
short names and subresources. Built-in types are known without it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from kubectl_llmhpa.api import (
    DEPLOYMENTS,
    JOBS,
    NODES,
    PODS,
    REPLICA_SETS,
    SERVICES,
    STATEFUL_SETS,
    Json,
    Reader,
    Resource,
)
from kubectl_llmhpa.errors import ApiError, LlmHpaError

ACCEPT = ",".join(
    [
        *(
            f"application/json;g=apidiscovery.k8s.io;v={v};as=APIGroupDiscoveryList"
            for v in ("v2", "v2beta1")
        ),
        "application/json",
    ]
)
DAEMON_SETS = Resource("apps/v1", "daemonsets", "DaemonSet")
REPLICATION_CONTROLLERS = Resource("v1", "replicationcontrollers", "ReplicationController")
CRON_JOBS = Resource("batch/v1", "cronjobs", "CronJob")


@dataclass(frozen=True)
class Type:
    """A resource type: where it is served, its other names, and whether it has a scale subresource."""

    resource: Resource
    singular: str
    short_names: tuple[str, ...] = ()
    scalable: bool = False

    def is_called(self, word: str) -> bool:
        """Whether kubectl takes `word` (lower case) for this type."""
        return word in (self.resource.plural, self.singular, self.resource.kind.lower(), *self.short_names)


def _builtin(resource: Resource, *short_names: str, scalable: bool = False) -> Type:
    return Type(resource, resource.kind.lower(), short_names, scalable)


BUILTIN = (
    _builtin(DEPLOYMENTS, "deploy", scalable=True),
    _builtin(STATEFUL_SETS, "sts", scalable=True),
    _builtin(REPLICA_SETS, "rs", scalable=True),
    _builtin(REPLICATION_CONTROLLERS, "rc", scalable=True),
    _builtin(PODS, "po"),
    _builtin(DAEMON_SETS, "ds"),
    _builtin(JOBS),
    _builtin(CRON_JOBS, "cj"),
    _builtin(SERVICES, "svc"),
    _builtin(NODES, "no"),
)


class Types:
    """The types of one API server. The server is asked once, and only when a type is not built in."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._served: tuple[Type, ...] | None = None

    def named(self, word: str) -> Type:
        """The type that kubectl means by a word, see `choose`. Raises LlmHpaError when there is none."""
        found = choose(BUILTIN, word) or choose(self.served(), word)
        if found is None:
            raise LlmHpaError(
                f"read the type {word!r}",
                "the API server has no resource of that type",
                "see: kubectl api-resources",
            )
        return found

    def of(self, api_version: str, kind: str) -> Type | None:
        """The type of an object or reference, None when the server has none of that group and kind."""
        group = Resource(api_version, "", kind).group
        known = BUILTIN if group in _BUILTIN_GROUPS else self.served()
        return next((one for one in known if (one.resource.group, one.resource.kind) == (group, kind)), None)

    def served(self) -> tuple[Type, ...]:
        """Every namespaced and cluster-wide type of the API groups (not of the core group)."""
        if self._served is None:
            self._served = tuple(_types(self._reader, self._reader.get("/apis", accept=ACCEPT)))
        return self._served


_BUILTIN_GROUPS = {one.resource.group for one in BUILTIN}


def choose(types: Iterable[Type], word: str) -> Type | None:
    """The type that kubectl means by `TYPE`, `TYPE.GROUP` or `TYPE.VERSION.GROUP`, None when it is not among them.

    A group may be cut short where none fits whole; of several types the first wins, in the order of the server's
    groups (apimachinery pkg/api/meta/restmapper.go, ResourcesFor).
    """
    name, _, rest = word.lower().partition(".")
    called = [one for one in types if one.is_called(name)]
    exact = (one for one in called if rest in ("", one.resource.group, _version_and_group(one.resource)))
    cut_short = (one for one in called if rest and one.resource.group.startswith(rest))
    return next(exact, None) or next(cut_short, None)


def _version_and_group(resource: Resource) -> str:
    return f"{resource.api_version.rpartition('/')[2]}.{resource.group}"


def _types(reader: Reader, answer: Json) -> Iterator[Type]:
    if answer.get("kind") == "APIGroupDiscoveryList":
        return types_of_groups(answer)
    return _one_by_one(reader, answer)


def types_of_groups(discovery: Json) -> Iterator[Type]:
    """The types of an `APIGroupDiscoveryList`: each from its preferred version, or else the first that serves it."""
    for group in discovery.get("items") or ():
        seen: set[str] = set()
        for version in group.get("versions") or ():
            api_version = f"{group['metadata']['name']}/{version['version']}"
            for one in version.get("resources") or ():
                kind = str((one.get("responseKind") or {}).get("kind", ""))
                if one["resource"] in seen or not kind:
                    continue
                seen.add(one["resource"])
                below = {each["subresource"] for each in one.get("subresources") or ()}
                yield Type(
                    Resource(api_version, one["resource"], kind, one.get("scope") != "Cluster"),
                    str(one.get("singularResource", "")), tuple(one.get("shortNames") or ()), "scale" in below,
                )  # fmt: skip


def _one_by_one(reader: Reader, groups: Json) -> Iterator[Type]:
    """The same from a server or a connection without aggregated discovery: one request a group's version."""
    versions = [one["groupVersion"] for group in groups.get("groups") or () for one in group["versions"]]
    seen: set[tuple[str, str]] = set()
    for version, answer in zip(versions, reader.get_many([f"/apis/{one}" for one in versions]), strict=True):
        if isinstance(answer, ApiError):
            continue
        resources = answer.get("resources") or ()
        scalable = {one["name"].removesuffix("/scale") for one in resources if one["name"].endswith("/scale")}
        for one in resources:
            key = (version.partition("/")[0], one["name"])
            if "/" in one["name"] or key in seen:
                continue
            seen.add(key)
            yield Type(
                Resource(version, one["name"], one["kind"], bool(one.get("namespaced"))),
                str(one.get("singularName", "")), tuple(one.get("shortNames") or ()), one["name"] in scalable,
            )  # fmt: skip
